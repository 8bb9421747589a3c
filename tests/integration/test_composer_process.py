"""The composer by itself, with the test as its core: docs/protocol.md, Composer.

What it writes is parsed back with Python's own mail parser, which shares no code with it.
"""
import copy
import datetime
import email
import email.policy
import email.utils
import html as html_module
import itertools
import json
import os
import re
import shutil
import subprocess

import frames
import payloads
import pytest
import relay as harness
from child import Child

COMPOSER = os.environ.get("COMPOSER") or str(harness.program("composer"))
WALL_MS = 1763688000000  # Fri, 21 Nov 2025 01:20:00 UTC
MESSAGE_ID = "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
FLOW = "0f3c9a52-7d0e-4c7b-9d53-60a7b1d0e8aa"
LINK = f"https://auth.example.org/self-service/{{}}?flow={FLOW}&token=Qw7ZxT0aP4sLmN9cVbR2y"

# type -> (what of template_data makes it, lane, minutes)
TYPES = {
    "login_code_valid": ({"login_code": "750046"}, "code", 15),
    "registration_code_valid": ({"registration_code": "040302"}, "code", 15),
    "verification_code_valid": (
        {"verification_code": "830175", "verification_url": LINK.format("verification")},
        "code", 60),
    "recovery_code_valid": ({"recovery_code": "093517"}, "code", 15),
    "verification_valid": ({"verification_url": LINK.format("verification")}, "code", 60),
    "recovery_valid": ({"recovery_url": LINK.format("recovery")}, "code", 60),
    "verification_code_invalid": ({}, "bulk", None),
    "verification_invalid": ({}, "bulk", None),
    "recovery_code_invalid": ({}, "bulk", None),
    "recovery_invalid": ({}, "bulk", None),
    "verifiable_address_changed": ({"changed_at": "2026-07-20T10:00:00Z"}, "notice", None),
    "authenticator_key_added": ({"added_at": "2026-07-20T10:00:00Z"}, "notice", None),
}


def init(normaliser=harness.ROOT / "jsonnet/kratos_courier.jsonnet", defaults=None, **changes):
    return {
        "op": "init", "templates_dir": str(harness.ROOT / "templates"),
        "routes": [{"name": "kratos", "normaliser": str(normaliser), "defaults": defaults}],
        "default_locale": "en", "timezone": "UTC",
        "mail_from": "Acme <no-reply@acme.example>", "reply_to": None, "lifetimes": {}, **changes}


@pytest.fixture
def start():
    """Starts composers that end with the test, each of them by end of file and with status 0."""
    children = []

    def start_one(**changes):
        child = Child(COMPOSER)
        children.append(child)
        header, _ = child.ask(init(**changes))
        assert header["op"] == "ready"
        return child
    yield start_one
    for child in children:
        assert child.close() == 0


@pytest.fixture
def bare():
    """A composer that was told nothing yet."""
    children = []

    def start_one():
        children.append(Child(COMPOSER))
        return children[-1]
    yield start_one
    for child in children:
        child.close()


def make(template, language="en", **options):
    data, _, minutes = TYPES[template]
    return payloads.payload(template, data=data, language=language, minutes=minutes, **options)


def compose(child, made, elapsed_ms=3, **fields):
    blob = made if isinstance(made, bytes) else payloads.as_bytes(made)
    return child.ask({"op": "compose", "id": MESSAGE_ID, "elapsed_ms": elapsed_ms,
                      "wall_ms": WALL_MS, "fallback": False, **fields}, blob)


def compose_one(child, made, **fields):
    """The one MAIL of a payload and the frame's blobs."""
    header, blobs = compose(child, made, **fields)
    assert header["op"] == "composed", header
    assert header["id"] == MESSAGE_ID
    assert len(header["mails"]) == 1
    return header["mails"][0], blobs


def parse(raw):
    """Checks what holds for every mail on the wire, and parses it."""
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"") and b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 76
    raw.decode("ascii")
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    assert not mail.defects and not any(part.defects for part in mail.walk())
    assert [part.get_content_type() for part in mail.walk()] == [
        "multipart/alternative", "text/plain", "text/html"]
    for part in mail.iter_parts():
        assert part.get_content_charset() == "utf-8"
    return mail


