// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "tests/unit/relay/http/connections_fixture.h"

// LATER_MS: where something is done in that time, on a machine that is busy.
enum { SOON_MS = 50, LATER_MS = 1500, WAIT_MS = 60000 };

// Waits until the far end sees the end.
static void wait_ended(const struct pair *pair)
{
    struct pollfd want = {.fd = pair->far, .events = POLLIN};
    assert_int_equal(poll(&want, 1, WAIT_MS), 1);
    assert_true(is_ended(pair));
}

// ---- time ---------------------------------------------------------------------------------------

static void ends_whoever_says_nothing_after_the_accept(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, NEVER_MS);
    int64_t begun_ms = clock_boot_ms();
    struct pair pair = open_from(table, "192.0.2.1");
    wait_ended(&pair);
    assert_true(clock_boot_ms() - begun_ms >= SOON_MS - 5);
    close_pair(table, &pair);
    http_connections_destroy(table);
    assert_int_equal(tally.late, 1);
}

static void first_lines_do_not_prolong_the_time_from_the_accept(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, NEVER_MS);
    struct pair pair = open_from(table, "192.0.2.1");
    int64_t begun_ms = clock_boot_ms();
    while (!is_ended(&pair) && clock_boot_ms() < begun_ms + WAIT_MS)
        http_connections_begun(table, pair.connection);
    assert_true(is_ended(&pair));
    close_pair(table, &pair);
    http_connections_destroy(table);
}

static void a_request_that_waits_for_us_has_no_deadline(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, LATER_MS, NEVER_MS);
    struct pair waits = open_from(table, "192.0.2.1");
    http_connections_begun(table, waits.connection);
    http_connections_waiting(table, waits.connection);
    for (int i = 0; i < 3; i++) { // three others come and are ended
        struct pair other = open_from(table, "192.0.2.1");
        wait_ended(&other);
        close_pair(table, &other);
    }
    assert_false(is_ended(&waits));
    http_connections_answering(table, waits.connection); // and it does not read
    wait_ended(&waits);
    close_pair(table, &waits);
    http_connections_destroy(table);
    assert_int_equal(tally.late, 4);
}

static void an_idle_connection_has_the_idle_time_and_its_next_request_the_shorter_one(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, LATER_MS, NEVER_MS);
    struct pair idle = open_from(table, "192.0.2.1"), busy = open_from(table, "192.0.2.1");
    http_connections_answered(table, idle.connection);
    http_connections_answered(table, busy.connection);
    http_connections_begun(table, busy.connection);
    wait_ended(&busy);
    assert_false(is_ended(&idle));
    close_pair(table, &idle);
    close_pair(table, &busy);
    http_connections_destroy(table);

    table = create(&tally, 8, 8, LATER_MS, SOON_MS);
    int64_t begun_ms = clock_boot_ms();
    idle = open_from(table, "192.0.2.1");
    http_connections_answered(table, idle.connection);
    wait_ended(&idle);
    assert_true(clock_boot_ms() - begun_ms >= LATER_MS + SOON_MS - 5);
    close_pair(table, &idle);
    http_connections_destroy(table);
}

static void what_was_ended_stays_so(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, SOON_MS);
    struct pair pair = open_from(table, "192.0.2.1"), other = open_from(table, "192.0.2.2");
    wait_ended(&pair);
    wait_ended(&other);
    http_connections_begun(table, pair.connection);
    http_connections_answered(table, pair.connection);
    struct pair third = open_from(table, "192.0.2.3");
    wait_ended(&third);
    close_pair(table, &pair);
    close_pair(table, &other);
    close_pair(table, &third);
    http_connections_destroy(table);
    assert_int_equal(tally.late, 3);
}

// ---- the answer of a refused client -------------------------------------------------------------

static int dial_tcp(int *ret_near)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(far, (struct sockaddr *)&at, sizeof(at)), 0);
    *ret_near = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(*ret_near >= 0);
    close(listener);
    return far;
}

