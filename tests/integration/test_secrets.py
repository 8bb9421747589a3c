"""Codes, links, keys and passwords are in the mail, and in no other place that can be read.

Every other test's relay is searched for them as well (canaries.py); here all that can be asked is.
"""
import json
import pathlib
import re
import socket
import stat

import admin_api
import canaries
import payloads
import pytest
import relay as harness
import sink as sink_module
import test_admin
from smtp_server import SmtpServer, reply

CODE, TOKEN = "83640917", "canarytokenq7x2v9"
KEY, PASSWORD, BROWSER = "canary-key-5fb1c7d2e4a6", canaries.PASSWORD, "CanaryBrowser/7.7"
VERSION = "7193.4"  # of a browser that is known by name
FIREFOX = f"Mozilla/5.0 (X11; Linux x86_64; rv:{VERSION}) Gecko/20100101 Firefox/{VERSION}"
ADMIN_KEYS = (admin_api.READ_KEY, admin_api.OPERATE_KEY, admin_api.OLD_KEY)
SECRETS = (CODE, TOKEN, TOKEN.upper(), TOKEN[:9], KEY, *ADMIN_KEYS, PASSWORD, BROWSER, VERSION, "Gecko")


def scan(where, data):
    text = data if isinstance(data, bytes) else data.encode()
    for secret in SECRETS:
        assert secret.encode() not in text, f"{secret} in {where}"


def scan_processes(relay):
    for pid in (relay.process.pid, *relay.children()):
        for name in ("cmdline", "environ"):
            try:
                scan(f"{pid}/{name}", pathlib.Path(f"/proc/{pid}/{name}").read_bytes())
            except (PermissionError, FileNotFoundError, ProcessLookupError):
                pass  # without root nobody else's is readable either; or it has ended


# Each by itself, and all of them: what they narrow is of no matter here.
FILTERS = {"state": "queued,held,sent,failed,parked", "lane": "code", "recipient": "eve@example.com",
           "template": "login_code_valid", "smarthost": "127.0.0.1:25", "reason": "no_recipient",
           "older-than": "1s", "newer-than": "1h", "since": "2026-01-31",
           "before": "2999-01-31T18:00:00Z", "limit": "100"}


def scan_commands(relay, ids):
    filters = [[f"--{name}", value] for name, value in FILTERS.items()]
    for arguments in (["queue", "list"], *(["queue", "list", *one] for one in filters),
                      ["queue", "list", "--json", *sum(filters, [])], ["queue", "list", "--json"],
                      ["queue", "stats"], ["queue", "stats", "--json"], ["queue", "check"],
                      ["queue", "export", "--json"],
                      *(["queue", verb, one] for one in ids for verb in ("show", "explain")),
                      *(["queue", verb, "--json", one] for one in ids for verb in ("show", "explain")),
                      ["check"], ["doctor"], ["doctor", "--json"], ["health"],
                      ["smarthosts"], ["smarthosts", "--json"],
                      ["queue", "hold", "--all", "--dry-run", "--json"]):
        done = relay.command(*arguments, status=None)
        assert done.returncode != 2, (arguments, done.stderr)
        scan(arguments, done.stdout + done.stderr)


def scan_admin_api(relay, ids):
    for door in (admin_api.AdminApi(relay, by_owner=True), *(
            admin_api.AdminApi(relay, key) for key in (admin_api.READ_KEY, "wrong")
            if relay.settings["admin_listen"] != "off" and relay.events)):
        for path in ("/admin/messages", "/admin/messages?page_size=1", "/admin/stats",
                     "/admin/smarthosts", "/metrics", *(f"/admin/messages/{one}" for one in ids),
                     f"/admin/messages/{TOKEN}", f"/admin/messages?recipient={CODE}@example.com&x"):
            answer = door.request("GET", path)
            body = answer.body.replace(path.encode(), b"")
            scan(path, str(answer.headers) + body.decode())


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


def quote_in_the_dialogue(sink):
    """To RCPT as well, where it cannot know one; and to the dot."""
    sink.data_reply = quote
    sink.rcpt_reply = lambda envelope, recipient: (
        f"450 4.2.0 {CODE}, {CODE[:4]} {CODE[4:]} for later" if recipient.startswith("later") else None)


