#include "tests/unit/templates/renderer_fixture.h"

static const char FRAME[] = "{{expiry}}|{{context}}|{{happened}}|{{code}}{{link.url}}"
                            "{{#own.lines}}{{text}}{{/own.lines}}";
#define TEXTS                                                                                      \
    "\"greeting_nameless\": \"Hi\", \"subject\": \"s\", \"intro\": \"i\",\n"                       \
    "\"expiry_code\": {\"one\": \"C{minutes}\", \"other\": \"Cs{minutes}\"},\n"                    \
    "\"expiry_link\": {\"one\": \"L{minutes}\", \"other\": \"Ls{minutes}\"},\n"                    \
    "\"expiry_code_until\": {\"one\": \"C{minutes} {until}\", \"other\": \"Cs{minutes} "           \
    "{until}\"},\n"                                                                                \
    "\"expiry_link_until\": {\"one\": \"L{minutes} {until}\", \"other\": \"Ls{minutes} "           \
    "{until}\"},\n"                                                                                \
    "\"context\": \"{browser}\", \"context_time\": \"{browser}/{system} {time}\",\n"               \
    "\"happened\": \"At {time}\""
#define CATALOG                                                                                    \
    "{\"locale\": \"en\", \"name\": \"English\", \"texts\": {" TEXTS "}, \"types\": {\n"           \
    "\"login_code_valid\": {}, \"recovery_valid\": {\"button\": \"b\"},\n"                         \
    "\"key_added\": {}}}"

// 21 November 2026, 13:05 UTC.
#define ASKED_WALL_MS 1795266300000
#define MINUTES_MS(minutes) ((int64_t)(minutes)*60 * 1000)

static struct renderer *load_with_zone(struct fixture *fixture, const char *zone)
{
    json_array_clear(fixture->faults);
    struct renderer *renderer = renderer_load(fixture->dir, "en", zone, NULL, fixture->faults);
    assert_no_fault(fixture->faults);
    return renderer;
}

static int make_dated(void **state)
{
    if (make_small(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    folder_write(fixture->dir, "frame.text.mustache", FRAME);
    folder_write(fixture->dir, "frame.html.mustache", FRAME);
    folder_write(fixture->dir, "locales/en.json", CATALOG);
    char path[FOLDER_PATH_SIZE + 32];
    snprintf(path, sizeof(path), "%s/locales/ar.json", fixture->dir);
    return remove(path);
}

static void states_times_only_where_it_knows_them(void **state)
{
    static const struct {
        const char *default_zone, *zone, *template;
        int minutes;
        const char *browser, *system, *want;
    } cases[] = {
        // The reader's zone, the operator's, none.
        {"UTC", "Europe/Budapest", "login_code_valid", 15, "Firefox", "Windows",
         "Cs15 2:20 PM GMT+1|Firefox/Windows 2:05 PM GMT+1|"},
        {"UTC", "Central Europe Standard Time", "login_code_valid", 15, NULL, NULL,
         "Cs15 2:20 PM GMT+1||"},
        {"America/New_York", NULL, "login_code_valid", 15, NULL, NULL, "Cs15 8:20 AM EST||"},
        {"America/New_York", "Mars/Olympus", "login_code_valid", 15, NULL, NULL,
         "Cs15 8:20 AM EST||"},
        {"America/New_York", "UTC", "login_code_valid", 15, NULL, NULL, "Cs15 1:20 PM UTC||"},
        {"UTC", NULL, "login_code_valid", 15, "Firefox", "Windows", "Cs15|Firefox|"},
        {"UTC", "Mars/Olympus", "login_code_valid", 1, "Firefox", "Windows", "C1|Firefox|"},
        // One minute, no minutes, a link; half of a context is none.
        {"UTC", "Europe/Budapest", "login_code_valid", 1, NULL, "Windows", "C1 2:06 PM GMT+1||"},
        {"UTC", "Europe/Budapest", "login_code_valid", 0, "Firefox", NULL, "||"},
        {"UTC", "Europe/Budapest", "recovery_valid", 60, NULL, NULL, "Ls60 3:05 PM GMT+1||"},
        {"UTC", NULL, "recovery_valid", 60, "Firefox", "Windows", "Ls60|Firefox|"},
        // What a notice tells of has its time in any zone, and neither end nor browser.
        {"UTC", "Europe/Budapest", "key_added", 60, "Firefox", "Windows",
         "||At November 20 at 10:30 AM GMT+1"},
        {"UTC", NULL, "key_added", 0, NULL, NULL, "||At November 20 at 9:30 AM UTC"},
        {"Asia/Tokyo", NULL, "key_added", 0, NULL, NULL, "||At November 20 at 6:30 PM GMT+9"},
    };
    struct fixture *fixture = *state;
    json_auto_t *data =
        json_pack("{s:s, s:s, s:s}", "code", CODE, "url", URL, "at", "2026-11-20T09:30:00Z");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct renderer *renderer = load_with_zone(fixture, cases[i].default_zone);
        struct render_request request = {
            .template = cases[i].template,
            .data = data,
            .timezone = cases[i].zone,
            .browser = cases[i].browser,
            .system = cases[i].system,
            .minutes_left = cases[i].minutes,
            .received_wall_ms = ASKED_WALL_MS,
            .expires_wall_ms = cases[i].minutes ? ASKED_WALL_MS + MINUTES_MS(cases[i].minutes) : 0};
        struct rendered mail AUTO_RENDERED = render(renderer, &request);
        // The spaces within a time do not break.
        char *text = mail.text;
        for (char *space; (space = strstr(text, "\u00a0"));) {
            *space = ' ';
            memmove(space + 1, space + 2, strlen(space + 2) + 1);
        }
        if (strncmp(text, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("case %zu: want %s, got %s", i, cases[i].want, text);
        renderer_destroy(renderer);
    }
}

static void leaves_out_times_that_are_none(void **state)
{
    static const char *const cases[] = {
        "{\"at\": \"yesterday\"}",
        "{\"at\": 1795266300}",
        "{\"at\": null}",
        "{}",
        "{\"at\": \"2026-13-20T09:30:00Z\"}",
    };
    struct fixture *fixture = *state;
    struct renderer *renderer = load_with_zone(fixture, "Europe/Budapest");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_auto_t *data = json_loads(cases[i], 0, NULL);
        struct render_request request = {.template = "key_added", .data = data};
        struct rendered mail AUTO_RENDERED = render(renderer, &request);
        assert_string_equal(mail.text, "|||\n");
    }
    json_auto_t *data = json_pack("{s:s}", "code", CODE);
    struct render_request request = {.template = "login_code_valid",
                                     .data = data,
                                     .browser = "Firefox",
                                     .system = "Windows",
                                     .minutes_left = 5};
    struct rendered mail AUTO_RENDERED = render(renderer, &request);
    assert_string_equal(mail.text, "Cs5|Firefox||750046\n");
    renderer_destroy(renderer);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_dated, remove_small)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(states_times_only_where_it_knows_them),
        TEST(leaves_out_times_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
