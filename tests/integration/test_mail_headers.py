"""The head of a mail: whose it is, where it goes, what machines read, and that nobody adds a line.

What is written is parsed back with Python's own parser, which shares no code with the composer.
"""
import email
import email.policy
import json
import os
import re
import shutil
import signal

import payloads
import pytest
import relay as harness
from composer import (MESSAGE_ID, WALL_MS, bare, compose, compose_one, init, make,  # noqa: F401
                      parse, preview, start)

# What ends a line for some reader or other, and what may begin a new header behind it.
ENDINGS = ["\r\n", "\r", "\n", "\r\n ", "\r\n\t", "\n ", "\0", "\x0b", "\x0c", "\x1c", "\x85",
           "\u2028", "\u2029"]
ATTACK = "Bcc: mallory@evil.example"
OURS = ["From", "MIME-Version", "Auto-Submitted", "X-Auto-Response-Suppress", "To", "Subject",
        "Date", "Message-ID", "Content-Language", "X-Entity-Ref-ID", "Expires", "Content-Type"]


def head_of(raw):
    return raw.split(b"\r\n\r\n", 1)[0].decode()


def assert_only_ours(raw, more=()):
    head = head_of(raw)
    names = [line.split(":")[0] for line in head.split("\r\n") if line[0] not in " \t"]
    assert sorted(names) == sorted(
        [*OURS, *more] if "Expires" in names else [name for name in [*OURS, *more]
                                                    if name != "Expires"])
    for line in head.split("\r\n"):
        assert not line.startswith("Bcc") and line.strip() and len(line) <= 998
        assert not any(ending in line for ending in ("\r", "\n", "\0", "\x0b", "\x0c", "\x85",
                                                     "\u2028", "\u2029"))


# ---- nobody adds a line --------------------------------------------------------------------------

def attacked(value):
    """Payloads that hold the value wherever one reaches a mail."""
    for place in ("recipient", "template_type", "subject", "body", "html_body"):
        made = make("login_code_valid")
        made[place] = value
        if place == "recipient":
            made["template_data"]["to"] = value
        yield place, made
    for place in ("body", "subject"):  # Kratos' own texts are what goes
        made = make("login_code_valid")
        made["template_type"] = "a_type_to_come"
        made[place] = value
        yield f"own {place}", made
    for place in ("login_code", "request_url", "expires_in_minutes"):
        made = make("login_code_valid")
        made["template_data"][place] = value
        yield place, made
    for trait in ("name", "language", "timezone"):
        made = make("login_code_valid", language=None)
        made["template_data"]["identity"]["traits"][trait] = value
        yield trait, made
    for header in ("Accept-Language", "User-Agent"):
        yield header, make("login_code_valid", language=None, headers={header: [value]})
    made = make("login_code_valid")
    made["template_data"]["oauth2_login_request"] = {"client": {"client_id": value}}
    yield "brand", made
    made = make("recovery_valid")
    made["template_data"]["recovery_url"] = "https://auth.example.org/" + value
    yield "link", made


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda text: text.encode("unicode_escape").decode())
def test_no_field_of_a_payload_adds_a_header(start, ending):  # noqa: F811
    child = start(headers={"X-Tag": "{template} {brand} {locale} {id}"})
    for value in (f"x{ending}{ATTACK}", f"x{ending}{ending}{ATTACK}", f"{ending}{ATTACK}",
                  f"a@b.example{ending}{ATTACK}", f"x{ending}"):
        for place, made in attacked(value):
            header, blobs = compose(child, made)
            assert header["op"] == "composed", (place, value, header)
            for mail in header["mails"]:
                if mail["mime"] is None:
                    assert mail["park"], (place, value)
                    continue
                raw = blobs[mail["mime"]]
                assert_only_ours(raw, more=["X-Tag"])
                parse(raw)


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda text: text.encode("unicode_escape").decode())
def test_no_setting_adds_a_header(bare, ending):  # noqa: F811
    """A fault at load, or what is left of it is one line."""
    value = f"Acme{ending}{ATTACK}"
    for change, where in (
            ({"mail_from": f"{value} <no-reply@acme.example>"}, "mail_from"),
            ({"mail_from": f'"{value}" <no-reply@acme.example>'}, "mail_from"),
            ({"mail_from": f"Acme <no-reply@acme.example{ending}>"}, "mail_from"),
            ({"mail_from": f"Acme <no-reply{ending}@acme.example>"}, "mail_from"),
            ({"reply_to": f"{value} <help@acme.example>"}, "mail_reply_to"),
            ({"reply_to": f"help@acme.example{ending}{ATTACK}"}, "mail_reply_to"),
            ({"headers": {"X-Tag": value}}, "mail_headers"),
            ({"headers": {f"X-Tag{ending}Bcc": "x"}}, "mail_headers")):
        child = bare()
        child.send(init(**change))
        answer = child.receive()
        if "\0" in ending:  # JSON's own reader refuses a NUL, and so the whole request
            assert answer is None
            continue
        header, _ = answer
        assert header["op"] == "faults", change
        assert [fault["where"] for fault in header["faults"]] == [where]


