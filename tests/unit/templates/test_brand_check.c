#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/unit/templates/brand_fixture.h"

struct member_case {
    const char *member, *want; // NULL: no fault
};

// Each member in the second line of a brand of its own.
static void check_members(const struct member_case *cases, size_t count,
                          struct brand_fixture *fixture)
{
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    for (size_t i = 0; i < count; i++) {
        char text[512];
        snprintf(text, sizeof(text), "{\"x\": \"y\",\n%s}", cases[i].member);
        folder_write(fixture->dir, "brands/acme.json", text);
        brand_fixture_load(fixture);
        if (cases[i].want)
            brand_fixture_assert_fault(fixture, "brands/acme.json:2", cases[i].want);
        else
            brand_fixture_assert_good(fixture);
    }
}

static void wants_names_on_one_line_and_to_be_seen(void **state)
{
    static const struct member_case cases[] = {
        {"\"from_name\": \"Acme \\\"Mail\\\", Ltd 😀\"", NULL},
        {"\"from_name\": \"\"", "from_name must be"},
        {"\"from_name\": \" \u00a0\"", "from_name must be"},
        {"\"from_name\": \"a\u202eb\"", "from_name must be"},
        {"\"from_name\": \"a\u200fb\"", "from_name must be"},
        {"\"from_name\": \"a\u200bb\"", "from_name must be"},
        {"\"from_name\": \"a\u2028b\"", "from_name must be"},
        {"\"from_name\": \"\u06a9\u062a\u0627\u0628\u200c\u0647\u0627\"", NULL},
        {"\"name\": \"\"", "name is needed"},
        {"\"name\": \"A\u202ecme\"", "name is needed, on one line and all to be seen"},
        {"\"from_name\": \"a\\nb\"", "from_name must be"},
        {"\"from_name\": 1", "from_name must be"},
    };
    check_members(cases, sizeof(cases) / sizeof(cases[0]), *state);
}

static void checks_the_form_of_every_value(void **state)
{
    static const struct member_case cases[] = {
        {"\"color\": \"#2D70b8\", \"text_on_color\": \"#ffffff\"", NULL},
        {"\"color\": \"#2D70b8\", \"text_on_color\": null", NULL},
        {"\"color\": \"#2d70b\"", "color must be"},
        {"\"color\": \"#000000;x:y\"", "color must be"},
        {"\"color\": null", "color must be"},
        {"\"text_on_color\": \"white\"", "text_on_color must be"},
        {"\"text_on_color\": \"#ffffff\", \"color\": \"#ffee00\"",
         "text_on_color #ffffff has a contrast of 1.20:1 on color #ffee00, and 4.5:1 is needed"},
        {"\"text_on_color\": \"#777777\", \"color\": \"#ffffff\"", "contrast of 4.47:1"},
        {"\"text_on_color\": \"#0a0a0a\", \"color\": \"#000000\"", "contrast of 1.06:1"},
        {"\"text_on_color\": \"#767676\", \"color\": \"#ffffff\"", NULL},
        {"\"logo_url\": \"http://acme.example/logo.png\"", "logo_url must be"},
        {"\"support_url\": \"javascript:alert(1)\"", "support_url must be"},
        {"\"reply_to\": \"help@acme.example\"", NULL},
        {"\"reply_to\": \"a@b.example\\r\\nBcc: c@d.example\"", "reply_to must be"},
        {"\"link_hosts\": null", NULL},
        {"\"link_hosts\": [\"a.example\", \"*.b.example\", \"*.c.b.example\"]", NULL},
        {"\"link_hosts\": [\"xn--bcher-kva.example\", \"10.0.0.1\", \"[2001:db8::1]\"]", NULL},
        {"\"link_hosts\": []", "link_hosts must be a list of one host or more"},
        {"\"link_hosts\": \"a.example\"", "link_hosts must be a list"},
        {"\"link_hosts\": {}", "link_hosts must be a list"},
        {"\"link_hosts\": [\"a.example\", \"https://a.example\"]",
         "link_hosts: \"https://a.example\" is no host"},
        {"\"link_hosts\": [\"a.example/x\"]", "is no host"},
        {"\"link_hosts\": [\"a.example:443\"]", "is no host"},
        {"\"link_hosts\": [\"bücher.example\"]", "is no host"},
        {"\"link_hosts\": [\"a..example\"]", "is no host"},
        {"\"link_hosts\": [\".a.example\"]", "is no host"},
        {"\"link_hosts\": [\"a.example.\"]", "is no host"},
        {"\"link_hosts\": [\"a.*.example\"]", "is no host"},
        {"\"link_hosts\": [\"*a.example\"]", "is no host"},
        {"\"link_hosts\": [\"*\"]", "is no host"},
        {"\"link_hosts\": [\"*.\"]", "is no host"},
        {"\"link_hosts\": [\"*.example\"]", "is no host"},
        {"\"link_hosts\": [\"*.*.b.example\"]", "is no host"},
        {"\"link_hosts\": [\"\"]", "is no host"},
        {"\"link_hosts\": [\"[::1\"]", "is no host"},
        {"\"link_hosts\": [\"[]\"]", "is no host"},
        {"\"link_hosts\": [7]", "is no host"},
        {"\"code_in_subject\": null", "code_in_subject must be true, false"},
        {"\"code_in_subject\": {\"login_code_valid\": 1}",
         "code_in_subject: login_code_valid must be true or false"},
        {"\"code_in_subject\": {\"recovery_valid\": true}",
         "code_in_subject: recovery_valid is no type of mail with a code"},
        {"\"address\": \"formal\"", NULL},
        {"\"address\": \"polite\"", "address must be"},
        {"\"address\": false", "address must be"},
        {"\"locale\": \"hu-x-formal\"", NULL},
        {"\"locale\": \"hu_HU\"", "locale must be"},
        {"\"locale\": \"../x\"", "locale must be"},
        {"\"locale\": \"\"", "locale must be"},
        {"\"clients\": []", NULL},
        {"\"clients\": \"web\"", "clients must be a list"},
        {"\"clients\": [\"web\", \"\"]", "clients: \"\" is no OAuth2 client"},
        {"\"clients\": [\"a\\nb\"]", "is no OAuth2 client"},
        {"\"clients\": [\"a b\"]", "clients: \"a b\" is no OAuth2 client"},
        {"\"clients\": [\"caf\u00e9\"]", "is no OAuth2 client"},
        {"\"clients\": [7]", "is no OAuth2 client"},
        {"\"clients\": [\"!a~\"]", NULL},
        {"\"id\": \"other\"", "id is the name of the brand's file"},
        {"\"link_host\": []", "link_host is not known; did you mean link_hosts?"},
        {"\"adress\": null", "adress is not known; did you mean address?"},
        {"\"motto\": \"a key of one's own\"", NULL},
    };
    check_members(cases, sizeof(cases) / sizeof(cases[0]), *state);
}

