"""Which message goes, once, and which gives way: with everything that can happen at one moment."""
import concurrent.futures
import contextlib
import os
import signal
import sqlite3
import struct
import threading

import canaries
import payloads
import pytest
import relay as harness
import sink as sink_module

BROWSER = {"User-Agent": ["Mozilla/5.0 (X11) Firefox/140"], "Accept-Language": ["hu"]}


def code_of_browser(recipient, **options):
    """A code whose next one from the same browser makes it void."""
    return payloads.login_code(recipient, headers=BROWSER, **options)


def twin(made):
    """What Kratos posts when it renders the HTML anew: other bytes, the same mail."""
    return {**made, "html_body": f"<p>{canaries.code()}</p>"}


def on_disk(relay, message_id):
    """The row of a message as a reader of the database finds it at this moment."""
    with contextlib.closing(sqlite3.connect(relay.queue_dir / "queue.db", timeout=10)) as database:
        return database.execute("SELECT state, reason FROM message WHERE id = ?",
                                (message_id,)).fetchone()


def copies(sink, made):
    return [mail for mail in sink.mails if payloads.code_of(made) in mail.text()]


# ---- one payload, one mail ----------------------------------------------------------------------

def test_one_payload_on_many_connections_at_one_instant_is_one_mail(relay, sink):
    clients, rounds = 12, 4
    made = [payloads.login_code() for _ in range(rounds)]
    start = threading.Barrier(clients)

    def post_all(_):
        ids = []
        for payload in made:
            start.wait()
            ids.append(relay.accept(payload))
        return ids
    with relay:
        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            said = list(pool.map(post_all, range(clients)))
        for ids in zip(*said):
            assert len(set(ids)) == 1, "each is told of the first"
            relay.wait_for("sent", id=ids[0])
    assert [len(copies(sink, payload)) for payload in made] == [1] * rounds


def test_two_that_are_alike_at_one_instant_are_one_mail(relay, sink):
    """Two payloads of one content, which only composing can tell."""
    with relay:
        for _ in range(4):
            made = payloads.login_code()
            both, start = [made, twin(made)], threading.Barrier(2)

            def post(payload):
                start.wait()
                return relay.accept(payload)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                ids = list(pool.map(post, both))
            harness.wait_until(
                lambda: sorted(filter(None, (on_disk(relay, one) for one in ids)), key=str) ==
                [("sent", None), ("superseded", "duplicate")], "one of the two to go")
            assert len(copies(sink, made)) == 1


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A relay with a message in every state that one can end in, or be set aside in:
    (relay, sink, state -> (payload, id))."""
    with sink_module.Sink() as sink:
        sink.rcpt_reply = lambda _, address: \
            "550 5.1.1 no such user" if address.startswith("failed") else \
            "451 4.7.1 later" if address.startswith(("expired", "superseded.old")) else None
        folder = tmp_path_factory.mktemp("ended")
        (folder / "nothing.jsonnet").write_text("function(payload) []")
        relay = harness.Relay(folder / "relay", smtp_uri=harness.smtp_uri(sink), routes=(
            '{"nothing": {"path": "/nothing", "normaliser": "%s"}}' % (folder / "nothing.jsonnet")))
        made = {state: payloads.login_code(payloads.unique_recipient(state))
                for state in ("sent", "failed", "unknown", "held", "cancelled")}
        made["expired"] = payloads.login_code(payloads.unique_recipient("expired"), minutes=0.26)
        older = payloads.unique_recipient("superseded.old")
        made["superseded"] = code_of_browser(older)
        made["parked"] = {**payloads.login_code(), "recipient": "", "template_data": {}}
        with relay:
            ids = {state: post(relay, state, payload) for state, payload in made.items()}
            relay.accept(code_of_browser(older))  # the newer one
            for state in ("sent", "failed", "expired", "cancelled", "parked", "superseded"):
                relay.wait_for(state, id=ids[state])
            for state in ("unknown", "held"):
                relay.wait_for("sent", id=ids[state])
        with contextlib.closing(sqlite3.connect(relay.queue_dir / "queue.db")) as database, \
                database:  # what takes too long, and what this version has no command for
            for state in ("unknown", "held"):
                database.execute("UPDATE message SET state = ? WHERE id = ?", (state, ids[state]))
        with relay:
            yield relay, sink, {state: (made[state], ids[state]) for state in made}


def post(relay, state, payload):
    answer = relay.post(payload, path="/nothing" if state == "cancelled" else "/kratos/webhook")
    assert answer.status == 200 and answer.body == b""
    return answer.headers["X-Message-Id"]


STATES = ("sent", "failed", "expired", "superseded", "cancelled", "unknown", "parked", "held")


@pytest.mark.parametrize("state", STATES)
def test_a_payload_that_is_known_is_never_sent_again(ended, state):
    """Whatever became of it: it is answered 200, with the first one's id."""
    relay, sink, made = ended
    payload, first = made[state]
    before = len(sink.mails)
    assert on_disk(relay, first)[0] == state
    for _ in range(2):
        assert post(relay, state, payload) == first
    assert relay.wait_for("duplicate", id=first)
    assert on_disk(relay, first)[0] == state
    assert len(sink.mails) == before