# ---- names ---------------------------------------------------------------------------------------

NAMES = [
    "Acme", "Acme, Inc.", 'The "A" Company', "back\\slash", 'ends in \\', '"', "a@b.example",
    "Acme (Europe) <x>", "Szolgáltató Kft.", "日本語の名前", "شركة المثال", "חברה \u200f!",
    "😀😀", "👨\u200d👩\u200d👧 family", "=?utf-8?Q?x?=", "x" * 200, "ű" * 200, "😀" * 200,
    '"\\' * 100, ("word " * 40).strip(), "a, " * 66 + "b", "שלום " * 40 + "!",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: f"{name[:12]!a} {len(name)}")
def test_any_name_comes_out_as_it_is(start, name):  # noqa: F811
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    child = start(mail_from=f"{quoted} <no-reply@acme.example>",
                  reply_to=f"{quoted} <help@acme.example>")
    mail, blobs = compose_one(child, make("login_code_valid"))
    parsed = parse(blobs[mail["mime"]])
    for header, address in (("From", "no-reply@acme.example"), ("Reply-To", "help@acme.example")):
        (box,) = parsed[header].addresses
        assert box.addr_spec == address
        # Before 3.12.9 it kept the spaces between encoded words (python/cpython#128110).
        assert box.display_name.replace(" ", "") == name.replace(" ", "")
        old = email.message_from_bytes(blobs[mail["mime"]], policy=email.policy.compat32)
        decoded = str(email.header.make_header(email.header.decode_header(
            email.utils.parseaddr(old[header].replace("\r\n", ""))[0])))
        assert decoded == name


def test_a_name_beyond_all_measure_is_a_fault(bare):  # noqa: F811
    for setting in ("mail_from", "reply_to"):
        header, _ = bare().ask(init(**{setting: "x" * 1025 + " <a@acme.example>"}))
        assert header["op"] == "faults"
        assert header["faults"][0]["what"] == "not a display name of at most 1024 bytes"


# ---- brands --------------------------------------------------------------------------------------

@pytest.fixture
def templates(tmp_path):
    """A copy of the shipped folder, for brands: writes them by name."""
    folder = tmp_path / "templates"
    shutil.copytree(harness.ROOT / "templates", folder)

    def write(**brands):
        for name, settings in brands.items():
            path = folder / ("brand.json" if name == "default" else f"brands/{name}.json")
            path.parent.mkdir(exist_ok=True)
            old = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**old, **settings}))
        return folder
    return write


def of_client(client, **options):
    made = make("login_code_valid", **options)
    made["template_data"]["oauth2_login_request"] = {"client": {"client_id": client}}
    return made


