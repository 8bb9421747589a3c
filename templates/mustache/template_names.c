// Holds the names of a set's templates against what their views can have. Templates are walked as
// they are run, but into all sections, each once, so that a partial is judged by what is open
// around the places that name it. A name is good if one way to it has such a value.
#include <stdio.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/mustache/program.h"

#define NESTED_MAX 64
#define SCOPES_MAX 128
// What is past it is not judged: partials that double with each level are not for us to follow.
#define STEPS_MAX 200000

struct arguments {
    const struct arguments *outer;
    struct template *template;
    const struct instruction *parent;
};

struct walk {
    const struct template_set *set;
    const json_t *anything; // stands for what no more is known of
    unsigned steps;
    size_t nested, scope_count;
    const struct template *within[NESTED_MAX];
    const json_t *scopes[SCOPES_MAX]; // what is known of each open section
};

static const json_t *member(const json_t *known, const char *part, const json_t *anything)
{
    if (json_is_true(known))
        return anything;
    return json_object_getn(known, part + 1, (unsigned char)part[0]);
}

// What is known of the value that the instruction names; NULL: that there is none here.
static const json_t *look_up(struct walk *walk, const struct template *template,
                             struct instruction *instruction)
{
    const char *part = template->pool.data + instruction->name;
    const json_t *known = NULL;
    if (instruction->name_parts == 0)
        known = walk->scopes[walk->scope_count - 1];
    for (size_t i = walk->scope_count; i > 0 && !known; i--)
        known = member(walk->scopes[i - 1], part, walk->anything);
    for (uint32_t i = 1; i < instruction->name_parts && known; i++) {
        part += (unsigned char)part[0] + 2;
        known = member(known, part, walk->anything);
    }
    instruction->is_known |= known != NULL;
    return known;
}

static void walk_range(struct walk *walk, struct template *template, uint32_t from, uint32_t to,
                       const struct arguments *arguments);

static void walk_section(struct walk *walk, struct template *template,
                         struct instruction *instruction, const struct arguments *arguments)
{
    const json_t *known = look_up(walk, template, instruction);
    if (walk->scope_count == SCOPES_MAX)
        return;
    if (json_is_array(known))
        known = json_array_get(known, 0);
    // One that is not known is one fault, and not one for each name in it.
    walk->scopes[walk->scope_count++] = known ? known : walk->anything;
    walk_range(walk, template, (uint32_t)(instruction - template->instructions) + 1,
               instruction->target, arguments);
    walk->scope_count--;
}

// Again within itself it sees what it will see ever after.
static void walk_template(struct walk *walk, struct template *template,
                          const struct arguments *arguments)
{
    size_t count = 0;
    for (size_t i = 0; i < walk->nested; i++)
        count += walk->within[i] == template;
    if (count > 1 || walk->nested == NESTED_MAX)
        return;
    walk->within[walk->nested++] = template;
    walk_range(walk, template, 0, template->count, arguments);
    walk->nested--;
}

static void walk_partial(struct walk *walk, struct template *template,
                         struct instruction *instruction, const struct arguments *outer)
{
    const struct arguments own = {outer, template, instruction};
    const struct arguments *arguments = instruction->opcode == OP_PARENT ? &own : outer;
    if (instruction->is_dynamic)
        look_up(walk, template, instruction);
    for (size_t i = 0; i < walk->set->count; i++) {
        struct template *named = walk->set->templates[i];
        if (instruction->is_dynamic || instruction->partial == named)
            walk_template(walk, named, arguments);
    }
}