@pytest.mark.parametrize("state", [one for one in STATES if one not in ("cancelled", "parked")])
def test_a_mail_that_is_known_is_never_sent_again(ended, state):
    """The same with other HTML, which is another payload: it ends as a duplicate."""
    relay, sink, made = ended
    payload, first = made[state]
    again = post(relay, state, twin(payload))
    assert again != first
    relay.wait_for("superseded", id=again, reason="duplicate")
    assert on_disk(relay, again) == ("superseded", "duplicate")
    assert on_disk(relay, first)[0] == state
    sent = [mail for mail in sink.mails if mail.recipient == payload["recipient"]]
    assert len(sent) == (state in ("sent", "unknown", "held"))


@pytest.mark.parametrize("state, reason", [("cancelled", "nothing_to_send"),
                                           ("parked", "no_recipient")])
def test_what_has_not_gone_makes_no_duplicate(ended, state, reason):
    """Nobody knows it by a content that went: it is composed, and ends as the first did."""
    relay, _, made = ended
    again = post(relay, state, twin(made[state][0]))
    relay.wait_for(state, id=again, reason=reason)


# ---- a newer one ----------------------------------------------------------------------------------

def pair(key):
    """An older code and a newer one that makes it void, and how to tell them in a mail."""
    recipient = payloads.unique_recipient()
    if key == "browser":
        made = [code_of_browser(recipient) for _ in range(2)]
        return made, [payloads.code_of(one) for one in made]
    flow = f"flow-{canaries.code()}"
    tokens = [f"{name}{canaries.code()}" for name in ("older", "newer")]
    return [payloads.recovery_link(flow, recipient, token) for token in tokens], tokens


@pytest.mark.parametrize("key", ["flow", "browser"])
@pytest.mark.parametrize("reply", ["451 4.3.0 try again later", sink_module.Sink.DROP],
                         ids=["4xx", "dropped"])
def test_an_older_one_that_comes_back_gives_way_to_a_newer(relay, sink, key, reply):
    """The newer one is accepted while the older is in SMTP, behind its final dot."""
    (older, newer), (old_mark, new_mark) = pair(key)
    sink.data_reply = held = sink_module.Held(old_mark)
    with relay:
        old_id = relay.accept(older)
        assert held.arrived.wait(harness.WAIT_S)
        relay.wait_for("sent", id=relay.accept(newer))
        held.tell(reply)
        relay.wait_for("superseded", id=old_id, reason="newer")
        row = relay.state(old_id)
        assert (row["state"], row["reason"], row["attempts"]) == ("superseded", "newer", 1)
    assert len([mail for mail in sink.mails if old_mark.encode() in mail.data]) == 1
    assert len([mail for mail in sink.mails if new_mark.encode() in mail.data]) == 1


def test_an_older_one_that_was_taken_stays_sent(relay, sink):
    (older, newer), (old_mark, _) = pair("flow")
    sink.data_reply = held = sink_module.Held(old_mark)
    with relay:
        old_id = relay.accept(older)
        assert held.arrived.wait(harness.WAIT_S)
        relay.wait_for("sent", id=relay.accept(newer))
        held.tell(None)
        relay.wait_for("sent", id=old_id)
    assert len(sink.mails) == 2


MENDED = """
function(payload) {
  channel: 'email', template: payload.template_type, to: payload.whom,
  data: { code: payload.template_data.login_code }, locales: ['en'],
}
"""


