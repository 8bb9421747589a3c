#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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
    assert_true(dialogue.offers_smtputf8 && dialogue.offers_size && dialogue.offers_chunking);
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
    dialogue_enter(&dialogue, STAGE_DOT);
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

static void the_deaf_count_what_is_a_reply(void **state)
{
    (void)state;
    struct dialogue dialogue;
    dialogue_open(&dialogue);
    sent(&dialogue, "MAIL FROM:<a@b.example>\r\n");
    dialogue.deaf = true;
    assert_true(heard(&dialogue, "250 one\r\n250-two\r\n250 two\r\n35"));
    assert_int_equal(dialogue.replies, 2);
    assert_false(dialogue.answered);
    dialogue_enter(&dialogue, STAGE_RCPT); // and what has been read ahead stays
    assert_true(heard(&dialogue, "4 three\r\n250 fo"));
    assert_int_equal(dialogue.replies, 3);
    assert_false(heard(&dialogue, "ur\r\n2500 five\r\n"));
    assert_false(heard(&dialogue, "250 six\r\n"));
    assert_int_equal(dialogue.replies, 4);
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
        cmocka_unit_test(the_deaf_count_what_is_a_reply),
        cmocka_unit_test(every_byte_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
