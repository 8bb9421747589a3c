"""Every shape of payload through the whole relay: each is answered 200, and ends as what it should.

The rows are made in tests/support/shapes.py. Nothing may end in another way than a mail, or parked
for a reason that docs/kratos.md explains.
"""
import collections
import datetime
import email
import email.header
import html
import json
import re
import warnings

import pytest
import relay as harness
import shapes
import sink as sink_module
from mails import locales
from shapes import NAME, Row, Want, raw, reduced

SHARED = harness.ROOT / "../shared/kratos-payloads"
SAMPLES = harness.ROOT / "jsonnet/samples"
FILES = json.loads((harness.ROOT / "tests/data/kratos_courier_expected.json").read_text())
REASONS = {None, "unparseable", "no_recipient", "bad_recipient", "no_content",
           "unsupported_channel"}
LEFTOVERS = re.compile(r"\bnull\b|undefined|\[object|\{\}|\[\]|\bNone\b|\{\{|\ufffd|x{65}")


# ---- rows that no system makes -----------------------------------------------------------------

def with_traits(traits, name, locale="de"):
    payload, want = raw("login_code_valid")
    want.name, want.locale = name, locale
    payload["template_data"]["identity"]["traits"] = traits
    return payload, want


NAMES = {
    "a string": ({"name": "Ágnes Kovács"}, "Ágnes Kovács"),
    "first and last": ({"name": {"first": "Lena", "last": "Maurer"}}, "Lena Maurer"),
    "first alone": ({"name": {"first": "Lena"}}, "Lena"),
    "last null": ({"name": {"first": "Lena", "last": None}}, "Lena"),
    "first empty": ({"name": {"first": "", "last": "Maurer"}}, "Maurer"),
    "first_name, last_name": ({"first_name": "Lena", "last_name": "Maurer"}, "Lena Maurer"),
    "first_name in name": ({"name": {"first_name": "Lena", "last_name": "M"}}, "Lena M"),
    "firstName, lastName": ({"firstName": "Lena", "lastName": "Maurer"}, "Lena Maurer"),
    "given_name": ({"given_name": "Lena", "family_name": "Maurer"}, "Lena Maurer"),
    "display_name": ({"display_name": "Ági"}, "Ági"),
    "displayName": ({"displayName": "Ági"}, "Ági"),
    "full_name": ({"full_name": "Lena Maurer"}, "Lena Maurer"),
    "name before display_name": ({"display_name": "Ági", "name": "Ágnes"}, "Ágnes"),
    "{} before display_name": ({"display_name": "Ági", "name": {}}, "Ági"),
    "an empty name before first_name": ({"name": "", "first_name": "Lena"}, "Lena"),
    "{}": ({"name": {}}, None),
    "empty": ({"name": ""}, None),
    "of nothing": ({"name": {"first": None, "last": ""}}, None),
    "the word null": ({"name": "null"}, None),
    "null twice": ({"name": {"first": "null", "last": "null"}}, None),
    "undefined": ({"first_name": "undefined", "last_name": "undefined"}, None),
    "a JavaScript object": ({"name": "[object Object]"}, None),
    "the text {}": ({"name": "{}"}, None),
    "JSON in a text": ({"name": '{"first":"Lena"}'}, None),
    "a number": ({"name": 42}, None),
    "a list": ({"name": ["Lena", "Maurer"]}, None),
    "an address": ({"name": "lena@example.com"}, None),
    "traits as a text": ('{"name": "Lena"}', None),
    "traits as a list": ([{"name": "Lena"}], None),
}
LANGUAGES = {
    "hu": ["hu", "HU", "hu_HU", "hu-HU", "hu-HU.UTF-8", "hu_HU.UTF-8", " hu ", "hun", "HUN",
           "magyar", "Magyar", "MAGYAR", "Hungarian", "hungarian", "Hungarian (Hungary)", ["hu", "de"],
           "hu,en;q=0.5"],
    "de": ["de-CH", "de_AT", "Deutsch", "deutsch", "german", "German", "deu", "ger",
           "de-Latn-CH-1996", "Deutsch (Schweiz)"],
    "en": ["en-US", "EN", "eng", "English", "english", "en_GB.UTF-8"],
    None: ["C", "POSIX", "C.UTF-8", "klingon", "xx-YY", "../../etc/passwd", "null", "undefined",
           "[object Object]", "", "*", 7, None, {}, {"hu": 1}, [], [[]], "h" * 300, "\u200bhu"],
}
LANGUAGE_KEYS = ("lang", "language", "locale", "default_language", "preferred_language")


