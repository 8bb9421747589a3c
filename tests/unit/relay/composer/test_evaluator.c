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

// What the evaluator finds of two normalisers of which the second is this.
static json_t *evaluate(const char *second)
{
    char file[] = "my.jsonnet", first[] = "{ data: { n: 'n' } }";
    AUTO_FREE char *text = strdup(second);
    struct normaliser_source sources[] = {{first, file}, {text, file}};
    const struct route_table routes = {.sources = sources, .source_count = 2};
    struct evaluator evaluator = evaluator_start(&routes);
    assert_true(evaluator.pid > 0);
    json_t *tables = evaluator_finish(&evaluator);
    // It has ended with the answer.
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
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
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_null(evaluate(cases[i]));
}

static void one_that_was_not_started_has_no_answer(void **state)
{
    (void)state;
    struct evaluator evaluator = {.fd = -1};
    assert_null(evaluator_finish(&evaluator));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_with_the_tables),
        cmocka_unit_test(has_no_answer_where_jsonnet_is_needed_or_fails),
        cmocka_unit_test(one_that_was_not_started_has_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