@pytest.mark.parametrize("newer_is", ["queued", "sending", "sent"])
def test_an_older_one_that_is_released_gives_way_to_a_newer(start_relay, sink, tmp_path, newer_is):
    normaliser = tmp_path / "normaliser.jsonnet"
    normaliser.write_text("function(payload) error 'the operator is at work'")
    recipient = payloads.unique_recipient()
    made = []
    for _ in range(2):  # whose recipient stands where only MENDED looks
        one = code_of_browser(recipient)
        made.append({**one, "whom": one["recipient"], "recipient": "",
                     "template_data": {"login_code": payloads.code_of(one)}})
    with start_relay(sink, normaliser=str(normaliser)) as relay:
        old_id = relay.accept(made[0])
        relay.wait_for("parked", id=old_id)
        relay.stop()
        normaliser.write_text(MENDED)
        sink.data_reply = held = sink_module.Held(payloads.code_of(made[1]))
        if newer_is == "queued":
            sink.down()
        relay.start()
        new_id = relay.accept(made[1])
        if newer_is == "queued":
            assert relay.state(new_id)["state"] == "queued"
        elif newer_is == "sending":
            assert held.arrived.wait(harness.WAIT_S)
        else:
            held.tell(None)
            relay.wait_for("sent", id=new_id)
        relay.command("queue", "release", old_id)
        if newer_is == "queued":
            harness.wait_until(lambda: on_disk(relay, old_id)[0] != "received", "the older one")
            sink.up()
            held.tell(None)
        relay.wait_for("superseded", id=old_id, reason="newer")
        held.tell(None)
        relay.wait_for("sent", id=new_id)
    [mail] = sink.mails
    assert payloads.code_of(made[1]) in mail.text()


# ---- a crash between the smarthost's word and its commit ------------------------------------------

def verdict_in(dots, message_id):
    """The reply noted in that message's dot mark; None where there is none (relay/base/dots.c)."""
    data = dots.read_bytes()
    at = data.find(message_id.encode())
    state, reply = struct.unpack_from("=Ii", data, at - 8) if at >= 8 else (0, 0)
    return reply if state == 3 else None


def test_after_a_crash_a_verdict_is_settled_before_its_like_is_sent(relay, sink):
    """The core dies when the smarthost has the mail and the disk does not know; the same mail with
    other HTML is posted as soon as it is up again."""
    made = payloads.login_code()
    relay.start()
    pid = relay.process.pid
    stopped = threading.Event()

    def stop_core(*_):
        os.kill(pid, signal.SIGSTOP)
        stopped.set()
    sink.data_reply = stop_core
    first = relay.accept(made)
    assert stopped.wait(harness.WAIT_S)
    harness.wait_until(lambda: verdict_in(relay.queue_dir / "dots", first) == 250, "the verdict")
    relay.kill()
    assert on_disk(relay, first) == ("received", None)
    sink.data_reply = lambda *_: None
    with relay:
        others = [relay.accept(twin(made)) for _ in range(3)]
        relay.wait_for("sent", id=first)
        for message_id in others:
            relay.wait_for("superseded", id=message_id, reason="duplicate")
        assert relay.state(first)["attempts"] == 1
    assert len(copies(sink, made)) == 1


def test_the_log_never_says_more_than_the_disk(relay, sink):
    """What is told as sent is on disk as sent, so no crash sends it again."""
    with relay:
        for _ in range(15):
            message_id = relay.accept(payloads.login_code())
            relay.wait_for("sent", id=message_id)
            assert on_disk(relay, message_id) == ("sent", None)


# ---- order ------------------------------------------------------------------------------------------

def test_a_backlog_drains_by_lane_codes_newest_first(start_relay):
    """One connection, so the order at the smarthost is the order in which they were picked."""
    with sink_module.Sink(listening=False) as sink, \
            start_relay(sink, connections=1, rate_recipient="off") as relay:
        made = []
        for number in range(4):
            for kind, payload in (
                    ("bulk", payloads.payload("recovery_code_invalid")),
                    ("notice", payloads.payload("authenticator_key_added")),
                    ("code", payloads.login_code())):
                made.append((kind, number, payload["recipient"], relay.accept(payload)))
        lanes = {row["id"]: row["lane"] for row in map(relay.state, [one[3] for one in made])}
        sink.up()
        order = [mail.recipient for mail in sink.wait_for(len(made))]
    place = {recipient: order.index(recipient) for _, _, recipient, _ in made}

    def numbers(lane):
        """Which of a lane came first, second ... by the order in which they were posted."""
        mine = [recipient for _, _, recipient, one in made if lanes[one] == lane]
        return [mine.index(one) for one in sorted(mine, key=place.get)]
    assert set(lanes.values()) == {"code", "notice", "bulk"}
    for lane in set(lanes.values()):
        count = len(numbers(lane))
        wanted = list(range(count))
        assert numbers(lane) == (wanted[::-1] if lane == "code" else wanted), (lane, order)
    codes = [place[recipient] for _, _, recipient, one in made if lanes[one] == "code"]
    assert min(codes) <= 1, "a code is the first, but where the first turn is a lower lane's"
