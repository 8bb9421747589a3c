#include "relay/composer/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
#define WALL_MS INT64_C(1763688000000) // Fri, 21 Nov 2025 01:20:00 UTC

static struct mime *create(const char *from, const char *reply_to)
{
    struct mime_sender sender = {0};
    struct error err;
    if (!mailbox_parse(from, &sender.from, &err) ||
        (reply_to && !mailbox_parse(reply_to, &sender.reply_to, &err)))
        fail_msg("%s", err.message);
    struct mime *mime = mime_create(&sender, &err);
    if (!mime)
        fail_msg("%s", err.message);
    return mime;
}

static struct mime_mail sample(void)
{
    return (struct mime_mail){
        .id = ID,
        .wall_ms = WALL_MS,
        .to = "zoe@example.com",
        .subject = "750046 - your code",
        .language = "en",
        .text = "Your code: 750046\n",
        .html = "<p>Your code: 750046</p>\n",
    };
}

// Writes the mail and checks what holds for every mail: CRLF alone, and no long line.
static void write_mail(const char *sender, const struct mime_mail *mail, struct buffer *out)
{
    struct mime *mime = create(sender, NULL);
    struct error err;
    buffer_init(out, 1 << 22);
    if (!mime_write(mime, mail, out, &err))
        fail_msg("%s", err.message);
    mime_destroy(mime);
    size_t column = 0;
    for (size_t i = 0; i < out->size; i++) {
        if (out->data[i] == '\n') {
            assert_true(i > 0 && out->data[i - 1] == '\r');
            column = 0;
        } else if (out->data[i] == '\r') {
            assert_true(i + 1 < out->size && out->data[i + 1] == '\n');
        } else {
            assert_true(out->data[i] != '\0');
            column++;
        }
        assert_true(column <= 76 || strncmp(mail->to, "long", 4) == 0);
    }
    assert_string_equal(out->data + out->size - 2, "\r\n");
}

static void assert_holds(const struct buffer *out, const char *part)
{
    if (!strstr(out->data, part))
        fail_msg("no \"%s\" in:\n%s", part, out->data);
}

// The unit again and again, as often as it fits.
static void fill(char *text, size_t size, const char *unit)
{
    size_t used = 0, unit_size = strlen(unit);
    for (; used + unit_size < size; used += unit_size)
        memcpy(text + used, unit, unit_size);
    text[used] = '\0';
}

static void writes_every_header(void **state)
{
    (void)state;
    struct mime *mime = create("Acme <no-reply@acme.example>", "Help <help@acme.example>");
    struct mime_mail mail = sample();
    struct error err;
    AUTO_BUFFER struct buffer out;
    buffer_init(&out, 1 << 20);
    assert_true(mime_write(mime, &mail, &out, &err));
    mime_destroy(mime);
    assert_string_equal(out.data, "From: Acme <no-reply@acme.example>\r\n"
                                  "Reply-To: Help <help@acme.example>\r\n"
                                  "MIME-Version: 1.0\r\n"
                                  "Auto-Submitted: auto-generated\r\n"
                                  "X-Auto-Response-Suppress: All\r\n"
                                  "To: zoe@example.com\r\n"
                                  "Subject: 750046 - your code\r\n"
                                  "Date: Fri, 21 Nov 2025 01:20:00 +0000\r\n"
                                  "Message-ID: <" ID "@acme.example>\r\n"
                                  "Content-Language: en\r\n"
                                  "X-Entity-Ref-ID: " ID "\r\n"
                                  "Content-Type: multipart/alternative;\r\n"
                                  " boundary=\"=_" ID "\"\r\n"
                                  "\r\n"
                                  "--=_" ID "\r\n"
                                  "Content-Type: text/plain; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: quoted-printable\r\n"
                                  "\r\n"
                                  "Your code: 750046\r\n"
                                  "--=_" ID "\r\n"
                                  "Content-Type: text/html; charset=utf-8\r\n"
                                  "Content-Transfer-Encoding: quoted-printable\r\n"
                                  "\r\n"
                                  "<p>Your code: 750046</p>\r\n"
                                  "--=_" ID "--\r\n");
}

static void writes_what_a_mail_may_have(void **state)
{
    (void)state;
    json_auto_t *faults = json_array();
    json_auto_t *object = json_pack("{s:s}", "Feedback-ID", "{template}:{brand}:{locale}");
    struct headers *headers = headers_create(object, faults);
    assert_non_null(headers);
    struct mime_mail mail = sample();
    mail.language = "hu";
    mail.expires_wall_ms = WALL_MS + 900000;
    mail.headers = headers;
    mail.values = (struct header_values){"login_code_valid", "acme", "hu-x-formal", ID};
    AUTO_BUFFER struct buffer out;
    write_mail("no-reply@acme.example", &mail, &out);
    headers_destroy(headers);
    assert_holds(&out, "\r\nContent-Language: hu\r\n"
                       "X-Entity-Ref-ID: " ID "\r\n"
                       "Expires: Fri, 21 Nov 2025 01:35:00 +0000\r\n"
                       "Feedback-ID: login_code_valid:acme:hu-x-formal\r\n"
                       "Content-Type: multipart/alternative;\r\n");
}

