"""Every way in which a payload can be odd, and what must become of each.

A row is a payload and what is expected of it. What is expected is worked out here from the issue's
words alone (a field that is of no use counts as absent), with no look at how the relay does it.
"""
import copy
import dataclasses
import itertools
import json
import re

NAME = "Zoltán Ödön"
OWN = "Kratos wrote this itself"  # in every payload's own text, and in no text of ours
LANE_MINUTES = {"code": 60, "bulk": 24 * 60, "notice": 48 * 60}

# type -> (its code, its link, lane)
TYPES = {
    "login_code_valid": ("login_code", None, "code"),
    "registration_code_valid": ("registration_code", None, "code"),
    "verification_code_valid": ("verification_code", "verification_url", "code"),
    "recovery_code_valid": ("recovery_code", None, "code"),
    "verification_valid": (None, "verification_url", "code"),
    "recovery_valid": (None, "recovery_url", "code"),
    "verification_code_invalid": (None, None, "bulk"),
    "verification_invalid": (None, None, "bulk"),
    "recovery_code_invalid": (None, None, "bulk"),
    "recovery_invalid": (None, None, "bulk"),
    "verifiable_address_changed": (None, None, "notice"),
    "authenticator_key_added": (None, None, "notice"),
}

ABSENT = object()


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


LONG = "x" * 60000
ODD = {
    "absent": ABSENT, "null": None, "empty": "", "zero": 0, "number": 7, "true": True,
    "list": [], "object": {}, "list of one": [1], "object of one": {"a": 1}, "60 kB": LONG,
    "deep": deep(200), "NUL": "\0", "blank": "  ",
}


@dataclasses.dataclass
class Want:
    """state, and where it is sent: what the mail is like."""
    template: str
    lane: str
    state: str = "sent"
    reason: str | None = None
    locale: str = "hu"
    recipient: str | None = None
    own: bool = False             # Kratos' own text, not ours,
    words: str = OWN              # which is known by these
    name: str | None = NAME       # who is greeted
    shown: tuple = ()             # what both text and HTML must hold
    hidden: tuple = ()            # and what neither may
    minutes: int | None = None    # None: the lane's

    def park(self, reason):
        self.state, self.reason = "parked", reason

    def use_own(self, available=True):
        """Kratos' own text holds the code as well."""
        self.own, self.name = True, None
        self.shown = tuple(value for value in self.shown if not value.startswith("http"))
        if not available:
            self.park("no_content")

    def use_known_places(self, template, available=True):
        """What is made without the normaliser: no code, name or language."""
        self.locale, self.name = "en", None
        if template not in TYPES or any(TYPES[template][:2]):
            self.use_own(available)


@dataclasses.dataclass
class Row:
    name: str
    payload: object
    want: Want


_numbers = itertools.count(1)


def raw(template):
    """What Kratos v26.2 posts, with a language in the traits and another in the header."""
    number = next(_numbers)
    code, link, lane = TYPES.get(template, ("login_code", None, "code"))
    recipient = f"row{number}@example.com"
    data = {"to": recipient, "expires_in_minutes": 15, "transient_payload": {},
            "request_url": "https://auth.example.org/self-service/login/browser",
            "changed_at": "2026-07-20T10:00:00Z",
            "identity": {"id": f"7c0f0011-4b6e-4b0a-9a52-{number:012}", "state": "active",
                         "traits": {"email": recipient, "name": NAME, "lang": "hu"},
                         "metadata_public": None}}
    words = OWN
    want = Want(template if template in TYPES else "unknown", lane, recipient=recipient, minutes=15)
    if code:
        data[code] = f"{100000 + number}"
        words += f": {data[code]}"
        want.shown += (data[code],)
    if link:
        data[link] = ("https://auth.example.org/self-service/verification?"
                      f"flow={number:08}-7d0e-4c7b-9d53-60a7b1d0e8aa&token=Qw7ZxT0aP4sLmN9c")
        want.shown += (data[link],)
    payload = {
        "recipient": recipient, "subject": "The subject of Kratos", "body": f"{words}\n",
        "html_body": f"<p>{words}</p>", "template_type": template, "message_type": "email",
        "template_data": data,
        "request_headers": {"Accept-Language": ["de-AT,de;q=0.9"], "User-Agent": ["Test/1.0"]}}
    return payload, want


def reduced(template):
    """The body that some set-ups make of it: no texts of Kratos, no headers."""
    payload, want = raw(template)
    data = payload["template_data"]
    traits = data["identity"]["traits"]
    kept = {key: value for key, value in data.items() if key.endswith(("_code", "_url"))}
    kept.pop("request_url", None)
    want.minutes = None
    return {"to": payload["recipient"], "template_type": template, "template_data": {
        "login_code": None, "registration_code": None, "verification_code": None,
        "recovery_code": None, **kept,
        "identity": {"id": data["identity"]["id"], "traits": {
            "email": traits["email"], "name": NAME, "default_language": "hu"}}}}, want


def put(payload, path, value):
    """The payload with the value at path (a tuple of keys) replaced, or taken out."""
    made = copy.deepcopy(payload)
    *parents, key = path
    at = made
    for parent in parents:
        at = at[parent]
    if value is ABSENT:
        del at[key]
    else:
        at[key] = value
    return made