def languages():
    for locale, wishes in LANGUAGES.items():
        for wish in wishes:
            payload, want = with_traits({"lang": wish}, None, locale or "de")
            yield Row(f"language {wish!r}", payload, want)
    for key in LANGUAGE_KEYS:
        yield Row(f"language as {key}", *with_traits({key: "HU"}, None, "hu"))
    payload, want = with_traits({"lang": "xx", "locale": "magyar"}, None, "hu")
    yield Row("a wish that is not understood, then one that is", payload, want)
    payload, want = with_traits({"lang": "hu"}, None, "en")
    payload["template_data"]["transient_payload"] = {"lang": "en"}
    yield Row("the flow's language before the person's", payload, want)
    payload, want = with_traits({}, None, "hu")
    payload["template_data"]["identity"]["metadata_public"] = {"locale": "hu"}
    yield Row("language in metadata_public", payload, want)
    payload, want = with_traits({}, None, "hu")
    payload["request_headers"] = {"Accept-Language": "hu"}
    yield Row("a header that is no list", payload, want)
    payload, want = with_traits({}, None, "hu")
    payload["request_headers"] = {}
    payload["template_data"]["request_url"] += "?ui_locales=xx%20hu"
    yield Row("language in the request's URL", payload, want)


def codes():
    for value, shown in ((12345, "012345"), (7, "000007"), (123456, "123456"), ("12345", "12345"),
                         ("ABCD-1234", "ABCD-1234"), (1234567, "1234567")):
        for make in (raw, reduced):
            payload, want = make("login_code_valid")
            payload["template_data"]["login_code"] = value
            want.shown = (shown,)
            yield Row(f"code {value!r}, {make.__name__}", payload, want)
    for value in (0, -12345, 1.5, 1e300, "12 3456", "123", "<b>12345</b>", ["123456"],
                  {"code": "123456"}):
        payload, want = raw("login_code_valid")
        payload["template_data"]["login_code"] = value
        want.use_own()
        yield Row(f"code {value!r}: Kratos' own text", payload, want)
        payload, want = reduced("login_code_valid")
        payload["template_data"]["login_code"] = value
        want.park("no_content")
        yield Row(f"code {value!r}: nothing to fall back on", payload, want)
    for template, other in (("recovery_code_valid", "login_code"),
                            ("verification_code_valid", "registration_code")):
        payload, want = raw(template)
        payload["template_data"][other] = "998877"
        want.hidden = ("998877",)
        yield Row(f"{template} with another's code", payload, want)
    payload, want = raw("login_code_valid")
    for place in ("transient_payload", "identity"):
        payload["template_data"][place]["login_code"] = "998877"
    payload["template_data"]["identity"]["traits"]["login_code"] = "998877"
    del payload["template_data"]["login_code"]
    want.use_own()
    want.hidden = ("998877",)
    yield Row("a code where a stranger can put one", payload, want)


def recipients():
    payload, want = raw("login_code_valid")
    payload["recipient"] = f"Zoë O'Hara <{want.recipient}>"
    yield Row("a recipient with a name", payload, want)
    payload, want = raw("login_code_valid")
    want.recipient = "foo..bar.@xn--mnchen-3ya.example"
    payload["recipient"] = "foo..bar.@München.example"
    yield Row("odd dots and an IDN domain", payload, want)
    for value, reason in ((None, "no_recipient"), ({}, "no_recipient"), ("", "no_recipient"),
                          (7, "bad_recipient"), ("nobody", "bad_recipient"),
                          ("a@b,c@d", "bad_recipient"), ("a@b>\r\nRCPT TO:<x@y", "bad_recipient"),
                          ("x" * 400 + "@example.com", "bad_recipient"),
                          ("+36301234567", "unsupported_channel")):
        payload, want = raw("login_code_valid")
        payload["recipient"] = payload["template_data"]["to"] = value
        want.park(reason)
        yield Row(f"recipient {str(value)[:20]!r} everywhere", payload, want)


