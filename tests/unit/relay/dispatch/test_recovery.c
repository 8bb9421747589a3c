// What a start makes of the dot marks that an earlier run has left.
// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "queue/queue.h"
#include "relay/base/log.h"
#include "relay/dispatch/recovery.h"
#include "tests/support/folder.h"

enum { MAX_UNKNOWN = 2 };

// In front of libc's, for SQLite as well.
static atomic_bool sync_fails;

int fdatasync(int fd)
{
    if (!sync_fails)
        return (int)syscall(SYS_fdatasync, fd);
    errno = EIO;
    return -1;
}

struct fixture {
    char dir[FOLDER_PATH_SIZE];
    struct queue *queue;
    struct queue_reader *reader;
    struct dots *dots;
    char id[QUEUE_ID_SIZE]; // a row that is `received`
    int mark;               // assigned to it
};

static void ignore(void *context, enum queue_result result, const char *id)
{
    (void)context, (void)result, (void)id;
}

static int set_up(void **state)
{
    log_setup(LOG_JSON, LOG_ERROR);
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct error err = {0};
    folder_make(fixture->dir);
    const struct queue_options options = {.dir = fixture->dir};
    fixture->queue = queue_open(&options, &err);
    fixture->reader = fixture->queue ? queue_reader_create(fixture->queue, &err) : NULL;
    fixture->dots = dots_open(fixture->dir, 0, &err);
    *state = fixture;
    if (!fixture->reader || !fixture->dots)
        return -1;
    queue_new_id(fixture->queue, fixture->id);
    const struct queue_accept accept = {.id = fixture->id,
                                        .route = "kratos",
                                        .payload = "{}",
                                        .payload_size = 2,
                                        .received_ms = queue_now_ms(fixture->queue)};
    queue_accept(fixture->queue, &accept, ignore, NULL);
    fixture->mark = dots_assign(fixture->dots, fixture->id);
    return queue_flush(fixture->queue, &err) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    dots_close(fixture->dots);
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    folder_remove(fixture->dir);
    free(fixture);
    return 0;
}

// Makes the row one that waited as a mail and was sent under a lease when the core died.
static void make_sending(struct fixture *fixture)
{
    struct error err = {0};
    struct queue_message row;
    bool found;
    assert_true(queue_load(fixture->reader, fixture->id, &row, &found, NULL, NULL, &err));
    const struct queue_mail mail = {.envelope = {.channel = "email",
                                                 .template = "login_code_valid",
                                                 .recipient = "a@example.com",
                                                 .created_ms = row.created_ms,
                                                 .deadline_ms = row.created_ms + 60000},
                                    .body = "{}",
                                    .body_size = 2,
                                    .state = MESSAGE_QUEUED};
    queue_compose(fixture->queue, fixture->id, &mail, 1, ignore, NULL);
    queue_claim(fixture->queue, fixture->id, "before", row.created_ms + 60000, ignore, NULL);
    assert_true(queue_flush(fixture->queue, &err));
}

static struct queue_message recover(struct fixture *fixture)
{
    struct error err = {0};
    struct queue_message row;
    bool found = false;
    if (!recovery_run(fixture->queue, fixture->dots, "now", MAX_UNKNOWN, &err))
        fail_msg("%s", err.message);
    assert_true(queue_load(fixture->reader, fixture->id, &row, &found, NULL, NULL, &err));
    assert_true(found);
    struct dot dot;
    dots_get(fixture->dots, (size_t)fixture->mark, &dot);
    // What may have arrived goes before its like: the dispatcher, and nobody later, finds it so.
    bool goes_first = row.state == MESSAGE_RECEIVED && row.unknown_outcomes > 0 &&
                      !queue_rebooted(fixture->queue);
    assert_int_equal(dot.state, goes_first ? DOT_ASSIGNED : DOT_FREE);
    dots_clear(fixture->dots, (size_t)fixture->mark);
    return row;
}

static void a_verdict_is_committed_and_not_sent_again(void **state)
{
    struct fixture *fixture = *state;
    make_sending(fixture);
    dots_begin(fixture->dots, (size_t)fixture->mark);
    dots_verdict(fixture->dots, (size_t)fixture->mark, 250);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "sent");
    assert_int_equal(row.attempts, 1);
    assert_int_equal(row.unknown_outcomes, 0);
}

// Its envelope was in memory only: the dispatcher composes it and then commits the verdict.
static void a_verdict_on_a_raw_payload_keeps_its_mark(void **state)
{
    struct fixture *fixture = *state;
    dots_begin(fixture->dots, (size_t)fixture->mark);
    dots_verdict(fixture->dots, (size_t)fixture->mark, 250);
    struct error err = {0};
    assert_true(recovery_run(fixture->queue, fixture->dots, "now", MAX_UNKNOWN, &err));
    assert_int_equal(dots_find(fixture->dots, fixture->id), fixture->mark);
    struct queue_message row;
    bool found = false;
    assert_true(queue_load(fixture->reader, fixture->id, &row, &found, NULL, NULL, &err));
    assert_string_equal(message_state_name(row.state), "received");
    assert_int_equal(row.unknown_outcomes, 0);
}

