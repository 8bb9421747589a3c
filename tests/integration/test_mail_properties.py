"""Whatever a payload holds, a good mail comes of it or none, and the composer lives on."""
import re

import json_values
import mails
import page
import pytest
import wire
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import mostly, text

PARKED = {"unparseable", "no_recipient", "bad_recipient", "no_content", "unsupported_channel",
          "not_canonical", "too_large", "link_not_allowed"}
FAILED = {"normaliser_failed", "compose_failed", "not_canonical", "too_large"}
CODE_KEYS = {"login_code_valid": "login_code", "registration_code_valid": "registration_code",
             "recovery_code_valid": "recovery_code", "verification_code_valid": "verification_code"}
PLAIN_NAME = "Plainname"
SUPPORT = "https://shop.example/help"  # of tests/data/templates-sample/brands/shop.json

types = st.one_of(st.sampled_from(sorted(mails.TYPES)), text)
schemes = st.sampled_from(["https://", "http://", "HTTPS://", "https:", "javascript:", " https://"])
links = st.one_of(text, st.builds("".join, st.tuples(schemes, text)))


class Frames:
    """The start tags that our own frames have, with their attributes."""

    def __init__(self, tags):
        self.tags = texts_of(tags)

    def check(self, mail):
        """Gives the page of a mail, which is of the frames' own tags and no others."""
        shown = page.Page(mail.html)
        assert not shown.unclosed, shown.unclosed
        assert not texts_of(shown.tags) - self.tags
        for href in shown.hrefs:
            assert re.fullmatch(r"https?://\S+", href), href
        return shown


@pytest.fixture(scope="session")
def frames(composer):
    known = set()
    for template in mails.TYPES:
        for data in ({}, {"code": "?", "url": "?"}):  # the second gives Kratos' own words
            for locale in mails.locales():
                shown = composer.preview(mails.canonical(
                    template, data, fallback={"subject": "s", "text": "t"}), locale)
                known |= set(page.Page(shown.html).tags)
    return Frames(known)


def texts_of(tags):
    """The same without what a text may decide: a page's and an image's attributes."""
    return {(name, tuple(item for item in attributes if item[0] not in ("src", "alt")))
            for name, attributes in tags}


def check_mails(header, blobs, strict_parser, frames):
    """Every mail of an answer is good, or parked for a known reason. Gives those that go."""
    good = []
    for made in header["mails"]:
        if made["park"] is not None:
            assert made["park"] in PARKED
            continue
        mail = wire.check(blobs[made["mime"]], strict_parser, made["smtputf8"])
        assert mail.headers["From"] == "Acme <no-reply@acme.example>"
        assert mail.headers["To"] == made["recipient"]
        if frames is not None:
            frames.check(mail)
        good.append(mail)
    return good


@st.composite
def payloads(draw, with_html):
    """A payload of Kratos', wrong in any number of places."""
    template = draw(st.sampled_from(sorted(mails.TYPES)))
    own, minutes, _ = mails.TYPES[template]
    data = {
        "to": mails.RECIPIENT, "expires_in_minutes": draw(mostly(minutes)),
        "request_url": draw(mostly("https://auth.example.org/?lang=hu")),
        "identity": draw(mostly({"id": "7c0f", "traits": {
            "email": mails.RECIPIENT, "name": draw(mostly("Zoe")), "lang": draw(mostly("de"))}})),
        "transient_payload": {"timezone": draw(mostly("Europe/Budapest")),
                              "locale": draw(mostly("hu"))},
        "oauth2_login_request": {"client": {"client_id": draw(mostly("webshop"))}},
        "changed_at": draw(mostly(own.get("at")))}
    if "code" in own:
        data[CODE_KEYS[template]] = draw(mostly(own["code"]))
    if "url" in own:
        data[draw(st.sampled_from(["verification_url", "recovery_url"]))] = \
            draw(mostly(own["url"], links))
    return {
        "recipient": draw(mostly(mails.RECIPIENT)), "subject": draw(mostly("Own subject")),
        "body": draw(mostly("Own text\n")), "html_body": draw(text) if with_html else None,
        "template_type": draw(mostly(template, types)),
        "message_type": draw(mostly("email", st.sampled_from(["sms", "", None, 7]))),
        "template_data": data,
        "request_headers": {"User-Agent": [draw(mostly(mails.FIREFOX))],
                            "Accept-Language": [draw(mostly("hu"))]}}


def compose(composer, payload, fallback=False):
    return composer.ask({"op": "compose", "id": mails.ID, "route": "kratos", "elapsed_ms": 1000,
                         "wall_ms": mails.WALL_MS, "fallback": fallback}, payload)