def digits(value):
    """True where a number, and true is none, stands for a text."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value):
    return digits(value) or (isinstance(value, str) and value != "")


# ---- what becomes of a value at a place ----------------------------------------------------------

def _recipient(want, value, template, own):
    if is_text(value):  # no address: the other place has one, and only the fallback tries it
        want.use_known_places(template, own)


def _template(want, value, template, own):
    want.template = str(value) if digits(value) and own else "unknown"
    want.lane = "code"
    want.use_own(own)


def _channel(want, value, template, own):
    if is_text(value):  # none that is known
        want.use_known_places(template, own)


def _data(want, value, template, own):
    want.name, want.minutes, want.locale = None, None, "de"
    if template not in TYPES or any(TYPES[template][:2]):
        want.use_own(own)


def _identity(want, value, template, own):
    want.name = None
    want.locale = "de" if own else "en"


def _name(want, value, template, own):
    want.name = value[:64] if value is LONG else None


def _language(want, value, template, own):
    want.locale = "de" if own else "en"


def _minutes(want, value, template, own):
    want.minutes = value if digits(value) and value > 0 else None


def _code(want, value, template, own):
    if digits(value) and value > 0:
        want.shown = (f"{value:06}", *want.shown[1:])
    else:
        want.use_own(own)


def _link(want, value, template, own):
    if TYPES[template][0]:
        want.shown = want.shown[:1]
    else:
        want.use_own(own)


def _nothing(want, value, template, own):
    pass


_IDENTITY = ("template_data", "identity")
RAW_FIELDS = {
    ("recipient",): _recipient, ("subject",): _nothing, ("body",): _nothing,
    ("html_body",): _nothing, ("template_type",): _template, ("message_type",): _channel,
    ("template_data",): _data, ("request_headers",): _nothing,
    ("request_headers", "Accept-Language"): _nothing,
    ("request_headers", "User-Agent"): _nothing,
    ("template_data", "to"): _nothing, ("template_data", "request_url"): _nothing,
    ("template_data", "changed_at"): _nothing,
    ("template_data", "transient_payload"): _nothing,
    ("template_data", "expires_in_minutes"): _minutes,
    _IDENTITY: _identity, (*_IDENTITY, "id"): _nothing, (*_IDENTITY, "state"): _nothing,
    (*_IDENTITY, "metadata_public"): _nothing, (*_IDENTITY, "traits"): _identity,
    (*_IDENTITY, "traits", "name"): _name, (*_IDENTITY, "traits", "lang"): _language,
}
REDUCED_FIELDS = {
    ("template_type",): _template, ("template_data",): _data, _IDENTITY: _identity,
    (*_IDENTITY, "id"): _nothing, (*_IDENTITY, "traits"): _identity,
    (*_IDENTITY, "traits", "name"): _name,
    (*_IDENTITY, "traits", "default_language"): _language,
}


def fields_of(template, common):
    code, link, _ = TYPES[template]
    return {**common, **({("template_data", code): _code} if code else {}),
            **({("template_data", link): _link} if link else {})}


def odd_values(template):
    """Each field of that type, with each odd value."""
    for make, common, own in ((raw, RAW_FIELDS, True), (reduced, REDUCED_FIELDS, False)):
        for path, rule in fields_of(template, common).items():
            for kind, value in ODD.items():
                payload, want = make(template)
                rule(want, value, template, own)
                if not own and want.locale == "de":  # no header tells it
                    want.locale = "en"
                yield Row(f"{make.__name__}: {'.'.join(path)} is {kind}",
                          put(payload, path, value), want)


# ---- keys in another case, and keys that nobody knows --------------------------------------------

def pascal(key):
    return "".join("URL" if part == "url" else part.capitalize() for part in key.split("_"))


def camel(key):
    made = pascal(key)
    return made[0].lower() + made[1:]


def is_understood(path, key):
    """v1.0 wrote its keys so."""
    return key in ("Recipient", "Subject", "Body", "TemplateType") or (
        path[0] == "template_data" and
        re.fullmatch(r"[A-Z]\w+Code|(Recovery|Verification)URL", key))


def odd_keys(only=None):
    for template in [only] if only else TYPES:
        for path, rule in fields_of(template, RAW_FIELDS).items():
            for change in (pascal, camel):
                key = change(path[-1])
                if key == path[-1] or "-" in key:
                    continue
                payload, want = raw(template)
                at = payload
                for parent in path[:-1]:
                    at = at[parent]
                at[key] = at.pop(path[-1])
                if key == "TemplateData":  # the codes in it have the names of today
                    want.name, want.minutes, want.locale = None, None, "de"
                elif not is_understood(path, key):
                    rule(want, ABSENT, template, True)
                yield Row(f"{template}: {'.'.join(path)} is called {key}", payload, want)
        payload, want = raw(template)
        for at in (payload, payload["template_data"], payload["template_data"]["identity"],
                   payload["template_data"]["identity"]["traits"], payload["request_headers"]):
            at.update({"zz": {"a": [1, None, {"b": "c"}]}, "": 1, "a.b|c": "d", "é": 1e300})
        yield Row(f"{template}: keys that nobody knows", payload, want)
        payload, want = raw(template)
        payload["template_data"]["identity"]["traits"]["bulk"] = LONG
        yield Row(f"{template}: 60 kB of traits", payload, want)


def as_bytes(payload):
    return payload if isinstance(payload, bytes) else json.dumps(payload).encode()
