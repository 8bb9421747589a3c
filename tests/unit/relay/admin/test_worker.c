// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <semaphore.h>
#include <string.h>

#include "relay/admin/worker.h"

enum { TASKS = 4 };

struct note {
    struct admin_task task;
    char letter;
};

static sem_t has_begun, may_go_on;
static char done[TASKS + 1];

static void hold_up(struct admin_task *task)
{
    (void)task;
    assert_int_equal(sem_post(&has_begun), 0);
    while (sem_wait(&may_go_on) < 0)
        assert_int_equal(errno, EINTR);
}

static void write_down(struct admin_task *task)
{
    const struct note *note = (const struct note *)task;
    done[strlen(done)] = note->letter;
}

// A worker that is at its first task until end().
static struct admin_worker *begin(struct admin_task *first, struct error *err)
{
    assert_int_equal(sem_init(&has_begun, 0, 0), 0);
    assert_int_equal(sem_init(&may_go_on, 0, 0), 0);
    struct admin_worker *worker = admin_worker_create(err);
    assert_non_null(worker);
    assert_true(admin_worker_give_first(worker, first));
    while (sem_wait(&has_begun) < 0)
        assert_int_equal(errno, EINTR);
    return worker;
}

static void end(struct admin_worker *worker)
{
    assert_int_equal(sem_post(&may_go_on), 0);
    admin_worker_destroy(worker);
    assert_int_equal(sem_destroy(&may_go_on), 0);
    assert_int_equal(sem_destroy(&has_begun), 0);
}

static void tasks_are_done_in_turn_but_one_given_first_overtakes(void **state)
{
    (void)state;
    struct error err;
    struct admin_task first = {.run = hold_up};
    struct note notes[TASKS] = {{{.run = write_down}, 'a'},
                                {{.run = write_down}, 'b'},
                                {{.run = write_down}, 'c'},
                                {{.run = write_down}, 'd'}};
    struct admin_worker *worker = begin(&first, &err);
    assert_true(admin_worker_give(worker, &notes[0].task));
    assert_true(admin_worker_give(worker, &notes[1].task));
    assert_true(admin_worker_give_first(worker, &notes[2].task));
    assert_true(admin_worker_give(worker, &notes[3].task));
    end(worker);
    assert_string_equal(done, "cabd");
}

static void do_nothing(struct admin_task *task)
{
    (void)task;
}

static void only_so_many_may_wait(void **state)
{
    (void)state;
    struct error err;
    struct admin_task first = {.run = hold_up}, tasks[ADMIN_TASKS_MAX], one_more;
    struct admin_worker *worker = begin(&first, &err);
    for (size_t i = 0; i < ADMIN_TASKS_MAX; i++) {
        tasks[i] = (struct admin_task){.run = do_nothing};
        assert_true(admin_worker_give(worker, &tasks[i]));
    }
    assert_false(admin_worker_give(worker, &one_more));
    assert_false(admin_worker_give_first(worker, &one_more));
    end(worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_are_done_in_turn_but_one_given_first_overtakes),
        cmocka_unit_test(only_so_many_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
