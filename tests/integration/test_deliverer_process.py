"""The deliverer as the core sees it: the binary, its socket, the dot marks, a smarthost.

Over both drivers where both can meet it. What each fault of a smarthost comes to is in
test_smtp_faults.py, TLS and AUTH in test_tls.py and test_auth.py.
"""
import fcntl
import os
import signal
import struct
import termios
import threading
import time

import pytest
import relay as harness
from deliverer import BODY, Deliverer, Dots, boot_ms, expect
from smtp_server import SmtpServer, after, drip, drop, hang, reply, reset, then_drop

DRIVERS = ["esmtp", "curl"]
# More than the kernel keeps for a peer that does not read.
HUGE = BODY % b"huge" + (b"y" * 76 + b"\r\n") * 150000


# ---- sent --------------------------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_a_message_arrives_as_it_was_and_its_verdict_is_marked(server, start, driver):
    deliverer = start(server, driver)
    name = deliverer.deliver()
    result = deliverer.result(name)
    expect(result, "sent", "dot", 250)
    assert result["enhanced_code"] == "2.0.0" and result["reply_text"].startswith("queued as 1-")
    assert result["address"] == f"127.0.0.1:{server.port}" and result["tls"] is None
    assert result["certificate_ends_ms"] is None
    [message] = server.messages
    assert message.data == BODY % name.encode()
    assert (message.sender, message.recipients) == ("no-reply@acme.example", ["zoe@example.com"])
    if driver == "esmtp":
        assert f"SIZE={len(message.data)}" in message.parameters
    assert server.commands[0] == (1, "EHLO relay.example.com")
    assert deliverer.dots[0] == (Dots.VERDICT, 250)


