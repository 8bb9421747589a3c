"""The checker of the fault suites finds what it is there to find: each kind of breach, planted."""
import email.message
import os
import smtplib
import socket
import sys
import threading

import payloads
import pytest
import relay as harness
from sink import Mail, Sink

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import ledger  # noqa: E402
from result import Result  # noqa: E402


FIN_WAIT2 = 5  # linux/tcp_states.h


class FakeSink:
    def __init__(self):
        self.mails = []

    def got(self, payload, message_id, *, to=None, reply=None, text=None, at_s=None):
        made = email.message.EmailMessage()
        made["To"] = to or payload["recipient"]
        made["Message-ID"] = f"<{message_id}@acme.example>"
        made["Subject"] = "Your code"
        made.set_content(text or f"Your code is {payload['template_data']['login_code']}.",
                         cte="quoted-printable")
        mail = Mail("no-reply@acme.example", to or payload["recipient"], made.as_bytes(), None)
        mail.reply = reply
        mail.boot_s = at_s or ledger.boot_s()
        self.mails.append(mail)


class World:
    """Two messages that were acknowledged, sent once each, and stand in the queue as sent."""

    def __init__(self):
        self.client, self.sink = ledger.ClientLedger(), FakeSink()
        self.one, self.two = ledger.secret_payload(), ledger.secret_payload()
        self.rows = []
        for number, payload in enumerate((self.one, self.two), 1):
            message_id = f"0193aaaa-0000-7000-8000-00000000000{number}"
            self.client.posted(payload)
            self.client.acknowledged(payload, message_id)
            self.rows.append({"id": message_id, "state": "sent", "reason": None,
                              "recipient": payload["recipient"]})
            self.sink.got(payload, message_id)

    def check(self, **options):
        return ledger.check(self.client, self.sink, self.rows, **options)

    def set_state(self, state, reason=None):
        self.rows[0]["state"], self.rows[0]["reason"] = state, reason
        self.sink.mails = [mail for mail in self.sink.mails
                           if mail.recipient != self.one["recipient"]]

    def first_id(self):
        return self.rows[0]["id"]


def test_a_sound_world_is_not_complained_of():
    assert World().check() == []


def lose_the_mail(world):
    world.sink.mails.pop(0)


def lose_the_row(world):
    world.rows.pop(0)


def lose_both(world):
    world.sink.mails.pop(0)
    world.rows.pop(0)


def forget_it_half_way(world):
    world.set_state("sending")


def expire_it_alive(world):
    world.set_state("expired", "deadline")


def supersede_it_by_nothing(world):
    world.set_state("superseded", "newer")


def park_it(world):
    world.set_state("parked", "damaged")


def fail_it(world):
    world.set_state("failed", "rejected")


def give_it_up_as_unknown(world):
    world.set_state("unknown", "unknown_outcomes")


def wait_for_ever(world):
    world.set_state("queued")


def send_it_late(world):
    world.sink.mails[0].boot_s += 15 * 60 - 15 + 2


def send_it_twice(world):
    world.sink.got(world.one, world.first_id())


def send_it_four_times(world):
    for _ in range(3):
        world.sink.mails[0].reply = Sink.DROP
        world.sink.mails.insert(0, world.sink.mails[0])


def send_it_under_two_ids(world):
    world.sink.mails[0].reply = Sink.DROP
    world.sink.got(world.one, "0193aaaa-0000-7000-8000-000000000009")


def share_one_id(world):
    world.sink.mails.pop(1)
    world.sink.got(world.two, world.first_id())


def accept_it_twice(world):
    world.client.acknowledged(world.one, "0193aaaa-0000-7000-8000-000000000009")


def swap_the_codes(world):
    ids = [row["id"] for row in world.rows]
    world.sink.mails.clear()
    world.sink.got(world.one, ids[1], to=world.two["recipient"])
    world.sink.got(world.two, ids[0], to=world.one["recipient"])


