"""Codes, links, keys and passwords are in the mail, and in no other place that can be read."""
import pathlib
import re
import stat

import payloads
import pytest
import relay as harness
import sink as sink_module

CODE, TOKEN = "83640917", "canarytokenq7x2v9"
KEY, PASSWORD, BROWSER = "canary-key-5fb1c7d2e4a6", "canary-password-93bd", "CanaryBrowser/7.7"
VERSION = "7193.4"  # of a browser that is known by name
FIREFOX = f"Mozilla/5.0 (X11; Linux x86_64; rv:{VERSION}) Gecko/20100101 Firefox/{VERSION}"
SECRETS = (CODE, TOKEN, TOKEN.upper(), TOKEN[:9], KEY, PASSWORD, BROWSER, VERSION, "Gecko")


def scan(where, data):
    text = data if isinstance(data, bytes) else data.encode()
    for secret in SECRETS:
        assert secret.encode() not in text, f"{secret} in {where}"


def scan_processes(relay):
    for pid in (relay.process.pid, *relay.children()):
        for name in ("cmdline", "environ"):
            try:
                scan(f"{pid}/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
            except PermissionError:
                pass  # without root: then nobody else's is readable either


def scan_commands(relay, ids):
    for arguments in (["queue", "list"], ["queue", "list", "--json"], ["queue", "stats"],
                      *(["queue", "show", one] for one in ids),
                      *(["queue", "show", "--json", one] for one in ids), ["check"]):
        done = relay.command(*arguments, status=None)
        scan(arguments, done.stdout + done.stderr)


def scan_files(relay):
    for path in relay.queue_dir.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
        if path.is_file():
            scan(path, path.read_bytes())
    assert stat.S_IMODE(relay.queue_dir.stat().st_mode) == 0o700


def messages():
    headers = {"User-Agent": [BROWSER], "Cookie": [f"session={TOKEN}"]}
    return [payloads.login_code(code=CODE, headers=headers),
            payloads.login_code(code=CODE, headers={**headers, "User-Agent": [FIREFOX]}),
            payloads.recovery_link("0f3c0011", token=TOKEN, headers=headers)]


def quote(_envelope, mail):
    """What a filter might say of this mail: its secret, in other letters too, and cut off."""
    secret = TOKEN if TOKEN in mail.text() else CODE
    return f"554 5.7.1 spam: {secret} is in it, {secret.upper()}! {secret[:9]}"


@pytest.mark.parametrize("smarthost", ["takes all", "refuses, quoting", "is down"])
def test_nothing_shows(start_relay, smarthost):
    sink = sink_module.Sink(listening=smarthost != "is down")
    if smarthost == "refuses, quoting":
        sink.data_reply = quote
    with sink, start_relay(sink, api_key=KEY, log_level="debug") as relay:
        ids = []
        for made in messages():
            answer = relay.post(made, key=KEY)
            assert answer.status == 200
            scan("the answer", str(answer.headers))
            ids.append(answer.headers["X-Message-Id"])
        relay.post(messages()[0], key=KEY)
        relay.post(messages()[0], key=KEY + "x")
        relay.post(b'{"broken": "%s"' % CODE.encode(), key=KEY)
        ids.append(relay.post(b'{"broken": "%s",}' % CODE.encode(), key=KEY).headers["X-Message-Id"])
        for one in ids:
            relay.state(one)
        if smarthost == "refuses, quoting":
            quoted = relay.found("attempt", reply="spam: **** is in it, ****! ****")
            assert {attempt["id"] for attempt in quoted} >= set(ids[:3])
        scan_processes(relay)
        scan_commands(relay, ids)
        scan_files(relay)
    scan("the log", "\n".join(relay.lines))
    scan("standard error", relay.stderr())
    scan_files(relay)


def test_a_recipient_is_logged_as_a_hash_with_its_domain(relay, sink):
    with relay:
        sink.rcpt_reply = lambda envelope, recipient: (
            f"550 5.1.1 <{recipient}> is unknown, {recipient.split('@')[0]} is no user, "
            f"{recipient.replace('@', '%40')} no mailbox and {recipient.replace('@', ' at ')} none")
        refused = payloads.login_code("canary.person@example.com")
        relay.wait_for("failed", id=relay.accept(refused))
        sink.rcpt_reply = lambda *_: None
        relay.wait_for("sent", id=relay.accept(payloads.login_code("canary.other@example.com")))
        logged = relay.found("failed") + relay.found("sent")
    assert all(re.fullmatch(r"[0-9a-f]{8}@example\.com", event["recipient"]) for event in logged)
    assert len({event["recipient"] for event in logged}) == 2
    text = "\n".join(relay.lines) + relay.stderr()
    assert "canary.person" not in text and "canary.other" not in text


def test_a_normaliser_that_fails_quoting_the_payload_shows_nothing(start_relay, sink, tmp_path):
    normaliser = tmp_path / "failing.jsonnet"
    normaliser.write_text("function(payload) error 'what of ' + std.toString(payload)")
    with start_relay(sink, normaliser=normaliser, log_level="debug") as relay:
        message_id = relay.accept(messages()[0])
        relay.wait_for("compose_failed", count=2, id=message_id)
        relay.state(message_id)
    scan("the log", "\n".join(relay.lines))
    scan("standard error", relay.stderr())


@pytest.mark.parametrize("kind", ["password", "token"])
def test_what_the_smarthost_is_told_shows_nowhere(start_relay, sink, tmp_path, kind):
    """The sink offers no AUTH, so nothing may be sent, and the reason must not quote it."""
    token = tmp_path / "token"
    token.write_text(PASSWORD)
    user, query = {"password": (f"user:{PASSWORD}", ""),
                   "token": ("user", f"&auth=xoauth2&token_file={token}")}[kind]
    uri = f"smtp://{user}@127.0.0.1:{sink.port}/?disable_starttls=true{query}"
    with start_relay(None, smtp_uri=uri, log_level="debug") as relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("smarthost_down")
        assert relay.state(message_id)["state"] == "queued"
        scan_processes(relay)
        scan_commands(relay, [message_id])
        scan_files(relay)
    scan("the log", "\n".join(relay.lines))
    scan("standard error", relay.stderr())
    assert not sink.mails
