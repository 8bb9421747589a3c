// The blocks that are held back: taken, given up, taken again, on disks that have room and not.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue/reserve.h"

// ---- a disk whose room is what a test says ------------------------------------------------------

enum { BLOCK = 4096 };

static struct {
    size_t free_bytes;
    int failure; // of taking blocks; half of them are taken before it
} disk;

// In front of libc's.
int fstatvfs(int fd, struct statvfs *ret_status)
{
    (void)fd;
    *ret_status = (struct statvfs){.f_frsize = BLOCK, .f_bavail = disk.free_bytes / BLOCK};
    return 0;
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    if (disk.failure)
        size /= 2;
    return syscall(SYS_fallocate, fd, 0, offset, size) < 0 ? errno : disk.failure;
}

struct fixture {
    char dir[32], path[48];
    struct reserve reserve;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->dir, sizeof(fixture->dir), "/tmp/reserve-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    snprintf(fixture->path, sizeof(fixture->path), "%s/%s", fixture->dir, RESERVE_FILE);
    disk.free_bytes = RESERVE_BYTES + RESERVE_SPARE_BYTES;
    disk.failure = 0;
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    reserve_close(&fixture->reserve);
    unlink(fixture->path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

static void open_reserve(struct fixture *fixture)
{
    struct error err = {0};
    if (!reserve_open(&fixture->reserve, fixture->dir, &err))
        fail_msg("%s", err.message);
}

static off_t blocks_bytes(const struct fixture *fixture)
{
    struct stat status;
    assert_int_equal(stat(fixture->path, &status), 0);
    return (off_t)status.st_blocks * 512;
}

#define RESERVE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

// ---- tests ------------------------------------------------------------------------------------

static void it_owns_blocks_that_only_its_owner_reads(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    open_reserve(fixture);
    assert_true(fixture->reserve.whole);
    assert_true(blocks_bytes(fixture) >= RESERVE_BYTES);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void given_up_it_owns_none_and_says_so_once(void **state)
{
    struct fixture *fixture = *state;
    open_reserve(fixture);
    assert_true(reserve_give_up(&fixture->reserve));
    assert_int_equal(blocks_bytes(fixture), 0);
    assert_false(fixture->reserve.whole);
    assert_false(reserve_give_up(&fixture->reserve));
}

static void it_is_taken_again_only_where_room_is_left_beside_it(void **state)
{
    struct fixture *fixture = *state;
    open_reserve(fixture);
    reserve_give_up(&fixture->reserve);
    disk.free_bytes = RESERVE_BYTES + RESERVE_SPARE_BYTES - BLOCK;
    assert_int_equal(reserve_missing_bytes(&fixture->reserve), BLOCK);
    assert_false(reserve_fill(&fixture->reserve));
    assert_int_equal(blocks_bytes(fixture), 0);
    disk.free_bytes += BLOCK;
    assert_int_equal(reserve_missing_bytes(&fixture->reserve), 0);
    assert_true(reserve_fill(&fixture->reserve));
    assert_true(blocks_bytes(fixture) >= RESERVE_BYTES);
}

// As a quota does it, of which statvfs() says nothing.
static void a_part_of_it_is_not_held(void **state)
{
    struct fixture *fixture = *state;
    disk.failure = EDQUOT;
    open_reserve(fixture);
    assert_false(fixture->reserve.whole);
    assert_int_equal(blocks_bytes(fixture), 0);
    disk.failure = 0;
    assert_true(reserve_fill(&fixture->reserve));
}

static void what_an_earlier_run_held_counts(void **state)
{
    struct fixture *fixture = *state;
    open_reserve(fixture);
    reserve_close(&fixture->reserve);
    disk.free_bytes = RESERVE_SPARE_BYTES; // too little to take it now
    open_reserve(fixture);
    assert_true(fixture->reserve.whole);
}

static void a_start_on_a_full_disk_gets_what_was_held(void **state)
{
    struct fixture *fixture = *state;
    open_reserve(fixture);
    reserve_close(&fixture->reserve);
    disk.free_bytes = RESERVE_SPARE_BYTES - BLOCK;
    open_reserve(fixture);
    assert_false(fixture->reserve.whole);
    assert_int_equal(blocks_bytes(fixture), 0);
}

static void a_copy_without_its_blocks_takes_them(void **state)
{
    struct fixture *fixture = *state;
    int fd = open(fixture->path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, RESERVE_BYTES), 0);
    close(fd);
    open_reserve(fixture);
    assert_true(fixture->reserve.whole);
    assert_true(blocks_bytes(fixture) >= RESERVE_BYTES);
}

// Else nothing would ever be accepted there.
static void where_blocks_cannot_be_taken_at_all_it_counts_as_whole(void **state)
{
    struct fixture *fixture = *state;
    disk.failure = EOPNOTSUPP;
    open_reserve(fixture);
    assert_true(fixture->reserve.whole);
}

static void what_is_no_file_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_false(reserve_open(&fixture->reserve, fixture->dir, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_int_equal(rmdir(fixture->path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RESERVE_TEST(it_owns_blocks_that_only_its_owner_reads),
        RESERVE_TEST(given_up_it_owns_none_and_says_so_once),
        RESERVE_TEST(it_is_taken_again_only_where_room_is_left_beside_it),
        RESERVE_TEST(a_part_of_it_is_not_held),
        RESERVE_TEST(what_an_earlier_run_held_counts),
        RESERVE_TEST(a_start_on_a_full_disk_gets_what_was_held),
        RESERVE_TEST(a_copy_without_its_blocks_takes_them),
        RESERVE_TEST(where_blocks_cannot_be_taken_at_all_it_counts_as_whole),
        RESERVE_TEST(what_is_no_file_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