def start_in_text(relay):
    """Its log is for people, so that its port has to be known, and when it is ready."""
    with socket.create_server(("127.0.0.1", 0), backlog=511) as listener:
        relay.hand_over(listener).spawn()
        relay.port = listener.getsockname()[1]
    assert relay.wait_log(lambda: any(re.search(r"\bready\b", line) for line in relay.lines)), \
        relay.tail()
    assert not relay.events
    return relay


@pytest.mark.parametrize("smarthost, log_format", [
    ("takes all", "json"), ("refuses, quoting", "json"), ("refuses, quoting", "text"),
    ("is down", "json")])
def test_nothing_shows(start_relay, smarthost, log_format):
    sink = sink_module.Sink(listening=smarthost != "is down")
    if smarthost == "refuses, quoting":
        quote_in_the_dialogue(sink)
    relay = start_relay(sink, api_key=KEY, log_level="debug", log_format=log_format,
                        rate_recipient="off", **admin_api.SETTINGS)
    with sink:
        if log_format == "text":
            start_in_text(relay)
        else:
            relay.start()
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
        later = payloads.login_code(payloads.unique_recipient("later"), code=CODE)
        ids.append(relay.post(later, key=KEY).headers["X-Message-Id"])
        for one in ids:
            relay.state(one)
        if smarthost == "refuses, quoting" and log_format == "json":
            for one in ids[:3]:
                relay.wait_for("attempt", id=one, reply="spam: **** is in it, ****! ****")
            relay.wait_for("attempt", id=ids[-1], reply="****, **** for later")
        relay.command("queue", "hold", ids[-1], "--note", "asked for by phone", status=None)
        relay.command("queue", "hold", "--recipient", later["recipient"], "--yes", status=None)
        scan_processes(relay)
        scan_commands(relay, ids)
        scan_admin_api(relay, ids)
        scan_files(relay)
        relay.stop()
    scan("the log", "\n".join(relay.lines))
    scan("standard error", relay.stderr())
    scan_files(relay)


def test_an_audit_line_has_its_note_and_no_recipient(start_relay, sink):
    sink.down()
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        made = payloads.login_code()
        message_id = relay.accept(made)
        test_admin.silence(relay)  # what is on its way is nobody's to hold
        assert relay.state(message_id)["state"] == "queued"
        wanted = harness.quote(made["recipient"].upper())
        for act, by_owner in (("hold", False), ("release", True)):
            api = admin_api.AdminApi(relay, by_owner=by_owner)
            assert api.post(f"/admin/messages/{act}?recipient={wanted}&note=ticket+7")["messages"] == 1
            line = relay.wait_for("audit", act=act, note="ticket 7")
            assert re.fullmatch(r"recipient=[0-9a-f]{8}@example\.com", line["filter"], re.I)
    assert made["recipient"].split("@")[0] not in "\n".join(relay.lines).lower()


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


def test_a_password_that_the_smarthost_says_again_shows_nowhere(start_relay):
    """By its answer to AUTH, whatever it makes of it."""
    with SmtpServer(auth=["PLAIN"], password=PASSWORD) as server:
        server.on("auth", reply(f"535 5.7.8 user:{PASSWORD} is wrong, {PASSWORD.upper()}"))
        uri = f"smtp://user:{PASSWORD}@127.0.0.1:{server.port}/?disable_starttls=true"
        with start_relay(None, smtp_uri=uri, log_level="debug", **admin_api.SETTINGS) as relay:
            message_id = relay.accept(payloads.login_code())
            attempt = relay.wait_for("attempt", id=message_id)
            assert attempt["alarm"] == "auth" and json.dumps(attempt).count("535")
            relay.wait_for("smarthost_down")
            relay.state(message_id)
            scan_processes(relay)
            scan_commands(relay, [message_id])
            scan_admin_api(relay, [message_id])
            scan_files(relay)
        scan("the log", "\n".join(relay.lines))
        scan("standard error", relay.stderr())
