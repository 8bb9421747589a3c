#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "relay/base/cleanup.h"
#include "relay/composer/evaluator.h"

enum { LIMIT_MS = 60000 };

// What the evaluator finds of two normalisers of which the second is this, and Kratos' own.
static json_t *evaluate_for(const char *second, int limit_ms, bool *ret_is_endless,
                            size_t *ret_source)
{
    char file[] = "my.jsonnet", first[] = "{ data: { n: 'n' } }";
    AUTO_FREE char *text = strdup(second);
    struct normaliser_source sources[] = {{first, file}, {text, file}};
    struct composer_route route = {.source = 1};
    const struct route_table routes = {
        .routes = &route, .count = 1, .sources = sources, .source_count = 2};
    struct evaluator evaluator = evaluator_start(&routes, "{\"n\":1}", limit_ms);
    assert_true(evaluator.pid > 0);
    json_t *tables = evaluator_finish(&evaluator, ret_is_endless, ret_source);
    // It has ended with the answer.
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return tables;
}

static json_t *evaluate(const char *second)
{
    bool is_endless;
    size_t source;
    json_t *tables = evaluate_for(second, LIMIT_MS, &is_endless, &source);
    assert_false(is_endless);
    return tables;
}

static void answers_with_the_tables(void **state)
{
    (void)state;
    json_auto_t *tables = evaluate("local to = 'to'; { to: to, data: {} }");
    AUTO_FREE char *text = json_dumps(tables, JSON_COMPACT);
    assert_string_equal(text, "[{\"data\":{\"n\":\"n\"}},{\"data\":{},\"to\":\"to\"}]");
}

static void has_no_answer_where_jsonnet_is_needed_or_fails(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "function(p) null",
        "{ data: 1 }",
        "error 'why'",
        "function(p) error 'why'",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_null(evaluate(cases[i]));
}

static void names_the_one_that_never_ends(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "local f(x) = f(x + 1) tailstrict; { data: { n: f(0) } }",
        "local f(x) = f(x + 1) tailstrict; function(p) if p.n == 1 then f(0)",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool is_endless;
        size_t source;
        assert_null(evaluate_for(cases[i], 2000, &is_endless, &source));
        assert_true(is_endless);
        assert_int_equal(source, 1);
    }
}

static void one_that_was_not_started_has_no_answer(void **state)
{
    (void)state;
    struct evaluator evaluator = {.fd = -1};
    bool is_endless;
    size_t source;
    assert_null(evaluator_finish(&evaluator, &is_endless, &source));
    assert_false(is_endless);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_with_the_tables),
        cmocka_unit_test(has_no_answer_where_jsonnet_is_needed_or_fails),
        cmocka_unit_test(names_the_one_that_never_ends),
        cmocka_unit_test(one_that_was_not_started_has_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
