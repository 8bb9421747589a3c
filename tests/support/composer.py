"""A composer by itself, with the test as its core: docs/protocol.md, Composer.

The fixtures are for the tests that import them.
"""
import email
import email.policy
import os

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


def preview(child, canonical, **fields):
    return child.ask({"op": "preview", "id": MESSAGE_ID, "elapsed_ms": 0, "wall_ms": WALL_MS,
                      "locale": None, "brand": None, **fields}, canonical)
