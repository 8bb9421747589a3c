#include "tests/unit/templates/catalog_fixture.h"

#include <unicode/uloc.h>

#define EN                                                                                         \
    "{\"locale\": \"en\", \"name\": \"English\",\n"                                                \
    "\"texts\": {\"greeting\": \"Hi {name},\", \"greeting_nameless\": \"Hi\",\n"                   \
    "  \"not_you\": \"common\",\n"                                                                 \
    "  \"expiry_code\": {\"one\": \"one minute\", \"other\": \"{minutes} minutes\"}},\n"           \
    "\"types\": {\n"                                                                               \
    "  \"login_code_valid\": {\"subject\": \"s\", \"subject_code\": \"{code}\", "                  \
    "\"intro\": \"in\", \"not_you\": \"own\"},\n"                                                  \
    "  \"notice\": {\"subject\": \"s\", \"intro\": \"i {{x} }\"}}}\n"

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
    write_into(en, "login_code_valid", TEXT_SUBJECT_CODE, 0, &values, "12{name}");
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
        const char *text; // of "intro", in line 4
        const char *where, *what;
    } cases[] = {
        {"\"{cod}\"", "en.json:4", "types.login_code_valid.intro has an unknown placeholder {cod}"},
        {"\"{code\"", "en.json:4", "not closed"},
        {"\"{{code}}\"", "en.json:4", "one is right here: {code}"},
        {"\"a <b>c\"", "en.json:4", "markup"},
        {"\"a </b\"", "en.json:4", "markup"},
        {"\"a\\nb\"", "en.json:4", "control"},
        {"\"a\\u0085b\"", "en.json:4", "control"},
        {"\"a\\u2028b\"", "en.json:4", "control"},
        {"\"a &nbsp;b\"", "en.json:4", "has markup (&nbsp;); write the character itself"},
        {"\"a &#160;\"", "en.json:4", "has markup (&#160;)"},
        {"\"a &lt;\"", "en.json:4", "has markup (&lt;)"},
        {"\"a \u202eb\"", "en.json:4", "intro has U+202E, which nobody sees"},
        {"\"a \\u00adb\"", "en.json:4", "has U+00AD"},
        {"\"\ufeffb\"", "en.json:4", "has U+FEFF"},
        {"\"b \U000e0041\"", "en.json:4", "has U+E0041"},
        {"\"\"", "en.json:4", "empty"},
        {"\"  \"", "en.json:4", "intro is empty"},
        {"\"\\u00a0\u200e\u3000\"", "en.json:4", "intro is empty"},
        {"\"x\", \"expiry_code\": \"{minutes}\"", "en.json:4",
         "expiry_code must be an object of the plural classes one other"},
        {"7", "en.json:4", "neither a text"},
        {"{\"one\": \"x\"}", "en.json:4", "lacks the plural class other"},
        {"{\"other\": \"x\"}", "en.json:4", "lacks the plural class one"},
        {"{\"one\": \"x\",\n\"few\": \"x\", \"other\": \"x\"}", "en.json:5",
         "no plural class of this"},
        {"{\"one\": \"x\", \"other\": \"{code}\"}", "en.json:4", "other placeholders in one"},
        {"{\"one\": \"x\", \"other\": \"y\"}", "en.json:4", "intro may not have plural classes"},
        {"\"{minutes}\"", "en.json:4", "may not use {minutes}"},
        {"\"{name} {host}\"", "en.json:4", "may not use {name} {host}"},
        {"\"x\", \"heding\": \"x\"", "en.json:4", "heding is not a text that any mail has"},
        {"\"x\",\n\"intro\": \"x\"", "en.json:5", "duplicate"},
        {"\"x", "en.json:4", "unexpected newline"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char catalog[2000];
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"en\", \"name\": \"English\",\n\"texts\": {\"greeting_nameless\": "
                 "\"intro\"},\n\"types\": {\"login_code_valid\": {\"subject\": \"intro\",\n "
                 "\"intro\": %s\n}}}",
                 cases[i].text);
        folder_write(folder->dir, "locales/en.json", catalog);
        load(folder);
        assert_true(has_fault(folder, cases[i].where, cases[i].what));
    }
}

// What languages need to be written, and what looks like markup but is none.
static void takes_characters_that_texts_need(void **state)
{
    static const char *const texts[] = {
        "R&D; AT&T; a & b; &c &nosuchnamethatisquitesolongasthat12;",
        "a < b, x<3",
        "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
        "\U0001f469\u200d\U0001f4bb \u2764\ufe0f",
        "a\u00a0b\u202fc\u2060d",
        "\u200e\u200f\u061c\u2066a\u2069\u2067b\u2069\u2068c\u2069",
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char catalog[500];
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"en\", \"name\": \"English\", \"texts\": "
                 "{\"greeting_nameless\": \"%s\"}, \"types\": {}}",
                 texts[i]);
        folder_write(folder->dir, "locales/en.json", catalog);
        load(folder);
        assert_no_fault(folder);
    }
}