def own_texts():
    for template in ("two_factor_code_valid", "security_notice", "../../etc/passwd", "x" * 300):
        payload, want = raw(template)
        # "../../etc/passwd" is a word, which names nothing but itself.
        want.template = "unknown" if len(template) > 64 else template
        want.use_own()
        yield Row(f"type to come: {template[:20]}", payload, want)
        payload, want = raw(template)
        want.template = "unknown" if len(template) > 64 else template
        for key in ("subject", "body", "html_body"):
            payload[key] = None
        want.park("no_content")
        yield Row(f"type to come without texts: {template[:20]}", payload, want)
    for value in (None, "", {}, [], True, " \n"):
        payload, want = raw("brand_new")
        want.template = "brand_new"
        want.use_own()
        payload["body"] = value
        yield Row(f"Kratos' text is {value!r}, its HTML is there", payload, want)
        payload, want = raw("brand_new")
        want.template = "brand_new"
        want.use_own()
        payload["html_body"] = value
        yield Row(f"Kratos' HTML is {value!r}, its text is there", payload, want)
        payload, want = raw("brand_new")
        want.template = "brand_new"
        payload["body"] = payload["html_body"] = value
        want.park("no_content")
        yield Row(f"Kratos' texts are {value!r}", payload, want)


def whole_payloads():
    for text, reason in (("{}", "no_recipient"), ("[]", "no_recipient"), ("[{}]", "no_recipient"),
                         ("[[[[1]]]]", "no_recipient"), ("{nonsense}", "unparseable"),
                         ('{"a":1,}', "unparseable"), ('{"recipient":"a@b" "c":1}', "unparseable"),
                         (" \n{ } ", "no_recipient")):
        want = Want("unknown", "code")
        want.park(reason)
        yield Row(f"the whole payload is {text!r}", text.encode(), want)
    payload, want = raw("login_code_valid")
    text = json.dumps(payload)
    yield Row("keys twice", ('{"recipient":"other@example.com",' + text[1:]).encode(), want)
    payload, want = raw("login_code_valid")
    payload["template_data"]["identity"] = [payload["template_data"]["identity"]]
    want.name, want.locale = None, "de"
    yield Row("identity as a list", payload, want)
    payload, want = raw("login_code_valid")
    for code in ("registration_code", "recovery_code", "verification_code", "recovery_url"):
        payload["template_data"][code] = None
    yield Row("null everywhere else", payload, want)


def by_hand():
    for kind, (traits, name) in NAMES.items():
        yield Row(f"name: {kind}", *with_traits(traits, name))
    yield from languages()
    yield from codes()
    yield from recipients()
    yield from own_texts()
    yield from whole_payloads()
    want = Want("unknown", "code")
    want.park("unsupported_channel")
    yield Row("an SMS of v1.0, which says neither its type nor its channel",
              {"from": "Acme", "to": "+36301234567", "body": "123456"}, want)


# ---- files ---------------------------------------------------------------------------------------

def primary(tag):
    return re.split("[-_]", tag.lower())[0]


def locale_of_file(entry):
    header = sorted((part.split(";q=") for part in entry.get("accept_language", "").split(",")),
                    key=lambda part: -float(part[1]) if len(part) > 1 else -1)
    url = re.findall(r"(?:ui_locales|lang|locale)=([\w-]+)", entry.get("request_url", ""))
    wishes = [*entry.get("locales", []), *(part[0].strip() for part in header), *url]
    return next((primary(wish) for wish in wishes if primary(wish) in locales()), "en")


def row_of_file(name, path):
    entry = FILES[name]
    payload = path.read_bytes()
    document = json.loads(payload)
    template, recipient = entry["template"], entry["to"]
    code, link, lane = shapes.TYPES.get(template, ("login_code", None, "code"))
    has_needed = (not code or "code" in entry) and (code or not link or "url" in entry)
    own = template not in shapes.TYPES or not has_needed
    want = Want(template, lane, recipient=recipient, name=None, own=own,
                locale=locale_of_file(entry), minutes=entry.get("expires_in_minutes"))
    body = document.get("body") or document.get("Body")
    want.words = max((line for line in (body or want.words).splitlines() if " " in line), key=len)
    if entry["channel"] == "sms" or recipient.startswith("+"):
        want.park("unsupported_channel")
    elif own and not body:
        want.park("no_content")
    elif not own and code:
        want.shown = (entry["code"],)
    # Some versions post the very same: each row is to be one of its own.
    end = payload.rindex(b"}")
    return Row(name, payload[:end] + f',"row":"{name}"}}'.encode(), want)


def files():
    folders = {"samples/": SAMPLES, "kratos-payloads/": SHARED}
    for name in FILES:
        prefix = next(prefix for prefix in folders if name.startswith(prefix))
        path = folders[prefix] / name[len(prefix):]
        if prefix == "samples/" or SHARED.exists():
            yield row_of_file(name, path)


