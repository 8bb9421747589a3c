#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "templates/catalog.h"
#include "tests/support/folder.h"

#define EN                                                                                         \
    "{\"locale\": \"en\", \"name\": \"English\",\n"                                                \
    "\"texts\": {\"greeting\": \"Hi {name},\", \"greeting_nameless\": \"Hi\",\n"                   \
    "  \"not_you\": \"common\",\n"                                                                 \
    "  \"expiry_code\": {\"one\": \"one minute\", \"other\": \"{minutes} minutes\"}},\n"           \
    "\"types\": {\n"                                                                               \
    "  \"login_code_valid\": {\"subject\": \"{code}\", \"intro\": \"in\", \"not_you\": "           \
    "\"own\"},\n"                                                                                  \
    "  \"notice\": {\"subject\": \"s\", \"intro\": \"i {{x} }\"}}}\n"

struct folder {
    char dir[FOLDER_PATH_SIZE];
    struct catalogs *catalogs;
    json_t *faults;
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    if (!folder)
        return -1;
    folder_make(folder->dir);
    folder->faults = json_array();
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    folder_remove(folder->dir);
    catalogs_destroy(folder->catalogs);
    json_decref(folder->faults);
    free(folder);
    return 0;
}

static void load(struct folder *folder)
{
    catalogs_destroy(folder->catalogs);
    json_array_clear(folder->faults);
    folder->catalogs = catalogs_load(folder->dir, folder->faults);
    assert_non_null(folder->catalogs);
}

// Is there a fault at that place ("hu.json:3"), and does it say what?
static bool has_fault(const struct folder *folder, const char *where, const char *what)
{
    size_t index;
    const json_t *fault;
    json_array_foreach(folder->faults, index, fault)
    {
        const char *at = strrchr(json_string_value(json_object_get(fault, "where")), '/') + 1;
        if (strcmp(at, where) == 0 &&
            strstr(json_string_value(json_object_get(fault, "what")), what))
            return true;
    }
    char *text = json_dumps(folder->faults, JSON_INDENT(1));
    print_error("want %s: %s, got %s\n", where, what, text);
    free(text);
    return false;
}

static void write_into(const struct catalog *catalog, const char *type, enum text_key key,
                       int minutes, const struct message_values *values, const char *want)
{
    const struct text *text = catalog_text(catalog, catalog_find_type(catalog, type), key);
    struct buffer out AUTO_BUFFER;
    buffer_init(&out, 1000);
    assert_non_null(text);
    assert_true(catalog_write(catalog, text, minutes, values, &out));
    assert_string_equal(out.data, want);
}

static void writes_texts(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->dir, "locales/en.json", EN);
    load(folder);
    assert_int_equal(json_array_size(folder->faults), 0);
    assert_int_equal(folder->catalogs->count, 1);

    const struct catalog *en = folder->catalogs->items[0];
    const struct message_values values = {
        .values = {[PLACEHOLDER_CODE] = "12{name}", [PLACEHOLDER_MINUTES] = "15"}};
    write_into(en, "login_code_valid", TEXT_SUBJECT, 0, &values, "12{name}");
    write_into(en, "login_code_valid", TEXT_NOT_YOU, 0, &values, "own");
    write_into(en, "notice", TEXT_NOT_YOU, 0, &values, "common");
    write_into(en, "notice", TEXT_INTRO, 0, &values, "i {x} }");
    write_into(en, "notice", TEXT_EXPIRY_CODE, 1, &values, "one minute");
    write_into(en, "notice", TEXT_EXPIRY_CODE, 15, &values, "15 minutes");
    write_into(en, "notice", TEXT_EXPIRY_CODE, 5000, &values, "15 minutes");

    struct buffer out AUTO_BUFFER;
    buffer_init(&out, 1000);
    assert_false(catalog_write(en, catalog_text(en, NULL, TEXT_GREETING), 0, &values, &out));
    assert_int_equal(out.size, 0);
    assert_null(catalog_text(en, NULL, TEXT_FOOTER));
    assert_null(catalog_find_type(en, "nothing"));
}

static void names_line_and_key_of_faults(void **state)
{
    struct folder *folder = *state;
    static const struct {
        const char *text; // of "subject", in line 4
        const char *where, *what;
    } cases[] = {
        {"\"{cod}\"", "en.json:4",
         "types.login_code_valid.subject has an unknown placeholder {cod}"},
        {"\"{code\"", "en.json:4", "not closed"},
        {"\"{{code}}\"", "en.json:4", "one is right here: {code}"},
        {"\"a <b>c\"", "en.json:4", "markup"},
        {"\"a </b\"", "en.json:4", "markup"},
        {"\"a\\nb\"", "en.json:4", "control"},
        {"\"a\\u0085b\"", "en.json:4", "control"},
        {"\"a\\u2028b\"", "en.json:4", "control"},
        {"\"\"", "en.json:4", "empty"},
        {"7", "en.json:4", "neither a text"},
        {"{\"one\": \"x\"}", "en.json:4", "lacks the plural class other"},
        {"{\"other\": \"x\"}", "en.json:4", "lacks the plural class one"},
        {"{\"one\": \"x\",\n\"few\": \"x\", \"other\": \"x\"}", "en.json:5",
         "no plural class of this"},
        {"{\"one\": \"x\", \"other\": \"{code}\"}", "en.json:4", "other placeholders in one"},
        {"\"{minutes}\"", "en.json:4", "may not use {minutes}"},
        {"\"{name} {host}\"", "en.json:4", "may not use {name} {host}"},
        {"\"x\", \"heding\": \"x\"", "en.json:4", "heding is not a text that any mail has"},
        {"\"x\",\n\"subject\": \"x\"", "en.json:5", "duplicate"},
        {"\"x", "en.json:4", "unexpected newline"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char catalog[2000];
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"en\", \"name\": \"English\",\n\"texts\": {\"greeting_nameless\": "
                 "\"subject\"},\n\"types\": {\"login_code_valid\": {\"intro\": \"subject\",\n "
                 "\"subject\": %s\n}}}",
                 cases[i].text);
        folder_write(folder->dir, "locales/en.json", catalog);
        load(folder);
        assert_true(has_fault(folder, cases[i].where, cases[i].what));
    }
}

