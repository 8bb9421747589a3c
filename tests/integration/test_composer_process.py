"""What the composer makes of payloads, and how it begins and ends: with the test as its core.

What it writes is parsed back with Python's own mail parser, which shares no code with it.
"""
import copy
import datetime
import email.utils
import html as html_module
import itertools
import json
import os
import re
import subprocess

import frames
import pytest
import relay as harness
from composer import (COMPOSER, FLOW, MESSAGE_ID, TYPES, WALL_MS, bare, compose_one,  # noqa: F401
                      init, make, parse, start, texts)


@pytest.mark.parametrize("language", ["en", "hu", "de"])
def test_every_type_in_every_language(start, language):
    child = start()
    for template, (data, lane, minutes) in TYPES.items():
        made = make(template, language)
        mail, blobs = compose_one(child, made)
        secret = [value for key, value in data.items() if key.endswith(("_code", "_url"))]
        assert mail["park"] is None, (template, mail)
        assert (mail["template"], mail["lane"], mail["locale"]) == (template, lane, language)
        assert (mail["channel"], mail["coded"]) == ("email", bool(secret))
        assert mail["recipient"] == made["recipient"]
        assert mail["sender"] == "no-reply@acme.example"
        assert mail["identity_id"] == made["template_data"]["identity"]["id"]
        assert mail["smtputf8"] is False
        lane_minutes = {"code": 60, "notice": 48 * 60, "bulk": 24 * 60}[lane]
        assert mail["lifetime_ms"] == (minutes or lane_minutes) * 60000
        assert re.fullmatch("[0-9a-f]{64}", mail["content_digest"])

        parsed = parse(blobs[mail["mime"]])
        catalog = json.loads((harness.ROOT / f"templates/locales/{language}.json").read_text())
        code = "".join(value for key, value in data.items() if key.endswith("_code"))
        own = catalog["types"][template]
        shown = json.loads((harness.ROOT / "templates/brand.json").read_text())["code_in_subject"]
        subject = own["subject_code" if shown.get(template) else "subject"]
        assert parsed["Subject"] == subject.format(code=code, brand="Acme")
        assert parsed["From"] == "Acme <no-reply@acme.example>"
        assert parsed["To"] == made["recipient"]
        assert parsed["Date"] == "Fri, 21 Nov 2025 01:20:00 +0000"
        assert parsed["Message-ID"] == f"<{MESSAGE_ID}@acme.example>"
        assert parsed["Content-Language"] == language
        assert parsed["Auto-Submitted"] == "auto-generated"
        assert parsed["X-Auto-Response-Suppress"] == "All"
        assert parsed["X-Entity-Ref-ID"] == MESSAGE_ID
        assert parsed["List-Unsubscribe"] is None
        # Told only where the payload, or the configuration, says how long: then it is the deadline.
        assert parsed["Expires"] == (minutes and email.utils.format_datetime(
            datetime.datetime.fromtimestamp((WALL_MS - 3) // 1000, datetime.timezone.utc)
            + datetime.timedelta(minutes=minutes)))
        assert parsed["Reply-To"] is None
        text, html = texts(parsed)
        for value in secret:
            assert value in text
            assert value in html_module.unescape(html)
        if minutes:
            assert re.search(rf"\b{minutes}\b", text) and re.search(rf"\b{minutes}\b", html)
        assert "Kratos' own" not in text


def test_what_goes_to_the_queue(start):
    child = start()
    made = make("login_code_valid", headers={
        "User-Agent": ["UA-SECRET/1"], "Accept-Language": ["de-CH,de"], "Cookie": ["COOKIE"]})
    mail, blobs = compose_one(child, made)
    canonical = json.loads(blobs[mail["canonical"]])
    assert canonical["data"]["code"] == "750046"
    assert canonical["to"] == made["recipient"]
    for secret in (b"UA-SECRET", b"COOKIE", b"request_headers"):
        assert secret not in blobs[mail["canonical"]] + json.dumps(mail).encode()


def test_a_stored_mail_says_the_minutes_that_are_left(start):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid", "de"))
    canonical = blobs[mail["canonical"]]
    assert re.search(r"\b15\b", texts(parse(blobs[mail["mime"]]))[0])
    for elapsed_ms, left in ((0, 15), (29_999, 15), (31_000, 14), (13 * 60_000, 2),
                             (14 * 60_000 + 59_000, 1), (10**9, 1)):
        header, blobs = child.ask({"op": "render", "id": MESSAGE_ID, "elapsed_ms": elapsed_ms,
                                   "wall_ms": WALL_MS + elapsed_ms}, canonical)
        (again,) = header["mails"]
        assert blobs[again["canonical"]] == canonical
        text, html = texts(parse(blobs[again["mime"]]))
        assert re.search(rf"\b{left} Min", text), (elapsed_ms, text)
        assert re.search(rf"\b{left} Min", html)
        assert again["content_digest"] is None and again["supersede"] is None
        for key in ("channel", "template", "lane", "locale", "recipient", "sender", "identity_id",
                    "coded", "lifetime_ms", "smtputf8", "park"):
            assert again[key] == mail[key]


def test_a_first_attempt_says_the_minutes_that_are_left(start):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid"), elapsed_ms=5 * 60_000)
    assert re.search(r"\b10 min", texts(parse(blobs[mail["mime"]]))[0])
    assert mail["lifetime_ms"] == 15 * 60_000


def test_configured_lifetimes_cap_and_fill_in(start):
    child = start(lifetimes={"login_code_valid": 300_000, "recovery_valid": 1_800_000,
                             "registration_code_valid": 3_600_000})
    made = make("login_code_valid")
    assert compose_one(child, made)[0]["lifetime_ms"] == 300_000
    del made["template_data"]["expires_in_minutes"]
    assert compose_one(child, made)[0]["lifetime_ms"] == 300_000
    made = make("registration_code_valid")
    assert compose_one(child, made)[0]["lifetime_ms"] == 900_000

    made = make("recovery_valid")
    made["template_data"]["expires_in_minutes"] = 0  # as a message queued by an older version
    mail, blobs = compose_one(child, made)
    assert mail["lifetime_ms"] == 1_800_000
    assert re.search(r"\b30 min", texts(parse(blobs[mail["mime"]]))[0])

    made = make("recovery_code_valid")
    del made["template_data"]["expires_in_minutes"]
    mail, blobs = compose_one(child, made)
    assert mail["lifetime_ms"] == 3_600_000
    assert not re.search(r"\bmin", texts(parse(blobs[mail["mime"]]))[0])


def test_supersede(start):
    child = start()
    browser = {"User-Agent": ["Firefox/140"], "Accept-Language": ["de"]}

    def key(template="login_code_valid", recipient="Zoe@Example.com", headers=browser, **data):
        made = make(template, recipient=recipient, headers=headers)
        made["template_data"].update(data)
        return compose_one(child, made)[0]["supersede"]

    first = key()
    assert re.fullmatch("browser:[0-9a-f]{64}", first)
    assert key(login_code="111111") == first
    assert key(recipient="zoe@example.com") == first
    assert key("recovery_code_valid") != first
    assert key(recipient="other@example.com") != first
    assert key(headers={**browser, "User-Agent": ["Chrome"]}) != first
    assert key(headers={**browser, "Accept-Language": ["hu"]}) != first
    assert key(headers={"User-Agent": ["Firefox/140"]}) != first
    assert key(headers={"Accept-Language": ["de"]}) is None
    assert key(headers=None) is None
    assert key("recovery_valid") == f"flow:recovery_valid:{FLOW}"
    assert key("verification_code_valid") == f"flow:verification_code_valid:{FLOW}"
    assert key("recovery_valid", recovery_url="https://x.example/?flow=a%20b") != "flow:"
    assert key("verifiable_address_changed") is None
    assert key("recovery_code_invalid") is None


def test_content_digest(start):
    child = start()
    made = make("login_code_valid", recipient="zoe@example.com",
                headers={"User-Agent": ["Firefox"]})

    def digest(**changes):
        changed = {**copy.deepcopy(made), **changes}
        return compose_one(child, changed)[0]["content_digest"]
    assert digest() == digest(html_body="<p>") == digest(request_headers=None)
    assert digest() != digest(body="other")


@pytest.mark.parametrize("recipient, reason", [
    ("", "no_recipient"), (None, "no_recipient"),
    ("a@b>\r\nRCPT TO:<x", "bad_recipient"), ('"a b"@c', "bad_recipient"),
    ("a@b,c@d", "bad_recipient"), ("a@[127.0.0.1]", "bad_recipient"), ("<a@b>", "bad_recipient"),
    ("x" * 321 + "@example.com", "bad_recipient"),
])
def test_recipients_that_are_none(start, recipient, reason):
    child = start()
    made = make("login_code_valid")
    made["recipient"] = made["template_data"]["to"] = recipient
    mail, blobs = compose_one(child, made)
    assert (mail["park"], mail["mime"], mail["recipient"]) == (reason, None, None)
    assert mail["lane"] == "code" and mail["lifetime_ms"] == 900_000
    assert json.loads(blobs[mail["canonical"]])["template"] == "login_code_valid"


def test_a_recipient_of_another_script(start):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid", recipient="zoë@bücher.example"))
    assert mail["smtputf8"] is True
    assert mail["recipient"] == "zoë@xn--bcher-kva.example"
    assert "\r\nTo: zoë@xn--bcher-kva.example\r\n".encode() in blobs[mail["mime"]]
    mail, blobs = compose_one(child, make("login_code_valid", recipient="info@bücher.example"))
    assert (mail["smtputf8"], mail["recipient"]) == (False, "info@xn--bcher-kva.example")
    parse(blobs[mail["mime"]])


def test_what_is_no_mail(start):
    child = start()
    for blob in (b"", b"{", b"hello", b"\xff\xfe"):
        mail, blobs = compose_one(child, blob)
        assert (mail["park"], mail["canonical"], mail["mime"]) == ("unparseable", None, None)
        assert mail["lane"] == "code" and not blobs
    mail, _ = compose_one(child, make("login_code_valid", message_type="sms"))
    assert (mail["park"], mail["channel"], mail["lane"]) == ("unsupported_channel", "sms", "code")
    assert mail["recipient"] and mail["template"] == "login_code_valid"
    mail, _ = compose_one(child, {"recipient": "a@example.com", "template_type": "brand_new"})
    assert (mail["park"], mail["template"]) == ("no_content", "brand_new")
    assert mail["detail"].startswith("there are no texts of its type")


def test_an_unknown_type_is_sent_with_kratos_own_text(start):
    child = start()
    for template in ("brand_new", "../../etc/passwd", "x" * 300, 5, None):
        made = make("login_code_valid", template_type=template)
        mail, blobs = compose_one(child, made)
        assert (mail["park"], mail["lane"], mail["coded"]) == (None, "code", True)
        parsed = parse(blobs[mail["mime"]])
        assert parsed["Subject"] == made["subject"]
        assert "Kratos' own text of login_code_valid." in texts(parsed)[0]


def test_hostile_values_stay_values(start):
    child = start()
    made = make("login_code_valid", template_type="brand_new")
    made["subject"] = "=?utf-8?Q?evil?=\r\nBcc: victim@example.com\r\n\r\n--=_x"
    made["body"] = "one\r\n.\r\nMAIL FROM:<x>\r\n--=_" + MESSAGE_ID + "--\r\n" + "y" * 3000
    mail, blobs = compose_one(child, made)
    parsed = parse(blobs[mail["mime"]])
    assert parsed["Bcc"] is None
    assert parsed["Subject"].startswith("=?utf-8?Q?evil?=")  # the letters, not what they encode
    assert "MAIL FROM:<x>" in texts(parsed)[0]
    name = "<script>{{code}} =_utf-8_Q_evil_= \u202e"
    made = make("login_code_valid")
    made["template_data"]["identity"]["traits"]["name"] = name
    mail, blobs = compose_one(child, made)
    text, html = texts(parse(blobs[mail["mime"]]))
    assert "<script>" not in html and "{{code}}" in text and "\u202e" not in text


def test_languages_of_the_request(start):
    child = start()

    def locale(url, **headers):
        made = make("recovery_code_invalid", headers=headers or None)
        del made["template_data"]["identity"]
        made["template_data"]["request_url"] = url
        return compose_one(child, made)[0]["locale"]
    assert locale("https://x.example/") == "en"
    assert locale("https://x.example/?ui_locales=hu-HU%20de") == "hu"
    assert locale("https://x.example/?lang=de") == "de"
    assert locale("https://x.example/?locale=de#lang=hu") == "de"
    assert locale("https://x.example/?lang=hu", **{"Accept-Language": ["de-CH,en;q=0.1"]}) == "de"


def test_a_stored_mail_that_is_none(start):
    child = start()
    ask = {"op": "render", "id": MESSAGE_ID, "elapsed_ms": 0, "wall_ms": WALL_MS}
    assert child.ask(ask, b"{")[0]["op"] == "failed"
    header, _ = child.ask(ask, b'{"to": "a@example.com"}')
    assert header["mails"][0]["park"] == "not_canonical"
    assert compose_one(child, make("login_code_valid"))[0]["park"] is None


def test_two_payloads_do_not_meet(start):
    """What one person's payload held is not in the next one's mail."""
    child = start()
    for first, second in itertools.permutations(("login_code_valid", "recovery_valid"), 2):
        one, other = make(first, "hu"), make(second, "de")
        compose_one(child, one)
        mail, blobs = compose_one(child, other)
        assert mail["locale"] == "de" and mail["recipient"] == other["recipient"]
        assert one["recipient"].encode() not in b"".join(blobs)


def test_templates_are_read_once(start, tmp_path):
    """After `ready` no file is opened any more."""
    path = tmp_path / "normaliser.jsonnet"
    path.write_text((harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text())
    child = start(normaliser=str(path))
    path.unlink()
    for _ in range(20):
        assert compose_one(child, make("login_code_valid"))[0]["park"] is None


@pytest.mark.parametrize("change, where", [
    ({"normaliser": "/nonexistent/n.jsonnet"}, "/nonexistent/n.jsonnet"),
    ({"normaliser": "/etc"}, "/etc"),
    ({"templates_dir": "/nonexistent"}, "/nonexistent"),
    ({"mail_from": "not an address"}, "mail_from"),
    ({"reply_to": "a@b@c"}, "reply_to"),
    ({"headers": {"Bcc": "x@y.example"}}, "mail_headers"),
    ({"headers": []}, "mail_headers"),
    ({"default_locale": "tlh"}, "locale"),
])
def test_faults(bare, change, where):
    child = bare()
    header, _ = child.ask(init(**change))
    assert header["op"] == "faults"
    assert any(where in fault["where"] and fault["what"] for fault in header["faults"]), header
    assert child.receive() is None
    assert child.wait() not in (0, -6, -11)


@pytest.mark.parametrize("raw", [
    b"garbage that is no frame at all", frames.encode({})[:-2] + b"{{", frames.encode({"op": "dance"}),
    frames.encode({"no": "op"}), frames.encode({"op": 5}),
    frames.encode({"op": "compose", "id": "x"}, [b"{}"]), frames.encode({"op": "render"}, [b"{}"]),
    frames.MAGIC + b"\xff" * 8,
])
@pytest.mark.parametrize("ready", [False, True])
def test_wrong_frames_end_it(bare, raw, ready):
    child = bare()
    if ready:
        assert child.ask(init())[0]["op"] == "ready"
    child.socket.sendall(raw)
    assert child.receive() is None
    assert child.wait() == os.EX_SOFTWARE


def test_end_of_file_ends_it(bare):
    assert bare().close() == 0


def test_it_is_not_to_be_started_by_hand():
    done = subprocess.run([COMPOSER], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == os.EX_USAGE and done.stderr
