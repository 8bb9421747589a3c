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

static void mark(const char *text)
{
    assert_int_equal(write(STDOUT_FILENO, text, strlen(text)), strlen(text));
}

static void hold_lines(void)
{
    log_hold();
    LOG(LOG_INFO, "first");
    LOG(LOG_INFO, "second");
    mark("A");
    LOG(LOG_WARNING, "third");
    mark("B");
    LOG(LOG_INFO, "fourth");
    log_release();
    mark("C");
    LOG(LOG_INFO, "fifth");
    mark("D");
}

static void what_is_held_comes_in_order_and_before_a_warning_is_over(void **state)
{
    (void)state;
    char text[4096];
    capture(hold_lines, text, sizeof(text));
    static const char *const marks[] = {"A",      "first", "second", "third", "B",
                                        "fourth", "C",     "fifth",  "D"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
        const char *found = strstr(text + at, marks[i]);
        if (!found)
            fail_msg("no %s behind the one before in: %s", marks[i], text);
        at = found ? (size_t)(found - text) : 0;
    }
}

static void hold_much(void)
{
    char reply[1000];
    memset(reply, 'x', sizeof(reply));
    reply[sizeof(reply) - 1] = '\0';
    log_hold();
    for (int i = 0; i < 30; i++)
        LOG(LOG_INFO, "sent", LOG_INTEGER("n", i), LOG_STRING("reply", reply));
    log_release();
}

static void much_is_held_in_pieces_of_whole_lines(void **state)
{
    (void)state;
    static char text[64 * 1024];
    capture(hold_much, text, sizeof(text));
    int count = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, count++) {
        json_auto_t *parsed = json_loadb(line, (size_t)(end - line), 0, NULL);
        assert_int_equal(json_integer_value(json_object_get(parsed, "n")), count);
    }
    assert_int_equal(count, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object_whatever_is_in_it),
        cmocka_unit_test(text_for_people_is_one_line_too),
        cmocka_unit_test(says_nothing_below_its_level),
        cmocka_unit_test(a_line_too_long_says_so),
        cmocka_unit_test(what_is_held_comes_in_order_and_before_a_warning_is_over),
        cmocka_unit_test(much_is_held_in_pieces_of_whole_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
