// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <string.h>

#include "relay/smarthosts/smarthost.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_text(const char *got, const char *want)
{
    if (want)
        assert_string_equal(got ? got : "(NULL)", want);
    else
        assert_null(got);
}

static const struct {
    const char *uri;
    struct {
        const char *name, *host, *server_name, *user, *password, *dir;
        const char *ca_file, *auth, *token_file;
        uint16_t port;
        bool verify;
        enum smarthost_tls tls;
        enum smarthost_driver driver;
    } want;
} readings[] = {
    {"smtp://mail.example:2525/?disable_starttls=true",
     {.name = "mail.example:2525",
      .host = "mail.example",
      .port = 2525,
      .tls = SMARTHOST_TLS_NONE,
      .verify = true,
      .driver = SMARTHOST_ESMTP}},
    {"smtp://user:p%40ss%2F%3A%25@mail.example:587/",
     {.name = "mail.example:587",
      .host = "mail.example",
      .port = 587,
      .tls = SMARTHOST_TLS_STARTTLS,
      .verify = true,
      .user = "user",
      .password = "p@ss/:%",
      .driver = SMARTHOST_CURL}},
    {"smtps://apikey:a,b@c@mail.example?skip_ssl_verify=1&server_name=other.example",
     {.name = "mail.example:465",
      .host = "mail.example",
      .port = 465,
      .tls = SMARTHOST_TLS_IMPLICIT,
      .verify = false,
      .server_name = "other.example",
      .user = "apikey",
      .password = "a,b@c",
      .driver = SMARTHOST_CURL}},
    {"smtp://user@10.0.0.1:25?disable_starttls=T",
     {.name = "10.0.0.1:25",
      .host = "10.0.0.1",
      .port = 25,
      .verify = true,
      .user = "user",
      .password = "",
      .driver = SMARTHOST_CURL}},
    {"smtp://[::1]:1025/?disable_starttls=true",
     {.name = "[::1]:1025", .host = "::1", .port = 1025, .verify = true, .driver = SMARTHOST_CURL}},
    // Ports that Kratos wants said.
    {"smtp://mail?disable_starttls=true",
     {.name = "mail:25", .host = "mail", .port = 25, .verify = true, .driver = SMARTHOST_ESMTP}},
    {"SMTP://mail.example/?disable_starttls=false",
     {.name = "mail.example:587",
      .host = "mail.example",
      .port = 587,
      .tls = SMARTHOST_TLS_STARTTLS,
      .verify = true,
      .driver = SMARTHOST_CURL}},
    // Parameters that Kratos does not have.
    {"smtps://u:p@mail.example/?ca_file=%2Fetc%2Facme ca.pem&auth=Login",
     {.name = "mail.example:465",
      .host = "mail.example",
      .port = 465,
      .tls = SMARTHOST_TLS_IMPLICIT,
      .verify = true,
      .user = "u",
      .password = "p",
      .ca_file = "/etc/acme ca.pem",
      .auth = "login",
      .driver = SMARTHOST_CURL}},
    {"smtp://u@mail.example/?token_file=tokens/one&auth=oauthbearer",
     {.name = "mail.example:587",
      .host = "mail.example",
      .port = 587,
      .tls = SMARTHOST_TLS_STARTTLS,
      .verify = true,
      .user = "u",
      .password = "",
      .auth = "oauthbearer",
      .token_file = "tokens/one",
      .driver = SMARTHOST_CURL}},
    {"file:/var/tmp/mails",
     {.name = "file", .dir = "/var/tmp/mails", .verify = true, .driver = SMARTHOST_FILE}},
    {"file:///var/tmp/mails",
     {.name = "file", .dir = "/var/tmp/mails", .verify = true, .driver = SMARTHOST_FILE}},
};

static void reads_what_kratos_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(readings); i++) {
        struct smarthost *got = NULL;
        size_t count = 0;
        struct error err = {0};
        if (!smarthosts_parse(readings[i].uri, &got, &count, &err))
            fail_msg("%s: %s", readings[i].uri, err.message);
        assert_int_equal(count, 1);
        assert_string_equal(got->name, readings[i].want.name);
        assert_text(got->host, readings[i].want.host);
        assert_int_equal(got->port, readings[i].want.port);
        assert_int_equal(got->tls, readings[i].want.tls);
        assert_int_equal(got->verify, readings[i].want.verify);
        assert_text(got->server_name, readings[i].want.server_name);
        assert_text(got->user, readings[i].want.user);
        assert_text(got->password, readings[i].want.password);
        assert_text(got->dir, readings[i].want.dir);
        assert_text(got->ca_file, readings[i].want.ca_file);
        assert_text(got->auth, readings[i].want.auth);
        assert_text(got->token_file, readings[i].want.token_file);
        assert_int_equal(got->driver, readings[i].want.driver);
        smarthosts_free(got, count);
    }
}

static void reads_how_many_and_how_fast(void **state)
{
    (void)state;
    struct smarthost *got = NULL;
    size_t count = 0;
    struct error err = {0};
    assert_true(smarthosts_parse("smtp://one.example/?connections=5&idle=2m&rate=14/1s,50000/24h"
                                 "&messages_per_connection=7,smtp://two.example",
                                 &got, &count, &err));
    assert_int_equal(count, 2);
    assert_int_equal(got[0].connections, 5);
    assert_int_equal(got[0].idle_ms, 120000);
    assert_int_equal(got[0].messages_per_connection, 7);
    assert_int_equal(got[0].rate.count, 2);
    assert_int_equal(got[0].rate.rate[0].count, 14);
    assert_int_equal(got[0].rate.rate[1].period_ms, 24 * 60 * 60 * 1000);
    assert_int_equal(got[1].connections, 0);
    assert_int_equal(got[1].idle_ms, SMARTHOST_IDLE_MS);
    assert_int_equal(got[1].messages_per_connection, SMARTHOST_MESSAGES);
    assert_int_equal(got[1].rate.count, 0);
    smarthosts_free(got, count);
}