def texts(mail):
    return [part.get_content() for part in mail.iter_parts()]


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


def preview(child, canonical, **fields):
    return child.ask({"op": "preview", "id": MESSAGE_ID, "elapsed_ms": 0, "wall_ms": WALL_MS,
                      "locale": None, "brand": None, **fields}, canonical)


def test_a_preview_in_a_language_of_ones_choice(start):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid", "de"))
    canonical = blobs[mail["canonical"]]
    for locale in ("en", "hu", "de", None):
        header, (subject, text, html, raw) = preview(child, canonical, locale=locale)
        assert (header["op"], header["id"], header["park"]) == ("previewed", MESSAGE_ID, None)
        assert header["locale"] == (locale or "de")
        parsed = parse(raw)
        assert parsed["Subject"] == subject.decode()
        assert parsed["Content-Language"] == header["locale"]
        # The last line end is the boundary's.
        assert [part.replace("\r\n", "\n") + "\n" for part in texts(parsed)] == [
            text.decode(), html.decode()]


def test_a_preview_in_a_brand_of_ones_choice(start, tmp_path):
    folder = tmp_path / "templates"
    shutil.copytree(harness.ROOT / "templates", folder)
    (folder / "brands").mkdir(exist_ok=True)
    (folder / "brands/other.json").write_text('{"name": "Other & Sons", "clients": ["web"]}')
    child = start(templates_dir=str(folder))
    mail, blobs = compose_one(child, make("login_code_valid"))
    for brand, name in (("other", "Other & Sons"), ("default", "Acme"), (None, "Acme")):
        header, (_, text, _, _) = preview(child, blobs[mail["canonical"]], brand=brand)
        assert header["park"] is None
        assert name in text.decode()
    # By its name only: a client is no brand.
    assert preview(child, blobs[mail["canonical"]], brand="web")[0]["reason"] == "unknown_brand"


@pytest.mark.parametrize("change, want", [
    ({"locale": "fr"}, "unknown_locale"),
    ({"locale": "de-CH"}, "unknown_locale"),
    ({"brand": "nobody"}, "unknown_brand"),
])
def test_a_preview_of_what_is_not_there(start, change, want):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid"))
    header, blobs = preview(child, blobs[mail["canonical"]], **change)
    assert (header["op"], header["id"], header["reason"]) == ("failed", MESSAGE_ID, want)
    assert blobs == []


@pytest.mark.parametrize("canonical, answer", [
    (b"{", {"op": "failed", "reason": "preview_failed", "detail": "the mail is no object"}),
    (b'{"to": "a@b.example"}',
     {"op": "failed", "reason": "preview_failed", "detail": "data is missing"}),
    (b'{"data": {}}', {"op": "previewed", "park": "no_recipient"}),
    (b'{"data": {}, "to": "a@b.example"}', {"op": "previewed", "park": "no_content"}),
])
def test_a_preview_of_no_mail(start, canonical, answer):
    child = start()
    header, blobs = preview(child, canonical)
    assert (header, blobs) == ({**answer, "id": MESSAGE_ID}, [])


def test_a_composer_describes_what_it_has_loaded(start):
    header, blobs = start().ask({"op": "describe", "id": MESSAGE_ID}, b"")
    assert (header["op"], header["id"], blobs) == ("described", MESSAGE_ID, [])
    types = {one["name"]: one["need"] for one in header["types"]}
    assert set(types) == set(TYPES)
    assert types["login_code_valid"] == "code"
    assert types["recovery_valid"] == "link"
    assert types["recovery_invalid"] == "nothing"
    assert all(one["overrides"] == [] for one in header["types"])
    files = {path.stem: json.loads(path.read_text())
             for path in (harness.ROOT / "templates/locales").glob("*.json")}
    assert [one["locale"] for one in header["locales"]] == sorted(files)
    for one in header["locales"]:
        catalog = files[one["locale"]]
        assert one["name"] == catalog["name"]
        assert one["language"] == one["locale"].split("-x-")[0]
        assert one["dir"] == ("rtl" if one["language"] == "ar" else "ltr")
        assert one["texts"] == len(catalog["texts"]) + sum(map(len, catalog["types"].values()))
    assert header["brands"] == [{"brand": "default", "name": "Acme", "clients": [], "address": None,
                                 "locale": None, "link_hosts": None}]
    assert header["default_locale"] == "en"


