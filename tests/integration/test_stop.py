"""SIGTERM: what is under way ends well, what cannot end is cut before its dot, exit 0."""
import signal
import threading

import payloads
import relay as harness


def test_sigterm_lets_a_delivery_end(relay, sink):
    """The smarthost has the dot and takes its time over the verdict."""
    at_dot, go_on = threading.Event(), threading.Event()

    def wait(*_):
        at_dot.set()
        assert go_on.wait(harness.WAIT_S)
    sink.data_reply = wait
    relay.start()
    message_id = relay.accept(payloads.login_code())
    assert at_dot.wait(harness.WAIT_S)
    relay.process.send_signal(signal.SIGTERM)
    relay.wait_for("stopping")
    go_on.set()
    assert relay.stop() == 0
    assert relay.state(message_id)["state"] == "sent"
    with relay:
        other = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=other)
    assert len(sink.mails) == 2


def test_sigterm_cuts_a_delivery_that_hangs_and_the_next_start_sends_it(relay, sink):
    at_recipient, go_on = threading.Event(), threading.Event()

    def hang(*_):
        at_recipient.set()
        go_on.wait(harness.WAIT_S)
    sink.rcpt_reply = hang
    relay.start()
    message_id = relay.accept(payloads.login_code())
    assert at_recipient.wait(harness.WAIT_S)
    assert relay.stop() == 0
    row, = relay.queue_list()
    assert row["state"] in ("queued", "sending", "received") and not sink.mails
    assert row["attempts"] == 0 and relay.found("attempt", id=message_id, outcome="cut")
    go_on.set()
    sink.rcpt_reply = lambda *_: None
    with relay:
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["state"] == "sent"
    assert len(sink.mails) == 1


def test_what_waits_is_there_after_a_stop(relay, sink):
    sink.down()
    with relay:
        made = [payloads.login_code() for _ in range(5)]
        ids = [relay.accept(payload) for payload in made]
    assert {row["id"] for row in relay.queue_list()} == set(ids)
    sink.up()
    with relay:
        for one in ids:
            relay.wait_for("sent", id=one)
    assert sorted(mail.recipient for mail in sink.mails) == sorted(
        payload["recipient"] for payload in made)


def test_an_idle_relay_ends_at_once(start_relay, sink):
    relay = start_relay(sink, shutdown_grace="1m").start()
    assert relay.stop(timeout=30) == 0
    relay.start()
    relay.process.send_signal(signal.SIGINT)
    assert relay.process.wait(30) == 0
