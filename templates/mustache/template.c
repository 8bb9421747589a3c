// Sets of templates: adding, linking, finding. The work is in template_compile.c and
// template_render.c.
#include "templates/mustache/template.h"

#include <stdlib.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/mustache/program.h"
#include "templates/source.h"

#define POOL_SIZE_MAX (2 * SOURCE_SIZE_MAX)

struct template_set *template_set_create(const struct template_rules *rules)
{
    struct template_set *set = calloc(1, sizeof(*set));
    if (set)
        set->rules = *rules;
    return set;
}

static void template_destroy(struct template *template)
{
    if (!template)
        return;
    free(template->name);
    free(template->file);
    free(template->instructions);
    buffer_finish(&template->pool);
    free(template);
}

void template_set_destroy(struct template_set *set)
{
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        template_destroy(set->templates[i]);
    free(set->templates);
    free(set);
}

static struct template *template_create(const struct template_set *set, const char *name,
                                        const char *file)
{
    struct template *template = calloc(1, sizeof(*template));
    if (!template)
        return NULL;
    buffer_init(&template->pool, POOL_SIZE_MAX);
    template->set = set;
    template->name = strdup(name);
    template->file = strdup(file);
    if (!template->name || !template->file) {
        template_destroy(template);
        return NULL;
    }
    return template;
}

// Where name stands among the templates, or would.
static size_t find_index(const struct template_set *set, const char *name, size_t size,
                         bool *ret_found)
{
    size_t low = 0;
    size_t high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *other = set->templates[middle]->name;
        size_t other_size = strlen(other);
        int order = memcmp(other, name, other_size < size ? other_size : size);
        if (order == 0 && other_size == size) {
            *ret_found = true;
            return middle;
        }
        if (order < 0 || (order == 0 && other_size < size))
            low = middle + 1;
        else
            high = middle;
    }
    *ret_found = false;
    return low;
}

bool template_set_add(struct template_set *set, const char *name, const char *file,
                      const char *source, size_t source_size, json_t *faults)
{
    if (source_size > SOURCE_SIZE_MAX)
        return fault_at(faults, file, 0, "is larger than %d bytes", SOURCE_SIZE_MAX);
    bool found;
    size_t index = find_index(set, name, strlen(name), &found);
    if (found)
        return fault_at(faults, file, 0, "there is another template named %s", name);

    struct template **templates =
        reallocarray(set->templates, set->count + 1, sizeof(struct template *));
    if (!templates)
        return fault_at(faults, file, 0, "out of memory");
    set->templates = templates;
    struct template *template = template_create(set, name, file);
    if (!template)
        return fault_at(faults, file, 0, "out of memory");
    memmove(templates + index + 1, templates + index,
            (set->count - index) * sizeof(struct template *));
    templates[index] = template;
    set->count++;
    bool compiled = program_compile(template, &set->rules, source, source_size, faults);
    set->has_faults |= !template->is_whole;
    return compiled;
}

static bool link_partials(const struct template_set *set, struct template *template, json_t *faults)
{
    bool linked = true;
    for (uint32_t i = 0; i < template->count && !template->pool.failed; i++) {
        struct instruction *instruction = &template->instructions[i];
        bool names_template = instruction->opcode == OP_PARTIAL || instruction->opcode == OP_PARENT;
        if (!names_template || instruction->is_dynamic)
            continue;
        const char *name = program_name(template, instruction);
        instruction->partial = template_set_find(set, name);
        if (!instruction->partial)
            linked = fault_at(faults, template->file, instruction->line, "there is no %s named %s",
                              instruction->opcode == OP_PARENT ? "parent" : "partial", name);
    }
    return linked;
}

// The names of all blocks that can be filled, as keys. NULL: no memory.
static json_t *fillable_names(const struct template_set *set)
{
    json_t *names = json_object();
    for (size_t i = 0; i < set->count && names; i++) {
        const struct template *template = set->templates[i];
        for (uint32_t k = 0; k < template->count; k++) {
            const struct instruction *block = &template->instructions[k];
            if (block->opcode != OP_BLOCK || block->is_argument)
                continue;
            if (json_object_set_new_nocheck(names, program_name(template, block), json_null()) == 0)
                continue;
            json_decref(names);
            return NULL;
        }
    }
    return names;
}

// A block that is given and that nothing takes would be missed by nobody but its reader.
static bool check_arguments(const struct template *template, const json_t *names, json_t *faults)
{
    bool good = true;
    for (uint32_t i = 0; i < template->count; i++) {
        const struct instruction *block = &template->instructions[i];
        if (block->opcode != OP_BLOCK || !block->is_argument)
            continue;
        const char *name = program_name(template, block);
        if (!json_object_get(names, name))
            good = fault_at(faults, template->file, block->line,
                            "there is no block named %s to be filled", name);
    }
    return good;
}

bool template_set_link(struct template_set *set, json_t *faults)
{
    bool linked = true;
    for (size_t i = 0; i < set->count; i++)
        linked &= link_partials(set, set->templates[i], faults);
    // What is not compiled may be what has the block, or the section around a partial.
    if (set->has_faults)
        return linked;
    json_auto_t *names = fillable_names(set);
    if (!names)
        return fault_at(faults, "templates", 0, "out of memory");
    for (size_t i = 0; i < set->count; i++)
        linked &= check_arguments(set->templates[i], names, faults);
    return template_names_check(set, faults) && linked;
}

const struct template *program_find(const struct template_set *set, const char *name, size_t size)
{
    bool found;
    size_t index = find_index(set, name, size, &found);
    return found ? set->templates[index] : NULL;
}

const struct template *template_set_find(const struct template_set *set, const char *name)
{
    const struct template *found = program_find(set, name, strlen(name));
    return found;
}

static bool template_uses(const struct template *template, const struct template *other)
{
    for (uint32_t i = 0; i < template->count; i++) {
        const struct instruction *instruction = &template->instructions[i];
        if (instruction->opcode != OP_PARTIAL && instruction->opcode != OP_PARENT)
            continue;
        if (instruction->is_dynamic || instruction->partial == other)
            return true;
    }
    return false;
}

bool template_set_uses(const struct template_set *set, const char *name)
{
    const struct template *template = template_set_find(set, name);
    bool uses = false;
    for (size_t i = 0; i < set->count && template && !uses; i++)
        uses = set->templates[i] != template && template_uses(set->templates[i], template);
    return uses;
}