// A number needs no form of its own where the language has but one class, a text without number
// nowhere.
static void takes_a_single_form_where_that_is_enough(void **state)
{
    static const struct {
        const char *tag, *text;
    } cases[] = {{"ja", "{minutes}"}, {"en", "soon"}};
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char file[32];
        char catalog[500];
        snprintf(file, sizeof(file), "locales/%s.json", cases[i].tag);
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"%s\", \"name\": \"x\", \"texts\": {\"greeting_nameless\": \"x\", "
                 "\"expiry_link\": \"%s\"}, \"types\": {}}",
                 cases[i].tag, cases[i].text);
        folder_write(folder->dir, file, catalog);
        load(folder);
        assert_no_fault(folder);
        folder_remove(folder->dir);
        mkdir(folder->dir, 0700);
    }
}

static void wants_names_of_types_that_mails_can_have(void **state)
{
    char long_name[66];
    memset(long_name, 'a', sizeof(long_name));
    long_name[65] = '\0';
    const struct {
        const char *name;
        bool want;
    } cases[] = {
        {"a", true},           {"Login-code_2.valid", true},
        {long_name + 1, true}, {long_name, false},
        {"", false},           {".a", false},
        {"..", false},         {"a/b", false},
        {"wel come", false},   {"<b>", false},
        {"a\\nb", false},      {"caf\u00e9", false},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char catalog[500];
        snprintf(
            catalog, sizeof(catalog),
            "{\"locale\": \"en\", \"name\": \"x\", \"texts\": {\"greeting_nameless\": \"x\"},\n"
            "\"types\": {\n\"%s\": {\"subject\": \"x\", \"intro\": \"x\"}}}",
            cases[i].name);
        folder_write(folder->dir, "locales/en.json", catalog);
        load(folder);
        if (cases[i].want)
            assert_no_fault(folder);
        else
            assert_true(has_fault(folder, strchr(cases[i].name, '\\') ? "en.json:2" : "en.json:3",
                                  "is no type's name"));
        assert_int_equal(json_array_size(folder->faults), !cases[i].want);
    }
}

static void lists_all_faults_of_a_head(void **state)
{
    struct folder *folder = *state;
    folder_write(folder->dir, "locales/xx-not_a_tag.json", "{}");
    folder_write(folder->dir, "locales/en.json",
                 "{\"locale\": \"hu\",\n\"nam\": \"x\",\n\"texts\": [],\n\"types\": 1}");
    folder_write(folder->dir, "locales/de.json", "[]");
    folder_write(folder->dir, "locales/hu.json", "{\"locale\": \"hu\",\n\"name\": \" \"}");
    load(folder);
    assert_true(has_fault(folder, "hu.json:2", "own name"));
    assert_true(has_fault(folder, "xx-not_a_tag.json:1", "language tag"));
    assert_true(has_fault(folder, "en.json:1", "locale must be \"en\", as the file is named"));
    assert_true(has_fault(folder, "en.json:2", "nam is not a member"));
    assert_true(has_fault(folder, "en.json:1", "own name"));
    assert_true(has_fault(folder, "en.json:3", "texts must be an object"));
    assert_true(has_fault(folder, "en.json:4", "types must be an object"));
    assert_true(has_fault(folder, "en.json:3", "lacks greeting_nameless"));
    assert_true(has_fault(folder, "de.json:1", "not a JSON object"));
}

// Each text may use what every mail that shows it has, and nothing else.
static void knows_which_values_a_text_may_use(void **state)
{
    static const struct {
        const char *type, *key, *text, *refused; // NULL: none
    } cases[] = {
        {"login_code_valid", "subject", "{brand} {code}", "{code}"},
        {"login_code_valid", "subject_code", "{brand} {code}", NULL},
        {"login_code_valid", "preheader", "{code}", "{code}"},
        {"login_code_valid", "preheader_code", "{code}", NULL},
        {"login_code_valid", "preheader_code", "{minutes}", "{minutes}"},
        {"login_code_valid", "intro", "{code} {brand}", NULL},
        {"login_code_valid", "intro", "{code} {host} {until}", "{until} {host}"},
        {"login_code_valid", "context", "{browser} {system}", NULL},
        {"login_code_valid", "context", "{browser} {time}", "{time}"},
        {"login_code_valid", "context_time", "{browser} {system} {time}", NULL},
        {"login_code_valid", "outro", "{browser} {system} {time}", "{browser} {system} {time}"},
        {"login_code_valid", "expiry_code", "{minutes}", NULL},
        {"login_code_valid", "expiry_code", "{until}", "{until}"},
        {"login_code_valid", "expiry_code_until", "{minutes} {until}", NULL},
        {"recovery_valid", "expiry_link_until", "{minutes} {until}", NULL},
        {"recovery_valid", "expiry_link", "{until}", "{until}"},
        {"recovery_valid", "subject", "{brand} {host}", NULL},
        {"recovery_valid", "heading", "{code}", "{code}"},
        {"notice", "happened", "{time}", NULL},
        {"notice", "happened", "{until}", "{until}"},
        {"notice", "intro", "{time}", "{time}"},
        {"notice", "greeting", "{name}", NULL},
        {"notice", "not_you", "{name} {host}", "{name} {host}"},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char catalog[2000];
        char what[200];
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"ja\", \"name\": \"x\", \"texts\": {\"greeting_nameless\": "
                 "\"x\", \"subject\": \"x\", \"intro\": \"x\", \"button\": \"x\"},\n\"types\": "
                 "{\"%s\": {\"%s\": \"%s\"}}}",
                 cases[i].type, cases[i].key, cases[i].text);
        snprintf(what, sizeof(what), "%s may not use %s:", cases[i].key, cases[i].refused);
        folder_write(folder->dir, "locales/ja.json", catalog);
        load(folder);
        if (cases[i].refused)
            assert_true(has_fault(folder, "ja.json:2", what));
        assert_int_equal(json_array_size(folder->faults), cases[i].refused ? 1 : 0);
    }
}