static void names_the_line_of_a_type(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"B\",\n\"code_in_subject\": {\n\"login_code_valid\": true,\n"
                 "\"recovery_code_valid\": \"no\"}}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brand.json:4", "recovery_code_valid must be");
}

// A colour of its own on top of the default's text colour.
static void compares_colours_of_two_files(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"B\", \"color\": \"#000080\", \"text_on_color\": \"#ffffff\"}");
    folder_write(fixture->dir, "brands/acme.json", "{\n\"color\": \"#ffee00\"}");
    folder_write(fixture->dir, "brands/beta.json", "{\"name\": \"C\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brands/acme.json:2", "contrast of 1.20:1");
}

// As long as a mail can name it (relay/composer/mail.c).
static void limits_the_size_of_a_client(void **state)
{
    struct brand_fixture *fixture = *state;
    char id[257];
    char text[300];
    folder_write(fixture->dir, "brand.json", "{\"name\": \"B\"}");
    for (int size = 255; size <= 256; size++) {
        memset(id, 'a', sizeof(id));
        snprintf(text, sizeof(text), "{\"clients\": [\"%.*s\"]}", size, id);
        folder_write(fixture->dir, "brands/acme.json", text);
        brand_fixture_load(fixture);
        if (size == 255)
            brand_fixture_assert_good(fixture);
        else
            brand_fixture_assert_fault(fixture, "brands/acme.json:1", "is no OAuth2 client");
    }
}

// Brands that have both colours of the default's file have its fault, but are not at fault.
static void finds_colours_of_one_file_once(void **state)
{
    struct brand_fixture *fixture = *state;
    folder_write(fixture->dir, "brand.json",
                 "{\"name\": \"B\",\n\"color\": \"#ffee00\", \"text_on_color\": \"#ffffff\"}");
    folder_write(fixture->dir, "brands/acme.json", "{\"name\": \"A\"}");
    brand_fixture_load(fixture);
    brand_fixture_assert_fault(fixture, "brand.json:2", "contrast of 1.20:1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BRAND_TEST(wants_names_on_one_line_and_to_be_seen),
        BRAND_TEST(checks_the_form_of_every_value),
        BRAND_TEST(names_the_line_of_a_type),
        BRAND_TEST(compares_colours_of_two_files),
        BRAND_TEST(finds_colours_of_one_file_once),
        BRAND_TEST(limits_the_size_of_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
