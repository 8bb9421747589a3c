// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <stdio.h>
#include <string.h>

#include "relay/dispatch/job.h"

enum { JOBS = 2000 };

static void make_id(int i, char id[QUEUE_ID_SIZE])
{
    snprintf(id, QUEUE_ID_SIZE, "01890a5d-ac96-774b-bcce-%012x", (unsigned)i * 2654435761u);
}

static void finds_each_by_its_id_until_removed(void **state)
{
    (void)state;
    static struct job_table table;
    memset(&table, 0, sizeof(table));
    char id[QUEUE_ID_SIZE];
    for (int i = 0; i < JOBS; i++) {
        make_id(i, id);
        job_table_add(&table, job_create(id, "kratos", "x", 1));
    }
    assert_int_equal(table.count, JOBS);
    for (int i = 0; i < JOBS; i += 2) {
        make_id(i, id);
        struct job *job = job_table_find(&table, id);
        assert_non_null(job);
        job_table_remove(&table, job);
        job_destroy(job);
    }
    size_t listed = 0;
    for (const struct job *job = table.all; job; job = job->list_next)
        listed++;
    assert_int_equal(listed, JOBS / 2);
    for (int i = 0; i < JOBS; i++) {
        make_id(i, id);
        struct job *job = job_table_find(&table, id);
        assert_int_equal(job != NULL, i % 2 == 1);
        if (job)
            assert_string_equal(job->id, id);
    }
    while (table.all) {
        struct job *job = table.all;
        job_table_remove(&table, job);
        job_destroy(job);
    }
    assert_int_equal(table.count, 0);
}

static void lists_those_that_are_ready(void **state)
{
    (void)state;
    static struct job_table table;
    memset(&table, 0, sizeof(table));
    struct job *jobs[4];
    for (int i = 0; i < 4; i++) {
        char id[QUEUE_ID_SIZE];
        make_id(i, id);
        jobs[i] = job_create(id, "kratos", "x", 1);
        job_table_add(&table, jobs[i]);
        job_table_move(&table, jobs[i], JOB_READY);
    }
    job_table_move(&table, jobs[1], JOB_DELIVERING);
    job_table_move(&table, jobs[2], JOB_READY); // as it is already
    job_table_remove(&table, jobs[3]);
    job_destroy(jobs[3]);
    assert_ptr_equal(table.ready, jobs[2]);
    assert_ptr_equal(table.ready->ready_next, jobs[0]);
    assert_null(jobs[0]->ready_next);

    job_table_move(&table, jobs[1], JOB_READY); // its smarthost failed
    assert_ptr_equal(table.ready, jobs[1]);
    for (int i = 0; i < 3; i++) {
        job_table_remove(&table, jobs[i]);
        job_destroy(jobs[i]);
    }
    assert_null(table.ready);
}

static void owns_a_copy_of_its_body(void **state)
{
    (void)state;
    char body[] = "a\0b";
    struct job *job = job_create("id", NULL, body, 3);
    body[0] = 'x';
    assert_memory_equal(job->body, "a\0b", 4);
    assert_int_equal(job->body_size, 3);
    assert_string_equal(job->route, "");
    assert_int_equal(job->delivery.mark, -1);
    job_destroy(job);
    job_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_each_by_its_id_until_removed),
        cmocka_unit_test(lists_those_that_are_ready),
        cmocka_unit_test(owns_a_copy_of_its_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
