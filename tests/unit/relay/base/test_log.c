// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "relay/base/log.h"

// Runs what logs with standard output in a pipe, and gives what came.
static void capture(void (*what)(void), char *ret_text, size_t size)
{
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    fflush(stdout);
    int saved = dup(STDOUT_FILENO);
    dup2(pipe_fds[1], STDOUT_FILENO);
    close(pipe_fds[1]);
    what();
    dup2(saved, STDOUT_FILENO);
    close(saved);
    size_t used = 0;
    for (ssize_t n; (n = read(pipe_fds[0], ret_text + used, size - 1 - used)) > 0;)
        used += (size_t)n;
    ret_text[used] = '\0';
    close(pipe_fds[0]);
}

static void log_hostile_text(void)
{
    LOG(LOG_INFO, "attempt", LOG_STRING("reply", "5.7.1 \"no\"\n{\"event\":\"sent\"}\xff\x01é\\"),
        LOG_STRING("absent", NULL), LOG_INTEGER("code", -550), LOG_BOOLEAN("last", true));
}

static void a_line_is_one_json_object_whatever_is_in_it(void **state)
{
    (void)state;
    log_setup(LOG_JSON, LOG_INFO);
    char text[4096];
    capture(log_hostile_text, text, sizeof(text));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    json_auto_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "attempt");
    assert_string_equal(json_string_value(json_object_get(line, "reply")),
                        "5.7.1 \"no\"\n{\"event\":\"sent\"}\xef\xbf\xbd\x01é\\");
    assert_null(json_object_get(line, "absent"));
    assert_int_equal(json_integer_value(json_object_get(line, "code")), -550);
    assert_true(json_is_true(json_object_get(line, "last")));
}

static void text_for_people_is_one_line_too(void **state)
{
    (void)state;
    log_setup(LOG_TEXT, LOG_INFO);
    char text[4096];
    capture(log_hostile_text, text, sizeof(text));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_non_null(strstr(text, " info    attempt reply=\"5.7.1 \\\"no\\\"\\u000a"));
    log_setup(LOG_JSON, LOG_INFO);
}

static void log_below_the_level(void)
{
    LOG(LOG_DEBUG, "detail");
}

static void says_nothing_below_its_level(void **state)
{
    (void)state;
    char text[256];
    capture(log_below_the_level, text, sizeof(text));
    assert_string_equal(text, "");
}

static void log_too_much(void)
{
    static char huge[64 * 1024];
    memset(huge, 'x', sizeof(huge) - 1);
    LOG(LOG_INFO, "sent", LOG_STRING("reply", huge));
}

static void a_line_too_long_says_so(void **state)
{
    (void)state;
    char text[4096];
    capture(log_too_much, text, sizeof(text));
    json_auto_t *line = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(line, "event")), "sent");
    assert_non_null(json_object_get(line, "error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object_whatever_is_in_it),
        cmocka_unit_test(text_for_people_is_one_line_too),
        cmocka_unit_test(says_nothing_below_its_level),
        cmocka_unit_test(a_line_too_long_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
