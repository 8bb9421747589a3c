"""What systemd hands over and is told, and what Kratos sees of a restart. The test is the manager."""
import contextlib
import datetime
import os
import pathlib
import signal
import socket
import struct
import threading
import time

import payloads
import pytest
import relay as harness
from post_stream import Stream

NOTES_LIMIT_S = 60
SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python does not name it


class Manager:
    """The socket that a service tells its state by."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(NOTES_LIMIT_S)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sent_s = None  # when the last message that was wanted was sent, by the kernel

    def next(self, *wanted):
        """The next message that has one of these words in it; or the next of all."""
        until = time.monotonic() + NOTES_LIMIT_S
        while time.monotonic() < until:
            text, stamps, _, _ = self.socket.recvmsg(4096, 256)
            note = dict(line.split("=", 1) for line in text.decode().split("\n"))
            if not wanted or any(word in note for word in wanted):
                [(_, _, stamp)] = stamps
                self.sent_s = struct.unpack("ll", stamp)[0] + struct.unpack("ll", stamp)[1] / 1e9
                return note
        raise AssertionError(f"no {wanted} within {NOTES_LIMIT_S} s")

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    with contextlib.closing(Manager(str(tmp_path / "notify"))) as made:
        yield made


def tell(relay, manager, **variables):
    name = manager.socket.getsockname()
    relay.variables |= {"NOTIFY_SOCKET": name if isinstance(name, str) else f"@{name[1:].decode()}",
                        **variables}
    return relay


@pytest.fixture
def mail_socket():
    with socket.create_server(("127.0.0.1", 0), backlog=511) as made:
        yield made


def test_it_is_told_of_ready_reload_and_stop(relay, manager, tmp_path):
    config = tmp_path / "relay.jsonnet"
    config.write_text("{}")
    tell(relay, manager).start("--config", str(config))
    note = manager.next()
    assert note["READY"] == "1" and note["STATUS"] == f"takes mail on 127.0.0.1:{relay.port}"
    for text, event in (("{ locale: 'de' }", "reloaded"), ("{ nonsense: 1 }", "reload_refused")):
        before = time.monotonic_ns() // 1000
        config.write_text(text)
        os.kill(relay.process.pid, signal.SIGHUP)
        note = manager.next()
        assert note["RELOADING"] == "1"
        assert before <= int(note["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        assert manager.next()["READY"] == "1"
        relay.wait_for(event)
    assert relay.stop() == 0
    assert manager.next() == {"STOPPING": "1"}


def test_it_gets_signs_of_life_from_a_loop_that_turns_and_only_then(relay):
    with contextlib.closing(Manager(f"\0courier-relay-test-{os.getpid()}")) as manager:
        tell(relay, manager, WATCHDOG_USEC="300000").spawn()
        manager.next("READY")
        began = time.monotonic()
        sent_s = []
        for _ in range(4):
            assert manager.next() == {"WATCHDOG": "1"}
            sent_s.append(manager.sent_s)
        # Each third of the limit, not all the time. The first may have been late by as much.
        assert sent_s[-1] - sent_s[0] > 0.15, sent_s
        os.kill(relay.process.pid, signal.SIGSTOP)
        manager.socket.settimeout(0.4)
        with pytest.raises(TimeoutError):
            while time.monotonic() - began < NOTES_LIMIT_S:
                manager.next()  # those on their way
        os.kill(relay.process.pid, signal.SIGCONT)
        manager.socket.settimeout(NOTES_LIMIT_S)
        manager.next("WATCHDOG")
        assert relay.stop() == 0


def test_a_state_gets_through_to_one_that_is_slow_to_read(relay, manager):
    """A socket of datagrams holds some ten: signs of life fill it up while nobody reads."""
    tell(relay, manager, WATCHDOG_USEC="3000").spawn()
    relay.wait_for("service_manager_unreachable")
    manager.next("READY")
    relay.wait_for("ready")
    before = len(relay.found("service_manager_unreachable"))
    harness.wait_until(lambda: len(relay.found("service_manager_unreachable")) > before, "it full")
    assert relay.stop() == 0
    told, = [one for one in relay.found("service_manager_unreachable") if "STOP" in one["error"]]
    stopping, given_up = (datetime.datetime.fromisoformat(one["time"][:-1])
                          for one in (relay.found("stopping")[0], told))
    assert (given_up - stopping).total_seconds() < 1.9, "a stop waits for nobody who does not read"


def test_variables_for_another_process_are_left_alone(relay, manager, mail_socket):
    tell(relay, manager, WATCHDOG_USEC="30000", WATCHDOG_PID="1")
    relay.hand_over(mail_socket).prefix = []
    relay.variables["LISTEN_PID"] = "1"
    with relay:
        assert relay.port != mail_socket.getsockname()[1]
        assert "READY" in manager.next()
        relay.accept(payloads.login_code())
        manager.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            manager.next()


def test_nobody_who_listens_to_it_is_a_warning(relay, tmp_path):
    relay.variables["NOTIFY_SOCKET"] = str(tmp_path / "nobody")
    with relay:
        assert "READY=1" in relay.wait_for("service_manager_unreachable")["error"]
        relay.accept(payloads.login_code())


@pytest.mark.parametrize("names, variables, complaint", [
    ("post", {}, '"post" is neither mail nor admin'),
    ("mail", {"LISTEN_FDS": "7"}, "LISTEN_FDS is not from 0 to 2"),
    ("mail:mail", {"LISTEN_FDS": "2"}, 'two sockets "mail"'),
    (None, {"LISTEN_FDS": "2"}, "does not say which socket is which"),
    ("mail", {"NOTIFY_SOCKET": "relative"}, "NOTIFY_SOCKET is no address"),
])
def test_what_cannot_be_used_is_said_at_the_start(relay, mail_socket, names, variables, complaint):
    relay.hand_over(mail_socket, mail_socket, names=names)
    relay.variables |= {"LISTEN_FDS": "1"} | variables
    relay.spawn()
    assert complaint in relay.wait_for("start_failed")["error"]
    assert relay.stop() == 1


def test_a_socket_that_does_not_listen_is_said_at_the_start(relay, tmp_path):
    with socket.socket() as idle:
        relay.hand_over(idle).spawn()
        assert "does not listen" in relay.wait_for("start_failed")["error"]
        assert relay.stop() == 1


# ---- restarts, as Kratos sees them ---------------------------------------------------------------

def test_a_restart_with_its_socket_kept_refuses_no_connection(start_relay, sink, mail_socket):
    relay = start_relay(sink, build=harness.RELEASE_BUILD, rate_recipient="off").hand_over(mail_socket)
    relay.start()
    assert relay.port == mail_socket.getsockname()[1]
    with Stream(relay.port) as stream:
        for _ in range(4):
            stream.more(20)
            assert relay.stop() == 0
            relay.start()
        stream.more(20)
    relay.stop()
    print(f"refused {stream.refused}, cut {stream.cut}, pause {stream.longest_pause_s():.3f} s")
    assert stream.refused == 0 and set(stream.answers) == {200}
    assert stream.cut <= 4 * len(stream.threads)  # at most what each had under way at each stop
    with relay:
        harness.wait_until(lambda: not set(stream.accepted) - {
            mail.recipient for mail in list(sink.mails)}, "every mail")


def test_a_core_that_executes_itself_anew_keeps_its_socket(start_relay, sink, mail_socket, manager):
    relay = tell(start_relay(sink, build=harness.RELEASE_BUILD, rate_recipient="off").hand_over(mail_socket), manager)
    relay.start()
    core = relay.process.pid
    assert manager.next()["STATUS"].startswith("takes mail on")
    with Stream(relay.port) as stream:
        stream.more(20)
        away = relay.queue_dir.rename(relay.queue_dir.with_name("away"))
        relay.wait_for("starting_anew")
        assert manager.next("STOPPING")
        assert manager.next("READY")["STATUS"].startswith("takes no mail")
        relay.wait_for("queue_error", count=2)
        away.rename(relay.queue_dir)
        assert manager.next("READY")["STATUS"].startswith("takes mail on")
        stream.more(20)
    assert stream.refused == 0 and set(stream.answers) <= {200, 503}
    assert relay.process.pid == core and relay.port == mail_socket.getsockname()[1]
    # The children have none of it: nobody else holds the socket.
    mine = os.fstat(mail_socket.fileno()).st_ino
    for child in relay.children():
        with contextlib.suppress(FileNotFoundError):  # one that has just ended
            for entry in pathlib.Path(f"/proc/{child}/fd").iterdir():
                assert f"socket:[{mine}]" != os.readlink(entry)


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_restart_without_a_kept_socket_is_short(start_relay, sink):
    """It takes mail while it drains, and connections long before it has started again."""
    port = harness.free_port()
    relay = start_relay(sink, build=harness.RELEASE_BUILD, rate_recipient="off",
                        listen=f"127.0.0.1:{port}")
    at_dot, go_on = threading.Event(), threading.Event()

    def wait(*_):
        at_dot.set()
        go_on.wait(harness.WAIT_S)
    relay.start()
    with Stream(port) as stream:
        stream.more(20)
        sink.data_reply = wait
        assert at_dot.wait(harness.WAIT_S)
        relay.process.send_signal(signal.SIGTERM)
        relay.wait_for("stopping")
        stream.more(20)  # while the smarthost keeps the relay waiting for its verdict
        assert not relay.found("attempt", outcome="cut") and stream.refused == 0
        go_on.set()
        sink.data_reply = lambda *_: None
        assert relay.stop() == 0
        began = time.monotonic()
        relay.spawn()
        harness.wait_until(lambda: connects(port), "connections to be taken")
        took_s = time.monotonic() - began
        stream.more(20)
    print(f"connections are taken after {took_s * 1000:.0f} ms")
    assert set(stream.answers) == {200}
    assert took_s < 30  # `make bench` measures; this machine may be busy
