#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "relay/deliverer/dialogue.h"

static void sent(struct dialogue *dialogue, const char *command)
{
    dialogue_sent(dialogue, command, strlen(command));
}

static bool heard(struct dialogue *dialogue, const char *data)
{
    return dialogue_heard(dialogue, data, strlen(data));
}

static void follows_a_session_with_auth(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    assert_int_equal(dialogue.stage, STAGE_CONNECT);
    assert_true(heard(&dialogue, "220-hello\r\n220 there\r\n"));
    assert_int_equal(dialogue.stage, STAGE_GREETING);
    assert_true(dialogue.answered);
    assert_string_equal(dialogue.reply.text, "hello");
    sent(&dialogue, "EHLO relay\r\n");
    assert_true(heard(&dialogue, "250-host\r\n250-SMTPUTF8\r\n250-SIZE 1000\r\n250 CHUNKING\r\n"));
    assert_true(dialogue.offers_smtputf8 && dialogue.offers_size);
    assert_int_equal(dialogue.size_limit, 1000);
    sent(&dialogue, "AUTH LOGIN\r\n");
    heard(&dialogue, "334 VXNlcm5hbWU6\r\n");
    sent(&dialogue, "DATA\r\n"); // a user whose base64 looks like a verb
    assert_int_equal(dialogue.stage, STAGE_AUTH);
    heard(&dialogue, "334 UGFzc3dvcmQ6\r\n");
    sent(&dialogue, "c2VjcmV0\r\n");
    assert_false(dialogue.answered || dialogue.authenticated);
    heard(&dialogue, "235 ok\r\n");
    assert_true(dialogue.authenticated);
    sent(&dialogue, "MAIL FROM:<a@b>\r\n");
    assert_int_equal(dialogue.stage, STAGE_MAIL);
    assert_false(dialogue.answered);
    heard(&dialogue, "250 ok\r\n");
    sent(&dialogue, "RCPT TO:<c@d>\r\n");
    heard(&dialogue, "250 ok\r\n");
    sent(&dialogue, "DATA\r\n");
    assert_int_equal(dialogue.stage, STAGE_DATA);
    heard(&dialogue, "354 go\r\n");
    assert_int_equal(dialogue.stage, STAGE_BODY);
    dialogue_enter_dot(&dialogue);
    heard(&dialogue, "250 2.0.0 queued\r\n");
    assert_true(dialogue.answered);
    assert_string_equal(dialogue.reply.enhanced, "2.0.0");
    assert_true(dialogue.authenticated); // as long as the connection lasts
    dialogue_open(&dialogue);
    assert_false(dialogue.authenticated);
}

// STARTTLS makes what was offered in the clear worthless (RFC 3207).
static void a_second_ehlo_forgets_the_first(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    heard(&dialogue, "220 hello\r\n");
    sent(&dialogue, "EHLO relay\r\n");
    heard(&dialogue, "250-host\r\n250-SMTPUTF8\r\n250 STARTTLS\r\n");
    sent(&dialogue, "STARTTLS\r\n");
    heard(&dialogue, "220 go\r\n");
    assert_int_equal(dialogue.stage, STAGE_STARTTLS);
    sent(&dialogue, "EHLO relay\r\n");
    heard(&dialogue, "250 host\r\n");
    assert_false(dialogue.offers_smtputf8);
}

static void a_235_without_auth_means_nothing(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    heard(&dialogue, "235 hello\r\n");
    sent(&dialogue, "EHLO relay\r\n");
    heard(&dialogue, "235 welcome\r\n");
    assert_false(dialogue.authenticated);
}

static void what_follows_quit_is_ignored(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    heard(&dialogue, "554 no\r\n");
    sent(&dialogue, "QUIT\r\n");
    assert_true(heard(&dialogue, "221 bye\r\n"));
    assert_int_equal(dialogue.reply.code, 554);
}

