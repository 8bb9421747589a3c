#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/deliverer/outcome.h"

#define ANSWER(stage_, code_, ...)                                                                 \
    {                                                                                              \
        .stage = (stage_), .answered = true, .reply = {.code = (code_)}, __VA_ARGS__               \
    }

static void judges_by_stage_and_answer(void **state)
{
    (void)state;
    static const struct {
        struct trace trace;
        enum outcome_kind want;
        enum stage want_stage;
        const char *alarm;
    } cases[] = {
        // Answers.
        {ANSWER(STAGE_GREETING, 554), OUTCOME_SESSION, STAGE_GREETING, NULL},
        {ANSWER(STAGE_EHLO, 421), OUTCOME_SESSION, STAGE_EHLO, NULL},
        {ANSWER(STAGE_STARTTLS, 454), OUTCOME_SESSION, STAGE_STARTTLS, "tls"},
        {ANSWER(STAGE_AUTH, 535), OUTCOME_SESSION, STAGE_AUTH, "auth"},
        {ANSWER(STAGE_MAIL, 550), OUTCOME_SESSION, STAGE_MAIL, NULL},
        {ANSWER(STAGE_MAIL, 530), OUTCOME_SESSION, STAGE_MAIL, "auth"},
        {ANSWER(STAGE_MAIL, 552), OUTCOME_SESSION, STAGE_MAIL, NULL},
        {ANSWER(STAGE_MAIL, 552, .size_declared = true), OUTCOME_PERMANENT, STAGE_MAIL, NULL},
        {ANSWER(STAGE_MAIL, 452, .size_declared = true), OUTCOME_TEMPORARY, STAGE_MAIL, NULL},
        {ANSWER(STAGE_RCPT, 450), OUTCOME_TEMPORARY, STAGE_RCPT, NULL},
        {ANSWER(STAGE_RCPT, 421), OUTCOME_TEMPORARY, STAGE_RCPT, NULL},
        {ANSWER(STAGE_RCPT, 530), OUTCOME_PERMANENT, STAGE_RCPT, NULL},
        {ANSWER(STAGE_DATA, 451), OUTCOME_TEMPORARY, STAGE_DATA, NULL},
        {ANSWER(STAGE_DATA, 250), OUTCOME_TEMPORARY, STAGE_DATA, NULL},
        {ANSWER(STAGE_DOT, 250, .dot_begun = true), OUTCOME_SENT, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 451, .dot_begun = true), OUTCOME_TEMPORARY, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 554, .dot_begun = true), OUTCOME_PERMANENT, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 354, .dot_begun = true), OUTCOME_UNKNOWN, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 200, .dot_begun = true), OUTCOME_SENT, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 251, .dot_begun = true), OUTCOME_SENT, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 220, .dot_begun = true), OUTCOME_UNKNOWN, STAGE_DOT, NULL},
        {ANSWER(STAGE_DOT, 221, .dot_begun = true), OUTCOME_UNKNOWN, STAGE_DOT, NULL},
        // A verdict that was read counts, whatever was done to the connection meanwhile.
        {ANSWER(STAGE_DOT, 250, .dot_begun = true, .stop = STOP_CUT), OUTCOME_SENT, STAGE_DOT,
         NULL},
        {ANSWER(STAGE_RCPT, 550, .dot_begun = true), OUTCOME_PERMANENT, STAGE_RCPT, NULL},
        // No answer.
        {{.stage = STAGE_CONNECT}, OUTCOME_SESSION, STAGE_CONNECT, NULL},
        {{.stage = STAGE_STARTTLS}, OUTCOME_SESSION, STAGE_STARTTLS, "tls"},
        {{.stage = STAGE_AUTH}, OUTCOME_SESSION, STAGE_AUTH, NULL},
        {{.stage = STAGE_MAIL, .stop = STOP_LIMIT}, OUTCOME_SESSION, STAGE_MAIL, NULL},
        {{.stage = STAGE_RCPT, .stop = STOP_LIMIT}, OUTCOME_TEMPORARY, STAGE_RCPT, NULL},
        {{.stage = STAGE_BODY, .stop = STOP_BROKEN}, OUTCOME_TEMPORARY, STAGE_BODY, NULL},
        {{.stage = STAGE_BODY, .stop = STOP_CUT}, OUTCOME_CUT, STAGE_BODY, NULL},
        {{.stage = STAGE_BODY, .stop = STOP_EXPIRED}, OUTCOME_EXPIRED, STAGE_BODY, NULL},
        {{.stage = STAGE_DOT, .dot_begun = true}, OUTCOME_UNKNOWN, STAGE_DOT, NULL},
        {{.stage = STAGE_DOT, .dot_begun = true, .stop = STOP_CUT},
         OUTCOME_UNKNOWN,
         STAGE_DOT,
         NULL},
        {{.stage = STAGE_BODY, .dot_begun = true}, OUTCOME_UNKNOWN, STAGE_DOT, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct outcome outcome = {0};
        outcome_judge(&cases[i].trace, &outcome);
        assert_string_equal(outcome_kind_name(outcome.kind), outcome_kind_name(cases[i].want));
        assert_string_equal(outcome_stage_name(outcome.stage),
                            outcome_stage_name(cases[i].want_stage));
        assert_int_equal(outcome.reply.code,
                         cases[i].trace.answered ? cases[i].trace.reply.code : 0);
        if (cases[i].alarm)
            assert_string_equal(outcome.alarm, cases[i].alarm);
        else
            assert_null(outcome.alarm);
    }
}

static void always_says_something_where_nobody_else_did(void **state)
{
    (void)state;
    const struct trace timed_out = {.stage = STAGE_EHLO, .stop = STOP_LIMIT};
    const struct trace explained = {.stage = STAGE_CONNECT, .reply = {.text = "refused"}};
    struct outcome outcome = {0};
    outcome_judge(&timed_out, &outcome);
    assert_string_equal(outcome.reply.text, "timed out");
    outcome_judge(&explained, &outcome);
    assert_string_equal(outcome.reply.text, "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_by_stage_and_answer),
        cmocka_unit_test(always_says_something_where_nobody_else_did),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
