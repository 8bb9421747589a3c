// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relay/base/dots.h"

#define ID "01890a5d-ac96-774b-bcce-b302099a8057"

static char dir[] = "/tmp/dots-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/dots-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/dots", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void the_other_side_sees_each_step(void **state)
{
    (void)state;
    struct error err = {0};
    struct dots *core = dots_open(dir, 0, &err);
    assert_non_null(core);
    int fd = dots_share(core, &err);
    struct dots *deliverer = dots_map(fd, &err);
    assert_non_null(deliverer);

    int mark = dots_assign(core, ID);
    assert_true(mark >= 0);
    struct dot dot;
    dots_get(deliverer, (size_t)mark, &dot);
    assert_int_equal(dot.state, DOT_ASSIGNED);
    assert_string_equal(dot.id, ID);
    dots_begin(deliverer, (size_t)mark);
    dots_get(core, (size_t)mark, &dot);
    assert_int_equal(dot.state, DOT_BEGUN);
    dots_verdict(deliverer, (size_t)mark, 250);
    dots_get(core, (size_t)mark, &dot);
    assert_int_equal(dot.state, DOT_VERDICT);
    assert_int_equal(dot.reply_code, 250);
    dots_clear(core, (size_t)mark);
    dots_get(core, (size_t)mark, &dot);
    assert_int_equal(dot.state, DOT_FREE);
    dots_close(deliverer);
    dots_close(core);
}

static void marks_outlive_the_core_but_not_the_boot(void **state)
{
    (void)state;
    struct error err = {0};
    struct dots *dots = dots_open(dir, 0, &err);
    size_t mark = (size_t)dots_assign(dots, ID);
    dots_begin(dots, mark);
    dots_close(dots);

    dots = dots_open(dir, 0, &err);
    struct dot dot;
    dots_get(dots, mark, &dot);
    assert_int_equal(dot.state, DOT_BEGUN);
    assert_string_equal(dot.id, ID);
    dots_close(dots);

    // The boot id stands behind the 8 bytes of the magic.
    int fd = open(path, O_WRONLY);
    assert_int_equal(pwrite(fd, "00000000", 8, 8), 8);
    close(fd);
    dots = dots_open(dir, 0, &err);
    dots_get(dots, mark, &dot);
    assert_int_equal(dot.state, DOT_FREE);
    dots_close(dots);
}

static void a_file_of_another_kind_counts_as_empty(void **state)
{
    (void)state;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, "something else", 14), 14);
    close(fd);
    struct error err = {0};
    struct dots *dots = dots_open(dir, 0, &err);
    assert_non_null(dots);
    struct dot dot;
    for (size_t i = 0; i < DOTS_COUNT; i++) {
        dots_get(dots, i, &dot);
        assert_int_equal(dot.state, DOT_FREE);
    }
    dots_close(dots);
}

static void has_a_mark_for_each_and_no_more(void **state)
{
    (void)state;
    struct error err = {0};
    struct dots *dots = dots_open(dir, 0, &err);
    for (int i = 0; i < DOTS_COUNT; i++)
        assert_int_equal(dots_assign(dots, ID), i);
    assert_int_equal(dots_assign(dots, ID), -1);
    dots_clear(dots, 7);
    assert_int_equal(dots_assign(dots, ID), 7);
    dots_close(dots);
}

// A deliverer from before must have ended before marks are read: it could still set one.
static void waits_for_a_deliverer_from_before(void **state)
{
    (void)state;
    struct error err = {0};
    struct dots *dots = dots_open(dir, 0, &err);
    int shared = dots_share(dots, &err);
    dots_close(dots);
    assert_true(shared >= 0);
    int stop[2];
    assert_int_equal(pipe(stop), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(stop[1]);
        char byte;
        _exit(read(stop[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(shared); // the child still has it
    close(stop[0]);
    assert_null(dots_open(dir, 20, &err));
    assert_int_equal(err.code, ERR_TEMPORARY);
    close(stop[1]);
    dots = dots_open(dir, 10000, &err);
    assert_non_null(dots);
    dots_close(dots);
    waitpid(pid, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_other_side_sees_each_step, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(marks_outlive_the_core_but_not_the_boot, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_file_of_another_kind_counts_as_empty, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(has_a_mark_for_each_and_no_more, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(waits_for_a_deliverer_from_before, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
