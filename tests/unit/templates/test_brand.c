#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/templates/brand_fixture.h"

static const char SHIPPED[] = REPOSITORY_ROOT "/templates";

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

// ---- what brands say ------------------------------------------------------------------------

static void takes_from_the_default_what_a_brand_lacks(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"Base\", \"color\": \"#000080\", \"support_url\": "
                 "\"mailto:help@base.example\", \"from_name\": \"Base Mail\", \"reply_to\": "
                 "\"help@base.example\", \"motto\": \"ours\", \"address\": \"formal\", "
                 "\"locale\": \"hu\", \"code_in_subject\": {\"login_code_valid\": true}, "
                 "\"link_hosts\": [\"base.example\"]}");
    folder_write(fixture->dir, "brands/acme.json",
                 "{\"name\": \"Acme\", \"from_name\": null, \"address\": \"informal\", "
                 "\"support_url\": null, \"clients\": [\"web\", \"app\"]}");
    folder_write(fixture->dir, "brands/zeta.json", "{}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    assert_int_equal(brands_count(fixture->brands), 3);

    const struct brand *acme = brands_at(fixture->brands, 1);
    assert_string_equal(acme->id, "acme");
    assert_non_null(strstr(acme->path, "/brands/acme.json"));
    assert_string_equal(acme->name, "Acme");
    assert_null(acme->from_name);
    assert_string_equal(acme->reply_to, "help@base.example");
    assert_string_equal(acme->locale, "hu");
    assert_int_equal(acme->address, BRAND_ADDRESS_INFORMAL);
    assert_true(brand_shows_code(acme, "login_code_valid"));
    assert_true(brand_allows_host(acme, "base.example"));
    assert_false(brand_allows_host(acme, "acme.example"));
    assert_string_equal(text_at(acme->view, "id"), "acme");
    assert_string_equal(text_at(acme->view, "motto"), "ours");
    assert_true(json_is_null(json_object_get(acme->view, "support_url")));

    const struct brand *zeta = brands_at(fixture->brands, 2);
    assert_string_equal(zeta->name, "Base");
    assert_string_equal(zeta->from_name, "Base Mail");
    assert_int_equal(zeta->address, BRAND_ADDRESS_FORMAL);

    assert_int_equal(brand_line_of(acme, "support_url"), 1);
    assert_int_equal(brand_line_of(acme, "reply_to"), 0);

    const struct brand *base = brands_at(fixture->brands, 0);
    assert_string_equal(base->id, "default");
    assert_non_null(strstr(base->path, "/brand.json"));
}

static void shows_frames_no_more_than_is_for_them(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(
        fixture->dir, "brand.json",
        "{\"name\": \"B\", \"color\": \"#ffee00\", \"text_on_color\": null, \"logo_url\": "
        "null, \"support_url\": null, \"from_name\": \"F\", \"reply_to\": \"r@b.example\", "
        "\"link_hosts\": [\"b.example\"], \"code_in_subject\": true, \"address\": null, "
        "\"locale\": \"en\", \"motto\": \"m\"}");
    folder_write(fixture->dir, "brands/c.json", "{\"clients\": [\"1\"], \"slogan\": \"s\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    json_auto_t *want = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:s, s:s}", "id", "c", "name",
                                  "B", "color", "#ffee00", "text_on_color", "#000000", "logo_url",
                                  "support_url", "motto", "m", "slogan", "s");
    assert_true(json_equal(brands_at(fixture->brands, 1)->view, want));

    json_auto_t *names = brands_known_names(fixture->brands);
    assert_int_equal(json_object_size(names), 8);
    assert_non_null(json_object_get(names, "slogan"));
    assert_null(json_object_get(brands_at(fixture->brands, 0)->view, "slogan"));
}