@pytest.mark.parametrize("dots", range(4))
@pytest.mark.parametrize("driver", DRIVERS)
def test_lines_that_begin_with_a_dot(server, start, driver, dots):
    deliverer = start(server, driver)
    long = b"x" * 76 + b"\r\n"
    body = BODY % b"dots" + b".\r\n" * dots + long * (65536 // len(long)) + b"." * dots + b"\r\n"
    expect(deliverer.send_one(body=body), "sent", "dot", 250)
    assert server.messages[0].data == body
    assert deliverer.dots[0] == (Dots.VERDICT, 250)


def test_a_message_over_the_limit_that_ehlo_told(start):
    with SmtpServer(offers=["SIZE 100"]) as server:
        expect(start(server, "curl").send_one(), "unable", "rcpt")
        assert "MAIL" not in server.verbs()


@pytest.mark.parametrize("offers", [[], ["PIPELINING"], ["CHUNKING"], ["CHUNKING", "PIPELINING"]])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_is_kept_for_a_hundred_messages(start, driver, offers):
    with SmtpServer(offers=offers) as server:
        deliverer = start(server, driver)
        sent = [deliverer.deliver() for _ in range(1)]
        for _ in range(99):
            expect(deliverer.result(sent[-1]), "sent", "dot", 250)
            sent.append(deliverer.deliver())
        deliverer.result(sent[-1])
        # libesmtp holds what it has sent until its session ends, so that has a limit of 25.
        assert server.connections == (4 if driver == "esmtp" else 1)
        assert [message.data for message in server.messages] == \
            [BODY % name.encode() for name in sent]


@pytest.mark.parametrize("driver", DRIVERS)
def test_many_messages_share_the_connections_allowed(server, start, driver):
    server.on("mail", after(0.05), times=8)
    deliverer = start(server, driver, connections=4)
    names = [deliverer.deliver(recipient=f"r{i}@example.com") for i in range(40)]
    for name in names:
        expect(deliverer.result(name), "sent", "dot", 250)
    assert server.connections <= 8
    pairs = {message.message_id: message.recipients for message in server.messages}
    assert pairs == {f"<{name}@acme.example>": [f"r{i}@example.com"]
                     for i, name in enumerate(names)}


@pytest.mark.parametrize("driver", DRIVERS)
def test_an_idle_connection_is_quit(server, start, driver):
    deliverer = start(server, driver, idle_ms=100)
    deliverer.send_one()
    server.wait_until(lambda: server.open_connections == 0)
    assert server.verbs()[-1] == "QUIT"
    expect(deliverer.send_one(), "sent", "dot", 250)


@pytest.mark.parametrize("say", ["nothing", "421", "250"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_kept_connection_that_is_of_no_use_is_not_the_messages_fault(server, start, driver, say):
    kept = []
    server.on("dot", lambda connection, ordinary: (kept.append(connection),
                                                   connection.say(ordinary)))
    deliverer = start(server, driver)
    deliverer.send_one()
    if say == "421":
        server.on("mail", then_drop("421 4.4.2 idle for too long"), times=1)
    elif say == "250":
        kept[0].send(b"250 2.0.0 unasked\r\n")  # of what would that be the answer?
        harness.wait_until(lambda: not unacknowledged(kept[0].socket), "it to be there")
    else:
        server.drop_connections()
    expect(deliverer.send_one(), "sent", "dot", 250)
    assert server.connections == 2 and len(server.messages) == 2


def unacknowledged(connected):
    """How many bytes the peer's end has not got yet."""
    return struct.unpack("i", fcntl.ioctl(connected, termios.TIOCOUTQ, bytes(4)))[0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_kept_connection_that_closes_at_mail_is_tried_once_more_only(server, start, driver):
    deliverer = start(server, driver)
    deliverer.send_one()
    server.on("mail", drop())
    expect(deliverer.send_one(), "session", "mail")
    assert server.connections == 2


# ---- replies -----------------------------------------------------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_the_reply_is_masked_and_cut(server, start, driver):
    server.on("rcpt", reply("550 5.1.1 <zoe@example.com> 123456 https://x.example/?flow=1 "
                            "\x07id 1234567890 " + "long " * 60))
    result = start(server, driver).send_one()
    assert result["reply_text"].startswith("<[address]> **** [link]  id 1234567890 long long")
    assert len(result["reply_text"]) <= 200


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("stage", ["rcpt", "dot"])
def test_a_code_in_another_shape_is_not_shown_either(server, start, driver, stage):
    deliverer = start(server, driver)
    for said, enhanced, text in (
            ("550 5.7.1 no 482-913", "5.7.1", "no ****"),
            ("550 5.7.1 no %34%38%32%39%31%33", "5.7.1", "no ****"),
            ("550 5.482.913 no", None, "no"),
            ("550-5.7.1 no 482\n550 5.7.1 913 that is", "5.7.1", "no ****"),
            ("550 5.1.1 Zoe is unknown, as 482 is", "5.1.1", "[address] is unknown, as 482 is")):
        server.on(stage, reply(said), times=1)
        result = deliverer.send_one(mask=b"482913\n")
        expect(result, "permanent", stage, 550)
        assert (result["enhanced_code"], result["reply_text"]) == (enhanced, text), said


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_no_enhanced_code_is_not_made_one(server, start, driver):
    """libesmtp takes any numbers for one, of which some were a code."""
    deliverer = start(server, driver)
    for said in ("482.913.1 no", "5.99999.1 no", "5.-7.1 no", "9.7.1 no", "4829131234567 no"):
        server.on("rcpt", reply(f"550 {said}"), times=1)
        result = deliverer.send_one(mask=b"482913\n")
        expect(result, "permanent", "rcpt", 550)
        assert result["enhanced_code"] is None and result["reply_text"].endswith("no"), said
        assert "913" not in result["reply_text"]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_body_of_a_refused_recipient_stays_here(start, driver):
    with SmtpServer(offers=["PIPELINING", "CHUNKING"]) as server:
        server.on("rcpt", reply("450 4.2.0 greylisted"), times=1)
        server.on("rcpt", reply("550 5.1.1 unknown"), times=1)
        deliverer = start(server, driver)
        expect(deliverer.send_one(), "temporary", "rcpt", 450)
        assert deliverer.dots[0] == (Dots.FREE, 0)
        expect(deliverer.send_one(), "permanent", "rcpt", 550)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert len(server.messages) == 1
        assert "BDAT" not in server.verbs() # libesmtp lets nobody overhear what answers it


@pytest.mark.parametrize("how", [drop(), reset(), then_drop("421 4.3.2 going down")],
                         ids=["drop", "reset", "421"])
@pytest.mark.parametrize("stage", ["mail", "rcpt"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_smarthost_that_takes_chunks_and_leaves_takes_no_process_with_it(start, driver, stage,
                                                                           how):
    """libesmtp calls what is no function where chunks are under way that are never answered."""
    with SmtpServer(offers=["PIPELINING", "CHUNKING"]) as server:
        deliverer = start(server, driver)
        server.on(stage, how, times=1)
        result = deliverer.send_one()
        assert (result["outcome"], result["stage"]) == (
            "session" if stage == "mail" else "temporary", stage)
        assert deliverer.dots[0] == (Dots.FREE, 0)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert len(server.messages) == 1


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_whole_transaction_has_a_limit(server, start, driver):
    server.on("mail", drip(0.1, "250 " + "x" * 900))
    began = time.monotonic()
    expect(start(server, driver, timeout_ms=3000).send_one(), "session", "mail")
    assert time.monotonic() - began < 60  # and not the ninety that the answer takes


# ---- the gate before the dot ----------------------------------------------------------------------

@pytest.mark.parametrize("offers", [["PIPELINING"], ["PIPELINING", "CHUNKING"]])
@pytest.mark.parametrize("driver", DRIVERS)
def test_no_dot_follows_where_the_deadline_passed_on_the_way(start, driver, offers):
    with SmtpServer(offers=offers) as server:
        deliverer = start(server, driver)
        deadline_ms = boot_ms() + 3000  # enough to begin with it
        server.on("rcpt", lambda connection, ordinary: (
            time.sleep(max(0, deadline_ms - boot_ms()) / 1000 + 0.01), connection.say(ordinary)))
        result = deliverer.send_one(deadline_boot_ms=deadline_ms)
        server.wait_until(lambda: server.open_connections == 0)
        expect(result, "expired", "body")
        assert server.messages == [] and b"\r\n.\r\n" not in b"".join(server.stray)
        assert "BDAT 0 LAST" not in [line for _, line in server.commands]
        assert deliverer.dots[0] == (Dots.FREE, 0)


def test_what_has_expired_is_not_begun(server, start):
    expect(start(server).send_one(deadline_boot_ms=boot_ms()), "expired", "connect")
    assert server.connections == 0


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail", "rcpt", "data"])
def test_a_cut_before_the_dot(server, start, driver, stage):
    reached = []

    def note_and_hang(connection, ordinary):
        server.note(lambda: reached.append(connection.number))
        hang()(connection, ordinary)
    server.on(stage, note_and_hang)
    deliverer = start(server, driver)
    other = deliverer.deliver(recipient="other@example.com")
    name = deliverer.deliver()
    server.wait_until(lambda: len(reached) == 2)
    deliverer.wait_until_it_waits()
    began = time.monotonic()
    deliverer.cut(name)
    expect(deliverer.result(name), "cut", stage)
    assert other not in deliverer.answers
    deliverer.cut()
    expect(deliverer.result(other), "cut", stage)
    assert time.monotonic() - began < 30 and server.messages == []  # the limit is 60 s or more
    assert deliverer.dots[0] == deliverer.dots[1] == (Dots.FREE, 0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_cut_after_the_dot_leaves_the_outcome_unknown(server, start, driver):
    server.on("dot", hang())
    deliverer = start(server, driver)
    name = deliverer.deliver()
    server.wait_for(1)
    deliverer.cut(name)
    expect(deliverer.result(name), "unknown", "dot")
    assert deliverer.dots[0] == (Dots.BEGUN, 0)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_cut_while_connecting(start, driver):
    with SmtpServer(door="jammed") as server:
        deliverer = start(server, driver, connect_timeout_ms=60000)
        name = deliverer.deliver()
        deliverer.wait_until_it_connects()
        began = time.monotonic()
        deliverer.cut(name)
        expect(deliverer.result(name), "cut", "connect")
        assert time.monotonic() - began < 30  # and not sixty


@pytest.mark.parametrize("driver", DRIVERS)
def test_one_that_stood_still_while_connecting_goes_on_with_it(start, driver):
    with SmtpServer(door="jammed") as server:
        deliverer = start(server, driver, connect_timeout_ms=60000)
        name = deliverer.deliver()
        deliverer.wait_until_it_connects()
        deliverer.process.send_signal(signal.SIGSTOP)
        os.waitpid(deliverer.process.pid, os.WUNTRACED)
        deliverer.process.send_signal(signal.SIGCONT)
        deliverer.wait_until_it_waits()
        deliverer.cut(name)
        expect(deliverer.result(name), "cut", "connect")


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("stage", ["greeting", "ehlo", "mail"])
def test_a_smarthost_that_says_nothing_is_found_out_before_the_whole_time_is_over(
        server, start, driver, stage):
    server.on(stage, hang())
    deliverer = start(server, driver, connect_timeout_ms=1500, timeout_ms=600000)
    began = time.monotonic()
    expect(deliverer.send_one(), "session", stage)
    assert time.monotonic() - began >= 2.99  # twice connect_timeout_ms, by a clock of milliseconds


@pytest.mark.parametrize("driver", DRIVERS)
def test_once_it_has_taken_mail_a_smarthost_has_the_whole_time(server, start, driver):
    server.on("rcpt", hang())
    deliverer = start(server, driver, connect_timeout_ms=1500, timeout_ms=5000)
    began = time.monotonic()
    expect(deliverer.send_one(), "temporary", "rcpt")
    assert time.monotonic() - began >= 4.99


def test_what_has_waited_for_its_connection_has_its_limit_as_well(server, start):
    """Nobody wakes the thread that watches when the connection's own thread takes the next one."""
    judged = threading.Event()
    server.on("dot", lambda connection, ordinary: (judged.wait(60), connection.say(ordinary)),
              times=1)
    deliverer = start(server, connections=1, connect_timeout_ms=1500)
    first, second = deliverer.deliver(), deliverer.deliver()
    server.wait_for(1)
    server.on("mail", hang())
    judged.set()
    expect(deliverer.result(first), "sent", "dot", 250)
    began = time.monotonic()
    expect(deliverer.result(second), "session", "mail")
    assert time.monotonic() - began < 60  # three, and not the ninety of the whole transaction


def test_a_cut_of_one_that_waits(server, start):
    server.on("mail", hang())
    deliverer = start(server, connections=1)
    first, second = deliverer.deliver(), deliverer.deliver()
    server.wait_until(lambda: "MAIL" in server.verbs())
    deliverer.cut(second)
    expect(deliverer.result(second), "cut", "connect")
    deliverer.cut()
    expect(deliverer.result(first), "cut", "mail")


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_mark_is_there_before_the_dot_is(server, start, driver):
    seen = []
    deliverer = start(server, driver)
    server.on("dot", lambda connection, ordinary: (seen.append(deliverer.dots[0]),
                                                   connection.say(ordinary)))
    server.on("body", lambda connection, ordinary: seen.append(deliverer.dots[0]), times=1)
    big = BODY % b"big" + (b"y" * 76 + b"\r\n") * 100000
    expect(deliverer.send_one(body=big), "sent", "dot", 250)
    assert seen == [(Dots.FREE, 0), (Dots.BEGUN, 0)]


# ---- SMTPUTF8, unfit messages, the folder, the protocol -----------------------------------------

@pytest.mark.parametrize("driver", DRIVERS)
def test_a_recipient_that_needs_smtputf8_where_it_is_not_offered(server, start, driver):
    deliverer = start(server, driver)
    deliverer.send_one()
    result = deliverer.send_one(recipient="zoë@example.com", smtputf8=True)
    expect(result, "unable", "rcpt")
    assert "SMTPUTF8" in result["reply_text"]
    assert len(server.messages) == 1
    expect(deliverer.send_one(), "sent", "dot", 250)


@pytest.mark.parametrize("driver", DRIVERS)  # libesmtp cannot, so libcurl does it there as well
def test_a_recipient_that_needs_smtputf8_where_it_is_offered(start, driver):
    with SmtpServer(offers=["SMTPUTF8"]) as server:
        deliverer = start(server, driver)
        deliverer.send_one()
        expect(deliverer.send_one(recipient="zoë@example.com", smtputf8=True), "sent", "dot", 250)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert server.messages[1].recipients == ["zoë@example.com"]
        assert "SMTPUTF8" in server.messages[1].parameters
        assert "SMTPUTF8" not in server.messages[0].parameters + server.messages[2].parameters


@pytest.mark.parametrize("fields, stage", [
    ({"recipient": "a@b.example>\r\nRCPT TO:<x@y.example"}, "rcpt"),
    ({"recipient": "a b@c.example"}, "rcpt"),
    ({"sender": "a@b.example\n"}, "rcpt"),
    ({"body": b"Subject: x\r\n\r\nbare\nline\r\n"}, "body"),
    ({"body": b"Subject: x\r\n\r\nbare\r.\r\n"}, "body"),
    ({"body": b"Subject: x\r\n\r\n" + b"y" * 999 + b"\r\n"}, "body"),
    ({"body": b"Subject: x\r\n\r\nno end"}, "body"),
    ({"body": b""}, "body"),
])
def test_what_is_unfit_for_smtp_comes_near_no_smarthost(server, start, fields, stage):
    expect(start(server).send_one(**fields), "permanent", stage)
    assert server.connections == 0


def test_the_folder_instead_of_a_smarthost(tmp_path, start):
    folder = tmp_path / "mails"
    folder.mkdir()
    deliverer = start(None, "file", dir=str(folder), host=None, helo=None, tls=None)
    name = deliverer.deliver()
    expect(deliverer.result(name), "sent", "dot", 250)
    [path] = folder.iterdir()
    assert path.name == f"{name}.eml" and path.read_bytes() == BODY % name.encode()
    assert path.stat().st_mode & 0o777 == 0o600
    assert deliverer.dots[0] == (Dots.VERDICT, 250)


def test_a_folder_that_went_away_is_the_smarthosts_fault(tmp_path, start):
    folder = tmp_path / "mails"
    folder.mkdir()
    deliverer = start(None, "file", dir=str(folder), host=None, helo=None, tls=None)
    folder.rmdir()
    result = deliverer.send_one()
    assert result["outcome"] == "session", result


@pytest.mark.parametrize("init, where", [
    ({"host": None}, "host"), ({"host": "a b"}, "host"), ({"port": 0}, "port"),
    ({"connections": 0}, "connections"), ({"helo": "a\r\nb"}, "helo"), ({"user": "u"}, "password"),
    ({"auth": "plain"}, "user"), ({"auth": "xoauth2", "user": "u", "password": ""}, "token_file"),
    ({"token_file": "/t", "user": "u", "password": ""}, "token_file"),
])
def test_settings_that_are_of_no_use_are_told(tmp_path, init, where):
    deliverer = Deliverer(tmp_path, **{"port": 25, **init})
    assert deliverer.first["op"] == "faults"
    assert deliverer.first["faults"][0]["where"] == where
    assert deliverer.process.wait(60) != 0
    assert deliverer.process.stderr.read() == b"", "told once: by the frame"
    deliverer.socket.close()


def test_a_folder_that_is_not_there_is_told_by_frame_alone(tmp_path):
    deliverer = Deliverer(tmp_path, 1, driver="file", dir=str(tmp_path / "none"), host=None)
    assert deliverer.first["op"] == "faults"
    assert "No such file" in deliverer.first["faults"][0]["what"]
    assert deliverer.process.wait(60) != 0
    assert deliverer.process.stderr.read() == b""
    deliverer.socket.close()


def test_it_ends_at_once_when_the_core_has_gone(server, start):
    server.on("mail", hang())
    deliverer = start(server)
    deliverer.deliver()
    server.wait_until(lambda: "MAIL" in server.verbs())
    began = time.monotonic()
    assert "secret" not in deliverer.close()
    assert time.monotonic() - began < 30  # and not sixty, as MAIL has
