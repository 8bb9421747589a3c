// What can be wrong with catalogs beyond a single text: a text that one language has and
// another has not, placeholders that differ, and those that a mail could not fill.
//
// Completeness is checked here so that no reader ever sees half a mail in another language.
#include "templates/catalog.h"
#include "templates/fault.h"

#define BIT PLACEHOLDER_BIT

// What these texts may use although a mail may lack it: they are written only where it is
// there. Everything else that a text uses must always be at hand.
static const unsigned OPTIONAL[TEXT_COUNT] = {
    [TEXT_SUBJECT_CODE] = BIT(PLACEHOLDER_CODE),
    [TEXT_PREHEADER_CODE] = BIT(PLACEHOLDER_CODE),
    [TEXT_CONTEXT] = BIT(PLACEHOLDER_BROWSER) | BIT(PLACEHOLDER_SYSTEM),
    [TEXT_CONTEXT_TIME] =
        BIT(PLACEHOLDER_BROWSER) | BIT(PLACEHOLDER_SYSTEM) | BIT(PLACEHOLDER_TIME),
    [TEXT_BUTTON] = BIT(PLACEHOLDER_HOST),
    [TEXT_HAPPENED] = BIT(PLACEHOLDER_TIME),
    [TEXT_GREETING] = BIT(PLACEHOLDER_NAME),
    [TEXT_EXPIRY_CODE] = BIT(PLACEHOLDER_MINUTES),
    [TEXT_EXPIRY_LINK] = BIT(PLACEHOLDER_MINUTES),
    [TEXT_EXPIRY_CODE_UNTIL] = BIT(PLACEHOLDER_MINUTES) | BIT(PLACEHOLDER_UNTIL),
    [TEXT_EXPIRY_LINK_UNTIL] = BIT(PLACEHOLDER_MINUTES) | BIT(PLACEHOLDER_UNTIL),
    [TEXT_LINK_HINT] = BIT(PLACEHOLDER_HOST),
};

static unsigned always_there(enum mail_need need, enum text_key key)
{
    switch (need) {
    case NEED_CODE:
        // A locked phone shows both: whether they may have the code is the brand's to say.
        if (key == TEXT_SUBJECT || key == TEXT_PREHEADER)
            break;
        return BIT(PLACEHOLDER_BRAND) | BIT(PLACEHOLDER_CODE);
    case NEED_LINK:
        return BIT(PLACEHOLDER_BRAND) | BIT(PLACEHOLDER_HOST);
    case NEED_NOTHING:
        break;
    }
    return BIT(PLACEHOLDER_BRAND);
}

static void check_placeholders(const struct catalog *catalog, const struct text *texts,
                               enum mail_need need, json_t *faults)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        enum text_key key = (enum text_key)i;
        unsigned unfit = texts[i].placeholders & ~(always_there(need, key) | OPTIONAL[i]);
        char text[PLACEHOLDERS_TEXT_SIZE];
        if (unfit)
            fault_at(faults, catalog->path, texts[i].line,
                     "%s may not use %s: not every mail with this text has it", text_key_name(key),
                     placeholders_text(unfit, text));
    }
}

// Only minutes choose among plural classes, so a text that may not state them has no use for any.
static void check_plurals(const struct catalog *catalog, const struct text *texts, json_t *faults)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        bool has_classes = false;
        for (unsigned form = 0; form < PLURAL_OTHER; form++)
            has_classes |= texts[i].forms[form] != NULL;
        if (has_classes && !(OPTIONAL[i] & BIT(PLACEHOLDER_MINUTES)))
            fault_at(faults, catalog->path, texts[i].line,
                     "%s may not have plural classes: it is not about minutes",
                     text_key_name((enum text_key)i));
    }
}

// Texts that no mail of this type would ever show.
static void check_unused(const struct catalog *catalog, const struct catalog_type *type,
                         json_t *faults)
{
    static const struct {
        enum text_key key;
        enum mail_need need;
    } bound[] = {
        {TEXT_SUBJECT_CODE, NEED_CODE},      {TEXT_PREHEADER_CODE, NEED_CODE},
        {TEXT_CODE_LABEL, NEED_CODE},        {TEXT_EXPIRY_CODE, NEED_CODE},
        {TEXT_EXPIRY_CODE_UNTIL, NEED_CODE}, {TEXT_HAPPENED, NEED_NOTHING},
    };
    for (size_t i = 0; i < sizeof(bound) / sizeof(bound[0]); i++) {
        size_t line = type->texts[bound[i].key].line;
        if (line > 0 && type->need != bound[i].need)
            fault_at(faults, catalog->path, line, "%s has no use for %s", type->name,
                     text_key_name(bound[i].key));
    }
}

