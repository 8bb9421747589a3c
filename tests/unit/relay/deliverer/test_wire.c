#include "wire_fixture.h"

// Whether nothing can be written by the library any more.
static bool is_shut(const struct fixture *fixture)
{
    return send(fixture->near, ".", 1, MSG_NOSIGNAL) < 0;
}

static void the_dot_is_marked_once_and_gets_its_verdict(void **state)
{
    struct fixture *fixture = *state;
    wire_verdict(&fixture->wire, 250); // not of the dot: there was none
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
    assert_true(wire_pass_dot(&fixture->wire));
    assert_int_equal(mark(fixture), DOT_BEGUN);
    assert_true(wire_pass_dot(&fixture->wire));
    wire_verdict(&fixture->wire, 354); // which says nothing of the message
    assert_int_equal(mark(fixture), DOT_BEGUN);
    wire_verdict(&fixture->wire, 451);
    struct dot dot;
    dots_get(fixture->core, 0, &dot);
    assert_int_equal(dot.state, DOT_VERDICT);
    assert_int_equal(dot.reply_code, 451);
    assert_false(is_shut(fixture));
}

static void a_stop_closes_the_gate_for_good(void **state)
{
    struct fixture *fixture = *state;
    wire_stop(&fixture->wire, STOP_CUT);
    wire_stop(&fixture->wire, STOP_LIMIT);
    assert_false(wire_pass_dot(&fixture->wire));
    assert_int_equal(wire_stopped(&fixture->wire), STOP_CUT);
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
    assert_true(is_shut(fixture));
}

static void a_stop_behind_the_gate_leaves_the_dot_begun(void **state)
{
    struct fixture *fixture = *state;
    assert_true(wire_pass_dot(&fixture->wire));
    wire_stop(&fixture->wire, STOP_CUT);
    assert_true(wire_dot_begun(&fixture->wire));
    assert_int_equal(mark(fixture), DOT_BEGUN);
    assert_true(is_shut(fixture));
}

static void nothing_passes_after_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    fixture->job.deadline_boot_ms = clock_boot_ms();
    assert_false(wire_pass_dot(&fixture->wire));
    assert_int_equal(wire_stopped(&fixture->wire), STOP_EXPIRED);
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
    assert_true(is_shut(fixture));
}

static void a_dead_peer_is_found_before_the_dot(void **state)
{
    struct fixture *fixture = *state;
    shutdown(fixture->far, SHUT_RDWR);
    assert_false(wire_pass_dot(&fixture->wire));
    assert_int_equal(wire_stopped(&fixture->wire), STOP_BROKEN);
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
}

static void an_answer_before_the_dot_is_a_fault(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(write(fixture->far, "250 ok\r\n", 8), 8);
    assert_false(wire_is_quiet(&fixture->wire));
    assert_false(wire_pass_dot(&fixture->wire));
    assert_int_equal(wire_stopped(&fixture->wire), STOP_BROKEN);
    assert_int_equal(mark(fixture), DOT_ASSIGNED);
}

static void a_stop_between_transactions_hits_nobody(void **state)
{
    struct fixture *fixture = *state;
    wire_end(&fixture->wire);
    wire_stop(&fixture->wire, STOP_CUT);
    assert_false(is_shut(fixture));
    wire_begin(&fixture->wire, &fixture->job);
    assert_true(wire_pass_dot(&fixture->wire));
}

static void a_closed_socket_is_let_go(void **state)
{
    struct fixture *fixture = *state;
    char address[OUTCOME_ADDRESS_SIZE];
    wire_address(&fixture->wire, address);
    assert_string_equal(address, "192.0.2.1:25");
    assert_true(wire_is_open(&fixture->wire));
    wire_closed(&fixture->wire, fixture->near);
    assert_false(wire_is_open(&fixture->wire));
    close(fixture->near);
    char byte;
    assert_int_equal(read(fixture->far, &byte, 1), 0); // the duplicate is closed as well
    fixture->near = dup(fixture->far);
}

static void a_stopped_transaction_opens_no_more_sockets(void **state)
{
    struct fixture *fixture = *state;
    wire_closed(&fixture->wire, -1);
    wire_stop(&fixture->wire, STOP_CUT);
    const struct sockaddr address = {.sa_family = AF_UNIX};
    assert_false(wire_opened(&fixture->wire, fixture->near, &address, sizeof(address)));
}

static void what_was_said_unasked_is_known_wherever_it_lies(void **state)
{
    struct fixture *fixture = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), near = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    wire_closed(&fixture->wire, -1);
    assert_true(wire_opened(&fixture->wire, near, (struct sockaddr *)&address, size));
    assert_false(wire_is_connected(&fixture->wire));
    assert_int_equal(connect(near, (struct sockaddr *)&address, size), 0);
    assert_true(wire_is_connected(&fixture->wire));
    int far = accept(listener, NULL, NULL);

    assert_true(wire_is_in_step(&fixture->wire, 0));
    assert_int_equal(send(far, "354 go\r\n250 ok\r\n", 16, 0), 16);
    char first[8];
    assert_int_equal(recv(near, first, sizeof(first), MSG_WAITALL), 8);
    assert_false(wire_is_in_step(&fixture->wire, 8)); // unread
    assert_true(wire_has_unread(&fixture->wire));
    assert_int_equal(recv(near, first, sizeof(first), MSG_WAITALL), 8);
    assert_false(wire_is_in_step(&fixture->wire, 8)); // in the hands of the library
    assert_false(wire_has_unread(&fixture->wire));
    assert_true(wire_is_in_step(&fixture->wire, 16));
    close(far);
    assert_int_equal(recv(near, first, sizeof(first), 0), 0);
    assert_true(wire_is_in_step(&fixture->wire, 16)); // the end is no byte
    close(near);
    close(listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_wire, tear_down_wire)
    const struct CMUnitTest tests[] = {
        TEST(the_dot_is_marked_once_and_gets_its_verdict),
        TEST(a_stop_closes_the_gate_for_good),
        TEST(a_stop_behind_the_gate_leaves_the_dot_begun),
        TEST(nothing_passes_after_its_deadline),
        TEST(a_dead_peer_is_found_before_the_dot),
        TEST(an_answer_before_the_dot_is_a_fault),
        TEST(a_stop_between_transactions_hits_nobody),
        TEST(a_closed_socket_is_let_go),
        TEST(a_stopped_transaction_opens_no_more_sockets),
        TEST(what_was_said_unasked_is_known_wherever_it_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