// A button is never without a colour.
static void has_the_shipped_color_where_no_file_says_one(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    folder_write(fixture->dir, "brands/c.json", "{\"name\": \"C\"}");
    folder_write(fixture->dir, "brands/d.json", "{\"color\": \"#ffee00\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    static const char *const want[][2] = {
        {"#2d70b8", "#ffffff"}, {"#2d70b8", "#ffffff"}, {"#ffee00", "#000000"}};
    for (size_t i = 0; i < 3; i++) {
        const json_t *view = brands_at(fixture->brands, i)->view;
        assert_string_equal(json_string_value(json_object_get(view, "color")), want[i][0]);
        assert_string_equal(json_string_value(json_object_get(view, "text_on_color")), want[i][1]);
    }
    // It is held against what is said, and so is a colour against what brand.json says.
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\",\n\"text_on_color\": \"#2d70b8\"}");
    brand_fixture_load(fixture);
    assert_int_equal(json_array_size(fixture->faults), 2);
}

static void finds_a_brand_by_name_or_client(void **state)
{
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"acme", "acme"},         {"zeta", "zeta"},
        {"web", "acme"},          {"2f5c0e5e-0e0f-4e4b-a6b3-6d2f0c1f7f11", "zeta"},
        {"default", "default"},   {NULL, "default"},
        {"", "default"},          {"Acme", "default"},
        {"acme.json", "default"}, {"../brand", "default"},
        {"unknown", "default"},
    };
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    folder_write(fixture->dir, "brands/acme.json", "{\"clients\": [\"web\", \"acme\", \"web\"]}");
    folder_write(fixture->dir, "brands/zeta.json",
                 "{\"clients\": [\"2f5c0e5e-0e0f-4e4b-a6b3-6d2f0c1f7f11\"]}");
    folder_write(fixture->dir, "brands/notes.txt", "no brand");
    folder_write(fixture->dir, "brands/.hidden.json", "no brand");
    folder_write(fixture->dir, "brands/acme.json~", "no brand");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(brands_find(fixture->brands, cases[i].name)->id, cases[i].want);
}

static void is_named_by_the_sender_where_it_has_no_name(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": null}");
    folder_write(fixture->dir, "brands/own.json", "{\"name\": \"Own\"}");
    folder_write(fixture->dir, "brands/null.json", "{\"name\": null}");
    struct brands *brands = brands_load(fixture->dir, "Sender & Co", fixture->faults);
    assert_int_equal(json_array_size(fixture->faults), 0);
    assert_string_equal(brands_at(brands, 0)->name, "Sender & Co");
    assert_string_equal(brands_find(brands, "own")->name, "Own");
    assert_string_equal(brands_find(brands, "null")->name, "Sender & Co");
    brands_destroy(brands);

    brands = brands_load(fixture->dir, "\xff", fixture->faults);
    brand_fixture_assert_fault(fixture, fixture->dir, "not UTF-8");
    brands_destroy(brands);

    folder_write(fixture->dir, "brands/null.json", "{}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brand.json:1", "name is needed");

    folder_write(fixture->dir, "brands/null.json", "{\n\"name\": null}");
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brands/null.json:2", "name is needed");
}

// ---- what brands allow ----------------------------------------------------------------------

static void allows_links_to_its_own_hosts_only(void **state)
{
    static const struct {
        const char *host;
        bool want;
    } cases[] = {
        {"login.acme.example", true},
        {"LOGIN.Acme.Example", true},
        {"login.acme.example.", true},
        {"login.acme.example..", false},
        {"acme.example", false},
        {"evil-acme.example", false},
        {"xlogin.acme.example", false},
        {"a.login.acme.example", false},
        {"login.acme.example.evil.com", false},
        {"login.acme.exampl", false},
        {"login-acme.example", false},
        {"app.beta.example", true},
        {"a.b.Beta.example.", true},
        {"beta.example", false},
        {".beta.example", false},
        {"xbeta.example", false},
        {"evil-beta.example", false},
        {"beta.example.evil.com", false},
        {"*.beta.example", true}, // no URL has such a host
        {"127.0.0.1", true},
        {"127.0.0.10", false},
        {"[::1]", true},
        {"[::2]", false},
        {"localhost", true},
        {"", false},
        {".", false},
    };
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    folder_write(fixture->dir, "brands/named.json",
                 "{\"link_hosts\": [\"login.acme.example\", \"*.BETA.example\", \"127.0.0.1\", "
                 "\"[::1]\", \"localhost\"]}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    const struct brand *named = brands_find(fixture->brands, "named");
    const struct brand *any = brands_at(fixture->brands, 0);
    assert_true(brand_names_hosts(named));
    assert_false(brand_names_hosts(any));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (brand_allows_host(named, cases[i].host) != cases[i].want)
            fail_msg("%s is %sallowed", cases[i].host, cases[i].want ? "not " : "");
        assert_true(brand_allows_host(any, cases[i].host));
    }
}