def mix_two_codes(world):
    world.sink.mails.pop(0)
    world.sink.got(world.one, world.first_id(),
                   text=" ".join(payloads.code_of(made) for made in (world.one, world.two)))


def send_no_code(world):
    world.sink.mails.pop(0)
    world.sink.got(world.one, world.first_id(), text="Hello.")


def make_a_row_for_a_stranger(world):
    world.rows[0]["recipient"] = "stranger@example.org"


@pytest.mark.parametrize("oracle,breach", [
    ("O1", lose_the_mail), ("O1", lose_the_row), ("O1", lose_both), ("O1", forget_it_half_way),
    ("O1", expire_it_alive), ("O1", supersede_it_by_nothing), ("O1", park_it), ("O1", fail_it),
    ("O1", give_it_up_as_unknown), ("O1", wait_for_ever), ("O2", send_it_late),
    ("O3", send_it_twice), ("O3", send_it_four_times), ("O3", send_it_under_two_ids),
    ("O3", share_one_id), ("O3", accept_it_twice), ("O4", swap_the_codes), ("O4", mix_two_codes),
    ("O4", send_no_code), ("O4", make_a_row_for_a_stranger)])
def test_a_breach_is_found(oracle, breach):
    world = World()
    breach(world)
    assert any(line.startswith(oracle) for line in world.check()), world.check()


def test_what_is_explained_is_no_breach():
    world = World()
    world.sink.mails[0].reply = Sink.DROP
    world.sink.got(world.one, world.first_id())
    assert world.check() == []  # the smarthost broke off, so it was sent again

    world = World()
    world.sink.got(world.one, world.first_id())
    assert world.check(deaths=[world.sink.mails[0].boot_s + 0.1]) == []
    assert world.check(deaths=[world.sink.mails[0].boot_s + 60]) != []
    assert world.check(unknown_outcomes_possible=True) == []

    world = World()
    world.sink.mails[0].left = True
    world.sink.got(world.one, world.first_id())
    assert world.check() == []  # a sink that was late has answered nobody

    world = World()
    world.sink.mails[0].reply = "451 4.3.0 later"  # no copy was taken
    world.sink.got(world.one, world.first_id())
    assert world.check() == []

    world = World()
    world.set_state("failed", "rejected")
    world.sink.got(world.one, world.first_id(), reply="554 5.7.1 no")
    assert world.check() == []

    world = World()
    world.set_state("queued")
    assert world.check(ends={"queued"}) == []

    world = World()
    world.set_state("superseded", "newer")
    newer = ledger.secret_payload(world.one["recipient"])
    world.client.posted(newer)
    assert world.check() == []

    world = World()
    world.rows[0]["state"] = "sending"
    assert world.check(drained=False) == []


def test_no_process_dies_with_what_its_relay_has_heard():
    world = World()
    world.sink.mails[0].heard = world.sink.mails[0].left = True  # it went on, and left at once
    world.sink.got(world.one, world.first_id())
    deaths = [world.sink.mails[0].boot_s]
    assert world.check(deaths=deaths, marks_survive=True) != []
    assert world.check(deaths=deaths) == []  # the marks were lost as well


def test_no_death_excuses_a_copy_of_what_was_told_as_sent():
    world = World()
    world.sink.mails[0].boot_s = ledger.boot_s()
    told = {world.first_id(): world.sink.mails[0].wall_s + 0.1}
    assert world.check(told=told) == []
    world.sink.got(world.one, world.first_id())
    deaths = [world.sink.mails[0].boot_s + 0.2]
    world.sink.mails[-1].wall_s += 0.05  # the log was behind
    assert world.check(deaths=deaths, told=told) == []
    world.sink.mails[-1].wall_s += 0.3
    assert world.check(deaths=deaths, told=told) != []
    line = {"event": "sent", "id": world.first_id(), "time": "2026-11-20T13:05:00.250Z"}
    assert ledger.told_sent([line, line | {"time": "2026-11-20T13:05:01.000Z"}]) == {
        world.first_id(): 1795179900.25}


