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
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/base/clock.h"
#include "relay/http/connections.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
    NEVER_MS = 3600 * 1000,
    SOON_MS = 50,
    WAIT_MS = 20000,
};

// A connection whose far end is held by the test.
struct pair {
    int near, far;
    struct http_connection *connection;
};

struct tally {
    size_t late, crowded, admitted;
};

static void on_ended(void *context, enum http_connection_end why, bool was_admitted)
{
    struct tally *tally = context;
    *(why == HTTP_CONNECTION_LATE ? &tally->late : &tally->crowded) += 1;
    tally->admitted += was_admitted;
}

static struct http_connections *create(struct tally *tally, size_t total, size_t per_address,
                                       int64_t request_ms, int64_t idle_ms)
{
    struct error err = {0};
    const struct http_connection_limits limits = {total,   per_address, request_ms,
                                                  idle_ms, on_ended,    tally};
    struct http_connections *connections = http_connections_create(&limits, &err);
    assert_non_null(connections);
    return connections;
}

static struct pair open_from(struct http_connections *connections, const char *address)
{
    struct sockaddr_storage from = {0};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1)
        memcpy(&from, &v6, sizeof(v6));
    else if (inet_pton(AF_INET, address, &v4.sin_addr) == 1)
        memcpy(&from, &v4, sizeof(v4));
    else
        fail_msg("%s is no address", address);
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    struct pair pair = {.near = fds[0], .far = fds[1]};
    pair.connection = http_connections_opened(connections, pair.near, (struct sockaddr *)&from);
    assert_non_null(pair.connection);
    return pair;
}

static void close_pair(struct http_connections *connections, struct pair *pair)
{
    http_connections_closed(connections, pair->connection);
    close(pair->near);
    close(pair->far);
}

static bool is_ended(const struct pair *pair)
{
    char byte;
    return recv(pair->far, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

// Waits until the far end sees the end; how long that took.
static int64_t wait_ended(const struct pair *pair)
{
    int64_t begun_ms = clock_boot_ms();
    struct pollfd want = {.fd = pair->far, .events = POLLIN};
    assert_int_equal(poll(&want, 1, WAIT_MS), 1);
    assert_true(is_ended(pair));
    return clock_boot_ms() - begun_ms;
}

// ---- time ---------------------------------------------------------------------------------------

static void ends_whoever_says_nothing_after_the_accept(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, NEVER_MS);
    struct pair pair = open_from(table, "192.0.2.1");
    assert_true(wait_ended(&pair) >= SOON_MS - 5);
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
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, NEVER_MS);
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
    struct http_connections *table = create(&tally, 8, 8, SOON_MS, 6 * SOON_MS);
    struct pair idle = open_from(table, "192.0.2.1"), busy = open_from(table, "192.0.2.1");
    http_connections_answered(table, idle.connection);
    http_connections_answered(table, busy.connection);
    int64_t begun_ms = clock_boot_ms();
    http_connections_begun(table, busy.connection);
    wait_ended(&busy);
    assert_false(is_ended(&idle));
    wait_ended(&idle);
    assert_true(clock_boot_ms() - begun_ms >= 7 * SOON_MS - 5);
    close_pair(table, &idle);
    close_pair(table, &busy);
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

// ---- room ---------------------------------------------------------------------------------------

static void the_oldest_without_a_key_goes_for_a_new_one(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 3, 3, NEVER_MS, NEVER_MS);
    struct pair kept = open_from(table, "192.0.2.1");
    http_connections_admitted(table, kept.connection);
    struct pair second = open_from(table, "192.0.2.2"), third = open_from(table, "192.0.2.3");
    assert_false(is_ended(&second));
    struct pair fourth = open_from(table, "192.0.2.4");
    assert_true(is_ended(&second));
    // It is still in the table, and no longer counts.
    struct pair fifth = open_from(table, "192.0.2.5");
    assert_true(is_ended(&third));
    assert_false(is_ended(&kept) || is_ended(&fourth) || is_ended(&fifth));
    assert_int_equal(tally.crowded, 2);
    struct pair *all[] = {&kept, &second, &third, &fourth, &fifth};
    for (size_t i = 0; i < COUNT(all); i++)
        close_pair(table, all[i]);
    http_connections_destroy(table);
}

static void who_has_just_sent_something_goes_after_the_silent(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 8, 2, NEVER_MS, NEVER_MS);
    struct pair first = open_from(table, "192.0.2.1");
    assert_int_equal(send(first.far, "P", 1, MSG_NOSIGNAL), 1);
    struct pair second = open_from(table, "192.0.2.1"), third = open_from(table, "192.0.2.1");
    assert_true(is_ended(&second));
    assert_false(is_ended(&first) || is_ended(&third));
    // The newest is not taken for silent, and where nobody else is, the oldest goes.
    struct pair other = open_from(table, "192.0.2.2");
    assert_int_equal(send(third.far, "P", 1, MSG_NOSIGNAL), 1);
    struct pair fourth = open_from(table, "192.0.2.1");
    assert_true(is_ended(&first));
    assert_false(is_ended(&third) || is_ended(&fourth) || is_ended(&other));
    struct pair *all[] = {&first, &second, &third, &fourth, &other};
    for (size_t i = 0; i < COUNT(all); i++)
        close_pair(table, all[i]);
    http_connections_destroy(table);
    assert_int_equal(tally.crowded, 2);
}

static void where_all_have_shown_a_key_the_newest_goes(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct http_connections *table = create(&tally, 2, 2, NEVER_MS, NEVER_MS);
    struct pair pairs[3];
    for (size_t i = 0; i < COUNT(pairs); i++) {
        pairs[i] = open_from(table, "192.0.2.1");
        http_connections_admitted(table, pairs[i].connection);
    }
    assert_false(is_ended(&pairs[0]) || is_ended(&pairs[1]));
    assert_true(is_ended(&pairs[2]));
    // One that closes makes room.
    close_pair(table, &pairs[0]);
    struct pair next = open_from(table, "192.0.2.1");
    assert_false(is_ended(&next));
    close_pair(table, &pairs[1]);
    close_pair(table, &pairs[2]);
    close_pair(table, &next);
    http_connections_destroy(table);
    assert_int_equal(tally.admitted, 0);
}

static void an_address_has_its_own_limit(void **state)
{
    (void)state;
    static const struct {
        const char *first, *second;
        bool are_one;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true},
        {"2001:db8:0:1::1", "2001:db8:0:2::1", false},
        {"::1", "127.0.0.1", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tally tally = {0};
        struct http_connections *table = create(&tally, 8, 1, NEVER_MS, NEVER_MS);
        struct pair first = open_from(table, cases[i].first);
        struct pair second = open_from(table, cases[i].second);
        if (is_ended(&first) != cases[i].are_one || is_ended(&second))
            fail_msg("%s and %s", cases[i].first, cases[i].second);
        close_pair(table, &first);
        close_pair(table, &second);
        http_connections_destroy(table);
    }
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
        cmocka_unit_test(the_oldest_without_a_key_goes_for_a_new_one),
        cmocka_unit_test(who_has_just_sent_something_goes_after_the_silent),
        cmocka_unit_test(where_all_have_shown_a_key_the_newest_goes),
        cmocka_unit_test(an_address_has_its_own_limit),
        cmocka_unit_test(a_refused_client_reads_its_answer_although_it_is_still_sending),
        cmocka_unit_test(a_refused_client_cannot_send_without_end),
        cmocka_unit_test(a_refused_client_cannot_stay_for_ever),
        cmocka_unit_test(any_thread_may_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