def check_payload(composer, strict_parser, frames, payload):
    header, blobs = compose(composer, payload)
    if header["op"] == "failed":  # then the core asks for the places that are known
        assert header["reason"] in FAILED
        header, blobs = compose(composer, payload, fallback=True)
    assert header["op"] == "composed", header
    return check_mails(header, blobs, strict_parser, frames)


@json_values.examples(350)
@given(payload=payloads(with_html=False))
def test_any_payload_becomes_a_good_mail_or_is_parked(composer, strict_parser, frames, payload):
    check_payload(composer, strict_parser, frames, payload)


@json_values.examples(150)
@given(payload=payloads(with_html=True), code=text)
def test_kratos_own_html_becomes_a_good_mail_or_is_left_out(
        composer, strict_parser, payload, code):
    payload["template_data"] = {"login_code": code}
    for mail in check_payload(composer, strict_parser, None, payload):
        assert "<script" not in mail.html.lower()


@json_values.examples(150)
@given(document=st.fixed_dictionaries({
    key: mostly(usual) for key, usual in mails.canonical("verification_code_valid").items()}
    | {"brand": json_values.value, "client": json_values.value, "locales": mostly(["hu"]),
       "fallback": json_values.value, "http": json_values.value}))
def test_any_stored_mail_becomes_a_good_mail_or_is_parked(
        composer, strict_parser, frames, document):
    header, blobs = composer.ask({"op": "render", "id": mails.ID, "elapsed_ms": 1000,
                                  "wall_ms": mails.WALL_MS}, document)
    if header["op"] == "failed":
        assert header["reason"] in FAILED
        return
    own_html = isinstance(document["fallback"], dict) and "html" in document["fallback"]
    check_mails(header, blobs, strict_parser, None if own_html else frames)


