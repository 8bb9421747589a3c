// Trouble with a disk that comes and goes: how often it is told, and what pauses it brings.
#include "queue/trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { S = 1000, BEGIN_MS = 5 * S };

struct told {
    int begun, over;
};

static void tell(void *context, const struct error *err)
{
    struct told *told = context;
    *(err ? &told->begun : &told->over) += 1;
}

static const struct error FULL = {.code = ERR_FULL, .message = "full"};

static void trouble_is_told_at_once_and_so_is_its_end(void **state)
{
    (void)state;
    struct told told = {0};
    struct trouble trouble;
    trouble_init(&trouble, tell, &told, BEGIN_MS);
    trouble_begin(&trouble, &FULL, BEGIN_MS);
    assert_int_equal(told.begun, 1);
    trouble_begin(&trouble, &FULL, BEGIN_MS + S); // it goes on
    assert_int_equal(told.begun, 1);
    assert_int_equal(told.over, 0);
    trouble_end(&trouble, BEGIN_MS + 2 * S);
    assert_int_equal(told.over, 1);
}

static void what_comes_and_goes_is_told_once_a_minute(void **state)
{
    (void)state;
    struct told told = {0};
    struct trouble trouble;
    trouble_init(&trouble, tell, &told, BEGIN_MS);
    for (int i = 0; i < 10; i++) {
        trouble_begin(&trouble, &FULL, BEGIN_MS + 2 * i * S);
        trouble_end(&trouble, BEGIN_MS + (2 * i + 1) * S);
    }
    assert_int_equal(told.begun, 1);
    assert_int_equal(told.over, 1);
    trouble_begin(&trouble, &FULL, BEGIN_MS + 30 * S);
    trouble_tick(&trouble, BEGIN_MS + 59 * S);
    assert_int_equal(told.begun, 1);
    trouble_tick(&trouble, BEGIN_MS + 60 * S); // it still goes on
    trouble_tick(&trouble, BEGIN_MS + 61 * S);
    assert_int_equal(told.begun, 2);
    trouble_end(&trouble, BEGIN_MS + 62 * S);
    assert_int_equal(told.over, 2);
}

static void pauses_grow_while_it_comes_back_soon(void **state)
{
    (void)state;
    static const int64_t PAUSES_MS[] = {1 * S, 2 * S, 4 * S, 8 * S, 16 * S, 30 * S, 30 * S};
    struct trouble trouble;
    int64_t now_ms = BEGIN_MS;
    trouble_init(&trouble, NULL, NULL, now_ms);
    for (size_t i = 0; i < sizeof(PAUSES_MS) / sizeof(PAUSES_MS[0]); i++) {
        trouble_begin(&trouble, &FULL, now_ms += S);
        assert_int_equal(trouble.pause_ms, PAUSES_MS[i]);
        trouble_end(&trouble, now_ms += PAUSES_MS[i]);
    }
    trouble_begin(&trouble, &FULL, now_ms + 60 * S); // all was well for a minute
    assert_int_equal(trouble.pause_ms, 1 * S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trouble_is_told_at_once_and_so_is_its_end),
        cmocka_unit_test(what_comes_and_goes_is_told_once_a_minute),
        cmocka_unit_test(pauses_grow_while_it_comes_back_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
