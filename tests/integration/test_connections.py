"""How many connections a smarthost gets, when they open and close, and how fast mail goes out."""
import contextlib
import datetime
import json
import os
import pathlib
import signal
import socket
import threading

import payloads
import pytest
import relay as harness
from deliverer import BODY, Dots, expect
from smtp_server import Hangup, SmtpServer, after, reset, then_drop

DRIVERS = ["esmtp", "curl"]


def accept_all(relay, count):
    return [relay.accept(payloads.login_code()) for _ in range(count)]


def wait_sent(relay, ids):
    for one in ids:
        relay.wait_for("sent", id=one)


class Gate:
    """Answers nothing until it is opened."""

    def __init__(self):
        self._opened = threading.Event()

    def __call__(self, connection, ordinary):
        self._opened.wait(harness.WAIT_S)
        connection.say(ordinary)

    def open(self):
        self._opened.set()


# ---- one connection ----------------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_carries_so_many_messages(server, start, driver):
    deliverer = start(server, driver, messages_per_connection=3)
    for _ in range(7):
        expect(deliverer.send_one(), "sent", "dot", 250)
    assert [message.connection for message in server.messages] == [1, 1, 1, 2, 2, 2, 3]
    server.wait_until(lambda: server.open_connections == 1)
    assert server.verbs().count("QUIT") == 2


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_last_message_of_a_connection_does_not_wait_for_the_answer_to_quit(server, start, driver):
    gate = Gate()
    server.on("quit", gate)
    deliverer = start(server, driver, messages_per_connection=1)
    try:
        for _ in range(3):
            expect(deliverer.send_one(), "sent", "dot", 250)
    finally:
        gate.open()
    assert server.connections == 3