static void encodes_subjects(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *want;
    } cases[] = {
        {"", "\r\nSubject: \r\n"},
        {"750046 – Ihr Anmeldecode für Acme und so fort",
         "\r\nSubject: =?utf-8?B?NzUwMDQ2IOKAkyBJaHIgQW5tZWxkZWNvZGUgZsO8ciBBY21lIHVu?=\r\n"
         " =?utf-8?B?ZCBzbyBmb3J0?=\r\n"},
        // Text that looks like an encoded word must come out as the text.
        {"=?utf-8?Q?evil?=", "\r\nSubject: =?utf-8?B?PT91dGYtOD9RP2V2aWw/PQ==?=\r\n"},
        {"a subject of plain words that is long enough to need two lines of a mail's header",
         "\r\nSubject: a subject of plain words that is long enough to need two lines of a\r\n"
         " mail's header\r\n"},
        {"two  spaces", "\r\nSubject: =?utf-8?B?dHdvICBzcGFjZXM=?=\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mime_mail mail = sample();
        mail.subject = cases[i].subject;
        AUTO_BUFFER struct buffer out;
        write_mail("no-reply@acme.example", &mail, &out);
        assert_holds(&out, cases[i].want);
    }
}

static void folds_any_subject(void **state)
{
    (void)state;
    static const char *const units[] = {"a", " ", "ű", "日", "😀", "ab ", "=?", "é "};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        char subject[3000];
        fill(subject, sizeof(subject), units[i]);
        struct mime_mail mail = sample();
        mail.subject = subject;
        AUTO_BUFFER struct buffer out;
        write_mail("no-reply@acme.example", &mail, &out);
    }
}

static void writes_any_sender(void **state)
{
    (void)state;
    static const struct {
        const char *sender, *want;
    } cases[] = {
        {"no-reply@acme.example", "From: no-reply@acme.example\r\n"},
        {"\"Acme, Inc.\" <a@acme.example>", "From: \"Acme, Inc.\" <a@acme.example>\r\n"},
        {"\"The \\\"A\\\"\" <a@acme.example>", "From: \"The \\\"A\\\"\" <a@acme.example>\r\n"},
        {"Szolgáltató <a@acme.example>",
         "From: =?utf-8?B?U3pvbGfDoWx0YXTDsw==?= <a@acme.example>\r\n"},
        {"Acme Inc. <a@acme.example>", "From: \"Acme Inc.\" <a@acme.example>\r\n"},
        {"Acme <a@bücher.example>", "From: Acme <a@xn--bcher-kva.example>\r\n"},
        {"=?utf-8?Q?x?= <a@acme.example>",
         "From: =?utf-8?B?PT91dGYtOD9RP3g/PQ==?= <a@acme.example>\r\n"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mime_mail mail = sample();
        AUTO_BUFFER struct buffer out;
        write_mail(cases[i].sender, &mail, &out);
        assert_holds(&out, cases[i].want);
    }
}

static void encodes_bodies(void **state)
{
    (void)state;
    struct mime_mail mail = sample();
    char text[5000], html[5000];
    memset(text, 'x', sizeof(text) - 1); // one line, far over any limit
    text[sizeof(text) - 1] = '\0';
    fill(html, sizeof(html), "ő\n.\r");
    mail.text = text;
    mail.html = html;
    AUTO_BUFFER struct buffer out;
    write_mail("no-reply@acme.example", &mail, &out);
    assert_holds(&out, "Content-Transfer-Encoding: quoted-printable\r\n\r\nxxx");
    // "ő" CR LF "." CR LF in base64: a text's line ends are CRLF inside it as well.
    assert_holds(&out, "Content-Transfer-Encoding: base64\r\n\r\nxZENCi7FkQ0K");
}

static void begins_no_line_of_a_body_with_a_dot(void **state)
{
    (void)state;
    struct mime_mail mail = sample();
    char full[80];
    for (size_t dots = 70; dots < sizeof(full); dots++) {
        memset(full, '.', dots);
        full[dots] = '\0';
        mail.text = full;
        mail.html = ".\n..\n.x\nx.\n.";
        AUTO_BUFFER struct buffer out;
        write_mail("no-reply@acme.example", &mail, &out);
        assert_holds(&out, "\r\n=2E\r\n=2E.\r\n=2Ex\r\nx.\r\n=2E\r\n");
        if (strstr(out.data, "\n."))
            fail_msg("%s", out.data);
    }
}

static void refuses_injection(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\r\nBcc: x@y", "a\nb",      "a\rb",   "a\tb",
                                      "a\x7f",         "a\xc2\x85", "a\u2028"};
    struct mime *mime = create("no-reply@acme.example", NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        for (int field = 0; field < 4; field++) {
            struct mime_mail mail = sample();
            *(const char **[]){&mail.subject, &mail.to, &mail.language, &mail.id}[field] = bad[i];
            AUTO_BUFFER struct buffer out;
            struct error err;
            buffer_init(&out, 1 << 20);
            assert_false(mime_write(mime, &mail, &out, &err));
            assert_int_equal(err.code, ERR_INPUT);
            assert_null(strstr(err.message, "Bcc"));
        }
    }
    mime_destroy(mime);
}

static void refuses_a_mail_over_the_limit(void **state)
{
    (void)state;
    struct mime *mime = create("no-reply@acme.example", NULL);
    struct mime_mail mail = sample();
    AUTO_BUFFER struct buffer out;
    struct error err;
    buffer_init(&out, 600);
    assert_false(mime_write(mime, &mail, &out, &err));
    assert_int_equal(err.code, ERR_INPUT);
    mime_destroy(mime);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_every_header),
        cmocka_unit_test(writes_what_a_mail_may_have),
        cmocka_unit_test(encodes_subjects),
        cmocka_unit_test(folds_any_subject),
        cmocka_unit_test(writes_any_sender),
        cmocka_unit_test(encodes_bodies),
        cmocka_unit_test(begins_no_line_of_a_body_with_a_dot),
        cmocka_unit_test(refuses_injection),
        cmocka_unit_test(refuses_a_mail_over_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
