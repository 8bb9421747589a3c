#include "relay/deliverer/write_shim.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>

#include "wire_fixture.h"

static struct write_shim shim; // of the test that runs

static int begin(void **state)
{
    signal(SIGPIPE, SIG_IGN); // as process_child_setup() has it
    set_up_wire(state);
    struct fixture *fixture = *state;
    shim = (struct write_shim){0}; // nothing of the last test is in it
    write_shim_begin(&shim, &fixture->wire);
    return 0;
}

static int end(void **state)
{
    write_shim_end();
    return tear_down_wire(state);
}

static void say(const struct fixture *fixture, const char *text)
{
    assert_int_equal(write(fixture->near, text, strlen(text)), strlen(text));
}

// What has come to the far end, or "" for nothing yet, or NULL for its end.
static const char *heard(struct fixture *fixture)
{
    static char bytes[4 * WRITE_SHIM_BYTES];
    ssize_t size = recv(fixture->far, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
    if (size == 0)
        return NULL;
    if (size < 0)
        assert_int_equal(errno, EAGAIN);
    bytes[size < 0 ? 0 : size] = '\0';
    return bytes;
}

// As libesmtp asks: an entry for each direction.
static short ask(const struct fixture *fixture, bool to_write, int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = fixture->near, .events = POLLIN},
                            {.fd = fixture->near, .events = POLLOUT}};
    if (poll(fds, to_write ? 2 : 1, timeout_ms) == 0)
        return 0;
    return (short)(fds[0].revents | fds[1].revents);
}

static void goes_out_in_one_when_an_answer_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, "RCPT TO:<a@b>\r\n");
    assert_int_equal(ask(fixture, false, 0), 0);
    assert_int_equal(ask(fixture, true, 1000), POLLOUT);
    say(fixture, "DATA\r\n");
    assert_string_equal(heard(fixture), "");
    assert_int_equal(ask(fixture, false, 1000), POLLIN);
    assert_string_equal(heard(fixture), "RCPT TO:<a@b>\r\nDATA\r\n");
    for (size_t i = 0; i < sizeof(shim.bytes); i++)
        assert_int_equal(shim.bytes[i], 0); // nothing of it is left here
}

static void nothing_is_kept_behind_the_gate(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, "a mail\r\n");
    assert_string_equal(heard(fixture), "");
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
    assert_true(wire_pass_dot(&fixture->wire));
    assert_int_equal(mark(fixture), DOT_BEGUN);
    assert_string_equal(heard(fixture), "");
    say(fixture, ".\r\n");
    assert_string_equal(heard(fixture), "a mail\r\n.\r\n");
}

static void nothing_leaves_where_the_gate_is_shut(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, "a mail\r\n");
    fixture->job.deadline_boot_ms = 0;
    assert_false(wire_pass_dot(&fixture->wire));
    (void)ask(fixture, false, 1000);
    assert_null(heard(fixture));
    assert_int_equal(write(fixture->near, ".\r\n", 3), 3); // kept, for a socket that is shut
    (void)ask(fixture, false, 1000);
    assert_null(heard(fixture));
}

static void what_is_long_goes_out_as_it_comes(void **state)
{
    struct fixture *fixture = *state;
    char block[2049] = "";
    memset(block, 'x', sizeof(block) - 1);
    for (size_t size = 0; size <= WRITE_SHIM_BYTES; size += 2048)
        say(fixture, block);
    assert_int_equal(strlen(heard(fixture)), WRITE_SHIM_BYTES + 2048);
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
}

static void nothing_follows_what_was_lost(void **state)
{
    struct fixture *fixture = *state;
    say(fixture, "RCPT TO:<a@b>\r\n");
    close(fixture->far);
    fixture->far = -1;
    assert_int_equal(ask(fixture, false, 1000), POLLIN);
    char byte;
    assert_int_equal(read(fixture->near, &byte, 1), 0);
    assert_false(wire_pass_dot(&fixture->wire));
}

static void other_sockets_are_left_alone(void **state)
{
    struct fixture *fixture = *state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[0], "x", 1), 1);
    struct pollfd far = {.fd = pair[1], .events = POLLIN};
    assert_int_equal(poll(&far, 1, 0), 1);
    close(pair[0]);
    close(pair[1]);
    write_shim_end();
    say(fixture, "QUIT\r\n");
    assert_string_equal(heard(fixture), "QUIT\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(goes_out_in_one_when_an_answer_is_waited_for),
        TEST(nothing_is_kept_behind_the_gate),
        TEST(nothing_leaves_where_the_gate_is_shut),
        TEST(what_is_long_goes_out_as_it_comes),
        TEST(nothing_follows_what_was_lost),
        TEST(other_sockets_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