def dot_of(sink):
    """A client whose message is complete."""
    client = smtplib.SMTP(sink.host, sink.port)
    client.ehlo("client.test")
    for command in ("MAIL FROM:<a@acme.example>", "RCPT TO:<b@acme.example>", "DATA"):
        assert client.docmd(command)[0] < 400
    client.send(b"Subject: hello\r\n\r\nhello\r\n.\r\n")
    return client


def test_the_sink_knows_whether_its_answer_was_read():
    with Sink() as sink:
        client = dot_of(sink)
        assert client.getreply()[0] == 250
        mail, = sink.mails
        assert not mail.heard
        client.noop()
        assert mail.heard and not mail.left
        client.close()

        arrived, gone = threading.Event(), threading.Event()

        def be_busy(*_):  # with whatever: nothing else is read or noticed until it has answered
            arrived.set()
            gone.wait(harness.WAIT_S)
        sink.data_reply = be_busy
        client = dot_of(sink)
        arrived.wait(harness.WAIT_S)
        client.sock.shutdown(socket.SHUT_RDWR)  # as the relay does when a transaction's time is over
        harness.wait_until(lambda: client.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
                           == FIN_WAIT2, "the sink's end to know it")
        gone.set()
        harness.wait_until(lambda: len(sink.accepted) == 2 and sink.accepted[1].left, "its answer")
        assert not sink.accepted[1].heard
        client.close()


def test_what_was_not_acknowledged_may_be_absent_or_complete_but_no_more_than_once():
    world = World()
    third = ledger.secret_payload()
    world.client.posted(third)
    assert world.check() == []
    third_id = "0193aaaa-0000-7000-8000-000000000003"
    world.sink.got(third, third_id)
    assert world.check() != []  # nobody knows of it any more
    world.rows.append({"id": third_id, "state": "sent", "reason": None,
                       "recipient": third["recipient"]})
    assert world.check() == []
    world.sink.got(third, third_id)
    assert world.check() != []


@pytest.mark.parametrize("line", [
    '{{"event":"sent","reply":"250 {code} ok"}}', "code={code}", "https://x.example/?token={code}",
    "{body}"])
def test_a_secret_in_a_line_is_found(line):
    world = World()
    clean = ['{"event":"accepted","id":"0193aaaa"}', "", "reader1@example.com"]
    assert ledger.check_output(world.client, clean) == []
    secret = line.format(code=payloads.code_of(world.two), body=world.two["body"])
    assert ledger.check_output(world.client, [*clean, secret])


def test_the_folder_is_judged(tmp_path):
    for name in ("queue.db", "queue.lock", "queue.key", "dots"):
        (tmp_path / name).touch(0o600)
    (tmp_path / "queue.db-wal").touch(0o600)
    assert ledger.check_folder(tmp_path) == []
    (tmp_path / "queue.db-wal").write_bytes(b"x")
    assert ledger.check_folder(tmp_path) != []
    assert ledger.check_folder(tmp_path, stopped=False) == []
    (tmp_path / "queue.db-wal").unlink()
    os.chmod(tmp_path / "queue.key", 0o640)
    assert ledger.check_folder(tmp_path) != []
    os.chmod(tmp_path / "queue.key", 0o600)
    (tmp_path / "queue.db.tmp").touch(0o600)
    assert ledger.check_folder(tmp_path) != []


def test_a_suite_that_tried_nothing_has_failed_unless_it_says_why():
    assert Result("nothing").failed
    assert not Result("something", points=3).failed
    assert Result("something", points=3, violations=["O1"]).failed
    skipped = Result("elsewhere", skipped_reason="no loop devices")
    assert not skipped.failed
    assert list(skipped.report()) == ["SKIPPED elsewhere: no loop devices"]
