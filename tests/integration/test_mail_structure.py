"""Every type in every language on the wire: structure, charsets, line lengths, headers."""
import email.utils

import mails
import pytest
import wire

ELAPSED_MS = 65_000
EMOJI = "\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", mails.locales())
def test_a_mail_is_good_for_two_parsers(composer, strict_parser, template, locale):
    shown = composer.preview(mails.canonical(template), locale, elapsed_ms=ELAPSED_MS)
    mail = wire.check(shown.raw, strict_parser)
    assert [mail.subject, mail.text, mail.html] == [
        shown.subject, shown.text.removesuffix("\n"), shown.html.removesuffix("\n")]
    assert mail.headers["Content-Language"] == locale.split("-x-")[0]
    assert mail.headers["From"] == "Acme <no-reply@acme.example>"
    assert mail.headers["Reply-To"] is None
    assert mail.headers["To"] == mails.RECIPIENT
    assert mail.headers["Date"].datetime.timestamp() * 1000 == mails.WALL_MS
    assert mail.headers["Message-ID"] == f"<{mails.ID}@acme.example>"
    minutes = mails.TYPES[template][1]
    if minutes is None:
        assert mail.headers["Expires"] is None
    else:
        expires = email.utils.parsedate_to_datetime(mail.headers["Expires"]).timestamp()
        assert expires * 1000 == mails.WALL_MS - ELAPSED_MS + minutes * 60_000


@pytest.mark.parametrize("brand", mails.SAMPLE_BRANDS)
def test_a_brands_mail_is_good_for_two_parsers(sample_composer, strict_parser, brand):
    for template in mails.TYPES:
        shown = sample_composer.preview(mails.canonical(template), None, brand)
        mail = wire.check(shown.raw, strict_parser)
        if brand == "shop":
            (sender,) = mail.headers["From"].addresses
            assert sender.display_name == 'K\u00e9k Bolt, "a webshop"'
            assert mail.headers["Reply-To"] == "help@shop.example"


@pytest.mark.parametrize("name", [
    "Acme, Inc.", 'The "Acme" Company', "back\\slash", "(round) <angle> [square] ;:@,.",
    "Zo\u00eb", "=?x?=", "\u0634\u0631\u0643\u0629 Acme", EMOJI * 30, "A" * 70, "a b " * 30 + "c", "\u674e" * 100,
    "x" + "\u674e" * 60, "O'Neil"])
def test_a_senders_name_comes_out_as_it_went_in(strict_parser, name):
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    with mails.Composer(mail_from=f'"{quoted}" <no-reply@acme.example>',
                        reply_to=f'"{quoted}" <help@acme.example>') as composer:
        _, raw = composer.render(mails.canonical("login_code_valid"))
    mail = wire.check(raw, strict_parser)
    for header in ("From", "Reply-To"):
        (address,) = mail.headers[header].addresses
        assert wire.without_spaces(address.display_name) == wire.without_spaces(name)


@pytest.mark.parametrize("to,sent,smtputf8", [
    ("a..b.@example.com", "a..b.@example.com", False),
    ("zoe@b\u00fccher.example", "zoe@xn--bcher-kva.example", False),
    ("\u7528\u6237@\u4f8b\u3048.jp", "\u7528\u6237@xn--r8jz45g.jp", True),
    ("x" * 64 + "@" + "y" * 60 + ".example", "x" * 64 + "@" + "y" * 60 + ".example", False)])
def test_an_unusual_recipient_is_written_as_servers_take_it(composer, to, sent, smtputf8):
    mail, raw = composer.render(mails.canonical("login_code_valid", to=to))
    assert (mail["recipient"], mail["smtputf8"]) == (sent, smtputf8)
    assert f"\r\nTo: {sent}\r\n" in raw.decode()
    assert smtputf8 or raw.isascii()


DAMAGES = {
    "a bare line feed": (b"\r\nTo:", b"\nTo:"),
    "a second Subject": (b"\r\nSubject:", b"\r\nSubject: x\r\nSubject:"),
    "a header that is not ours": (b"\r\nTo:", b"\r\nList-Unsubscribe: <a:b>\r\nTo:"),
    "no Auto-Submitted": (b"Auto-Submitted: auto-generated\r\n", b""),
    "a long header": (b"\r\nSubject: ", b"\r\nSubject: " + b"x" * 80),
    "eight bits in a header": (b"\r\nSubject: ", b"\r\nSubject: \xc3\xa4"),
    "eight bits in a body": (b"\r\n<html", b"\r\n\xc3\xa4<html"),
    "a long line in a body": (b"\r\n<html", b"\r\n" + b"x" * 77 + b"\r\n<html"),
    "a dot that ends it": (b"\r\n<html", b"\r\n.\r\n<html"),
    "no date": (b"\r\nDate: Fri, 20", b"\r\nDate: Fry, 80"),
    "a Message-ID of elsewhere": (b"@acme.example>\r\nContent", b"@evil.example>\r\nContent"),
    "another charset": (b"text/html; charset=utf-8", b"text/html; charset=latin-1"),
    "HTML alone": (b"Content-Type: text/plain", b"Content-Type: text/html"),
    "no end": (b"0001--\r\n", b"0001\r\n"),
    "a word that ends early": (b"\r\nSubject: ",
                               b"\r\nSubject: =?utf-8?B?w6k=?= =?utf-8?B?w6k=?= "),
    "two recipients": (b"\r\nTo: ", b"\r\nTo: a@b.example, "),
    "the language of a variant": (b"Content-Language: en", b"Content-Language: en-x-formal"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_checks_see_what_is_wrong(composer, strict_parser, damage):
    _, raw = composer.render(mails.canonical("login_code_valid", locales=["en"]))
    assert wire.check(raw, strict_parser)
    was, now = DAMAGES[damage]
    assert raw.count(was) >= 1, "the mail has no such place"
    with pytest.raises(AssertionError):
        wire.check(raw.replace(was, now, 1), strict_parser)
