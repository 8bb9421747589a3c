"""What holds for every mail on the wire, read by two parsers that share no code with its writer."""
import email
import email.policy
import email.utils
import re

HEADER_COLUMNS, BODY_COLUMNS = 78, 76
# Each exactly once, in this order.
HEADERS = ["From", "Reply-To", "MIME-Version", "Auto-Submitted", "X-Auto-Response-Suppress", "To",
           "Subject", "Date", "Message-ID", "Content-Language", "X-Entity-Ref-ID", "Expires",
           "Content-Type"]
OPTIONAL = {"Reply-To", "Expires"}
FIELD = re.compile(rb"[!-9;-~]+: [^ ]")


class WireMail:
    """A mail that was found good: its headers (Python's email), its subject and its two texts."""

    def __init__(self, raw, parsed):
        self.raw = raw
        self.head = raw.split(b"\r\n\r\n", 1)[0].decode().replace("\r\n", "\n")
        self.headers = parsed
        self.subject = parsed["Subject"]
        self.text, self.html = (_decoded(part) for part in parsed.iter_parts())


def _decoded(part):
    return _lines(part.get_payload(decode=True).decode("utf-8"))


def _lines(text):
    """With LF line ends, and without the last: where it is not encoded it is the boundary's."""
    return text.replace("\r\n", "\n").removesuffix("\n")


def _check_bytes(raw, smtputf8):
    assert raw.endswith(b"\r\n")
    assert b"\0" not in raw
    lines = raw.split(b"\r\n")[:-1]
    for line in lines:
        assert b"\r" not in line and b"\n" not in line, line
        assert not line.startswith(b"."), line
        if not smtputf8:
            assert max(line, default=0) < 0x80, line
    head = lines[:lines.index(b"")]
    for line in head:
        assert len(line.decode()) <= HEADER_COLUMNS, line
        assert line.strip() and not line.endswith((b" ", b"\t")), line
        assert FIELD.match(line) or line[0] == 0x20, line
    for line in lines[len(head):]:
        assert len(line) <= BODY_COLUMNS, line


def _check_headers(parsed, more):
    names = parsed.keys()
    expected = [name for name in HEADERS if name not in OPTIONAL or name in names]
    assert [name for name in names if name not in more] == expected
    assert sorted(names) == sorted(expected + list(more)), names
    for name, value in parsed.items():
        assert not getattr(value, "defects", ()), (name, value, value.defects)
    (sender,) = parsed["From"].addresses
    assert len(parsed["To"].addresses) == 1 and not parsed["To"].addresses[0].display_name
    for name in ("Date", "Expires"):
        assert name not in names or email.utils.parsedate_to_datetime(parsed[name])
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Auto-Response-Suppress"] == "All"
    assert parsed["MIME-Version"] == "1.0"
    assert parsed["Message-ID"] == f"<{parsed['X-Entity-Ref-ID']}@{sender.domain}>"
    assert re.fullmatch("[a-z]{2,3}(-[A-Za-z0-9]+)*", parsed["Content-Language"])
    assert "-x-" not in parsed["Content-Language"]


def _check_parts(parsed):
    assert [part.get_content_type() for part in parsed.walk()] == [
        "multipart/alternative", "text/plain", "text/html"]
    for part in parsed.walk():
        assert not part.defects, part.defects
    for part in parsed.iter_parts():
        assert part.keys() == ["Content-Type", "Content-Transfer-Encoding"]
        assert part.get_content_charset() == "utf-8"
        encoding = part["Content-Transfer-Encoding"]
        assert encoding in ("7bit", "quoted-printable", "base64"), encoding
    assert not (parsed.preamble or "").strip() and not (parsed.epilogue or "").strip()


def _check_texts(mail):
    """No control characters and no invisible line ends, but in HTML that is not ours."""
    for part in (mail.subject, mail.text.replace("\n", "")):
        assert not re.search("[\0-\x1f\x7f-\x9f\u2028\u2029]", part), part


def without_spaces(text):
    return "".join((text or "").split())


def _mailboxes(header):
    """Names without spaces: of long ones Python makes a space, and GMime keeps a line's end."""
    return [[without_spaces(address.display_name), address.addr_spec]
            for address in header.addresses] if header else []


def _check_strictly(mail, parser):
    strict = parser.parse(mail.raw)
    parsed = mail.headers
    assert strict["warnings"] == []
    assert strict["parts"] == ["multipart/alternative", "text/plain", "text/html"]
    assert [_lines(text) for text in strict["texts"]] == [mail.text, mail.html]
    assert strict["subject"] == str(mail.subject)
    assert f"<{strict['message_id']}>" == parsed["Message-ID"]
    assert strict["date"] == parsed["Date"].datetime.timestamp()
    for key, name in (("from", "From"), ("to", "To"), ("reply_to", "Reply-To")):
        found = [[without_spaces(shown), address] for shown, address in strict[key]]
        assert found == _mailboxes(parsed[name])


def check(raw, strict_parser, smtputf8=False, more=()):
    """Checks all of it and gives the WireMail. more: names of headers that were configured."""
    _check_bytes(raw, smtputf8)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    _check_headers(parsed, more)
    _check_parts(parsed)
    mail = WireMail(raw, parsed)
    _check_texts(mail)
    _check_strictly(mail, strict_parser)
    return mail
