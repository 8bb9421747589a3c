// A catalog once it is loaded: finding its texts, and writing them.
#include "templates/catalog.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const KEY_NAMES[TEXT_COUNT] = {
    [TEXT_SUBJECT] = "subject",
    [TEXT_SUBJECT_CODE] = "subject_code",
    [TEXT_PREHEADER] = "preheader",
    [TEXT_PREHEADER_CODE] = "preheader_code",
    [TEXT_HEADING] = "heading",
    [TEXT_INTRO] = "intro",
    [TEXT_CONTEXT] = "context",
    [TEXT_CONTEXT_TIME] = "context_time",
    [TEXT_BUTTON] = "button",
    [TEXT_OUTRO] = "outro",
    [TEXT_HAPPENED] = "happened",
    [TEXT_NOT_YOU] = "not_you",
    [TEXT_GREETING] = "greeting",
    [TEXT_GREETING_NAMELESS] = "greeting_nameless",
    [TEXT_CODE_LABEL] = "code_label",
    [TEXT_EXPIRY_CODE] = "expiry_code",
    [TEXT_EXPIRY_LINK] = "expiry_link",
    [TEXT_EXPIRY_CODE_UNTIL] = "expiry_code_until",
    [TEXT_EXPIRY_LINK_UNTIL] = "expiry_link_until",
    [TEXT_LINK_HINT] = "link_hint",
    [TEXT_FOOTER] = "footer",
    [TEXT_SUBJECT_OWN] = "subject_own",
};

const char *text_key_name(enum text_key key)
{
    return KEY_NAMES[key];
}

static void texts_finish(struct text *texts)
{
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        for (size_t form = 0; form < PLURAL_COUNT; form++)
            message_destroy(texts[i].forms[form]);
    }
}

void catalog_destroy(struct catalog *catalog)
{
    if (!catalog)
        return;
    texts_finish(catalog->common);
    for (size_t i = 0; i < catalog->type_count; i++) {
        texts_finish(catalog->types[i].texts);
        free(catalog->types[i].name);
    }
    free(catalog->types);
    plural_rules_destroy(catalog->plural);
    free(catalog->name);
    free(catalog->path);
    free(catalog);
}

void catalogs_destroy(struct catalogs *catalogs)
{
    if (!catalogs)
        return;
    for (size_t i = 0; i < catalogs->count; i++)
        catalog_destroy(catalogs->items[i]);
    free(catalogs->items);
    free(catalogs->unread);
    free(catalogs);
}

bool catalog_is_variant(const struct catalog *catalog)
{
    const char *variant = catalog->tag + strlen(catalog->language);
    return strcasecmp(variant, "-x-formal") == 0 || strcasecmp(variant, "-x-informal") == 0;
}

const struct catalog *catalogs_find(const struct catalogs *catalogs, const char *tag)
{
    for (size_t i = 0; i < catalogs->count; i++) {
        if (strcasecmp(catalogs->items[i]->tag, tag) == 0)
            return catalogs->items[i];
    }
    return NULL;
}

bool catalogs_is_unread(const struct catalogs *catalogs, const char *tag)
{
    for (size_t i = 0; i < catalogs->unread_count; i++) {
        if (strcasecmp(catalogs->unread[i], tag) == 0)
            return true;
    }
    return false;
}

const struct catalog_type *catalog_find_type(const struct catalog *catalog, const char *name)
{
    for (size_t i = 0; i < catalog->type_count; i++) {
        if (strcmp(catalog->types[i].name, name) == 0)
            return &catalog->types[i];
    }
    return NULL;
}

const struct text *catalog_text(const struct catalog *catalog, const struct catalog_type *type,
                                enum text_key key)
{
    if (type && type->texts[key].line > 0)
        return &type->texts[key];
    return catalog->common[key].line > 0 ? &catalog->common[key] : NULL;
}

bool catalog_write(const struct catalog *catalog, const struct text *text, int minutes,
                   const struct message_values *values, struct buffer *out)
{
    const struct message *form = text->forms[plural_select(catalog->plural, minutes)];
    return message_write(form ? form : text->forms[PLURAL_OTHER], values, out);
}
