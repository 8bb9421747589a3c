#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "relay/deliverer/amend.h"

static void what_libesmtp_must_not_see_is_another_word(void **state)
{
    (void)state;
    static const struct {
        const char *said, *seen;
        bool offers;
    } cases[] = {
        {"250-host\r\n250-CHUNKING\r\n250 PIPELINING\r\n",
         "250-host\r\n250-CHUNKINX\r\n250 PIPELINING\r\n", true},
        {"250-chunking\r\n250 EnhancedStatusCodes\r\n",
         "250-chunkinX\r\n250 EnhancedStatusCodeX\r\n", true},
        {"250-XCHUNKING\r\n250-CHUNK\r\n250-SIZE CHUNKING\r\n250 ENHANCED\r\n",
         "250-XCHUNKING\r\n250-CHUNK\r\n250-SIZE CHUNKING\r\n250 ENHANCED\r\n", true},
        {"550 CHUNKING is no user\r\n", "550 CHUNKING is no user\r\n", false},
        {"250\r\n250-a\rb\r\n354\r\n", "250 \n250-a\rb\r\n354 \n", false},
        {"25\r\n2500\r\n250 ok\r\n", "25\r\n2500\r\n250 ok\r\n", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t size = strlen(cases[i].said);
        for (size_t piece = 1; piece <= size; piece++) {
            struct amend amend;
            char data[200];
            amend_init(&amend);
            memcpy(data, cases[i].said, size + 1);
            for (size_t at = 0; at < size; at += piece)
                amend_replies(&amend, cases[i].offers, data + at,
                              piece < size - at ? piece : size - at);
            assert_string_equal(data, cases[i].seen);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libesmtp_must_not_see_is_another_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