static void says_where_a_code_may_be_shown(void **state)
{
    static const struct {
        const char *member;
        bool login, recovery;
    } cases[] = {
        {"\"x\": 1", false, false},
        {"\"code_in_subject\": true", true, true},
        {"\"code_in_subject\": false", false, false},
        {"\"code_in_subject\": {}", false, false},
        {"\"code_in_subject\": {\"login_code_valid\": true}", true, false},
        {"\"code_in_subject\": {\"login_code_valid\": false, \"recovery_code_valid\": true}", false,
         true},
    };
    struct brand_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"name\": \"B\", %s}", cases[i].member);
        folder_write(fixture->dir, "brand.json", text);
        brand_fixture_load(fixture);
        brand_fixture_assert_good(fixture);
        const struct brand *brand = brands_at(fixture->brands, 0);
        assert_int_equal(brand_shows_code(brand, "login_code_valid"), cases[i].login);
        assert_int_equal(brand_shows_code(brand, "recovery_code_valid"), cases[i].recovery);
    }
}

// ---- faults ---------------------------------------------------------------------------------

static void chooses_black_or_white_for_each_colour(void **state)
{
    static const struct {
        const char *color, *want;
    } cases[] = {
        {"#000000", "#ffffff"}, {"#ffffff", "#000000"}, {"#2d70b8", "#ffffff"},
        {"#ffee00", "#000000"}, {"#757575", "#ffffff"}, {"#767676", "#000000"},
        {"#ff0000", "#000000"}, {"#0000ff", "#ffffff"}, {"#00ff00", "#000000"},
    };
    struct brand_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "{\"name\": \"B\", \"color\": \"%s\"}", cases[i].color);
        folder_write(fixture->dir, "brand.json", text);
        brand_fixture_load(fixture);
        brand_fixture_assert_good(fixture);
        const struct brand *brand = brands_at(fixture->brands, 0);
        assert_string_equal(text_at(brand->view, "text_on_color"), cases[i].want);
    }
}

static void keeps_clients_apart(void **state)
{
    static const struct {
        const char *acme, *beta, *want;
    } cases[] = {
        {"[\"web\"]", "[\"app\", \"web\"]", "clients: \"web\" is also of"},
        {"[]", "[\"acme\"]", "clients: \"acme\" is also of"},
        {"[]", "[\"default\"]", "clients: \"default\" is also of"},
    };
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128];
        snprintf(text, sizeof(text), "{\"clients\": %s}", cases[i].acme);
        folder_write(fixture->dir, "brands/acme.json", text);
        snprintf(text, sizeof(text), "{\"name\": \"C\",\n\"clients\": %s}", cases[i].beta);
        folder_write(fixture->dir, "brands/beta.json", text);
        brand_fixture_load(fixture);
        brand_fixture_assert_fault(fixture, "brands/beta.json:2", cases[i].want);
    }
    folder_write(fixture->dir, "brands/beta.json", "{}");
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\", \"clients\": [\"web\"]}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brand.json:1", "serves every client");
}

