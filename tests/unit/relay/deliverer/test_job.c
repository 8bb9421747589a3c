#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "relay/deliverer/job.h"

#define MAIL "Subject: x\r\n\r\n"

static struct job make(char *sender, char *recipient, char *body, size_t size)
{
    return (struct job){.sender = sender, .recipient = recipient, .body = body, .body_size = size};
}

static void refuses_addresses_that_could_end_a_command(void **state)
{
    (void)state;
    static char good[] = "a@b.example", body[] = MAIL;
    static struct {
        char address[40];
        bool fit;
    } cases[] = {
        {"zoe@example.com", true},
        {"zo\xc3\xab@example.com", true},
        {"a@b", true},
        {"", false},
        {"zoe", false},
        {"@b", false},
        {"a@", false},
        {"a b@c.d", false},
        {"a@b\r\nRSET", false},
        {"a@b\n", false},
        {"a@b>", false},
        {"<a@b", false},
        {"a\t@b", false},
        {"a\x7f@b", false},
    };
    bool in_body;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct job job = make(good, cases[i].address, body, sizeof(body) - 1);
        assert_int_equal(job_fault(&job, &in_body) == NULL, cases[i].fit);
        job = make(cases[i].address, good, body, sizeof(body) - 1);
        assert_int_equal(job_fault(&job, &in_body) == NULL, cases[i].fit);
        if (!cases[i].fit)
            assert_false(in_body);
    }
}

static void refuses_bodies_that_could_be_read_in_two_ways(void **state)
{
    (void)state;
    static char address[] = "a@b.example";
#define CASE(text, fit)                                                                            \
    {                                                                                              \
        sizeof(text) - 1, text, fit                                                                \
    }
    static struct {
        size_t size;
        char body[63];
        bool fit;
    } cases[] = {
        CASE(MAIL, true),
        CASE(MAIL "text\r\n.\r\n", true),
        CASE(MAIL "a\r\n\r\n\r\n", true),
        CASE("", false),
        CASE(MAIL "no end", false),
        CASE("Subject: x\r\n", false),
        CASE(MAIL "bare\nline\r\n", false),
        CASE(MAIL "bare\rline\r\n", false),
        CASE(MAIL "\n.\r\n", false),
        CASE(MAIL "\r.\r\n", false),
        CASE(MAIL "a\r\r\n", false),
        CASE(MAIL "a\0b\r\n", false),
    };
#undef CASE
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct job job = make(address, address, cases[i].body, cases[i].size);
        bool in_body;
        assert_int_equal(job_fault(&job, &in_body) == NULL, cases[i].fit);
        assert_true(in_body);
    }
}

static void lines_may_have_998_bytes(void **state)
{
    (void)state;
    static char address[] = "a@b.example";
    for (size_t length = 998; length <= 999; length++) {
        char body[1100] = MAIL;
        size_t head = strlen(MAIL);
        memset(body + head, 'y', length);
        memcpy(body + head + length, "\r\n", 3);
        struct job job = make(address, address, body, head + length + 2);
        bool in_body;
        assert_int_equal(job_fault(&job, &in_body) == NULL, length == 998);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_addresses_that_could_end_a_command),
        cmocka_unit_test(refuses_bodies_that_could_be_read_in_two_ways),
        cmocka_unit_test(lines_may_have_998_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
