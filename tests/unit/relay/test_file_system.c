// Which file systems are doubted, by their numbers: there are none such to be mounted in a test.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <linux/magic.h>
#include <string.h>

#include "relay/file_system.h"

static void those_that_forget_are_doubted_by_name(void **state)
{
    (void)state;
    static const struct {
        uint64_t type;
        const char *name, *advice;
    } CASES[] = {
        {TMPFS_MAGIC, "(tmpfs)", "put it on a disk"},
        {RAMFS_MAGIC, "(ramfs)", "put it on a disk"},
        {OVERLAYFS_SUPER_MAGIC, "(overlay)", "mount a volume"},
        {NFS_SUPER_MAGIC, "NFS", "a disk of this machine"},
        {SMB_SUPER_MAGIC, "SMB", "a disk of this machine"},
        {0xff534d42, "CIFS", "a disk of this machine"},
        {0xfe534d42, "SMB 2", "a disk of this machine"},
        {0x65735546, "FUSE", "a disk of this machine"},
        {V9FS_MAGIC, "9p", "a disk of this machine"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const char *doubt = file_system_doubt(CASES[i].type);
        assert_non_null(doubt);
        assert_non_null(strstr(doubt, CASES[i].name));
        assert_non_null(strstr(doubt, CASES[i].advice));
    }
}

static void those_of_disks_are_not(void **state)
{
    (void)state;
    static const uint64_t TYPES[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                     F2FS_SUPER_MAGIC, 0x2fc12fc1 /* ZFS */};
    for (size_t i = 0; i < sizeof(TYPES) / sizeof(TYPES[0]); i++)
        assert_null(file_system_doubt(TYPES[i]));
}

// f_type is a long: on machines where that has 32 bits, numbers above 2^31 come negative.
static void a_number_with_its_sign_extended_is_the_same(void **state)
{
    (void)state;
    assert_non_null(file_system_doubt((uint64_t)(int64_t)(int32_t)0xff534d42));
}

static void a_path_that_is_not_there_is_not_judged(void **state)
{
    (void)state;
    assert_null(file_system_doubt_at("/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_forget_are_doubted_by_name),
        cmocka_unit_test(those_of_disks_are_not),
        cmocka_unit_test(a_number_with_its_sign_extended_is_the_same),
        cmocka_unit_test(a_path_that_is_not_there_is_not_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
