// Loading one catalog. All files of the folder are in catalog_folder.c, what only several of them
// together can have wrong in catalog_check.c.
#include "templates/catalog.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "templates/fault.h"
#include "templates/plain_text.h"
#include "templates/source.h"

#define TYPES_MAX 200
#define TYPE_NAME_SIZE_MAX 64

// A catalog while it is read. keys is the path to what is being read, for fault lines.
struct loader {
    struct catalog *catalog;
    const struct source *source;
    json_t *faults;
    const char *keys[5];
};

static bool text_key_parse(const char *name, enum text_key *ret_key)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        if (strcmp(text_key_name((enum text_key)i), name) == 0) {
            *ret_key = (enum text_key)i;
            return true;
        }
    }
    return false;
}

static size_t line_here(const struct loader *loader)
{
    return source_line_of(loader->source, loader->keys);
}

// Reports a fault at the path in keys, whose last key it names.
static void fault_here(const struct loader *loader, const char *what)
{
    char path[256] = "";
    size_t used = 0;
    for (size_t i = 0; loader->keys[i] && used < sizeof(path); i++)
        used += (size_t)snprintf(path + used, sizeof(path) - used, "%s%s", i ? "." : "",
                                 loader->keys[i]);
    fault_at(loader->faults, loader->source->path, line_here(loader), "%s %s", path, what);
}

static struct message *load_message(const struct loader *loader, const json_t *value)
{
    struct error err = {0};
    if (!json_is_string(value)) {
        fault_here(loader, "is neither a text nor an object of plural classes");
        return NULL;
    }
    struct message *message =
        message_create(json_string_value(value), json_string_length(value), &err);
    if (!message)
        fault_here(loader, err.message);
    return message;
}

// depth: where in keys the plural class goes.
static void load_plural(struct loader *loader, json_t *value, size_t depth, struct text *text)
{
    const struct plural_rules *rules = loader->catalog->plural;
    const char *name;
    json_t *form;
    json_object_foreach(value, name, form)
    {
        enum plural plural;
        loader->keys[depth] = name;
        if (!plural_parse(name, &plural) || !plural_exists(rules, plural))
            fault_here(loader, "is no plural class of this language");
        else
            text->forms[plural] = load_message(loader, form);
    }
    loader->keys[depth] = NULL;

    for (unsigned i = 0; i < PLURAL_COUNT; i++) {
        char what[64];
        snprintf(what, sizeof(what), "lacks the plural class %s", plural_name((enum plural)i));
        if (plural_is_used(rules, (enum plural)i) && !json_object_get(value, plural_name(i)))
            fault_here(loader, what);
    }
}

// Every form has the same placeholders; only {minutes} may go where the class says the number.
static void check_forms(const struct loader *loader, const struct text *text)
{
    for (unsigned i = 0; i < PLURAL_COUNT; i++) {
        if (!text->forms[i])
            continue;
        unsigned has = message_placeholders(text->forms[i]);
        if (plural_is_single(loader->catalog->plural, (enum plural)i))
            has |= text->placeholders & PLACEHOLDER_BIT(PLACEHOLDER_MINUTES);
        if (has != text->placeholders)
            fault_here(loader, "has other placeholders in one plural class than in another");
    }
}

// A number wants a form for each of its classes: "1 minutes" is nothing that anybody writes.
static void check_single(const struct loader *loader, const struct text *text)
{
    const struct plural_rules *rules = loader->catalog->plural;
    char what[128] = "must be an object of the plural classes";
    size_t used = strlen(what);
    size_t count = 0;
    for (unsigned i = 0; i < PLURAL_COUNT; i++) {
        if (!plural_is_used(rules, (enum plural)i))
            continue;
        used +=
            (size_t)snprintf(what + used, sizeof(what) - used, " %s", plural_name((enum plural)i));
        count++;
    }
    if (count > 1 && text->placeholders & PLACEHOLDER_BIT(PLACEHOLDER_MINUTES))
        fault_here(loader, what);
}

static void load_text(struct loader *loader, const char *name, json_t *value, size_t depth,
                      struct text *texts)
{
    enum text_key key;
    loader->keys[depth] = name;
    if (!text_key_parse(name, &key)) {
        fault_here(loader, "is not a text that any mail has");
    } else {
        struct text *text = &texts[key];
        text->line = line_here(loader);
        if (json_is_object(value))
            load_plural(loader, value, depth + 1, text);
        else
            text->forms[PLURAL_OTHER] = load_message(loader, value);
        if (text->forms[PLURAL_OTHER]) {
            text->placeholders = message_placeholders(text->forms[PLURAL_OTHER]);
            check_forms(loader, text);
            if (!json_is_object(value))
                check_single(loader, text);
        }
    }
    loader->keys[depth] = NULL;
}

