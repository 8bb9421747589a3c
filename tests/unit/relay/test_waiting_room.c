// Where a core waits for its queue: tries again, tells once, and ends when told to.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/base/log.h"
#include "relay/event_loop.h"
#include "relay/waiting_room.h"

struct attempts {
    int count, successful; // which of them is
    const char *const *faults;
    bool *stopping;
};

static bool attempt(void *context, struct error *err)
{
    struct attempts *attempts = context;
    if (++attempts->count == attempts->successful)
        return true;
    if (attempts->stopping && attempts->count == 2)
        *attempts->stopping = true;
    return error_set(err, ERR_IO, "%s", attempts->faults[attempts->count - 1]);
}

// Runs with the log in a file. Gives how many lines of it hold text.
static int stay(struct attempts *attempts, bool *stopping, int64_t pause_ms, const char *text,
                bool *ret_opened)
{
    FILE *log = tmpfile();
    assert_non_null(log);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    dup2(fileno(log), STDOUT_FILENO);
    struct error err = {0};
    struct event_loop *loop = event_loop_create(&err);
    log_setup(LOG_JSON, LOG_INFO);
    *ret_opened = waiting_room_stay(loop, stopping, pause_ms, attempt, attempts);
    event_loop_destroy(loop);
    fflush(stdout);
    dup2(before, STDOUT_FILENO);
    close(before);
    rewind(log);
    int count = 0;
    char line[1024];
    while (fgets(line, sizeof(line), log))
        count += strstr(line, text) != NULL;
    fclose(log);
    return count;
}

static void it_tries_until_it_can_be_opened(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"gone", "gone", "gone"};
    struct attempts attempts = {.successful = 3, .faults = FAULTS};
    bool stopping = false, opened = false;
    assert_int_equal(stay(&attempts, &stopping, 0, "gone", &opened), 1);
    assert_true(opened);
    assert_int_equal(attempts.count, 3);
}

static void it_tells_each_thing_that_is_in_the_way_once(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"gone", "not whole", "not whole", ""};
    struct attempts attempts = {.successful = 4, .faults = FAULTS};
    bool stopping = false, opened = false;
    assert_int_equal(stay(&attempts, &stopping, 0, "queue_error", &opened), 2);
    assert_true(opened);
}

static void told_to_stop_it_tries_no_more(void **state)
{
    (void)state;
    static const char *const FAULTS[] = {"gone", "gone", "gone"};
    bool stopping = false, opened = true;
    struct attempts attempts = {.faults = FAULTS, .stopping = &stopping};
    stay(&attempts, &stopping, 0, "gone", &opened);
    assert_false(opened);
    assert_int_equal(attempts.count, 2);
}

static void stop_in_loop(void *context, uint32_t events)
{
    (void)events;
    *(bool *)context = true;
}

static void a_signal_ends_a_long_pause(void **state)
{
    (void)state;
    bool stopping = false;
    struct error err = {0};
    struct attempts attempts = {.successful = 1};
    struct event_loop *loop = event_loop_create(&err);
    struct event_source source = {
        .fd = eventfd(1, EFD_CLOEXEC), .ready = stop_in_loop, .context = &stopping};
    assert_true(event_loop_add(loop, &source, EPOLLIN, &err));
    assert_false(waiting_room_stay(loop, &stopping, 60 * 60 * 1000, attempt, &attempts));
    assert_int_equal(attempts.count, 0);
    event_loop_remove(loop, &source);
    close(source.fd);
    event_loop_destroy(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_tries_until_it_can_be_opened),
        cmocka_unit_test(it_tells_each_thing_that_is_in_the_way_once),
        cmocka_unit_test(told_to_stop_it_tries_no_more),
        cmocka_unit_test(a_signal_ends_a_long_pause),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