@pytest.mark.parametrize("stage", ["rcpt", "dot"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_smarthost_that_says_421_is_left(server, start, driver, stage):
    server.on(stage, then_drop("421 4.3.2 shutting down"), times=1)
    deliverer = start(server, driver)
    expect(deliverer.send_one(), "temporary", stage, 421)
    expect(deliverer.send_one(), "sent", "dot", 250)
    assert server.messages[-1].connection == 2


@pytest.mark.parametrize("offers", [["PIPELINING"], ["CHUNKING", "PIPELINING"]])
@pytest.mark.parametrize("driver", DRIVERS)
def test_messages_of_one_connection_are_not_mixed_up_by_its_end(start, driver, offers):
    with SmtpServer(offers=offers) as server:
        deliverer = start(server, driver, messages_per_connection=2)
        names = {deliverer.deliver(recipient=f"r{i}@example.com"): i for i in range(20)}
        for name in names:
            expect(deliverer.result(name), "sent", "dot", 250)
        assert {message.message_id: message.recipients for message in server.messages} == {
            f"<{name}@acme.example>": [f"r{i}@example.com"] for name, i in names.items()}


def test_an_idle_connection_is_closed_when_its_smarthosts_uri_says(server, start_relay):
    uri = harness.smtp_uri(server, "disable_starttls=true&idle=1s")
    with start_relay(None, smtp_uri=uri) as relay:
        wait_sent(relay, accept_all(relay, 1))
        server.wait_until(lambda: server.open_connections == 0)
        assert server.verbs()[-1] == "QUIT"


# ---- names -------------------------------------------------------------------------------------

NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for an /etc/hosts of its own")


@NEEDS_ROOT
@pytest.mark.parametrize("first", ["refuses", "hangs"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_the_second_address_of_a_name_is_tried_in_time(start, tmp_path, driver, first):
    hosts = tmp_path / "hosts"
    # Three, so that the share of the first is over long before the time of all; and none that others
    # use, whose port may be taken.
    hosts.write_text("".join(f"127.0.0.{last} three.example\n" for last in (11, 12, 13)))
    with SmtpServer(host="127.0.0.12") as server, contextlib.ExitStack() as open_sockets:
        if first == "hangs":
            fill_backlog(open_sockets, ("127.0.0.11", server.port))
        # It takes a third of the time, or with libcurl a second more. In time is what is sent: when the
        # time is over it is "session".
        deliverer = start(server, driver, host="three.example", hosts=hosts, connect_timeout_ms=9000)
        result = deliverer.send_one()
        expect(result, "sent", "dot", 250)
        assert result["address"] == f"127.0.0.12:{server.port}"


@NEEDS_ROOT
@pytest.mark.parametrize("driver", DRIVERS)
def test_ipv6_that_refuses_leaves_ipv4(server, start, tmp_path, driver):
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 both.example\n127.0.0.1 both.example\n")
    expect(start(server, driver, host="both.example", hosts=hosts).send_one(), "sent", "dot", 250)


@NEEDS_ROOT
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_name_is_looked_up_again_for_a_new_connection(server, start, tmp_path, driver):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.3 moved.example\n")
    deliverer = start(server, driver, host="moved.example", hosts=hosts)
    expect(deliverer.send_one(), "session", "connect")
    hosts.write_text("127.0.0.1 moved.example\n")
    expect(deliverer.send_one(), "sent", "dot", 250)


def fill_backlog(open_sockets, address):
    """Listens there so that no further SYN is answered."""
    open_sockets.enter_context(socket.create_server(address, backlog=0))
    for _ in range(3):
        taken = open_sockets.enter_context(socket.socket())
        taken.setblocking(False)
        taken.connect_ex(address)


# ---- a connection that breaks ------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_a_reset_in_the_middle_of_the_body_is_temporary(server, start, driver):
    """libesmtp writes on after a write that failed (siobuf.c, raw_write)."""
    def break_off(connection, ordinary):
        connection.socket.recv(100000)
        reset()(connection, ordinary)
    server.on("body", break_off, times=1)
    deliverer = start(server, driver)
    huge = BODY % b"huge" + (b"y" * 76 + b"\r\n") * 100000  # within SIZE
    expect(deliverer.send_one(body=huge), "temporary", "body")
    assert deliverer.dots[0][0] == Dots.FREE  # no dot was begun
    assert not server.messages
    expect(deliverer.send_one(body=huge), "sent", "dot", 250)
    assert server.messages[0].data == huge


# ---- how many ----------------------------------------------------------------------------------

def test_one_message_after_the_other_needs_one_connection(server, start_relay):
    with start_relay(server) as relay:
        for _ in range(10):
            wait_sent(relay, accept_all(relay, 1))
        assert server.connections == 1


def test_connections_open_as_the_backlog_grows_and_no_further_than_their_limit(start_relay):
    gate = Gate()
    with SmtpServer().on("dot", gate) as server:
        uri = harness.smtp_uri(server, "disable_starttls=true&connections=6")
        with start_relay(None, smtp_uri=uri) as relay:
            ids = accept_all(relay, 2)
            server.wait_for(2)
            assert server.connections == 2
            ids += accept_all(relay, 10)
            server.wait_for(6)
            relay.wait_for("accepted", count=12)
            gate.open()
            wait_sent(relay, ids)
        assert server.connections == 6
        assert len({message.message_id for message in server.messages}) == len(server.messages) == 12


def at_most(server, count, answer="421 4.3.2 too many connections"):
    """A behaviour of the greeting: refuses those that are over the limit."""
    def greet(connection, ordinary):
        if server.open_connections > count:
            connection.say(answer)
            raise Hangup
        connection.say(ordinary)
    return greet


REFUSALS = pytest.mark.parametrize("answer", ["421 4.3.2 too many connections", "450 4.7.1 later"])


@REFUSALS
def test_a_smarthost_that_takes_three_connections_is_not_down(start_relay, answer):
    with SmtpServer() as server:
        server.on("greeting", at_most(server, 3, answer)).on("dot", after(0.05))
        with start_relay(server) as relay:
            ids = accept_all(relay, 30)
            wait_sent(relay, ids)
            assert not relay.found("smarthost_down")
            assert {relay.state(one)["attempts"] for one in ids} == {1}  # refusals charge nothing
        assert len(server.messages) == 30


@REFUSALS
def test_how_many_connections_a_smarthost_takes_is_told_once(start_relay, answer):
    gate = Gate()
    with SmtpServer().on("dot", gate) as server:
        with start_relay(server) as relay:
            ids = accept_all(relay, 3)
            server.wait_for(3)
            server.on("greeting", at_most(server, 3, answer))
            ids += accept_all(relay, 1)
            relay.wait_for("attempt", id=ids[-1], outcome="session")
            assert not relay.found("smarthost_limit")  # perhaps it is down: none has been answered
            gate.open()
            wait_sent(relay, ids)
            limit, = relay.found("smarthost_limit")
            assert (limit["smarthost"], limit["connections"]) == (f"127.0.0.1:{server.port}", 3)
            assert not relay.found("smarthost_down")
            assert {relay.state(one)["attempts"] for one in ids} == {1}
        assert len(server.messages) == 4


def test_one_refused_while_others_come_to_their_end_is_no_sign_of_its_being_down(start_relay):
    """A connection may be refused when the others, that took their mail meanwhile, are idle again."""
    gate, refusal = Gate(), Gate()

    def greet(connection, ordinary):
        if connection.number == 2:
            refusal(connection, "421 4.3.2 too many connections")
            raise Hangup
        connection.say(ordinary)
    with SmtpServer().on("greeting", greet).on("dot", gate) as server, start_relay(server) as relay:
        ids = accept_all(relay, 1)
        server.wait_for(1)
        ids += accept_all(relay, 1)
        server.wait_until(lambda: server.connections == 2)
        gate.open()
        wait_sent(relay, ids[:1])
        refusal.open()
        wait_sent(relay, ids)
        limit, = relay.found("smarthost_limit")
        assert limit["connections"] == 1 and not relay.found("smarthost_down")


def test_a_smarthost_that_refuses_all_connections_at_once_is_down(start_relay):
    with SmtpServer().on("greeting", then_drop("421 4.3.2 not today")) as server:
        with start_relay(server) as relay:
            ids = accept_all(relay, 8)
            relay.wait_for("smarthost_down")
            assert not relay.found("smarthost_limit")
            assert [relay.state(one)["attempts"] for one in ids] == [0] * 8


def test_one_connection_that_hangs_does_not_hide_that_the_smarthost_is_down(start_relay):
    """The next smarthost has the mail then, in seconds."""
    with SmtpServer() as first, SmtpServer() as second:
        gate = Gate()
        first.on("dot", gate)
        uri = f"{harness.smtp_uri(first)},{harness.smtp_uri(second)}"
        with start_relay(None, smtp_uri=uri) as relay:
            accept_all(relay, 1)
            first.wait_for(1)
            first.on("greeting", then_drop("421 4.3.2 going down"))
            ids = accept_all(relay, 3)
            wait_sent(relay, ids)
            relay.wait_for("smarthost_down", smarthost=f"127.0.0.1:{first.port}")
            assert len(second.messages) == 3
            gate.open()


# ---- deliverers --------------------------------------------------------------------------------

def test_a_hung_deliverer_of_two_is_judged_by_its_marks_and_the_other_works_on(start_relay):
    """Thirty-six dots are under way in two processes. One is stopped, and killed at its limit: what it
    had is unknown, and sent again under the same Message-ID. The limit leaves a busy machine the time
    to get so many under way, which takes four seconds at best."""
    gate = Gate()
    with SmtpServer().on("dot", gate) as server, \
            start_relay(server, transaction_timeout="30s") as relay:
        ids = []
        for count in (20, 16):  # what finds no connection for two seconds waits in the queue
            ids += accept_all(relay, count)
            server.wait_for(len(ids), timeout=harness.WAIT_S)
        pids = relay.children("deliverer")
        assert len(pids) == 2
        stopped = max(pids, key=count_threads)  # the one with 32 connections
        held = count_threads(stopped) - 1
        os.kill(stopped, signal.SIGSTOP)
        harness.wait_until(lambda: all_stand_still(stopped), "every thread to stand still")
        gate.open()
        relay.wait_log(lambda: len(relay.found("sent")) >= 36 - held)
        wait_sent(relay, ids)
        unknown = relay.found("attempt", outcome="unknown")
        assert len(unknown) == held and {entry["stage"] for entry in unknown} == {"dot"}
        harness.wait_until(lambda: not harness.alive(stopped), "the end of the one that was killed")
        assert [relay.state(one)["state"] for one in ids] == ["sent"] * 36
    copies = [message.message_id for message in server.messages]
    assert len(copies) == 36 + held and len(set(copies)) == 36


def count_threads(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/task").iterdir()))


def all_stand_still(pid):
    return all("State:\tT" in (task / "status").read_text()
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir())


# ---- rate --------------------------------------------------------------------------------------

def test_no_more_messages_go_out_than_the_rate_allows(server, start_relay):
    uri = harness.smtp_uri(server, "disable_starttls=true&rate=3/1s")
    with start_relay(None, smtp_uri=uri) as relay:
        ids = accept_all(relay, 8)
        wait_sent(relay, ids)
        assert [relay.state(one)["attempts"] for one in ids] == [1] * 8
        exported = relay.command("queue", "export", "--json").stdout.splitlines()
    # By the relay's own clock: at the smarthost's end a busy machine moves them.
    starts = sorted(datetime.datetime.fromisoformat(attempt["started_at"]).timestamp()
                    for row in exported for attempt in json.loads(row)["history"])
    assert len(starts) == 8
    spans = [later - earlier for earlier, later in zip(starts, starts[3:])]
    assert min(spans) > 0.999, spans  # they are of whole milliseconds, and these are binary


def test_what_the_rate_holds_back_waits_uncharged_in_the_queue(server, start_relay):
    uri = harness.smtp_uri(server, "disable_starttls=true&rate=2/1h")
    with start_relay(None, smtp_uri=uri) as relay:
        ids = accept_all(relay, 6)
        server.wait_for(2)
        sent = {relay.wait_for("sent", count=count + 1)["id"] for count in range(2)}
        waiting = [one for one in ids if one not in sent]
        harness.wait_until(
            lambda: [relay.state(one)["state"] for one in waiting] == ["queued"] * 4,
            "what waits to be in the queue")
        assert [relay.state(one)["attempts"] for one in waiting] == [0] * 4
        before = updated(relay, waiting)
        accept_all(relay, 1)
        time_passes(relay)
        assert updated(relay, waiting) == before  # not fetched and put back again and again
        assert not relay.found("smarthost_down")
    assert len(server.messages) == 2


def updated(relay, ids):
    return {row["id"]: row["updated_at"] for row in relay.queue_list() if row["id"] in ids}


def time_passes(relay):
    """Until a message that came later has been put into the queue as well."""
    harness.wait_until(lambda: len([row for row in relay.queue_list()
                                    if row["state"] == "queued"]) == 5, "the latest one to wait")