// What a mail's template can be (relay/composer/mail.c), and what can be a folder of types/.
static bool is_type_name(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > TYPE_NAME_SIZE_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    }
    return true;
}

static void load_types(struct loader *loader, json_t *types)
{
    struct catalog *catalog = loader->catalog;
    size_t count = json_object_size(types);
    if (count > TYPES_MAX) {
        char what[64];
        snprintf(what, sizeof(what), "has %zu types, at most %d may be", count, TYPES_MAX);
        fault_here(loader, what);
        return;
    }
    catalog->types = calloc(count + 1, sizeof(*catalog->types));
    if (!catalog->types) {
        fault_here(loader, "does not fit into memory");
        return;
    }
    const char *name;
    json_t *value;
    json_object_foreach(types, name, value)
    {
        loader->keys[1] = name;
        if (!json_is_object(value)) {
            fault_here(loader, "is not an object of texts");
            continue;
        }
        if (!is_type_name(name)) {
            fault_here(loader, "is no type's name: 1 to 64 letters, digits and - _ .");
            continue;
        }
        struct catalog_type *type = &catalog->types[catalog->type_count];
        type->name = strdup(name);
        if (!type->name) {
            fault_here(loader, "does not fit into memory");
            continue;
        }
        catalog->type_count++;
        type->need = mail_type_need(name);
        type->line = line_here(loader);
        const char *key;
        json_t *text;
        json_object_foreach(value, key, text) load_text(loader, key, text, 2, type->texts);
    }
    loader->keys[1] = NULL;
}

// Where a tag's variant begins ("hu" of "hu-x-formal"), or its size where it has none.
static size_t language_size(const char *tag)
{
    const char *variant = strcasestr(tag, "-x-");
    return variant ? (size_t)(variant - tag) : strlen(tag);
}

// The members of a catalog beside its texts.
static bool load_head(struct loader *loader, json_t *root)
{
    struct catalog *catalog = loader->catalog;
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
    {
        loader->keys[0] = key;
        if (strcmp(key, "locale") != 0 && strcmp(key, "name") != 0 && strcmp(key, "texts") != 0 &&
            strcmp(key, "types") != 0)
            fault_here(loader, "is not a member of a catalog");
    }

    struct error err = {0};
    loader->keys[0] = "locale";
    const char *locale = json_string_value(json_object_get(root, "locale"));
    if (!locale || strcmp(locale, catalog->tag) != 0) {
        char what[CATALOG_TAG_SIZE + 32];
        snprintf(what, sizeof(what), "must be \"%s\", as the file is named", catalog->tag);
        fault_here(loader, what);
    }
    if (strcmp(catalog->tag, catalog->language) != 0 && !catalog_is_variant(catalog))
        fault_here(loader, "may end in -x-formal or -x-informal; there are no other variants");
    // Of the whole tag, so that nothing in it goes unchecked.
    catalog->plural = plural_rules_create(catalog->tag, &err);
    if (!catalog->plural) {
        fault_here(loader, err.message);
        return false;
    }

    loader->keys[0] = "name";
    const char *name = json_string_value(json_object_get(root, "name"));
    catalog->name = strdup(name ? name : "");
    if (!name || plain_text_is_blank(name, strlen(name)))
        fault_here(loader, "must be the language's own name of itself");
    return catalog->name != NULL;
}

static void load_root(struct loader *loader, json_t *root)
{
    if (!load_head(loader, root))
        return;
    loader->keys[0] = "texts";
    json_t *texts = json_object_get(root, "texts");
    loader->catalog->common_line = line_here(loader);
    if (!json_is_object(texts))
        fault_here(loader, "must be an object of texts");
    const char *key;
    json_t *text;
    json_object_foreach(texts, key, text) load_text(loader, key, text, 1, loader->catalog->common);

    loader->keys[0] = "types";
    loader->catalog->types_line = line_here(loader);
    json_t *types = json_object_get(root, "types");
    if (json_is_object(types))
        load_types(loader, types);
    else
        fault_here(loader, "must be an object of types of mail");
    loader->keys[0] = NULL;
}

struct catalog *catalog_load(const char *tag, struct source *source, json_t *faults)
{
    json_auto_t *root = source_parse(source, faults);
    if (!root)
        return NULL;
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    if (catalog)
        catalog->path = strdup(source->path);
    if (!catalog || !catalog->path) {
        fault_at(faults, source->path, 0, "out of memory");
        free(catalog);
        return NULL;
    }
    snprintf(catalog->tag, sizeof(catalog->tag), "%s", tag);
    snprintf(catalog->language, sizeof(catalog->language), "%.*s", (int)language_size(tag), tag);
    struct loader loader = {.catalog = catalog, .source = source, .faults = faults};
    load_root(&loader, root);
    return catalog;
}