def test_a_brand_has_its_own_sender(start, templates):  # noqa: F811
    folder = templates(
        shop={"name": "Shop", "from_name": "The Shop, Ltd.", "clients": ["shop-web"],
              "reply_to": '"Büro" <help@bücher.example>'},
        plain={"name": "Plain", "clients": ["plain-web"]})
    child = start(templates_dir=str(folder), reply_to="help@acme.example",
                  headers={"Feedback-ID": "{template}:{brand}"})
    for client, brand, name, reply_to in (
            ("shop-web", "shop", "The Shop, Ltd.", ("Büro", "help@xn--bcher-kva.example")),
            ("plain-web", "plain", "Plain", ("", "help@acme.example")),
            ("nobody's", "default", "Acme", ("", "help@acme.example"))):
        mail, blobs = compose_one(child, of_client(client))
        parsed = parse(blobs[mail["mime"]])
        (sender,), (answers,) = parsed["From"].addresses, parsed["Reply-To"].addresses
        assert (sender.display_name, sender.addr_spec) == (name, "no-reply@acme.example")
        assert (answers.display_name, answers.addr_spec) == reply_to
        assert parsed["Feedback-ID"] == f"login_code_valid:{brand}"
        assert mail["sender"] == "no-reply@acme.example"
        # Of a stored mail as well: whose it is, is kept.
        header, again = child.ask({"op": "render", "id": MESSAGE_ID, "elapsed_ms": 3,
                                   "wall_ms": WALL_MS}, blobs[mail["canonical"]])
        assert again[header["mails"][0]["mime"]] == blobs[mail["mime"]]


def test_a_preview_under_a_brand_of_ones_choice(start, templates):  # noqa: F811
    child = start(templates_dir=str(templates(
        shop={"name": "Shop", "from_name": "The Shop", "clients": ["shop-web"]})))
    mail, blobs = compose_one(child, of_client("shop-web"))
    canonical = blobs[mail["canonical"]]
    for choice, brand in ((None, "shop"), ("default", "default"), ("shop", "shop")):
        header, got = preview(child, canonical, brand=choice)
        assert header["brand"] == brand
        (sender,) = parse(got[3])["From"].addresses
        assert sender.display_name == {"shop": "The Shop", "default": "Acme"}[brand]
    for choice in ("sho", "shop-web"):  # a client's id is none to choose by
        header, _ = preview(child, canonical, brand=choice)
        assert header["reason"] == "unknown_brand"


@pytest.mark.parametrize("key, value", [
    ("reply_to", "nobody"), ("reply_to", "a@b.example, c@d.example"),
    ("reply_to", "kérdés@acme.example"), ("from_name", "x" * 1025),
    ("reply_to", "x <a@b.example>\r\nBcc: c@d.example"), ("from_name", "Shop\r\nBcc: c@d.example"),
])
def test_a_brands_sender_is_looked_at_when_it_is_loaded(bare, templates, key, value):  # noqa: F811
    for name in ("default", "shop"):
        folder = templates(**{name: {"name": "Shop", key: value}})
        header, _ = bare().ask(init(templates_dir=str(folder)))
        assert header["op"] == "faults"
        assert any(key in fault["what"] and str(folder) in fault["where"]
                   and re.search(r"\.json:\d+$", fault["where"])
                   for fault in header["faults"]), header
        templates(**{name: {"name": "Shop", key: None}})


@pytest.mark.parametrize("ending", ENDINGS, ids=lambda text: text.encode("unicode_escape").decode())
def test_no_brand_and_no_catalog_adds_a_header(bare, templates, ending):  # noqa: F811
    value = f"Acme{ending}{ATTACK}"
    folder = templates()
    catalog = folder / "locales/en.json"
    texts = json.loads(catalog.read_text())
    for change in ({"name": value}, {"from_name": value}, {"reply_to": f"{value} <a@b.example>"},
                   "subject"):
        if change == "subject":
            broken = json.loads(json.dumps(texts))
            broken["types"]["recovery_code_valid"]["subject"] = f"Reset{ending}{ATTACK}"
            catalog.write_text(json.dumps(broken))
        else:
            templates(default=change)
        child = bare()
        header, _ = child.ask(init(templates_dir=str(folder)))
        if header["op"] == "ready":  # then it is no more than a text
            mail, blobs = compose_one(child, make("recovery_code_valid"))
            assert_only_ours(blobs[mail["mime"]])
            parse(blobs[mail["mime"]])
        templates(default={"name": None, "from_name": None, "reply_to": None})
        catalog.write_text(json.dumps(texts))


