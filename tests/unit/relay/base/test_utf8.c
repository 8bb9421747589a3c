#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "relay/base/utf8.h"

static void reads_code_points(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t size;
        uint32_t want;
    } cases[] = {
        {"a", 1, 'a'},
        {"\x7f!", 1, 0x7f},
        {"\xc2\x80", 2, 0x80},
        {"\xdf\xbf", 2, 0x7ff},
        {"\xe0\xa0\x80", 3, 0x800},
        {"\xef\xbf\xbf", 3, 0xffff},
        {"\xed\x9f\xbf", 3, 0xd7ff},
        {"\xf0\x90\x80\x80", 4, 0x10000},
        {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        // Not UTF-8: one byte each.
        {"\x80", 1, 0xfffd},
        {"\xc2", 1, 0xfffd},
        {"\xc2!", 1, 0xfffd},
        {"\xc1\xbf", 1, 0xfffd},         // longer than it need be
        {"\xe0\x9f\xbf", 1, 0xfffd},     // so too
        {"\xf0\x8f\xbf\xbf", 1, 0xfffd}, // so too
        {"\xed\xa0\x80", 1, 0xfffd},     // a surrogate
        {"\xed\xbf\xbf", 1, 0xfffd},
        {"\xf4\x90\x80\x80", 1, 0xfffd}, // beyond the last
        {"\xf8\x88\x80\x80", 1, 0xfffd},
        {"\xe2\x82", 1, 0xfffd}, // cut off
        {"\xf0\x9f\x98!", 1, 0xfffd},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t point;
        assert_int_equal(utf8_decode(cases[i].text, strlen(cases[i].text), &point), cases[i].size);
        assert_int_equal(point, cases[i].want);
    }
    uint32_t point;
    assert_int_equal(utf8_decode("\xc3\xa9", 1, &point), 1); // nothing behind its end is looked at
    assert_int_equal(point, 0xfffd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_code_points)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