def as_kept(text):
    """text as jsonnet/payload.c hands it on: without NUL and lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode(
        "utf-16", "replace")


# What is taken out of Kratos' own words, as the inside of a character class.
UNSEEN = "\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200b\ufeff"


def has_ink(text):
    return bool(re.sub(f"[\t\n\r {UNSEEN}]", "", text))


def prose(part):
    """Words in a row, with the invisible marks around values gone and white space collapsed."""
    return " ".join(re.sub("[\u2068\u2069]", "", part).split())


@json_values.examples(200)
@given(name=text)
@example(name="{{code}}")
@example(name="{{{own_html}}}<b>")
@example(name="<b>Zo\u00eb</b>")
def test_a_name_is_text_and_nothing_else(composer, strict_parser, frames, name):
    _, raw = composer.render(mails.canonical("login_code_valid", {"name": PLAIN_NAME}))
    plain = wire.check(raw, strict_parser)
    _, raw = composer.render(mails.canonical(
        "login_code_valid", {"name": as_kept(name)}))
    mail = wire.check(raw, strict_parser)
    shown, plainly = frames.check(mail), page.Page(plain.html)

    assert mail.head == plain.head
    assert shown.tags == plainly.tags and shown.hrefs == plainly.hrefs
    assert mail.html.count("750046") == plain.html.count("750046")
    assert mail.text.count("750046") == plain.text.count("750046")
    # What is not the greeting is as it was, and the greeting is the same in both parts.
    changed = [(line, was) for line, was in zip(shown.lines, plainly.lines) if line != was]
    assert len(shown.lines) == len(plainly.lines) and len(changed) <= 1
    for line, was in changed:
        assert PLAIN_NAME in was
        assert prose(line) in prose(mail.text)
        assert not re.search("[\0-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066\u2067\ufeff]", line)
        assert not re.search(r"://|@|www\.|[0-9]{4}", line)


@json_values.examples(200)
@given(code=st.one_of(text, st.text("0123456789ABCabc- ", max_size=40)))
def test_a_code_is_shown_as_it_is_or_not_at_all(composer, strict_parser, frames, code):
    """A mail whose code is unfit says what Kratos would have said."""
    code = as_kept(code)
    _, raw = composer.render(mails.canonical("login_code_valid", {"code": code}, locales=["en"],
                                             fallback={"subject": "own", "text": "Own text."}))
    mail = wire.check(raw, strict_parser)
    shown = frames.check(mail)
    trimmed = code.strip()
    if "Own text." in shown.lines:
        assert mail.subject == "own"
        assert not re.fullmatch("[A-Za-z0-9]{4,32}", code), code
    else:
        assert re.fullmatch("[A-Za-z0-9-]{4,32}", trimmed), code
        assert trimmed in shown.lines and trimmed in mail.subject and f": {trimmed}\n" in mail.text


@json_values.examples(200)
@given(subject=text, body=text)
def test_kratos_own_words_are_text_and_nothing_else(
        composer, strict_parser, frames, subject, body):
    subject, body = as_kept(subject), as_kept(body)
    try:
        _, raw = composer.render(mails.canonical(
            "login_code_valid", {"code": None}, fallback={"subject": subject, "text": body}))
    except mails.Parked as parked:
        assert str(parked) == "no_content" and not has_ink(body)
        return
    mail = wire.check(raw, strict_parser)
    shown = frames.check(mail)
    assert "750046" not in mail.html and has_ink(body)
    assert has_ink(mail.subject)
    # Line by line in both parts, whatever is in a line.
    cells = [prose(cell) for cell in shown.lines]
    for line in re.split("[\r\n]", body):
        words = prose(re.sub(f"[{UNSEEN}]", "", line))
        assert words in prose(mail.text) and (not words or any(words in cell for cell in cells))


# What mail programs and browsers take for the address of a host, and tricks to make them.
hosts = st.sampled_from([
    "auth.example.org", "login.shop.example", "shop.example", "a.b.shop.example",
    "AUTH.EXAMPLE.ORG", "auth.example.org.", "evil.example", "auth.example.org.evil.example",
    "xauth.example.org", "evilshop.example", "shop.example.evil.example", "auth.example.org:443",
    "user@auth.example.org", "auth.example.org@evil.example", "auth.example.org:x@evil.example",
    "evil.example#auth.example.org", "evil.example\\@auth.example.org",
    "auth.example.org\\.evil.example", "[::1]", "127.0.0.1", "evil.example%2f.shop.example",
    "\uff0eshop.example", "evil\u3002example", "auth.example.org\t", "auth\u00ad.example.org",
    "evil.example/.shop.example", "evil.example?.shop.example", ""])
addresses = st.builds("".join, st.tuples(
    schemes, st.one_of(hosts, st.builds("".join, st.tuples(text, hosts)), text),
    st.one_of(st.sampled_from(["", "/", "/?flow=1&code=2", "\\", "//"]), text)))


def leads_to(address):
    """The host that a browser would go to, as the URL standard reads an address."""
    address = re.sub("[\t\r\n]", "", address.strip("".join(map(chr, range(0x21)))))
    scheme, _, rest = address.partition(":")
    assert scheme.lower() in ("http", "https"), address
    authority = re.split("[/?#]", rest.replace("\\", "/").lstrip("/"), maxsplit=1)[0]
    return re.sub(r":[0-9]*$", "", authority.rsplit("@", 1)[-1]).lower().rstrip(".")


def is_allowed(host):
    """As tests/data/templates-sample/brands/shop.json says."""
    return host == "auth.example.org" or host.endswith(".shop.example")


@json_values.examples(300)
@given(template=st.sampled_from(["verification_code_valid", "recovery_valid", "login_code_valid"]),
       url=addresses, own=st.one_of(addresses, text), html=st.one_of(st.none(), addresses))
@example(template="recovery_valid", url="https://evil.example/", own="HTTPS://a.evil", html=None)
@example(template="recovery_valid", url="https://auth.example.org:443:", own="", html=None)
@example(template="other", url="", own="https:\x01//evil.example", html=None)
@example(template="other", url="", own="", html="<p><a href='https://evil.example'>here</a></p>")
def test_no_link_leads_to_a_host_that_the_brand_does_not_name(
        sample_composer, strict_parser, template, url, own, html):
    mail = {"template": template, "to": mails.RECIPIENT, "brand": "webshop",
            "data": {"code": "830175", "url": as_kept(url)},
            "fallback": {"subject": "Own", "text": as_kept(own), "html": html and as_kept(html)}}
    if template == "login_code_valid":
        del mail["data"]["code"]  # so that Kratos' own words go
    try:
        _, raw = sample_composer.render(mail)
    except mails.Parked as parked:
        assert str(parked) in ("link_not_allowed", "no_content")
        return
    sent = wire.check(raw, strict_parser)
    shown = page.Page(sent.html)
    # The brand's own address is the operator's.
    for href in set(shown.hrefs) - {SUPPORT}:
        assert is_allowed(leads_to(href)), href
    # In running text mail programs make links of what has "://", less what ends a sentence.
    for part in (sent.subject, sent.text, shown.shown):
        for found in re.findall(r"(?i)https?://[^\s/]+", part.replace(SUPPORT, "")):
            assert is_allowed(leads_to(found.rstrip(".,;:!?)'*_"))), found