static void pieces_make_a_reply(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    static const char reply[] = "220-one\r\n220 two\r\n";
    for (size_t i = 0; i + 1 < sizeof(reply); i++) {
        assert_false(dialogue.answered);
        assert_true(dialogue_heard(&dialogue, reply + i, 1));
    }
    assert_true(dialogue.answered);
}

static void what_is_not_smtp_is_told(void **state)
{
    (void)state;
    char long_line[DIALOGUE_LINE_MAX + 10] = "220 ";
    memset(long_line + 4, 'x', sizeof(long_line) - 5);
    long_line[sizeof(long_line) - 1] = '\0';
    const char *const bad[] = {"SSH-2.0-OpenSSH\r\n", "\r\n", "22 x\r\n", long_line};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dialogue dialogue;
        dialogue_open(&dialogue);
        assert_false(heard(&dialogue, bad[i]));
        assert_false(heard(&dialogue, "220 too late\r\n"));
        assert_false(dialogue.answered);
    }
}

static void an_endless_reply_is_told(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    int lines = 0;
    while (lines < 1000 && heard(&dialogue, "220-more\r\n"))
        lines++;
    assert_int_equal(lines, DIALOGUE_LINES_MAX);
}

static void answers_to_pipelined_commands_are_kept_in_their_order(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    assert_true(heard(&dialogue, "220 hello\r\n"));
    sent(&dialogue, "MAIL FROM:<a@b.example>\r\n");
    dialogue.pipelined = true;
    assert_true(heard(&dialogue, "250 2.1.0 one\r\n"));
    sent(&dialogue, "RCPT TO:<c@d.example>\r\nDATA\r\n");
    assert_int_equal(dialogue.due, 2);
    assert_true(heard(&dialogue, "251-two\r\n251 two\r\n35"));
    assert_int_equal(dialogue.replies, 2);
    assert_false(dialogue.answered);
    dialogue_enter(&dialogue, STAGE_DATA); // and what has been read ahead stays
    assert_true(heard(&dialogue, "4 three\r\n"));
    dialogue_enter_dot(&dialogue);
    assert_true(heard(&dialogue, "451 fo"));
    assert_int_equal(dialogue.replies, 3);
    assert_true(heard(&dialogue, "ur\r\n"));
    static const int codes[] = {250, 251, 354, 451};
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        assert_int_equal(dialogue.answers[i].code, codes[i]);
    assert_string_equal(dialogue.answers[0].enhanced, "2.1.0");
    assert_string_equal(dialogue.answers[1].text, "two");

    sent(&dialogue, "RSET\r\nMAIL FROM:<a@b.example>\r\n");
    assert_true(heard(&dialogue, "250 reset\r\n"));
    assert_int_equal(dialogue.replies, 0);
    assert_true(heard(&dialogue, "250 again\r\n"));
    assert_string_equal(dialogue.answers[0].text, "again");
}

static void a_reply_that_nothing_asked_for_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *command, *replies;
        bool pipelined, fine;
    } cases[] = {
        {NULL, "220 hello\r\n", false, true},
        {NULL, "220 hello\r\n220 again\r\n", false, false},
        {"MAIL FROM:<a@b>\r\n", "250 ok\r\n2", false, true},
        {"MAIL FROM:<a@b>\r\n", "250 ok\r\n250-\r\n", false, false},
        {"MAIL FROM:<a@b>\r\n", "250 ok\r\n", true, true},
        {"MAIL FROM:<a@b>\r\n", "250 ok\r\n250 ok\r\n", true, false},
        {"RCPT TO:<a@b>\r\nDATA\r\n", "250 ok\r\n354 go\r\n", true, true},
        {"RCPT TO:<a@b>\r\nDATA\r\n", "250 ok\r\n354 go\r\n250 early\r\n", true, false},
        {"DATA\r\n", "354 go\r\n250 early\r\n", false, false},
        {"DATA\r\n", "354 go\r\n250 early\r\n", true, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dialogue dialogue;
        dialogue_open(&dialogue);
        if (cases[i].command) {
            assert_true(heard(&dialogue, "220 hello\r\n"));
            dialogue.pipelined = cases[i].pipelined;
            sent(&dialogue, cases[i].command);
        }
        assert_int_equal(heard(&dialogue, cases[i].replies), cases[i].fine);
    }
}