static void a_refused_client_reads_its_answer_although_it_is_still_sending(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, NEVER_MS, NEVER_MS);
    int near, far = dial_tcp(&near);
    struct http_connection *connection = http_connections_opened(table, near, NULL);
    static char body[60 * 1024];
    assert_int_equal(send(far, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
    // As the library does it: answer, end of stream, told to be closed, closed; nothing is read.
    assert_int_equal(send(near, "answer", 6, MSG_NOSIGNAL), 6);
    http_connections_refused(table, connection);
    shutdown(near, SHUT_WR);
    http_connections_closed(table, connection);
    close(near);
    for (int i = 0; i < 8; i++) // and it sends more
        assert_int_equal(send(far, body, sizeof(body), MSG_NOSIGNAL), sizeof(body));
    char text[16];
    assert_int_equal(recv(far, text, sizeof(text), MSG_WAITALL), 6);
    assert_int_equal(recv(far, text, sizeof(text), 0), 0); // an end, and no reset
    close(far);
    http_connections_destroy(table);
}

// A refused client whose connection the library has closed; returns the client's end.
static int refuse_client(struct http_connections *table)
{
    int near, far = dial_tcp(&near);
    struct http_connection *connection = http_connections_opened(table, near, NULL);
    http_connections_refused(table, connection);
    shutdown(near, SHUT_WR);
    http_connections_closed(table, connection);
    close(near);
    return far;
}

static void a_refused_client_cannot_send_without_end(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, NEVER_MS, NEVER_MS);
    int far = refuse_client(table);
    static char body[64 * 1024];
    const size_t much = (size_t)32 << 20; // more than the kernel's buffers and what is drained
    size_t sent = 0;
    ssize_t count;
    const struct timeval limit = {.tv_sec = WAIT_MS / 1000};
    setsockopt(far, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    while (sent < much && (count = send(far, body, sizeof(body), MSG_NOSIGNAL)) > 0)
        sent += (size_t)count;
    assert_true(sent < much);
    assert_true(errno == ECONNRESET || errno == EPIPE);
    close(far);
    http_connections_destroy(table);
}

static void a_refused_client_cannot_stay_for_ever(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, NEVER_MS, NEVER_MS);
    int far = refuse_client(table);
    int64_t begun_ms = clock_boot_ms();
    struct pollfd want = {.fd = far}; // errors alone
    while (send(far, "x", 1, MSG_NOSIGNAL) == 1 && clock_boot_ms() < begun_ms + WAIT_MS)
        poll(&want, 1, 10);
    assert_true(clock_boot_ms() < begun_ms + WAIT_MS);
    close(far);
    http_connections_destroy(table);
}

// ---- many at once -------------------------------------------------------------------------------

static void *come_and_go(void *context)
{
    struct http_connections *table = context;
    for (int i = 0; i < 300; i++) {
        struct pair pair = open_from(table, i % 2 == 0 ? "192.0.2.1" : "2001:db8::1");
        http_connections_begun(table, pair.connection);
        if (i % 3 == 0)
            http_connections_admitted(table, pair.connection);
        http_connections_waiting(table, pair.connection);
        http_connections_answering(table, pair.connection);
        if (i % 5 == 0)
            http_connections_refused(table, pair.connection);
        http_connections_answered(table, pair.connection);
        close_pair(table, &pair);
    }
    return NULL;
}

static void any_thread_may_call(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 4, 2, 1, 1);
    pthread_t threads[4];
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, table), 0);
    for (size_t i = 0; i < COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    http_connections_destroy(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_whoever_says_nothing_after_the_accept),
        cmocka_unit_test(first_lines_do_not_prolong_the_time_from_the_accept),
        cmocka_unit_test(a_request_that_waits_for_us_has_no_deadline),
        cmocka_unit_test(an_idle_connection_has_the_idle_time_and_its_next_request_the_shorter_one),
        cmocka_unit_test(what_was_ended_stays_so),
        cmocka_unit_test(a_refused_client_reads_its_answer_although_it_is_still_sending),
        cmocka_unit_test(a_refused_client_cannot_send_without_end),
        cmocka_unit_test(a_refused_client_cannot_stay_for_ever),
        cmocka_unit_test(any_thread_may_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
