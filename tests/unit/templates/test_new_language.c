// A language that we do not ship is one more file in the folder of those that we do.
#include "tests/unit/templates/shipped_fixture.h"

static const char FRENCH[] = REPOSITORY_ROOT "/tests/data/locales/fr.json";

static void assert_mail(const struct fixture *fixture, const char *language, const char *locale,
                        int minutes, const char *want)
{
    json_auto_t *data = json_pack("{s:s, s:s}", "code", CODE, "name", "Zo\u00eb");
    struct render_request request = {.template = "login_code_valid",
                                     .data = data,
                                     .accept_language = language,
                                     .minutes_left = minutes};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_string_equal(mail.locale, locale);
    assert_string_equal(mail.language, locale);
    if (!strstr(mail.text, want) || !strstr(mail.text, CODE))
        fail_msg("%s, %d: no %s in %s", language, minutes, want, mail.text);
}

// Puts by in place of the first what in text. The line of what is given back.
static int replace(char text[FILE_SIZE_MAX], const char *what, const char *by)
{
    char *at = strstr(text, what);
    assert_non_null(at);
    int line = 1;
    for (const char *c = text; c < at; c++)
        line += *c == '\n';
    size_t tail = strlen(at + strlen(what)) + 1;
    assert_true((size_t)(at - text) + strlen(by) + tail < FILE_SIZE_MAX);
    memmove(at + strlen(by), at + strlen(what), tail);
    for (const char *c = by; *c; c++)
        *at++ = *c;
    return line;
}

// French has a third plural class, for millions alone: nobody is asked to write it.
static void takes_a_language_as_it_is_dropped_in(void **state)
{
    struct fixture *fixture = *state;
    static char french[FILE_SIZE_MAX];
    read_file(FRENCH, french);
    folder_write(fixture->dir, "locales/fr.json", french);
    load_named(fixture);
    assert_no_fault(fixture->faults);
    assert_mail(fixture, "fr", "fr", 1, "Le code est valable 1 minute.");
    assert_mail(fixture, "fr-CA, en;q=0.5", "fr", 15, "Le code est valable 15 minutes.");
    assert_mail(fixture, "french", "fr", 0, "Bonjour Zo\u00eb,");
    assert_mail(fixture, "fran\u00e7ais", "fr", 0, "Saisissez ce code");
    assert_mail(fixture, "en", "en", 1, "1 minute.");

    // To French, none is one: but where no minutes are known, none are stated.
    replace(french, "\"one\": \"Le code est valable {minutes} minute.\"",
            "\"one\": \"Le code est valable une minute.\"");
    folder_write(fixture->dir, "locales/fr.json", french);
    load_named(fixture);
    assert_no_fault(fixture->faults);
    assert_mail(fixture, "fr", "fr", 1, "Le code est valable une minute.");
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {.template = "login_code_valid", .data = data, .locale = "fr"};
    struct rendered mail AUTO_RENDERED = render(fixture->renderer, &request);
    assert_null(strstr(mail.text, "valable"));

    json_auto_t *described = renderer_describe(fixture->renderer);
    char *text = json_dumps(json_object_get(described, "locales"), JSON_COMPACT);
    assert_non_null(strstr(text,
                           "{\"locale\":\"fr\",\"name\":\"fran\u00e7ais\",\"language\":\"fr\","
                           "\"dir\":\"ltr\""));
    free(text);
}

// The English texts, but for their plurals: those are "<class> {minutes}" in the classes named.
static void write_slavic(const struct fixture *fixture, const char *tag, const char *const *classes)
{
    json_auto_t *catalog = json_load_file(REPOSITORY_ROOT "/templates/locales/en.json", 0, NULL);
    assert_non_null(catalog);
    json_object_set_new(catalog, "locale", json_string(tag));
    const char *key;
    json_t *text;
    json_object_foreach(json_object_get(catalog, "texts"), key, text)
    {
        if (!json_is_object(text))
            continue;
        json_object_clear(text);
        const char *until = strstr(key, "_until") ? " {until}" : "";
        for (size_t i = 0; classes[i]; i++)
            json_object_set_new(text, classes[i],
                                json_sprintf("%s {minutes}%s", classes[i], until));
    }
    char file[64];
    char *json = json_dumps(catalog, JSON_INDENT(1));
    snprintf(file, sizeof(file), "locales/%s.json", tag);
    folder_write(fixture->dir, file, json);
    free(json);
}