def test_a_composer_describes_its_brands(start, tmp_path):
    folder = tmp_path / "templates"
    shutil.copytree(harness.ROOT / "templates", folder)
    (folder / "brands").mkdir(exist_ok=True)
    (folder / "brands/other.json").write_text(json.dumps(
        {"name": "Other", "clients": ["web", "app"], "address": "formal", "locale": "hu",
         "link_hosts": ["*.other.example"]}))
    header, _ = start(templates_dir=str(folder), default_locale="de").ask(
        {"op": "describe", "id": MESSAGE_ID}, b"")
    assert [one["brand"] for one in header["brands"]][:1] == ["default"]
    assert {"brand": "other", "name": "Other", "clients": ["web", "app"], "address": "formal",
            "locale": "hu", "link_hosts": ["*.other.example"]} in header["brands"]
    assert header["default_locale"] == "de"


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


def test_fallback_needs_no_normaliser(start, tmp_path):
    broken = tmp_path / "broken.jsonnet"
    broken.write_text("function(payload) error 'the code is ' + payload.template_data.login_code")
    child = start(normaliser=str(broken))
    made = make("login_code_valid")
    header, _ = compose(child, made)
    assert (header["op"], header["reason"]) == ("failed", "normaliser_failed")
    assert "750046" not in json.dumps(header) and "broken.jsonnet" in header["detail"]

    mail, blobs = compose_one(child, made, fallback=True)
    assert (mail["park"], mail["template"]) == (None, "login_code_valid")
    assert mail["lifetime_ms"] == 900_000
    assert "Kratos' own text of login_code_valid." in texts(parse(blobs[mail["mime"]]))[0]
    shouting = {"Recipient": "a@example.com", "TemplateType": "recovery_valid", "Subject": "Hello",
                "Body": "World\n", "TemplateData": {"To": "a@example.com"}}
    mail, blobs = compose_one(child, shouting, fallback=True)
    assert (mail["template"], mail["recipient"]) == ("recovery_valid", "a@example.com")
    assert parse(blobs[mail["mime"]])["Subject"] == "Hello"
    header, _ = compose(child, made)  # and it is alive
    assert header["op"] == "failed"


def test_what_a_normaliser_may_return(start, tmp_path):
    path = tmp_path / "normaliser.jsonnet"
    path.write_text("function(payload) payload.result")
    child = start(normaliser=str(path))
    good = {"channel": "email", "template": "login_code_valid", "to": "a@example.com",
            "data": {"code": "123456"}, "request_headers": {"Cookie": ["COOKIE"]}}

    def results(result):
        header, blobs = compose(child, {"result": result})
        assert header["op"] == "composed", header
        return header["mails"], blobs
    assert results(None)[0] == [] and results([])[0] == []

    mails, blobs = results([good, {**good, "to": "b@example.com"}, {"to": 5}])
    assert [mail["park"] for mail in mails] == [None, None, "not_canonical"]
    assert [mail["detail"] for mail in mails] == [None, None, "to is no text"]
    assert [mail["recipient"] for mail in mails] == ["a@example.com", "b@example.com", None]
    ids = {parse(blobs[mail["mime"]])["Message-ID"] for mail in mails[:2]}
    assert len(ids) == 2
    assert len({mail["content_digest"] for mail in mails}) == 1
    assert b"COOKIE" not in b"".join(blobs)

    for wrong in ("x", 5, True, {}, {**good, "channel": "fax"}, {**good, "data": []}):
        mails, blobs = results(wrong)
        assert [mail["park"] for mail in mails] == ["not_canonical"] and not blobs
    assert len(results([good] * 16)[0]) == 16
    header, _ = compose(child, {"result": [good] * 17})
    assert (header["op"], header["reason"]) == ("failed", "compose_failed")
    assert compose(child, {"result": good})[0]["mails"][0]["park"] is None