// What stands in it, and all that may be given in its place.
static void walk_block(struct walk *walk, struct template *template,
                       struct instruction *instruction, const struct arguments *arguments)
{
    const char *name = program_name(template, instruction);
    uint32_t first = (uint32_t)(instruction - template->instructions) + 1;
    if (walk->nested == NESTED_MAX)
        return;
    walk->within[walk->nested++] = NULL;
    walk_range(walk, template, first, instruction->target, arguments);
    for (; arguments; arguments = arguments->outer) {
        struct template *giver = arguments->template;
        uint32_t at = (uint32_t)(arguments->parent - giver->instructions) + 1;
        while (at < arguments->parent->target) {
            const struct instruction *given = &giver->instructions[at];
            if (strcmp(program_name(giver, given), name) == 0)
                walk_range(walk, giver, at + 1, given->target, arguments->outer);
            at = given->target;
        }
    }
    walk->nested--;
}

static void walk_range(struct walk *walk, struct template *template, uint32_t from, uint32_t to,
                       const struct arguments *arguments)
{
    uint32_t next = from;
    while (next < to && walk->steps < STEPS_MAX) {
        struct instruction *at = &template->instructions[next++];
        walk->steps++;
        switch (at->opcode) {
        case OP_TEXT:
        case OP_INDENT:
        case OP_END:
            break;
        case OP_VALUE:
        case OP_RAW:
        case OP_INVERTED:
            look_up(walk, template, at);
            break;
        case OP_SECTION:
            walk_section(walk, template, at, arguments);
            next = at->target;
            break;
        case OP_PARTIAL:
            walk_partial(walk, template, at, arguments);
            break;
        case OP_PARENT:
            walk_partial(walk, template, at, arguments);
            next = at->target;
            break;
        case OP_BLOCK:
            walk_block(walk, template, at, arguments);
            next = at->target;
            break;
        }
    }
}

// ---- faults ---------------------------------------------------------------------------------

static bool is_looked_up(const struct instruction *instruction)
{
    switch (instruction->opcode) {
    case OP_VALUE:
    case OP_RAW:
    case OP_SECTION:
    case OP_INVERTED:
        return true;
    case OP_PARTIAL:
    case OP_PARENT:
        return instruction->is_dynamic;
    case OP_TEXT:
    case OP_INDENT:
    case OP_END:
    case OP_BLOCK:
        break;
    }
    return false;
}

// The key of an object that has a value of that name, or NULL.
static const char *owner_of(json_t *known_names, const char *name)
{
    const char *key;
    const json_t *known;
    json_object_foreach(known_names, key, known)
    {
        if (json_object_get(known, name))
            return key;
    }
    return NULL;
}

static bool fault_of(const struct template *template, const struct instruction *instruction,
                     json_t *known_names, json_t *faults)
{
    char name[256] = "";
    size_t size = 0;
    const char *part = template->pool.data + instruction->name;
    for (uint32_t i = 0; i < instruction->name_parts && size < sizeof(name); i++) {
        size +=
            (size_t)snprintf(name + size, sizeof(name) - size, "%s%s", i > 0 ? "." : "", part + 1);
        part += (unsigned char)part[0] + 2;
    }
    const char *owner = owner_of(known_names, name);
    return fault_at(faults, template->file, instruction->line, "there is no value named %s%s%s%s%s",
                    name, owner ? " here; did you mean " : "", owner ? owner : "", owner ? "." : "",
                    owner ? name : "");
}

bool template_names_check(const struct template_set *set, json_t *faults)
{
    json_t *known_names = set->rules.known_names;
    struct walk walk = {.set = set, .anything = json_true(), .scope_count = 1};
    walk.scopes[0] = known_names;
    if (!known_names)
        return true;
    // What is known with nothing open is known everywhere, so partials may begin a walk as well.
    for (size_t i = 0; i < set->count; i++)
        walk_template(&walk, set->templates[i], NULL);
    bool good = true;
    for (size_t i = 0; i < set->count && walk.steps < STEPS_MAX; i++) {
        const struct template *template = set->templates[i];
        for (uint32_t k = 0; k < template->count; k++) {
            const struct instruction *instruction = &template->instructions[k];
            if (is_looked_up(instruction) && !instruction->is_known)
                good = fault_of(template, instruction, known_names, faults);
        }
    }
    return good;
}
