"""What becomes of a message when the smarthost takes it, refuses it, breaks off or is away."""
import json
import re
import threading

import payloads
import pytest
import relay as harness
import sink as sink_module


def test_a_code_arrives_in_the_readers_language(relay, sink):
    """No language in traits: the browser's decides."""
    made = payloads.login_code(
        language=None, headers={"Accept-Language": ["de-CH,de;q=0.9,en;q=0.5"]})
    with relay:
        message_id = relay.accept(made)
        mail, = sink.wait_for(1)
        relay.wait_for("sent", id=message_id)
        row = relay.state(message_id)
    assert mail.recipient == made["recipient"] and mail.sender == "no-reply@acme.example"
    assert mail.language.startswith("de")
    assert payloads.code_of(made) in mail.text() and payloads.code_of(made) in mail.text("html")
    assert "Acme" in mail.parsed["From"] and mail.parsed["To"] == made["recipient"]
    assert message_id in mail.message_id
    assert (row["state"], row["template"], row["lane"], row["attempts"]) == (
        "sent", "login_code_valid", "code", 1)


def test_everybody_gets_his_own_code(relay, sink):
    """Many at a time over kept connections: recipient and code are never mixed up."""
    made = [payloads.login_code() for _ in range(200)]
    with relay:
        def post(part):
            for payload in part:
                relay.accept(payload)
        threads = [threading.Thread(target=post, args=[made[start::8]]) for start in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        mails = sink.wait_for(len(made))
    got = {mail.recipient: mail for mail in mails}
    assert len(mails) == len(got) == len(made)
    all_codes = set(map(payloads.code_of, made))
    for payload in made:
        words = set(re.findall(r"\d+", got[payload["recipient"]].text()))
        assert words & all_codes == {payloads.code_of(payload)}


@pytest.mark.parametrize("stage, reply", [
    ("rcpt", "451 4.7.1 greylisted, try again"), ("dot", "451 4.3.0 try again later")])
def test_a_temporary_refusal_is_tried_again(relay, sink, stage, reply):
    refusals = iter([reply])
    setattr(sink, "data_reply" if stage == "dot" else "rcpt_reply",
            lambda *_: next(refusals, None))
    with relay:
        message_id = relay.accept(payloads.login_code())
        attempt = relay.wait_for("attempt", id=message_id, outcome="temporary")
        relay.wait_for("sent", id=message_id)
        row = relay.state(message_id)
    assert attempt["reply_code"] == 451
    assert (row["state"], row["attempts"]) == ("sent", 2)
    assert len({mail.message_id for mail in sink.mails}) == 1


@pytest.mark.parametrize("stage, reply", [
    ("rcpt", "550 5.1.1 no such user"), ("dot", "554 5.6.0 content refused")])
def test_a_permanent_refusal_ends_as_failed(relay, sink, stage, reply):
    setattr(sink, "data_reply" if stage == "dot" else "rcpt_reply", lambda *_: reply)
    with relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("failed", id=message_id)
        row = relay.state(message_id)
    assert (row["state"], row["attempts"]) == ("failed", 1)
    assert row["last_reply"].startswith(reply[:3])
    assert sink.refused["dot" if stage == "dot" else "rcpt"] == 1


def test_a_refused_sender_is_the_operators_fault_and_charged_to_nobody(relay, sink):
    sink.mail_reply = lambda *_: "550 5.7.1 sender not allowed"
    with relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        relay.wait_for("smarthost_down")
        assert {relay.state(one)["state"] for one in ids} == {"queued"}
        sink.mail_reply = lambda *_: None
        sink.wait_for(3)
        relay.wait_for("smarthost_up")
        for one in ids:
            relay.wait_for("sent", id=one)
        assert {relay.state(one)["attempts"] for one in ids} == {1}


def test_a_refusing_greeting_is_charged_to_nobody(relay, sink):
    sink.greeting = "554 5.3.2 not now"
    with relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("smarthost_down")
        sink.greeting = None
        relay.wait_for("sent", id=message_id)
        assert relay.state(message_id)["attempts"] == 1
    assert len(sink.mails) == 1


def test_a_smarthost_that_is_down_and_comes_up(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        made = [payloads.login_code() for _ in range(5)]
        ids = [relay.accept(payload) for payload in made]
        relay.wait_for("smarthost_down")
        assert relay.request("GET", "/health/ready").status == 200
        assert [relay.state(one)["state"] for one in ids] == ["queued"] * 5
        sink.up()
        mails = sink.wait_for(5)
        relay.wait_for("smarthost_up")
        for one in ids:
            relay.wait_for("sent", id=one)
        assert [relay.state(one)["attempts"] for one in ids] == [1] * 5
    assert sorted(mail.recipient for mail in mails) == sorted(
        payload["recipient"] for payload in made)


def test_an_unknown_outcome_is_sent_again_under_the_same_message_id(relay, sink):
    drops = iter([sink_module.Sink.DROP])
    sink.data_reply = lambda *_: next(drops, None)
    with relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("attempt", id=message_id, outcome="unknown")
        relay.wait_for("sent", id=message_id)
    assert len(sink.mails) == 2
    assert len({mail.message_id for mail in sink.mails}) == 1


def test_after_three_unknown_outcomes_no_further_copy_is_sent(relay, sink):
    sink.data_reply = lambda *_: sink_module.Sink.DROP
    with relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("unknown", id=message_id)
        assert relay.state(message_id)["state"] == "unknown"
    assert len(sink.mails) == 3
    assert len({mail.message_id for mail in sink.mails}) == 1


def test_nothing_is_sent_after_its_deadline(start_relay):
    """A code of one minute, less a margin of 59 s, whose smarthost is down for that second."""
    with sink_module.Sink(listening=False) as sink, \
            start_relay(sink, deadline_margin="59s") as relay:
        dead = relay.accept(payloads.login_code(minutes=1))
        relay.wait_for("expired", id=dead, level="warning")  # it never had a chance
        assert relay.state(dead)["state"] == "expired"
        alive = payloads.login_code(minutes=15)
        relay.accept(alive)
        sink.up()
        assert [mail.recipient for mail in sink.wait_for(1)] == [alive["recipient"]]
    assert len(sink.mails) == 1


def test_the_text_states_the_minutes_that_remain(relay, sink):
    with relay:
        relay.accept(payloads.login_code(minutes=7))
        mail, = sink.wait_for(1)
    assert "7 minutes" in mail.text() and "7 minutes" in mail.text("html")


def test_a_later_attempt_states_the_minutes_that_remain_then(start_relay, sink):
    """96 s are two minutes when rounded for six seconds, and after two refusals one: the pauses are
    of 1.8 and 4.5 s at least."""
    refusals = iter(["451 4.3.0 try again later"] * 2)
    sink.data_reply = lambda *_: next(refusals, None)
    with start_relay(sink, lifetime="login_code_valid=96s") as relay:
        message_id = relay.accept(payloads.login_code(minutes=15))
        relay.wait_for("sent", id=message_id)
    first, _, last = sink.mails
    assert "2 minutes" in first.text() and "1 minute" in last.text()
    assert "2 minutes" not in last.text() + last.text("html")


def test_the_second_smarthost_is_used_while_the_first_is_down(start_relay):
    with sink_module.Sink(listening=False) as first, sink_module.Sink() as second:
        uris = f"{harness.smtp_uri(first)},{harness.smtp_uri(second)}"
        with start_relay(None, smtp_uri=uris) as relay:
            message_id = relay.accept(payloads.login_code())
            second.wait_for(1)
            relay.wait_for("sent", id=message_id)
            row = json.loads(relay.command("queue", "show", message_id, "--json").stdout)
    assert row["smarthost"].endswith(str(second.port)) and row["attempts"] == 1
    assert [(attempt["outcome"], attempt["smarthost"]) for attempt in row["history"]] == [
        ("session", f"127.0.0.1:{first.port}"), ("sent", f"127.0.0.1:{second.port}")]


def test_a_file_smarthost_writes_each_mail(start_relay, tmp_path):
    folder = tmp_path / "mails"
    folder.mkdir()
    made = payloads.login_code()
    with start_relay(None, smtp_uri=f"file:{folder}") as relay:
        message_id = relay.accept(made)
        relay.wait_for("sent", id=message_id)
    path, = folder.iterdir()
    assert path.suffix == ".eml"
    parsed = sink_module.Mail(None, None, path.read_bytes(), None)
    assert payloads.code_of(made) in parsed.text() and parsed.parsed["To"] == made["recipient"]
