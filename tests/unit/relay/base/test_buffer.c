// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdlib.h>
#include <string.h>

#include "relay/base/buffer.h"

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer buffer;
    buffer_init(&buffer, 1 << 20);
    for (int i = 0; i < 10000; i++)
        buffer_printf(&buffer, "%d,", i % 10);
    assert_false(buffer.failed);
    assert_int_equal(buffer.size, 20000);
    assert_int_equal(strlen(buffer.data), 20000);
}

static void past_its_limit_it_takes_nothing_more(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer buffer;
    buffer_init(&buffer, 5);
    buffer_puts(&buffer, "abcde");
    assert_false(buffer.failed);
    buffer_putc(&buffer, 'f');
    assert_true(buffer.failed);
    buffer_puts(&buffer, "");
    assert_string_equal(buffer.data, "abcde");
    assert_null(buffer_reserve(&buffer, SIZE_MAX));
    buffer_clear(&buffer);
    assert_false(buffer.failed);
    buffer_puts(&buffer, "fghij");
    assert_string_equal(buffer.data, "fghij");
}

static void consumes_from_the_front(void **state)
{
    (void)state;
    AUTO_BUFFER struct buffer buffer;
    buffer_init(&buffer, 100);
    buffer_consume(&buffer, 0);
    buffer_puts(&buffer, "one two");
    buffer_consume(&buffer, 4);
    assert_string_equal(buffer.data, "two");
    buffer_consume(&buffer, 3);
    assert_int_equal(buffer.size, 0);
}

static void what_is_dropped_is_wiped(void **state)
{
    (void)state;
    static const char zeros[16] = {0};
    struct buffer buffer;
    buffer_init(&buffer, 16);
    buffer_puts(&buffer, "code 123456 two");
    buffer_consume(&buffer, 12);
    assert_string_equal(buffer.data, "two");
    assert_memory_equal(buffer.data + 3, zeros, 12);
    buffer_clear(&buffer);
    assert_memory_equal(buffer.data, zeros, 15);
    buffer_finish(&buffer);
}

static void hands_its_bytes_over(void **state)
{
    (void)state;
    struct buffer buffer;
    buffer_init(&buffer, 3);
    char *empty = buffer_take(&buffer);
    assert_string_equal(empty, "");
    free(empty);
    buffer_init(&buffer, 3);
    buffer_puts(&buffer, "abcd");
    assert_null(buffer_take(&buffer));
    buffer_finish(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(past_its_limit_it_takes_nothing_more),
        cmocka_unit_test(consumes_from_the_front),
        cmocka_unit_test(what_is_dropped_is_wiped),
        cmocka_unit_test(hands_its_bytes_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