static void a_refusal_is_committed(void **state)
{
    struct fixture *fixture = *state;
    make_sending(fixture);
    dots_begin(fixture->dots, (size_t)fixture->mark);
    dots_verdict(fixture->dots, (size_t)fixture->mark, 554);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "failed");
    assert_string_equal(row.reason, "rejected");
}

static void a_temporary_refusal_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    make_sending(fixture);
    dots_begin(fixture->dots, (size_t)fixture->mark);
    dots_verdict(fixture->dots, (size_t)fixture->mark, 451);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "queued");
    assert_int_equal(row.unknown_outcomes, 0);
}

static void a_dot_under_way_counts_as_unknown_before_it_is_sent_again(void **state)
{
    struct fixture *fixture = *state;
    for (int count = 1; count <= MAX_UNKNOWN + 1; count++) {
        if (count == 2)
            make_sending(fixture); // a raw payload first, then a mail under a lease
        if (count == 3)
            fixture->mark = dots_assign(fixture->dots, fixture->id);
        else if (count == 2)
            assert_int_equal(fixture->mark, dots_assign(fixture->dots, fixture->id));
        dots_begin(fixture->dots, (size_t)fixture->mark);
        struct queue_message row = recover(fixture);
        const char *want = count > MAX_UNKNOWN ? "unknown" : count == 1 ? "received" : "queued";
        assert_string_equal(message_state_name(row.state), want);
        assert_int_equal(row.unknown_outcomes, count);
    }
}

static void reopen_with_marks_lost(struct fixture *fixture)
{
    struct error err = {0};
    const struct queue_options options = {.dir = fixture->dir, .marks_lost = true};
    queue_reader_destroy(fixture->reader);
    queue_close(fixture->queue);
    fixture->queue = queue_open(&options, &err);
    assert_non_null(fixture->queue);
    fixture->reader = queue_reader_create(fixture->queue, &err);
    assert_non_null(fixture->reader);
}

// Not every mark is lost, so the one copy is known by its mark and by its row.
static void one_copy_counts_once_where_marks_may_be_lost(void **state)
{
    struct fixture *fixture = *state;
    dots_begin(fixture->dots, (size_t)fixture->mark);
    reopen_with_marks_lost(fixture);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "received");
    assert_int_equal(row.unknown_outcomes, 1);

    make_sending(fixture);
    assert_int_equal(fixture->mark, dots_assign(fixture->dots, fixture->id));
    dots_begin(fixture->dots, (size_t)fixture->mark);
    reopen_with_marks_lost(fixture);
    row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "queued");
    assert_int_equal(row.unknown_outcomes, 2);
}

static void what_had_not_come_to_its_dot_is_not_charged(void **state)
{
    struct fixture *fixture = *state;
    make_sending(fixture);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "queued");
    assert_int_equal(row.unknown_outcomes, 0);
    assert_int_equal(row.attempts, 0);
}

static void what_was_settled_already_stays_so(void **state)
{
    struct fixture *fixture = *state;
    const struct queue_settlement sent = {.state = MESSAGE_SENT};
    queue_settle(fixture->queue, fixture->id, &sent, ignore, NULL);
    assert_true(queue_flush(fixture->queue, NULL));
    dots_begin(fixture->dots, (size_t)fixture->mark);
    struct queue_message row = recover(fixture);
    assert_string_equal(message_state_name(row.state), "sent");
    assert_int_equal(row.unknown_outcomes, 0);
}

// The outcome was not committed, so the next start has to find its mark.
static void a_start_that_fails_leaves_the_marks(void **state)
{
    struct fixture *fixture = *state;
    struct error err = {0};
    struct dot dot;
    dots_begin(fixture->dots, (size_t)fixture->mark);
    sync_fails = true;
    assert_false(recovery_run(fixture->queue, fixture->dots, "now", MAX_UNKNOWN, &err));
    sync_fails = false;
    dots_get(fixture->dots, (size_t)fixture->mark, &dot);
    assert_int_equal(dot.state, DOT_BEGUN);
    assert_string_equal(dot.id, fixture->id);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_verdict_is_committed_and_not_sent_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_verdict_on_a_raw_payload_keeps_its_mark, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_temporary_refusal_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dot_under_way_counts_as_unknown_before_it_is_sent_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_copy_counts_once_where_marks_may_be_lost, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_had_not_come_to_its_dot_is_not_charged, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_settled_already_stays_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_start_that_fails_leaves_the_marks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
