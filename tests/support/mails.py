"""A canonical mail of every type (docs/normaliser.md), and the real composer to make mails of them.

Everything here is fixed, so that the same mail comes out on every machine at every time.
"""
import collections
import copy
import json
import shutil

import relay as harness
from child import Child

WALL_MS = 1795179900000  # Fri, 20 Nov 2026 13:05:00 UTC; 14:05 in Budapest
ID = "0193aaaa-bbbb-7ccc-8ddd-eeeeffff0001"
RECIPIENT = "zoe.ohara@example.com"
FLOW = "0f3c9a52-7d0e-4c7b-9d53-60a7b1d0e8aa"
LINK = "https://auth.example.org/self-service/{}" f"?flow={FLOW}&token=Qw7ZxT0aP4sLmN9cVbR2y"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
CLIENT = {"user_agent": FIREFOX}

# type -> (what its data has beside the name, the minutes it lives, what else the mail has)
TYPES = {
    "login_code_valid": ({"code": "750046"}, 15, CLIENT),
    "registration_code_valid": ({"code": "040302"}, 15, CLIENT),
    "verification_code_valid": (
        {"code": "830175", "url": LINK.format("verification")}, 60, {}),
    "recovery_code_valid": ({"code": "093517"}, 15, CLIENT),
    "verification_valid": ({"url": LINK.format("verification")}, 60, {}),
    "recovery_valid": ({"url": LINK.format("recovery")}, 60, {}),
    "verification_code_invalid": ({}, None, {}),
    "verification_invalid": ({}, None, {}),
    "recovery_code_invalid": ({}, None, {}),
    "recovery_invalid": ({}, None, {}),
    "verifiable_address_changed": ({"at": "2026-11-20T13:01:00Z"}, None, {}),
    "authenticator_key_added": ({"at": "2026-11-20T13:01:00Z"}, None, {}),
}
CODE_TYPES = [name for name, (data, _, _) in TYPES.items() if "code" in data]
LINK_TYPES = [name for name, (data, _, _) in TYPES.items() if "url" in data and "code" not in data]
INVALID_TYPES = [name for name in TYPES if name.endswith("_invalid")]
SAMPLE_BRANDS = ["club", "shop"]  # of tests/data/templates-sample
NOTICE_TYPES = ["verifiable_address_changed", "authenticator_key_added"]


def locales(templates=harness.ROOT / "templates"):
    """The tags of the catalogs in a templates folder, in order."""
    return sorted(path.stem for path in (templates / "locales").glob("*.json"))


def sample_templates(folder):
    """A copy of templates/ in that folder, with the brands and overrides of tests/data over it."""
    for source in ("templates", "tests/data/templates-sample"):
        shutil.copytree(harness.ROOT / source, folder, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*.[ch]", "README.md"))
    return folder


def canonical(template, data=None, **fields):
    """The mail of a type for Zoë in Budapest. data goes over the type's own; None drops a key."""
    own, minutes, more = TYPES[template]
    mail = {
        "template": template, "to": RECIPIENT,
        "data": {"name": "Zoë O'Hara", **own, **(data or {})}, "timezone": "Europe/Budapest",
        "expires_in_minutes": minutes, **copy.deepcopy(more), **fields}
    mail["data"] = {key: value for key, value in mail["data"].items() if value is not None}
    return {key: value for key, value in mail.items() if value is not None}


# What a preview shows: the texts, the message's bytes, and which catalog and brand were taken.
Shown = collections.namedtuple("Shown", "subject text html raw locale brand")


class Parked(Exception):
    """The composer would park the mail; str() is the reason."""


class Composer:
    """A composer with Kratos' route, and settings over the usual ones (docs/protocol.md)."""

    def __init__(self, **settings):
        self.settings = settings
        self.child = self._start()

    def _start(self):
        child = Child(str(harness.program("composer")))
        header, _ = child.ask({
            "op": "init", "templates_dir": str(harness.ROOT / "templates"), "routes": [{
                "name": "kratos", "defaults": None,
                "normaliser": str(harness.ROOT / "jsonnet/kratos_courier.jsonnet")}],
            "default_locale": "en", "timezone": "UTC", "mail_from": harness.MAIL_FROM,
            "reply_to": None, "lifetimes": {}, **self.settings})
        assert header["op"] == "ready", header
        return child

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        assert self.child.close() == 0

    def render(self, mail, elapsed_ms=0, wall_ms=WALL_MS):
        """The MAIL that is sent for a canonical mail, and its bytes. Raises Parked."""
        return self._one({"op": "render", "id": ID, "elapsed_ms": elapsed_ms, "wall_ms": wall_ms},
                         mail)

    def compose(self, payload, elapsed_ms=0, wall_ms=WALL_MS, fallback=False):
        """The same for a payload of Kratos'."""
        return self._one({"op": "compose", "id": ID, "route": "kratos", "elapsed_ms": elapsed_ms,
                          "wall_ms": wall_ms, "fallback": fallback}, payload)

    def preview(self, mail, locale=None, brand=None, elapsed_ms=0, wall_ms=WALL_MS):
        """The mail in that language and brand, whatever it wishes itself. Raises Parked."""
        header, blobs = self.ask(
            {"op": "preview", "id": ID, "elapsed_ms": elapsed_ms, "wall_ms": wall_ms,
             "locale": locale, "brand": brand}, mail)
        assert header["op"] == "previewed", header
        if header["park"] is not None:
            raise Parked(header["park"])
        subject, text, html, raw = blobs
        return Shown(subject.decode(), text.decode(), html.decode(), raw, header["locale"],
                     header.get("brand"))

    def ask(self, header, document):
        """The frame that answers. One that dies is replaced, so that only this mail is blamed."""
        answer = self.child.ask(header, json.dumps(document).encode())
        if answer is None:
            status = self.child.close()
            self.child = self._start()
            raise AssertionError(f"the composer ended with {status}")
        return answer

    def _one(self, header, document):
        header, blobs = self.ask(header, document)
        assert header["op"] == "composed", header
        (mail,) = header["mails"]
        if mail["park"] is not None:
            raise Parked(mail["park"])
        return mail, blobs[mail["mime"]]