# ---- running and checking ------------------------------------------------------------------------

def post(relay, sink, rows, one_by_one):
    """The rows' ids. One by one where a row would take the place of another that still waits."""
    ids, sent = [], 0
    for row in rows:
        ids.append(relay.accept(shapes.as_bytes(row.payload)))
        sent += row.want.state == "sent"
        if one_by_one:
            sink.wait_for(sent)
    return ids


def run(relay, sink, rows, one_by_one):
    """Posts all, waits until each has ended, and gives (row, queue's entry, its mails)."""
    ids = post(relay, sink, rows, one_by_one)
    assert len(set(ids)) == len(rows), "two rows are one payload"
    entries = {}

    def all_ended():
        entries.update((entry["id"], entry) for entry in relay.queue_list("--limit", "100000"))
        return all(entries[one]["state"] not in ("received", "queued", "sending") for one in ids)
    harness.wait_until(all_ended, "the end of every row", timeout=120)
    mails = collections.defaultdict(list)
    for mail in sink.accepted:
        mails[mail.message_id.strip("<>").split("@")[0]].append(mail)
    return [(row, entries[one], mails[one]) for row, one in zip(rows, ids)]


def seconds(entry):
    created, deadline = (datetime.datetime.fromisoformat(entry[key].replace("Z", "+00:00"))
                         for key in ("created_at", "deadline"))
    return round((deadline - created).total_seconds())


def outcome(row, entry, mails):
    """What became of the row, and what should have, as two dicts of the same keys."""
    want = row.want
    got = {key: entry[key] for key in ("state", "reason")} | {"mails": len(mails)}
    expected = {"state": want.state, "reason": want.reason, "mails": int(want.state == "sent")}
    if want.reason != "unparseable":
        got |= {"template": entry["template"], "lane": entry["lane"]}
        expected |= {"template": want.template, "lane": want.lane}
    if len(mails) == 1 and want.state == "sent":
        got |= {"seconds": seconds(entry), **mail_as_it_is(mails[0], want)}
        expected |= {
            "seconds": 60 * (want.minutes or shapes.LANE_MINUTES[want.lane]), "subject": True,
            "recipient": want.recipient, "locale": want.locale, "own": want.own, "missing": [],
            "too much": [], "name": True}
    return got, expected


def mail_as_it_is(mail, want):
    # The older policy parses ten times as fast, and there are thousands; test_mail_types.py is
    # strict.
    parsed = email.message_from_bytes(mail.data)
    subject = str(email.header.make_header(email.header.decode_header(parsed["Subject"])))
    text, page = (part.get_payload(decode=True).decode() for part in parsed.get_payload())
    page = html.unescape(page)
    both = text + page
    return {
        "subject": bool(subject.strip()), "recipient": mail.recipient,
        "locale": parsed["Content-Language"], "own": want.words in both,
        "missing": [value for value in want.shown if value not in text or value not in page],
        "too much": [value for value in want.hidden if value in both] +
                    LEFTOVERS.findall(subject + text),
        "name": want.name in both if want.name else NAME not in both}


def check(start_relay, rows, one_by_one=False):
    # Many are for one recipient.
    with sink_module.Sink() as sink, \
            start_relay(sink, deadline_margin="0s", rate_recipient="off") as relay:
        ended = run(relay, sink, rows, one_by_one)
    wrong = []
    for row, entry, mails in ended:
        got, expected = outcome(row, entry, mails)
        wrong += [f"{row.name}: {key} is {got.get(key)!r}, not {value!r}"
                  for key, value in expected.items() if got.get(key) != value]
        if entry["reason"] not in REASONS:
            wrong.append(f"{row.name}: {entry['reason']!r} is explained nowhere")
    assert not wrong, f"{len(wrong)} of {len(rows)} rows:\n" + "\n".join(wrong[:120])


@pytest.mark.parametrize("template", shapes.TYPES)
def test_each_field_with_each_odd_value(start_relay, template):
    check(start_relay, list(shapes.odd_values(template)))


def test_keys_in_another_case_and_keys_that_nobody_knows(start_relay):
    check(start_relay, list(shapes.odd_keys()))


def test_names_languages_codes_recipients_and_texts_in_every_form(start_relay):
    check(start_relay, list(by_hand()))


def test_every_payload_of_every_version(start_relay):
    if not SHARED.exists():
        warnings.warn(f"{SHARED} is not there: only our own samples were tested")
    # Several are of one flow, or of one browser.
    check(start_relay, list(files()), one_by_one=True)