# ---- the operator's own --------------------------------------------------------------------------

def test_headers_of_the_operators_own(start):  # noqa: F811
    long = " ".join(["word"] * 60)
    child = start(headers={
        "Feedback-ID": "{template}:{brand}:kratos:acme", "X-Id": "{id}", "X-Locale": "{locale}",
        "X-Long": long, "X-Wörd".replace("ö", "o"): "Szó: {template}"})
    mail, blobs = compose_one(child, make("login_code_valid", "de"))
    raw = blobs[mail["mime"]]
    parsed = parse(raw)
    assert parsed["Feedback-ID"] == "login_code_valid:default:kratos:acme"
    assert (parsed["X-Id"], parsed["X-Locale"]) == (MESSAGE_ID, "de")
    assert parsed["X-Long"] == long
    assert parsed["X-Word"] == "Szó: login_code_valid"


def test_headers_of_a_stored_mail_are_those_of_the_first_attempt(start):  # noqa: F811
    """But for what tells the time: a second one that arrives is known to be the same."""
    child = start(headers={"X-Id": "{id}"})
    mail, blobs = compose_one(child, make("login_code_valid"))
    header, again = child.ask({"op": "render", "id": MESSAGE_ID, "elapsed_ms": 60_003,
                               "wall_ms": WALL_MS + 60_000}, blobs[mail["canonical"]])
    first = parse(blobs[mail["mime"]])
    second = parse(again[header["mails"][0]["mime"]])
    for name in ("Message-ID", "X-Entity-Ref-ID", "X-Id", "Expires", "From", "To", "Subject"):
        assert first[name] == second[name] and first[name]
    assert first["Date"] != second["Date"]


def test_the_mails_of_an_array_are_told_apart(start, tmp_path):  # noqa: F811
    path = tmp_path / "two.jsonnet"
    path.write_text("""function(payload) [
        { to: 'a@b.example', data: {}, fallback: { subject: 's', text: 't' } } for n in [1, 2]]""")
    child = start(normaliser=path)
    header, blobs = compose(child, make("login_code_valid"))
    heads = [parse(blobs[mail["mime"]]) for mail in header["mails"]]
    assert [head["Message-ID"] for head in heads] == [
        f"<{MESSAGE_ID}@acme.example>", f"<{MESSAGE_ID}-1@acme.example>"]
    assert len({head["X-Entity-Ref-ID"] for head in heads}) == 2


def test_headers_change_on_a_reload(start_relay, sink, tmp_path):
    config = tmp_path / "relay.jsonnet"

    def write(headers):
        config.write_text(json.dumps({"mail_headers": headers}))

    def next_mail():
        made = payloads.login_code()
        relay.accept(made)
        return sink.wait_for(1, recipient=made["recipient"])[0].parsed

    write({"Feedback-ID": "{template}:first"})
    with start_relay(sink, config=config) as relay:
        assert next_mail()["Feedback-ID"] == "login_code_valid:first"
        write({"Feedback-ID": "{template}:second", "X-Tag": "t"})
        os.kill(relay.process.pid, signal.SIGHUP)
        assert relay.wait_for("reloaded")["changed"] == "mail_headers"
        mail = next_mail()
        assert (mail["Feedback-ID"], mail["X-Tag"]) == ("login_code_valid:second", "t")
        write({"X-Tag": "t", "List-Unsubscribe": "<mailto:x@acme.example>"})
        os.kill(relay.process.pid, signal.SIGHUP)
        refused = relay.wait_for("reload_refused")
        assert refused["where"].endswith("relay.jsonnet: mail_headers")
        assert refused["what"].startswith("List-Unsubscribe: ")
        assert next_mail()["X-Tag"] == "t"


