// fuzz_catalog.c - the texts of a language, as an operator may have written them.
//
// Input: a digit that picks the language, then the catalog's JSON. It is loaded from memory and
// held against itself; one without a fault can write what its mails always show.
#include <string.h>

#include "templates/catalog.h"
#include "templates/text_layout.h"
#include "tests/fuzz/fuzz.h"

static const char *const tags[] = {"en", "fr", "ar", "hu-x-formal", "ru", "ja"};
enum { TAG_COUNT = sizeof(tags) / sizeof(tags[0]), TEXT_MAX = 64 * 1024 };

static void check_line(const struct buffer *out)
{
    FUZZ_CHECK(!out->failed && out->size > 0, "a text says something");
    for (size_t i = 0; i < out->size; i++)
        FUZZ_CHECK(text_layout_control(out->data + i, out->size - i) == 0,
                   "texts are one line without control characters");
}

static void write(const struct catalog *catalog, const struct catalog_type *type, enum text_key key,
                  int minutes, const struct message_values *values)
{
    const struct text *text = catalog_text(catalog, type, key);
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, TEXT_MAX);
    FUZZ_CHECK(text, "what is always shown is there");
    FUZZ_CHECK(catalog_write(catalog, text, minutes, values, &out),
               "a text needs nothing that its mails may lack");
    check_line(&out);
}

static void write_type(const struct catalog *catalog, const struct catalog_type *type)
{
    static const char *const all[PLACEHOLDER_COUNT] = {
        "123456", "Zoe", "5", "14:05", "Acme", "a.b", "Firefox", "Windows", "14:00"};
    struct message_values every;
    struct message_values always = {.values = {[PLACEHOLDER_BRAND] = "Acme"}};
    memcpy(every.values, all, sizeof(all));
    write(catalog, type, TEXT_SUBJECT, 0, type->need == NEED_LINK ? &every : &always);
    write(catalog, type, TEXT_GREETING_NAMELESS, 0, &always);
    if (type->need == NEED_CODE)
        always.values[PLACEHOLDER_CODE] = "123456";
    if (type->need == NEED_LINK)
        always.values[PLACEHOLDER_HOST] = "a.b";
    write(catalog, type, TEXT_INTRO, 0, &always);
    if (type->need == NEED_LINK)
        write(catalog, type, TEXT_BUTTON, 0, &always);
    for (unsigned key = 0; key < TEXT_COUNT; key++) {
        for (int minutes = 1; catalog_text(catalog, type, (enum text_key)key) && minutes < 120;
             minutes += minutes < 12 ? 1 : 27)
            write(catalog, type, (enum text_key)key, minutes, &every);
    }
}

static void check_faults(const json_t *faults)
{
    size_t i;
    const json_t *fault;
    json_array_foreach(faults, i, fault)
    {
        const char *where = json_string_value(json_object_get(fault, "where"));
        FUZZ_CHECK(where && strncmp(where, "fuzz.json", 9) == 0, "a fault names its file");
        FUZZ_CHECK(json_string_length(json_object_get(fault, "what")) > 0, "and what it is");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *tag = tags[data[0] % TAG_COUNT];
    struct source source = {.path = strdup("fuzz.json"), .text = malloc(size), .size = size - 1};
    json_t *faults = json_array();
    FUZZ_CHECK(source.path && source.text && faults, "there is memory");
    memcpy(source.text, data + 1, size - 1);
    source.text[size - 1] = '\0';

    struct catalog *catalog = catalog_load(tag, &source, faults);
    FUZZ_CHECK(catalog || json_array_size(faults) > 0, "what is not loaded has a fault");
    if (catalog) {
        struct catalog *other = catalog_load(tag, &source, faults);
        struct catalog *items[] = {catalog, other};
        const struct catalogs catalogs = {.items = items, .count = 2};
        FUZZ_CHECK(other, "what was loaded once is loaded again");
        catalogs_check(&catalogs, "none", faults);
        catalog_destroy(other);
    }
    check_faults(faults);
    // The base of a variant is not here.
    bool is_good = catalog && catalog->plural &&
                   json_array_size(faults) == (catalog_is_variant(catalog) ? 2 : 0);
    for (size_t i = 0; is_good && i < catalog->type_count; i++)
        write_type(catalog, &catalog->types[i]);
    catalog_destroy(catalog);
    source_finish(&source);
    json_decref(faults);
    return 0;
}
