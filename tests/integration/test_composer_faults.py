"""A normaliser that throws, loops or eats memory, and a payload that kills the composer.

The normaliser misbehaves on marked payloads only, as a broken one does in life. Such a message
falls back to Kratos' own text; its neighbours get their localized mail.
"""

import payloads
import pytest
import relay as harness

NORMALISER = """
local endless(n) = endless(n + 1) tailstrict;
local bomb(text) = bomb(text + text) tailstrict;
function(payload)
  local data = payload.template_data;
  local mischief = std.get(data.transient_payload, 'mischief', '');
  if mischief == 'throw' then error 'the code is ' + data.login_code
  else if mischief == 'loop' then endless(0)
  else if mischief == 'memory' then std.length(bomb('0123456789abcdef'))
  else if mischief == 'not canonical' then { surprise: [1, 2, 3] }
  else if mischief == 'nothing' then null
  else {
    channel: 'email', template: payload.template_type, to: payload.recipient,
    data: { code: data.login_code }, locales: ['en'],
    expires_in_minutes: data.expires_in_minutes,
    fallback: { subject: payload.subject, text: payload.body, html: null },
  }
"""
OWN_TEXT = "with the following code"


@pytest.fixture
def normaliser(tmp_path):
    path = tmp_path / "normaliser.jsonnet"
    path.write_text(NORMALISER)
    return path


def mischief(kind):
    made = payloads.login_code()
    made["template_data"]["transient_payload"]["mischief"] = kind
    return made


def deliver_between_neighbours(relay, sink, kind):
    """Posts a good one, a bad one, a good one; gives the bad one's mail."""
    before, bad, after = payloads.login_code(), mischief(kind), payloads.login_code()
    ids = [relay.accept(made) for made in (before, bad, after)]
    mails = {mail.recipient: mail for mail in sink.wait_for(3, timeout=60)}
    for one in ids:
        relay.wait_for("sent", id=one)
    for made in (before, bad, after):
        assert payloads.code_of(made) in mails[made["recipient"]].text()
    for made in (before, after):
        assert OWN_TEXT not in mails[made["recipient"]].text()
    assert len(sink.mails) == 3
    return mails[bad["recipient"]]


@pytest.mark.parametrize("kind", ["throw", "loop"])
def test_what_the_normaliser_cannot_do_goes_out_with_kratos_own_text(
        start_relay, sink, normaliser, kind):
    with start_relay(sink, normaliser=normaliser) as relay:
        mail = deliver_between_neighbours(relay, sink, kind)
        # An error text may quote the payload, so none of it may be in the log.
        assert "the code is" not in "\n".join(relay.lines) + relay.stderr()
    assert OWN_TEXT in mail.text()


def test_a_normaliser_that_eats_memory(start_relay, sink, normaliser):
    """On the release build: a limit of address space and ASan do not go together."""
    with start_relay(sink, normaliser=normaliser, build=harness.RELEASE_BUILD) as relay:
        mail = deliver_between_neighbours(relay, sink, "memory")
    assert OWN_TEXT in mail.text()


def test_a_payload_that_kills_the_composer_is_retried_in_another(start_relay, sink, normaliser):
    """Two composers die of it, and the core and everybody else live on."""
    with start_relay(sink, normaliser=normaliser, build=harness.RELEASE_BUILD) as relay:
        first = set(relay.children("composer"))
        core = relay.process.pid
        message_id = relay.accept(mischief("memory"))
        relay.wait_for("sent", id=message_id)
        harness.wait_until(lambda: relay.children("composer"), "a new composer")
        assert not first & set(relay.children("composer")) or len(first) > 1
        assert relay.process.pid == core and relay.process.poll() is None
        other = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=other)
    assert len(sink.mails) == 2


def test_what_is_no_canonical_mail_is_parked_or_falls_back(start_relay, sink, normaliser):
    with start_relay(sink, normaliser=normaliser) as relay:
        message_id = relay.accept(mischief("not canonical"))
        row = relay.state(message_id)
        assert row["state"] in ("parked", "sent", "queued")
        if row["state"] == "parked":
            assert row["reason"] == "not_canonical"


def test_nothing_to_send_ends_as_cancelled(start_relay, sink, normaliser):
    with start_relay(sink, normaliser=normaliser) as relay:
        message_id = relay.accept(mischief("nothing"))
        row = relay.state(message_id)
        assert (row["state"], row["reason"]) == ("cancelled", "nothing_to_send")
    assert not sink.mails


def test_an_array_is_split_into_messages(start_relay, sink, tmp_path):
    path = tmp_path / "split.jsonnet"
    body, end, _ = NORMALISER.rpartition("  }\n")
    path.write_text(body.replace("else {\n    channel", "else [{\n    channel") + end.replace(
        "}", "} + { to: prefix + payload.recipient } for prefix in ['', 'second.']]"))
    made = payloads.login_code()
    with start_relay(sink, normaliser=path) as relay:
        relay.accept(made)
        mails = sink.wait_for(2)
        relay.wait_for("sent", count=2)
        assert len({row["id"] for row in relay.queue_list()}) == 2
    assert {mail.recipient for mail in mails} == {
        made["recipient"], "second." + made["recipient"]}
    assert len({mail.message_id for mail in mails}) == 2


def test_files_are_not_imported(start_relay, sink, tmp_path):
    secret = tmp_path / "secret.libsonnet"
    secret.write_text("{ text: 'IMPORTED' }")
    path = tmp_path / "importing.jsonnet"
    path.write_text(f"local secret = import '{secret}';\n" + NORMALISER.replace(
        "data: { code: data.login_code }", "data: { code: secret.text }"))
    with start_relay(sink, normaliser=path) as relay:
        relay.accept(payloads.login_code())
        mail, = sink.wait_for(1)
    assert OWN_TEXT in mail.text() and "IMPORTED" not in mail.text()
    assert "IMPORTED" not in "\n".join(relay.lines) + relay.stderr()