static void takes_several_in_order(void **state)
{
    (void)state;
    struct smarthost *got = NULL;
    size_t count = 0;
    struct error err = {0};
    assert_true(smarthosts_parse(
        " smtp://u:a,b@one.example:587/ ,\n smtps://two.example:465,file:x ", &got, &count, &err));
    assert_int_equal(count, 3);
    assert_string_equal(got[0].password, "a,b");
    assert_string_equal(got[1].name, "two.example:465");
    assert_string_equal(got[2].dir, "x");
    smarthosts_free(got, count);
}

static void refuses_without_repeating_the_text(void **state)
{
    (void)state;
    static const char *const uris[] = {
        "",
        "mail.example:25",
        "http://mail.example",
        "smtp://",
        "smtp:///",
        "smtp://u:S3CRET@",
        "smtp://:S3CRET@mail.example",
        "smtp://u:S3CRET%zz@mail.example",
        "smtp://u:S3CRET%4@mail.example",
        "smtp://u:S3CRET%0d%0aMAIL@mail.example",
        "smtp://u:S3CRET/x@mail.example:25",
        "smtp://u:S3CRET#x@mail.example:25",
        "smtp://u:S3CRET?x@mail.example:25",
        "smtp://mail.example:0",
        "smtp://mail.example:65536",
        "smtp://mail.example:25x",
        "smtp://mail.example:-1",
        "smtp://mail example",
        "smtp://[::1",
        "smtp://[S3CRET]:25",
        "smtp://[::1]25",
        "smtp://::1:25",
        "smtp://mail.example/S3CRET",
        "smtp://mail.example/?disable_starttls=yes",
        "smtps://u:S3CRET@mail.example/?disable_starttls=true",
        "smtp://mail.example/?disable_startls=true",
        "smtp://mail.example/?server_name=a&server_name=b",
        "smtp://mail.example/?server_name=",
        "smtp://mail.example/?server_name=S3CRET%",
        "smtp://mail.example/?S3CRET=true",
        "smtp://mail.example/?skip_ssl_verify=true&skip_ssl_verify=false",
        "smtp://mail.example/?ca_file=",
        "smtp://mail.example/?ca_file=%0a",
        "smtp://mail.example/?ca_file=x&skip_ssl_verify=true",
        "smtp://mail.example/?ca_file=x&disable_starttls=true",
        "smtp://mail.example/?auth=plain",
        "smtp://u:S3CRET@mail.example/?auth=cram-md5",
        "smtp://u@mail.example/?auth=xoauth2",
        "smtp://u@mail.example/?token_file=x",
        "smtp://u@mail.example/?token_file=x&auth=plain",
        "smtp://u:S3CRET@mail.example/?token_file=x&auth=xoauth2",
        "smtp://a.example:25,smtp://a.example:25",
        "smtp://mail.example/?connections=0",
        "smtp://mail.example/?connections=129",
        "smtp://mail.example/?idle=30",
        "smtp://mail.example/?idle=2h",
        "smtp://mail.example/?messages_per_connection=0",
        "smtp://mail.example/?rate=10",
        "smtp://mail.example/?rate=S3CRET",
        "smtp://mail.example/?rate=0/1s%20S3CRET",
        "smtp://mail.example/?rate=100001/1h",
        "file:",
        "smtp://a.example:25,",
    };
    for (size_t i = 0; i < COUNT(uris); i++) {
        struct smarthost *got = NULL;
        size_t count = 7;
        struct error err = {0};
        if (smarthosts_parse(uris[i], &got, &count, &err))
            fail_msg("taken: %s", uris[i]);
        assert_int_equal(err.code, ERR_INPUT);
        assert_null(strstr(err.message, "S3CRET"));
        assert_non_null(strstr(err.message, "smarthost "));
        assert_null(got);
        assert_int_equal(count, 7);
    }
}

static void names_a_parameter_that_says_nothing_there(void **state)
{
    (void)state;
    static const struct {
        const char *uri, *want;
    } cases[] = {
        {"smtp://a.example, smtps://b.example/?disable_starttls=true",
         "smarthost 2: disable_starttls: smtps:// is TLS from its first byte"},
        {"smtp://mail.example/?ca_file=x&disable_starttls=true",
         "smarthost 1: ca_file: no certificate is checked here"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct smarthost *got = NULL;
        size_t count = 0;
        struct error err = {0};
        assert_false(smarthosts_parse(cases[i].uri, &got, &count, &err));
        if (strncmp(err.message, cases[i].want, strlen(cases[i].want)) != 0)
            fail_msg("%s: %s", cases[i].uri, err.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_a_parameter_that_says_nothing_there),
        cmocka_unit_test(reads_what_kratos_reads),
        cmocka_unit_test(reads_how_many_and_how_fast),
        cmocka_unit_test(takes_several_in_order),
        cmocka_unit_test(refuses_without_repeating_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