# ---- who asked for it ----------------------------------------------------------------------------

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:142.0) Gecko/20100101 Firefox/142.0"


def test_a_mail_says_who_asked_for_it_and_keeps_no_header(start):  # noqa: F811
    child = start(timezone="Europe/Budapest")
    for headers, words in (({"User-Agent": [FIREFOX]}, {"browser": "Firefox", "system": "Windows"}),
                           ({"User-Agent": FIREFOX}, {"browser": "Firefox", "system": "Windows"}),
                           ({"User-Agent": ["Mozilla/5.0 SECRET"]}, None), ({}, None), (None, None)):
        mail, blobs = compose_one(child, make("login_code_valid", headers=headers))
        canonical = blobs[mail["canonical"]]
        assert json.loads(canonical).get("client") == words
        for secret in (b"Gecko", b"Mozilla", b"SECRET", b"user_agent"):
            assert secret not in canonical + json.dumps(mail).encode()
        text = parse(blobs[mail["mime"]]).get_body(("plain",)).get_content()
        assert ("Firefox on Windows" in text) == bool(words)
        assert "SECRET" not in text and "Gecko" not in text
        # A later attempt says the same, of the words that were kept.
        header, again = child.ask({"op": "render", "id": MESSAGE_ID, "elapsed_ms": 3,
                                   "wall_ms": WALL_MS}, canonical)
        assert again[header["mails"][0]["mime"]] == blobs[mail["mime"]]


# ---- scripts -------------------------------------------------------------------------------------

@pytest.mark.parametrize("recipient, envelope, smtputf8", [
    ("user@bücher.example", "user@xn--bcher-kva.example", False),
    ("user@例え.jp", "user@xn--r8jz45g.jp", False),
    ("用户@例え.jp", "用户@xn--r8jz45g.jp", True),
    ("zoë@example.com", "zoë@example.com", True),
])
def test_addresses_of_other_scripts_through_a_server(relay, sink, recipient, envelope, smtputf8):
    with relay:
        relay.accept(payloads.login_code(recipient=recipient))
        mail, = sink.wait_for(1)
    assert mail.recipient == envelope
    assert ("SMTPUTF8" in mail.options) == smtputf8
    to, = [line for line in mail.data.split(b"\r\n") if line.startswith(b"To: ")]
    assert to == b"To: " + envelope.encode()
    if not smtputf8:
        mail.data.decode("ascii")


def test_a_sender_of_another_script_asks_for_smtputf8(start_relay, sink):
    with start_relay(sink, mail_from="Acme <kérdés@acme.example>") as relay:
        relay.accept(payloads.login_code(recipient="zoe@example.com"))
        mail, = sink.wait_for(1)
    assert (mail.sender, "SMTPUTF8" in mail.options) == ("kérdés@acme.example", True)
    assert "From: Acme <kérdés@acme.example>\r\n".encode() in mail.data


def test_answers_do_not_go_where_every_server_would_have_to_know_utf8(bare):  # noqa: F811
    header, _ = bare().ask(init(reply_to="Acme <kérdés@acme.example>"))
    assert header["faults"] == [
        {"where": "mail_reply_to", "what": "the part before the @ is not ASCII"}]


def test_a_domain_of_another_script_needs_no_smtputf8(start_relay, sink):
    with start_relay(sink, mail_from="Bücher <a@bücher.example>",
                     mail_reply_to="Bücher <b@bücher.example>") as relay:
        message_id = relay.accept(payloads.login_code(recipient="zoe@example.com"))
        mail, = sink.wait_for(1)
    assert "SMTPUTF8" not in mail.options
    assert mail.sender == "a@xn--bcher-kva.example"
    assert mail.message_id == f"<{message_id}@xn--bcher-kva.example>"
    assert mail.parsed["Reply-To"].addresses[0].addr_spec == "b@xn--bcher-kva.example"
    mail.data.decode("ascii")