static void refuses_files_that_are_no_brands(void **state)
{
    static const struct {
        const char *file, *text, *where, *want;
    } cases[] = {
        {"brands/default.json", "{}", "brands/default.json", "the default brand is brand.json"},
        {"brands/Default.json", "{}", "brands/Default.json", "the default brand is brand.json"},
        {"brands/a b.json", "{}", "brands/a b.json", "a brand's name is of"},
        {"brands/-a.json", "{}", "brands/-a.json", "a brand's name is of"},
        {"brands/b\u00e9.json", "{}", "brands/b\u00e9.json", "a brand's name is of"},
        {"brands/a.JSON", "{}", "brands/a.JSON", "is not named NAME.json"},
        {"brands/a.json.txt", "{}", "brands/a.json.txt", "is not named NAME.json"},
        {"brands/a.json", "[]", "brands/a.json:1", "is not a JSON object"},
        {"brands/a.json", "{\"name\": \"a\",\n\"name\": \"b\"}", "brands/a.json:2", "duplicate"},
        {"brands/"
         "a123456789a123456789a123456789a123456789a123456789a123456789abcd.json",
         "{}", "abcd.json", "1 to 63"},
    };
    struct brand_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
        folder_write(fixture->dir, cases[i].file, cases[i].text);
        brand_fixture_load(fixture);
        brand_fixture_assert_fault(fixture, cases[i].where, cases[i].want);
        folder_remove(fixture->dir);
        mkdir(fixture->dir, 0700);
    }
    brand_fixture_load(fixture);
    assert_null(fixture->brands);
    brand_fixture_assert_fault(fixture, "brand.json", "cannot be opened");

    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    folder_write(fixture->dir, "brands", "a file");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "/brands", "cannot be read");
}

static void loads_what_is_shipped(void **state)
{
    struct brand_fixture *fixture = *state;
    fixture->brands = brands_load(SHIPPED, "Acme", fixture->faults);
    brand_fixture_assert_good(fixture);
    const struct brand *brand = brands_find(fixture->brands, NULL);
    assert_string_equal(brand->name, "Acme");
    assert_string_equal(text_at(brand->view, "text_on_color"), "#ffffff");
    assert_true(brand_shows_code(brand, "login_code_valid"));
    assert_true(brand_shows_code(brand, "registration_code_valid"));
    assert_true(brand_shows_code(brand, "verification_code_valid"));
    assert_false(brand_shows_code(brand, "recovery_code_valid"));
    assert_false(brand_names_hosts(brand));
    assert_null(brand->from_name);
    assert_null(brand->reply_to);
    assert_null(brand->locale);
}

static void writes_under_a_name_of_its_own(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json", "{\"name\": \"Base\", \"from_name\": \"Base Mail\"}");
    folder_write(fixture->dir, "brands/acme.json", "{\"name\": \"Acme\"}");
    folder_write(fixture->dir, "brands/bank.json", "{\"name\": \"Bank\", \"from_name\": \"B\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_good(fixture);
    assert_string_equal(brands_at(fixture->brands, 0)->from_name, "Base Mail");
    assert_string_equal(brands_at(fixture->brands, 1)->from_name, "Acme");
    assert_string_equal(brands_at(fixture->brands, 2)->from_name, "B");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRAND_TEST(takes_from_the_default_what_a_brand_lacks),
        BRAND_TEST(shows_frames_no_more_than_is_for_them),
        BRAND_TEST(has_the_shipped_color_where_no_file_says_one),
        BRAND_TEST(finds_a_brand_by_name_or_client),
        BRAND_TEST(is_named_by_the_sender_where_it_has_no_name),
        BRAND_TEST(allows_links_to_its_own_hosts_only),
        BRAND_TEST(says_where_a_code_may_be_shown),
        BRAND_TEST(chooses_black_or_white_for_each_colour),
        BRAND_TEST(keeps_clients_apart),
        BRAND_TEST(refuses_files_that_are_no_brands),
        BRAND_TEST(loads_what_is_shipped),
        BRAND_TEST(writes_under_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