@pytest.mark.parametrize("result, reason, detail", [
    ("double('0123456789', 18)", "normaliser_failed", ": the result is larger than 2 MiB"),
    ("payload { data: double('0123456789', 18) }", "normaliser_failed",
     ": the result is larger than 2 MiB"),
    ("std.makeArray(1000, function(i) payload)", "compose_failed", "more than 16 mails"),
    ("local nest(n) = [nest(n - 1)]; nest(1000)", "normaliser_failed",
     "max stack frames exceeded"),
])
def test_too_large_a_result_costs_that_payload_alone(start, tmp_path, result, reason, detail):
    path = tmp_path / "normaliser.jsonnet"
    path.write_text("local double(s, n) = if n == 0 then s else double(s + s, n - 1);\n"
                    f"function(payload) if payload.large then {result} else payload")
    child = start(normaliser=path)
    good = {"template": "login_code_valid", "to": "a@example.com", "data": {"code": "123456"}}
    for _ in range(2):
        header, _ = compose(child, {**good, "large": True})
        assert (header["op"], header["reason"]) == ("failed", reason)
        assert detail in header["detail"]
        assert compose_one(child, {**good, "large": False})[0]["park"] is None


def test_the_example_of_the_documentation(start, tmp_path):
    text = (harness.ROOT / "docs/normaliser.md").read_text()
    path = tmp_path / "example.jsonnet"
    path.write_text(re.search(r"```jsonnet\n(.*?)```", text, re.S).group(1))
    mail, blobs = compose_one(start(normaliser=str(path)), {
        "user": {"email": "zoe@example.com", "first": "Zoé", "last": "O", "locale": "hu-HU"},
        "otp": 750046, "ttl_minutes": 7})
    assert (mail["park"], mail["recipient"]) == (None, "zoe@example.com")
    assert (mail["template"], mail["locale"]) == ("login_code_valid", "hu")
    assert mail["lifetime_ms"] == 7 * 60_000
    canonical = json.loads(blobs[mail["canonical"]])
    assert canonical["data"] == {"code": "750046", "name": "Zoé O"}