static void lists_all_faults_of_a_head(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->dir, "locales/xx-not_a_tag.json", "{}");
    folder_write(folder->dir, "locales/en.json",
                 "{\"locale\": \"hu\",\n\"nam\": \"x\",\n\"texts\": [],\n\"types\": 1}");
    folder_write(folder->dir, "locales/de.json", "[]");
    load(folder);
    assert_true(has_fault(folder, "xx-not_a_tag.json:1", "language tag"));
    assert_true(has_fault(folder, "en.json:1", "must be what the file is named"));
    assert_true(has_fault(folder, "en.json:2", "nam is not a member"));
    assert_true(has_fault(folder, "en.json:1", "own name"));
    assert_true(has_fault(folder, "en.json:3", "texts must be an object"));
    assert_true(has_fault(folder, "en.json:4", "types must be an object"));
    assert_true(has_fault(folder, "en.json:3", "lacks greeting_nameless"));
    assert_true(has_fault(folder, "de.json:1", "not a JSON object"));
}

static void needs_what_each_type_shows(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->dir, "locales/en.json",
                 "{\"locale\": \"en\", \"name\": \"English\", \"texts\": {\"greeting_nameless\": "
                 "\"Hi\"}, \"types\": {\n\"recovery_valid\": {\"subject\": \"s\"},\n"
                 "\"recovery_invalid\": {\"subject\": \"{code}\", \"intro\": \"i\"}}}");
    load(folder);
    assert_true(has_fault(folder, "en.json:2", "recovery_valid lacks intro"));
    assert_true(has_fault(folder, "en.json:2", "recovery_valid lacks button"));
    assert_true(has_fault(folder, "en.json:3", "may not use {code}"));
    assert_int_equal(json_array_size(folder->faults), 3);
}

static void holds_catalogs_against_each_other(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->dir, "locales/en.json", EN);
    folder_write(folder->dir, "locales/hu.json",
                 "{\"locale\": \"hu\", \"name\": \"magyar\",\n"
                 "\"texts\": {\"greeting\": \"Szia {name}!\", \"greeting_nameless\": \"Szia\",\n"
                 "  \"footer\": \"x\",\n"
                 "  \"expiry_code\": \"perc\"},\n"
                 "\"types\": {\n"
                 "  \"login_code_valid\": {\"subject\": \"kod\", \"intro\": \"in\"},\n"
                 "  \"other\": {\"subject\": \"s\", \"intro\": \"i\"}}}\n");
    load(folder);
    assert_true(has_fault(folder, "hu.json:2", "texts lacks not_you, which en has"));
    assert_true(has_fault(folder, "hu.json:3", "texts has footer, which en lacks"));
    assert_true(has_fault(folder, "hu.json:4", "has the placeholders none, but in en {minutes}"));
    assert_true(has_fault(folder, "hu.json:6", "subject in login_code_valid"));
    assert_true(has_fault(folder, "hu.json:6", "login_code_valid lacks not_you"));
    assert_true(has_fault(folder, "hu.json:7", "has the type other, which en lacks"));
    assert_true(has_fault(folder, "hu.json", "lacks the type notice, which en has"));
    assert_int_equal(json_array_size(folder->faults), 7);
}

static void knows_the_plurals_of_languages(void **state)
{
    (void)state;
    static const struct {
        const char *tag;
        int number;
        enum plural want;
    } cases[] = {
        {"hu", 1, PLURAL_ONE},   {"hu", 15, PLURAL_OTHER}, {"ru", 21, PLURAL_ONE},
        {"ru", 22, PLURAL_FEW},  {"ru", 15, PLURAL_MANY},  {"ar", 2, PLURAL_TWO},
        {"ja", 1, PLURAL_OTHER}, {"fr", 0, PLURAL_ONE},    {"fr", 1000000, PLURAL_MANY},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct plural_rules *rules = plural_rules_create(cases[i].tag, NULL);
        assert_non_null(rules);
        assert_int_equal(plural_select(rules, cases[i].number), cases[i].want);
        plural_rules_destroy(rules);
    }
    struct plural_rules *french = plural_rules_create("fr", NULL);
    assert_true(plural_exists(french, PLURAL_MANY));
    assert_false(plural_is_used(french, PLURAL_MANY));
    assert_true(plural_is_single(french, PLURAL_ONE));
    assert_false(plural_is_single(french, PLURAL_OTHER));
    plural_rules_destroy(french);
    assert_null(plural_rules_create("../etc", NULL));
}

static void needs_a_folder_with_catalogs(void **state)
{
    struct folder *folder = *state;
    load(folder);
    assert_int_equal(json_array_size(folder->faults), 1);
    folder_write(folder->dir, "locales/README.md", "no catalog");
    load(folder);
    assert_int_equal(json_array_size(folder->faults), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_texts),
        TEST(names_line_and_key_of_faults),
        TEST(lists_all_faults_of_a_head),
        TEST(needs_what_each_type_shows),
        TEST(holds_catalogs_against_each_other),
        TEST(needs_a_folder_with_catalogs),
        cmocka_unit_test(knows_the_plurals_of_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
