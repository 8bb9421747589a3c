// How long a database may become.
#include "queue/database.h"

#include "queue_fixture.h"

static const char ADD[] = "INSERT INTO row VALUES (zeroblob(8 * 4096))";

static void one_that_may_not_get_longer_finds_the_disk_full_until_it_may(void **state)
{
    (void)state;
    static const size_t limits_bytes[] = {0, 1, 4096, 8192};
    char dir[] = "/tmp/database-test-XXXXXX", path[64];
    struct database database;
    struct error err = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/" DATABASE_FILE, dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_true(database_open(&database, dir, false, &err));
    assert_int_equal(database_execute(&database, "CREATE TABLE row(body)"), SQLITE_OK);
    for (size_t i = 0; i < sizeof(limits_bytes) / sizeof(limits_bytes[0]); i++) {
        assert_int_equal(database_execute(&database, ADD), SQLITE_OK);
        database_limit(&database, limits_bytes[i]);
        int rc = database_execute(&database, ADD);
        if (database_fault(&database, rc) != DATABASE_FULL)
            fail_msg("limit %zu: %d", limits_bytes[i], rc);
        database_limit(&database, SIZE_MAX);
    }
    database_close(&database);
    nftw(dir, fixture_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_may_not_get_longer_finds_the_disk_full_until_it_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