def two_routes(folder, first, second, **changes):
    """An `init` with kratos and crm, of texts or, where they are None, the shipped one."""
    routes = []
    for name, text in (("kratos", first), ("crm", second)):
        path = folder / f"{name}.jsonnet"
        path.write_text(text or (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text())
        routes.append({"name": name, "normaliser": str(path), "defaults": None})
    return {"routes": routes, **changes}


def test_each_route_has_its_normaliser_and_defaults(start, tmp_path):
    changes = two_routes(tmp_path, None,
                         "function(event) { to: event.who, data: { code: event.pin } }")
    changes["routes"][1]["defaults"] = {
        "template": "login_code_valid", "locales": ["hu"], "expires_in_minutes": 7}
    child = start(**changes)
    event = {"who": "zoe@example.com", "pin": "123456"}
    for _ in range(2):
        mail, _ = compose_one(child, event, route="crm")
        assert (mail["park"], mail["recipient"]) == (None, "zoe@example.com")
        assert (mail["template"], mail["locale"]) == ("login_code_valid", "hu")
        assert mail["lifetime_ms"] == 7 * 60_000
        mail, _ = compose_one(child, make("recovery_valid"), route="kratos")
        assert (mail["park"], mail["template"], mail["locale"]) == (None, "recovery_valid", "en")
        assert compose_one(child, make("recovery_valid"))[0]["template"] == "recovery_valid"

    # The fallback has them as well.
    made = {"recipient": "zoe@example.com", "subject": "Hello", "body": "World\n"}
    assert compose_one(child, made, route="crm", fallback=True)[0]["locale"] == "hu"


def test_an_unknown_route_is_told_and_has_a_fallback(start):
    child = start()
    header, _ = compose(child, make("login_code_valid"), route="gone")
    assert (header["op"], header["reason"]) == ("failed", "unknown_route")
    mail, _ = compose_one(child, make("login_code_valid"), route="gone", fallback=True)
    assert (mail["park"], mail["template"]) == (None, "login_code_valid")
    assert compose_one(child, make("login_code_valid"), route="kratos")[0]["park"] is None


def test_routes_that_fail_leave_the_others_alone(start, tmp_path):
    child = start(**two_routes(tmp_path, None, "function(event)\n  event.nothing"))
    for _ in range(3):
        header, _ = compose(child, {"code": "750046"}, route="crm")
        assert (header["op"], header["reason"]) == ("failed", "normaliser_failed")
        assert header["detail"] == f"{tmp_path}/crm.jsonnet:2:3: field does not exist"
        assert compose_one(child, make("login_code_valid"), route="kratos")[0]["park"] is None


@pytest.mark.parametrize("first, second, places", [
    ("function(p) {\n", "function(p) 'open", ["kratos.jsonnet:2:1", "crm.jsonnet:1:13"]),
    ("function(p) 1 /* open", "/* closed */ function(p) 1", ["kratos.jsonnet:1:15"]),
    (None, "function(p)\n  nowhere", ["crm.jsonnet:2:3"]),
    (None, "{}", ["crm.jsonnet"]),
    (None, "function(p) import 'x'\n +", ["crm.jsonnet:2:3"]),
])
def test_every_file_at_fault_is_named(bare, tmp_path, first, second, places):
    child = bare()
    header, _ = child.ask(init(**two_routes(tmp_path, first, second)))
    assert header["op"] == "faults", header
    assert [fault["where"] for fault in header["faults"]] == [
        f"{tmp_path}/{place}" for place in places], header
    assert child.wait() != 0


def test_a_normaliser_that_loops_can_be_killed(start, tmp_path):
    path = tmp_path / "endless.jsonnet"
    path.write_text("local endless(n) = endless(n + 1) tailstrict;\n"
                    "function(payload) if std.objectHas(payload, 'loop') then endless(0)")
    child = Child(COMPOSER)
    assert child.ask(init(normaliser=str(path)))[0]["op"] == "ready"
    child.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        compose(child, {"loop": True})
    child.process.kill()
    assert child.close() == -9


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


def test_a_normaliser_that_does_not_compile_is_a_fault(bare, tmp_path):
    path = tmp_path / "typo.jsonnet"
    for text, place in (("function(payload) {\n  a: b,\n}", ":2:"), ("{\n", ""),
                        ("import 'x'", ":1:"), ("function(payload) 1\0", "")):
        path.write_text(text)
        child = bare()
        header, _ = child.ask(init(normaliser=str(path)))
        assert header["op"] == "faults", text
        assert header["faults"][0]["where"].startswith(f"{path}{place}"), header
        assert child.wait() != 0


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


def test_a_stored_mail_that_is_none(start):
    child = start()
    ask = {"op": "render", "id": MESSAGE_ID, "elapsed_ms": 0, "wall_ms": WALL_MS}
    assert child.ask(ask, b"{")[0]["op"] == "failed"
    header, _ = child.ask(ask, b'{"to": "a@example.com"}')
    assert header["mails"][0]["park"] == "not_canonical"
    assert compose_one(child, make("login_code_valid"))[0]["park"] is None


def test_evaluate(bare, tmp_path):
    child = bare()
    (tmp_path / "part.libsonnet").write_text("{ b: 2 }")
    ask = {"op": "evaluate", "file": "relay.jsonnet", "dir": str(tmp_path)}
    header, blobs = child.ask(ask, b"{ a: 1 } + import 'part.libsonnet'")
    assert header["op"] == "evaluated" and json.loads(blobs[0]) == {"a": 1, "b": 2}
    assert child.ask(ask, b"{}\0{}")[0]["op"] == "failed"
    header, _ = child.ask(ask, b"{\n  a: nowhere\n}")
    assert header["op"] == "failed" and "relay.jsonnet:2" in header["detail"]


def test_it_is_not_to_be_started_by_hand():
    done = subprocess.run([COMPOSER], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.returncode == os.EX_USAGE and done.stderr


def test_two_payloads_do_not_meet(start):
    """What one person's payload held is not in the next one's mail."""
    child = start()
    for first, second in itertools.permutations(("login_code_valid", "recovery_valid"), 2):
        one, other = make(first, "hu"), make(second, "de")
        compose_one(child, one)
        mail, blobs = compose_one(child, other)
        assert mail["locale"] == "de" and mail["recipient"] == other["recipient"]
        assert one["recipient"].encode() not in b"".join(blobs)