static void refuses_texts_that_no_mail_shows(void **state)
{
    static const struct {
        const char *type, *key;
    } cases[] = {
        {"recovery_valid", "subject_code"},      {"notice", "preheader_code"},
        {"recovery_valid", "code_label"},        {"notice", "expiry_code"},
        {"recovery_valid", "expiry_code_until"}, {"login_code_valid", "happened"},
    };
    struct folder *folder = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char catalog[2000];
        snprintf(catalog, sizeof(catalog),
                 "{\"locale\": \"en\", \"name\": \"English\", \"texts\": {\"greeting_nameless\": "
                 "\"x\", \"subject\": \"x\", \"intro\": \"x\", \"button\": \"x\"}, \"types\": "
                 "{\"%s\": {\n\"%s\": \"x\"}}}",
                 cases[i].type, cases[i].key);
        folder_write(folder->dir, "locales/en.json", catalog);
        load(folder);
        assert_true(has_fault(folder, "en.json:2", "has no use for"));
        assert_int_equal(json_array_size(folder->faults), 1);
    }
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
                 "  \"login_code_valid\": {\"subject\": \"s\", \"subject_code\": \"kod\", "
                 "\"intro\": \"in\"},\n"
                 "  \"other\": {\"subject\": \"s\", \"intro\": \"i\"}}}\n");
    load(folder);
    assert_true(has_fault(folder, "hu.json:2", "texts lacks not_you, which en has"));
    assert_true(has_fault(folder, "hu.json:3", "texts has footer, which en lacks"));
    assert_true(has_fault(folder, "hu.json:4", "has the placeholders none, but in en {minutes}"));
    assert_true(has_fault(folder, "hu.json:6", "subject_code in login_code_valid"));
    assert_true(has_fault(folder, "hu.json:6", "login_code_valid lacks not_you"));
    assert_true(has_fault(folder, "hu.json:7", "has the type other, which en lacks"));
    assert_true(has_fault(folder, "hu.json:5", "lacks the type notice, which en has"));
    assert_int_equal(json_array_size(folder->faults), 7);
}

// Not every number is looked at to tell which classes a language uses; here they are, of every
// language that there are rules for.
static void tells_which_plurals_are_used_from_a_few_numbers(void **state)
{
    (void)state;
    unsigned languages = 0;
    for (int32_t i = 0; i < uloc_countAvailable(); i++) {
        const char *tag = uloc_getAvailable(i);
        if (strchr(tag, '_'))
            continue;
        struct plural_rules *rules = plural_rules_create(tag, NULL);
        assert_non_null(rules);
        bool used[PLURAL_COUNT] = {[PLURAL_OTHER] = true};
        unsigned numbers[PLURAL_COUNT] = {0};
        for (int number = 0; number <= 1440; number++) {
            enum plural plural = plural_select(rules, number);
            used[plural] = true;
            numbers[plural] += number > 0;
        }
        for (unsigned plural = 0; plural < PLURAL_COUNT; plural++) {
            bool is_single = plural != PLURAL_OTHER && numbers[plural] <= 1;
            if (plural_is_used(rules, plural) != used[plural] ||
                plural_is_single(rules, plural) != is_single)
                fail_msg("%s, %s", tag, plural_name(plural));
        }
        plural_rules_destroy(rules);
        languages++;
    }
    assert_in_range(languages, 100, 1000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(writes_texts),
        TEST(names_line_and_key_of_faults),
        TEST(takes_characters_that_texts_need),
        TEST(takes_a_single_form_where_that_is_enough),
        TEST(wants_names_of_types_that_mails_can_have),
        TEST(lists_all_faults_of_a_head),
        TEST(knows_which_values_a_text_may_use),
        TEST(refuses_texts_that_no_mail_shows),
        TEST(needs_what_each_type_shows),
        TEST(holds_catalogs_against_each_other),
        cmocka_unit_test(tells_which_plurals_are_used_from_a_few_numbers),
        cmocka_unit_test(knows_the_plurals_of_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
