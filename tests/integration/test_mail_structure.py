"""Every type in every language on the wire: structure, charsets, line lengths, headers."""
import mails
import pytest
import wire


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", mails.locales())
def test_a_mail_is_good_for_two_parsers(composer, strict_parser, template, locale):
    shown = composer.preview(mails.canonical(template), locale)
    mail = wire.check(shown.raw, strict_parser)
    # The last line end belongs to the boundary (RFC 2046 §5.1.1), but in Base64 to the text.
    assert [mail.subject, *(text.removesuffix("\n") for text in (mail.text, mail.html))] == [
        shown.subject, shown.text.removesuffix("\n"), shown.html.removesuffix("\n")]
    assert mail.headers["Content-Language"] == locale.split("-x-")[0]
    assert mail.headers["From"] == "Acme <no-reply@acme.example>"
    assert mail.headers["To"] == mails.RECIPIENT
    assert mail.headers["Date"].datetime.timestamp() * 1000 == mails.WALL_MS
    assert mail.headers["Message-ID"] == f"<{mails.ID}@acme.example>"
