"""Every type of e-mail that Kratos sends, in every language, parsed back by Python's email."""
import json
import re
from html import unescape

import canaries
import payloads
import pytest
import relay as harness
import sink as sink_module

LANGUAGES = ("en", "hu", "de", "ar")
CODES = {"login_code_valid": "login_code", "registration_code_valid": "registration_code",
         "verification_code_valid": "verification_code", "recovery_code_valid": "recovery_code"}
LINKS = {"verification_valid": "verification_url", "recovery_valid": "recovery_url",
         "verification_code_valid": "verification_url"}
INVALID = ("verification_code_invalid", "verification_invalid", "recovery_code_invalid",
           "recovery_invalid")
NOTICES = ("verifiable_address_changed", "authenticator_key_added")
TYPES = (*CODES, "verification_valid", "recovery_valid", *INVALID, *NOTICES)


def payload_of(template, language):
    made = payloads.payload(template, language=language)
    data = made["template_data"]
    expected = []
    if template in CODES:
        data[CODES[template]] = canaries.code()
        expected.append(data[CODES[template]])
    if template in LINKS:
        data[LINKS[template]] = ("https://auth.example.org/self-service/verification?flow="
                                 f"{canaries.code()}&token={canaries.token()}")
        expected.append(data[LINKS[template]])
    if template in INVALID or template in NOTICES:
        del data["expires_in_minutes"]
    if template in INVALID:  # Kratos knows nobody there
        data["transient_payload"]["locale"] = language
        del data["identity"]
    return made, expected


def check_wire(data):
    """RFC 5322: CRLF alone ends a line, and no line is over 998 bytes."""
    assert b"\n" not in data.replace(b"\r\n", b"") and b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    assert all(byte < 128 for byte in data)


def check_mail(mail, made, expected, language):
    check_wire(mail.data)
    parsed = mail.parsed
    assert not parsed.defects
    assert mail.language == language
    assert parsed.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in parsed.iter_parts()]
    assert kinds == ["text/plain", "text/html"]
    assert [part.get_content_charset() for part in parsed.iter_parts()] == ["utf-8", "utf-8"]
    assert parsed["Date"].datetime.utcoffset() is not None
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert mail.subject and "{" not in mail.subject
    text, html = mail.text(), mail.text("html")
    assert "{{" not in text + html and not re.search(r"\{\w+\}", text)
    assert f'lang="{language}"' in html
    for value in expected:
        assert value in text
        assert value in unescape(html)
    if made["template_type"] in ("recovery_code_valid",):
        assert expected[0] not in mail.subject, "a recovery code is not for the lock screen"
    return mail.subject, text


def test_every_type_in_every_language(start_relay, tmp_path):
    folder = tmp_path / "mails"
    folder.mkdir()
    made = {(template, language): payload_of(template, language)
            for template in TYPES for language in LANGUAGES}
    with sink_module.Sink(folder) as sink, start_relay(sink) as relay:
        for payload, _ in made.values():
            relay.accept(payload)
        mails = {mail.recipient: mail for mail in sink.wait_for(len(made))}
    assert len(list(folder.glob("*.eml"))) == len(made)
    written = {}
    for (template, language), (payload, expected) in made.items():
        mail = mails[payload["recipient"]]
        try:
            written[template, language] = check_mail(mail, payload, expected, language)
        except AssertionError as failure:
            raise AssertionError(f"{template} in {language}: {failure}\n{mail.data.decode()}")
    for template in TYPES:  # each language has texts of its own
        assert len({written[template, language][1] for language in LANGUAGES}) == len(LANGUAGES), template


@pytest.mark.parametrize("name", ["Zoë O'Hara & Søn <b>", "محمد", "a" * 5000, "{{code}} {code}"])
def test_odd_names_stay_text(relay, sink, name):
    made = payloads.login_code()
    made["template_data"]["identity"]["traits"]["name"] = name
    with relay:
        relay.accept(made)
        mail, = sink.wait_for(1)
    check_wire(mail.data)
    assert "<b>" not in mail.text("html")
    assert payloads.code_of(made) in mail.text()


def test_markup_in_kratos_own_text_of_an_unknown_type_is_escaped(relay, sink):
    made = payloads.payload("brand_new_type_valid", body="1 < 2 & <script>alert(1)</script>\n")
    with relay:
        relay.accept(made)
        mail, = sink.wait_for(1)
    assert "<script>" not in mail.text("html") and "1 &lt; 2" in mail.text("html")


def test_a_routes_default_language_is_for_who_has_none_that_is_served(start_relay, sink):
    normaliser = str(harness.ROOT / "jsonnet/kratos_courier.jsonnet")
    routes = {"tenant": {"path": "/tenant", "normaliser": normaliser,
                         "defaults": {"locale": "de"}}}
    with start_relay(sink, routes=json.dumps(routes)) as relay:
        for trait, header, path, spoken in (("hu", None, "/tenant", "hu"),
                                            (None, "hu;q=0.5, fr", "/tenant", "hu"),
                                            (None, "fr", "/tenant", "de"),
                                            (None, None, "/tenant", "de"),
                                            (None, None, "/kratos/webhook", "en")):
            made = payloads.login_code(language=trait)
            made["request_headers"] = {"Accept-Language": [header] if header else []}
            assert relay.post(made, path=path).status == 200
            mail = sink.wait_for(1, recipient=made["recipient"])[0]
            assert mail.language == spoken, (trait, header, path)