static void counts_as_the_language_does(void **state)
{
    static const char *const classes[] = {"one", "few", "many", "other", NULL};
    static const struct {
        const char *tag;
        int minutes;
        const char *want;
    } cases[] = {
        {"pl", 1, "one 1\n"},    {"pl", 2, "few 2\n"},    {"pl", 5, "many 5\n"},
        {"pl", 21, "many 21\n"}, {"pl", 22, "few 22\n"},  {"pl", 1440, "many 1440\n"},
        {"ru", 1, "one 1\n"},    {"ru", 21, "one 21\n"},  {"ru", 3, "few 3\n"},
        {"ru", 11, "many 11\n"}, {"ru", 60, "many 60\n"},
    };
    struct fixture *fixture = *state;
    write_slavic(fixture, "pl", classes);
    write_slavic(fixture, "ru", classes);
    load_named(fixture);
    assert_no_fault(fixture->faults);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_mail(fixture, cases[i].tag, cases[i].tag, cases[i].minutes, cases[i].want);

    static const char *const too_few[] = {"one", "few", "other", NULL};
    write_slavic(fixture, "pl", too_few);
    load_named(fixture);
    assert_true(has_fault(fixture->faults,
                          "locales/pl.json:", "texts.expiry_code lacks the plural class many"));
    static const char *const wrong[] = {"one", "two", "few", "many", "other", NULL};
    write_slavic(fixture, "pl", wrong);
    load_named(fixture);
    assert_true(has_fault(fixture->faults, "locales/pl.json:",
                          "texts.expiry_code.two is no plural class of this language"));
}

static void says_what_is_wrong_with_a_language_and_where(void **state)
{
    static const struct {
        const char *what, *by;
        int lines_above; // of what is replaced is the line that is named
        const char *fault;
    } cases[] = {
        {"Bonjour {name}", "Bonjour", 0,
         "greeting in texts has the placeholders none, but in en {name}"},
        {"Bonjour {name}", "Bonjour {nom}", 0, "texts.greeting has an unknown placeholder {nom}"},
        {"Bonjour {name}", "<b>Bonjour</b> {name}", 0, "texts.greeting has markup"},
        {"Votre code\"", "Votre code {host}\"", 0, "code_label may not use {host}"},
        {"\"code_label\"", "\"code_lable\"", 0, "texts.code_lable is not a text"},
        {"\"code_label\": \"Votre code\",", "", 3, "texts lacks code_label, which en has"},
        {"\"one\": \"Le code est", "\"un\": \"Le code est", 0,
         "texts.expiry_code.un is no plural class of this language"},
        {"\"locale\": \"fr\"", "\"locale\": \"fr-FR\"", 0,
         "locale must be \"fr\", as the file is named"},
        {"\"recovery_valid\"", "\"recover_valid\"", 0,
         "has the type recover_valid, which en lacks"},
        {"\"heading\": \"Votre code de connexion\",", "", 5,
         "login_code_valid lacks heading, which en has"},
        {"\"Confirmer l\u2019adresse e-mail\"", "\"\"", 0,
         "types.verification_valid.button is empty"},
        {"Bonjour,\",", "Bonjour,\"", -1, "expected near"},
    };
    struct fixture *fixture = *state;
    static char french[FILE_SIZE_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        read_file(FRENCH, french);
        char where[64];
        int line = replace(french, cases[i].what, cases[i].by) - cases[i].lines_above;
        folder_write(fixture->dir, "locales/fr.json", french);
        load_named(fixture);
        assert_null(fixture->renderer);
        snprintf(where, sizeof(where), "locales/fr.json:%d", line);
        assert_true(has_fault(fixture->faults, where, cases[i].fault));
        // At that line and no other, and no other file is blamed.
        size_t k;
        const json_t *fault;
        size_t at_line = 0;
        json_array_foreach(fixture->faults, k, fault)
        {
            const char *at = json_string_value(json_object_get(fault, "where"));
            assert_non_null(strstr(at, "fr.json"));
            at_line += strcmp(at + strlen(at) - strlen(where), where) == 0;
        }
        assert_true(at_line > 0);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_copy, remove_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(takes_a_language_as_it_is_dropped_in),
        TEST(counts_as_the_language_does),
        TEST(says_what_is_wrong_with_a_language_and_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