static void a_farewell_behind_the_verdict_is_no_reply_too_many(void **state)
{
    (void)state;
    static const struct {
        const char *replies;
        bool fine, leaving;
        int code;
    } cases[] = {
        {"250 queued\r\n421 going\r\n", true, true, 250},
        {"554-no\r\n554 no\r\n421-going\r\n421 now\r\n250 ?\r\n", true, true, 554},
        {"250 queued\r\n421\r\n", true, true, 250},
        {"250 queued\r\n42", true, false, 250},
        {"250 queued\r\n4210 going\r\n", false, false, 250},
        {"250 queued\r\n422 going\r\n", false, false, 250},
        {"421 going\r\n250 queued\r\n", false, false, 421},
        {"250 queued\r\n250 queued\r\n421 going\r\n", false, false, 250},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dialogue dialogue;
        dialogue_open(&dialogue);
        assert_true(heard(&dialogue, "220 hello\r\n"));
        dialogue.pipelined = true;
        sent(&dialogue, "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n");
        assert_true(heard(&dialogue, "250 ok\r\n250 ok\r\n354 go\r\n"));
        dialogue_enter_dot(&dialogue);
        assert_int_equal(heard(&dialogue, cases[i].replies), cases[i].fine);
        assert_int_equal(dialogue.leaving, cases[i].leaving);
        assert_int_equal(dialogue.answers[3].code, cases[i].code);
    }
}

static void lines_of_one_reply_have_one_code(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    assert_false(heard(&dialogue, "554-no\r\n220 hello\r\n"));
    assert_false(dialogue.answered);
}

static void a_limit_is_digits_alone(void **state)
{
    (void)state;
    static const struct {
        const char *offer;
        size_t limit;
    } cases[] = {
        {"SIZE 1000", 1000}, {"size 1000 ", 1000}, {"SIZE", 0},
        {"SIZE 0", 0},       {"SIZE 1e9", 0},      {"SIZE -1", 0},
        {"SIZE 10 20", 0},   {"SIZE=1000", 0},     {"SIZE 99999999999999999999", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct dialogue dialogue;
        char reply[100];
        dialogue_open(&dialogue);
        assert_true(heard(&dialogue, "220 hello\r\n"));
        sent(&dialogue, "EHLO relay\r\n");
        snprintf(reply, sizeof(reply), "250-host\r\n250 %s\r\n", cases[i].offer);
        assert_true(heard(&dialogue, reply));
        assert_int_equal(dialogue.size_limit, cases[i].limit);
        assert_int_equal(dialogue_is_too_big(&dialogue, 1001), cases[i].limit != 0);
        assert_false(dialogue_is_too_big(&dialogue, 1000));
    }
}

static void every_byte_is_counted(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    assert_true(heard(&dialogue, "220 hello\r\n"));
    assert_false(heard(&dialogue, "no\r\n"));
    assert_int_equal(dialogue.bytes, 15);
    dialogue_open(&dialogue);
    assert_int_equal(dialogue.bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_a_session_with_auth),
        cmocka_unit_test(a_second_ehlo_forgets_the_first),
        cmocka_unit_test(a_235_without_auth_means_nothing),
        cmocka_unit_test(what_follows_quit_is_ignored),
        cmocka_unit_test(pieces_make_a_reply),
        cmocka_unit_test(what_is_not_smtp_is_told),
        cmocka_unit_test(an_endless_reply_is_told),
        cmocka_unit_test(answers_to_pipelined_commands_are_kept_in_their_order),
        cmocka_unit_test(a_reply_that_nothing_asked_for_is_told),
        cmocka_unit_test(a_farewell_behind_the_verdict_is_no_reply_too_many),
        cmocka_unit_test(lines_of_one_reply_have_one_code),
        cmocka_unit_test(a_limit_is_digits_alone),
        cmocka_unit_test(every_byte_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