static void check_required(const struct catalog *catalog, json_t *faults)
{
    if (!catalog_text(catalog, NULL, TEXT_GREETING_NAMELESS))
        fault_at(faults, catalog->path, catalog->common_line, "texts lacks greeting_nameless");
    for (size_t i = 0; i < catalog->type_count; i++) {
        const struct catalog_type *type = &catalog->types[i];
        static const enum text_key keys[] = {TEXT_SUBJECT, TEXT_INTRO, TEXT_BUTTON};
        size_t count = type->need == NEED_LINK ? 3 : 2;
        for (size_t k = 0; k < count; k++) {
            if (!catalog_text(catalog, type, keys[k]))
                fault_at(faults, catalog->path, type->line, "%s lacks %s", type->name,
                         text_key_name(keys[k]));
        }
    }
}

// Holds one set of texts against the same set of the catalog that all are held against.
static void compare_texts(const struct catalog *catalog, const struct text *texts, size_t line,
                          const char *set_name, const struct catalog *first,
                          const struct text *first_texts, json_t *faults)
{
    for (unsigned i = 0; i < TEXT_COUNT; i++) {
        const struct text *text = &texts[i];
        const struct text *other = &first_texts[i];
        const char *name = text_key_name((enum text_key)i);
        char has[PLACEHOLDERS_TEXT_SIZE];
        char wants[PLACEHOLDERS_TEXT_SIZE];
        if (text->line == 0 && other->line > 0)
            fault_at(faults, catalog->path, line, "%s lacks %s, which %s has", set_name, name,
                     first->tag);
        else if (text->line > 0 && other->line == 0)
            fault_at(faults, catalog->path, text->line, "%s has %s, which %s lacks", set_name, name,
                     first->tag);
        else if (text->forms[PLURAL_OTHER] && other->forms[PLURAL_OTHER] &&
                 text->placeholders != other->placeholders)
            fault_at(faults, catalog->path, text->line,
                     "%s in %s has the placeholders %s, but in %s %s", name, set_name,
                     placeholders_text(text->placeholders, has), first->tag,
                     placeholders_text(other->placeholders, wants));
    }
}

static void compare_catalogs(const struct catalog *catalog, const struct catalog *first,
                             json_t *faults)
{
    compare_texts(catalog, catalog->common, catalog->common_line, "texts", first, first->common,
                  faults);
    for (size_t i = 0; i < catalog->type_count; i++) {
        const struct catalog_type *type = &catalog->types[i];
        const struct catalog_type *other = catalog_find_type(first, type->name);
        if (other)
            compare_texts(catalog, type->texts, type->line, type->name, first, other->texts,
                          faults);
        else
            fault_at(faults, catalog->path, type->line, "has the type %s, which %s lacks",
                     type->name, first->tag);
    }
    for (size_t i = 0; i < first->type_count; i++) {
        if (!catalog_find_type(catalog, first->types[i].name))
            fault_at(faults, catalog->path, catalog->types_line, "lacks the type %s, which %s has",
                     first->types[i].name, first->tag);
    }
}

static void check_variant(const struct catalogs *catalogs, const struct catalog *catalog,
                          json_t *faults)
{
    if (catalog_is_variant(catalog) && !catalogs_find(catalogs, catalog->language) &&
        !catalogs_is_unread(catalogs, catalog->language))
        fault_at(faults, catalog->path, 0, "is a variant of %s.json, which is not there",
                 catalog->language);
}

void catalogs_check(const struct catalogs *catalogs, const char *reference, json_t *faults)
{
    const struct catalog *first = catalogs_find(catalogs, reference);
    if (!first && catalogs->count > 0)
        first = catalogs->items[0];
    for (size_t i = 0; i < catalogs->count; i++) {
        const struct catalog *catalog = catalogs->items[i];
        if (!catalog->plural)
            continue; // was not read beyond its head; a fault says why
        check_placeholders(catalog, catalog->common, NEED_NOTHING, faults);
        check_plurals(catalog, catalog->common, faults);
        for (size_t k = 0; k < catalog->type_count; k++) {
            const struct catalog_type *type = &catalog->types[k];
            check_placeholders(catalog, type->texts, type->need, faults);
            check_plurals(catalog, type->texts, faults);
            check_unused(catalog, type, faults);
        }
        check_required(catalog, faults);
        check_variant(catalogs, catalog, faults);
        if (catalog != first && first->plural)
            compare_catalogs(catalog, first, faults);
    }
}
