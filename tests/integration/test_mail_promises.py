"""What the mails promise their readers, in every language and in both of their parts."""
import json
import re
import unicodedata

import mails
import page
import payloads
import pytest
import wire

LOCALES = mails.locales()
BASE_LOCALES = [locale for locale in LOCALES if "-x-" not in locale]
MINUTE_MS = 60_000
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
ADDRESS = re.compile(r"https?://\S+")


def numbers(text):
    """Every run of digits of any script; addresses, which nobody takes for a number, left out."""
    return re.findall(r"\d+", ADDRESS.sub("", text))


def seen(shown):
    """All that a reader may come to see of a mail, by part."""
    pages = page.Page(shown.html)
    return {"subject": shown.subject, "text": shown.text, "html": pages.shown,
            "preheader": pages.preheader, "title": pages.title}


def columns(line):
    """What a terminal needs for it."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
               if unicodedata.category(char) not in ("Mn", "Me", "Cf"))


@pytest.mark.parametrize("template", mails.CODE_TYPES + mails.LINK_TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_minutes_are_those_left_at_the_attempt(composer, template, locale):
    lifetime = mails.TYPES[template][1]
    for elapsed_minutes in (0, 4, 12):
        shown = composer.preview(mails.canonical(template, timezone=None), locale,
                                 elapsed_ms=elapsed_minutes * MINUTE_MS)
        left = str(lifetime - elapsed_minutes)
        assert numbers(shown.text).count(left) == 1
        assert numbers(page.Page(shown.html).shown).count(left) == 1


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_no_time_is_stated_where_none_is_known(composer, template, locale):
    code = mails.TYPES[template][0].get("code")
    shown = composer.preview(mails.canonical(
        template, {"at": None}, timezone=None, expires_in_minutes=None), locale)
    for part, text in seen(shown).items():
        assert set(numbers(text)) <= {code}, (part, text)


def clock_times(shown):
    """Of the plain text and of the page: (hour, minute) of each time of day."""
    return [re.findall(r"\b(\d\d?):(\d\d)\b", text)
            for text in (shown.text, page.Page(shown.html).shown)]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_preview_runs_on_into_the_code(composer, locale):
    """Mail programs show up to 200 characters beside a subject, hidden text and all."""
    shown = composer.preview(mails.canonical("recovery_code_valid"), locale)
    hidden = page.Page(shown.html).preheader
    assert hidden.count("\u00a0") >= 150 and not numbers(hidden)


@pytest.mark.parametrize("zone,hour,minute,mark", [
    ("Europe/Budapest", 14, 18, "CET"), ("America/New_York", 8, 18, "GMT-5"),
    ("Asia/Kolkata", 18, 48, "GMT+5:30"), ("UTC", 13, 18, "UTC"),
    ("CentralEuropeStandardTime", 14, 18, "CET"), ("USEasternStandardTime", 8, 18, "GMT-5"),
    ("Central Europe Standard Time", 14, 18, "CET"),
    ("W. Europe Standard Time", 14, 18, "CET")])
def test_the_end_is_told_by_the_readers_clock(composer, zone, hour, minute, mark):
    for elapsed_ms in (65_000, 130_000):  # the end does not move with the attempts
        mail = mails.canonical("login_code_valid", timezone=zone, user_agent=None)
        mail_at = {"elapsed_ms": elapsed_ms, "wall_ms": mails.WALL_MS - 65_000 + elapsed_ms}
        for locale in BASE_LOCALES:
            shown = composer.preview(mail, locale, **mail_at)
            hours = {hour} if locale in ("hu", "de") else {hour, hour % 12}
            for times in clock_times(shown):
                ((told_hour, told_minute),) = [time for time in times if time != ("5", "30")]
                assert int(told_hour) in hours and int(told_minute) == minute, (locale, times)
            if locale == "hu":
                assert f" {hour:02}:{minute}\u00a0{mark}." in shown.text


@pytest.mark.parametrize("zone", [
    None, "Nowhere/Land", "../../etc/localtime", "x" * 64, "14:18", ""])
def test_without_a_zone_no_time_of_day_is_told(composer, zone):
    for locale in LOCALES:
        for template in mails.CODE_TYPES + mails.LINK_TYPES:
            shown = composer.preview(mails.canonical(template, timezone=zone), locale)
            assert clock_times(shown) == [[], []]


def test_the_operators_zone_is_that_of_readers_without_one():
    with mails.Composer(timezone="Europe/Berlin") as composer:
        for zone, said in ((None, "14:20\u00a0MEZ"), ("Nowhere/Land", "14:20\u00a0MEZ"),
                           ("Asia/Tokyo", "22:20\u00a0GMT+9")):
            shown = composer.preview(mails.canonical("login_code_valid", timezone=zone), "de")
            assert said in shown.text and said in page.Page(shown.html).shown


IPHONE = ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 "
          "(KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1")


@pytest.mark.parametrize("locale", LOCALES)
def test_who_asked_for_a_mail_is_said_by_browser_and_system(composer, locale):
    asked = {"login_code_valid", "recovery_code_valid", "registration_code_valid"}
    for template in mails.TYPES:
        for agent, words in ((mails.FIREFOX, ("Firefox", "Windows")), (IPHONE, ("Safari", "iPhone")),
                             ("curl/8.5.0", ()), ("<b>Firefox</b> 750046", ()), (None, ())):
            shown = composer.preview(mails.canonical(template, user_agent=agent), locale)
            for text in (shown.text, page.Page(shown.html).shown):
                said = [word for word in ("Firefox", "Windows", "Safari", "iPhone", "curl")
                        if word in text]
                assert tuple(said) == (words if template in asked else ()), (template, agent)


def test_what_is_kept_of_who_asked_is_two_words(composer):
    made = payloads.login_code(headers={"User-Agent": [IPHONE]})
    header, blobs = composer.ask({"op": "compose", "id": mails.ID, "route": "kratos", "elapsed_ms": 0,
                                  "wall_ms": mails.WALL_MS, "fallback": False}, made)
    (mail,) = header["mails"]
    kept = json.loads(blobs[mail["canonical"]])
    assert kept["client"] == {"browser": "Safari", "system": "iPhone"}
    assert b"AppleWebKit" not in b"".join(blobs) and "user_agent" not in kept


@pytest.mark.parametrize("template", mails.NOTICE_TYPES)
@pytest.mark.parametrize("at,zone,said", [
    ("2026-11-20T13:01:00Z", "Europe/Berlin", "20. November um 14:01 MEZ"),
    ("2026-07-20T10:00:00.123456789+02:00", "Europe/Berlin", "20. Juli um 10:00 MESZ"),
    ("2026-11-20T23:30:00Z", "Europe/Berlin", "21. November um 00:30 MEZ"),
    ("2026-11-20T13:01:00Z", None, "20. November um 13:01 UTC"),
    ("yesterday", "Europe/Berlin", None), ("2026-13-45T99:99:99Z", "Europe/Berlin", None),
    (None, "Europe/Berlin", None)])
def test_a_notice_says_when_it_happened(composer, template, at, zone, said):
    shown = composer.preview(mails.canonical(template, {"at": at}, timezone=zone), "de")
    for text in (shown.text, page.Page(shown.html).shown):
        assert (said in text) if said else not numbers(text)


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_a_code_is_the_only_number_of_four_to_eight_digits(composer, template, locale):
    code = mails.TYPES[template][0].get("code")
    shown = composer.preview(mails.canonical(template), locale)
    for part, text in seen(shown).items():
        long = {number for number in numbers(text) if len(number) >= 4}
        assert long <= {code}, (part, text)
    if code:
        assert shown.text.count(code) == page.Page(shown.html).shown.count(code) == 1


@pytest.mark.parametrize("locale", LOCALES)
def test_the_code_shows_on_a_locked_phone_but_for_recovery(composer, locale):
    for template in mails.CODE_TYPES:
        code = mails.TYPES[template][0]["code"]
        parts = seen(composer.preview(mails.canonical(template), locale))
        shows = template != "recovery_code_valid"
        for part in ("subject", "title", "preheader"):
            assert (code in parts[part]) == shows, (template, part)


@pytest.mark.parametrize("template", mails.INVALID_TYPES + mails.NOTICE_TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_who_has_no_account_gets_neither_code_nor_link(composer, template, locale):
    shown = composer.preview(mails.canonical(
        template, {"code": "750046", "url": mails.LINK.format("recovery")}), locale)
    assert page.Page(shown.html).hrefs == []
    for part, text in seen(shown).items():
        assert "750046" not in text and not ADDRESS.search(text), part


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_both_parts_say_the_same(composer, template, locale):
    data, _, _ = mails.TYPES[template]
    shown = composer.preview(mails.canonical(template), locale)
    html = page.Page(shown.html)
    words = " ".join(html.lines)
    for paragraph in shown.text.removesuffix("\n").replace("-- \n", "").split("\n\n"):
        for line in (paragraph.split("\n") if ADDRESS.search(paragraph) else [paragraph]):
            # Beside the label and the button's words, what follows stands for itself in HTML.
            for said in line.replace("\n", " ").removesuffix(":").split(": "):
                assert said in words, said
    assert html.title == shown.subject
    for key in ("code", "url"):
        if key in data:
            assert data[key] in shown.text and data[key] in words
    if "url" in data:
        assert set(html.hrefs) == {data["url"]}
        assert "auth.example.org" in ADDRESS.sub("", words)
    assert "Zo\u00eb O'Hara" in shown.text and "Zo\u00eb O'Hara" in words


@pytest.mark.parametrize("template", mails.TYPES)
@pytest.mark.parametrize("locale", LOCALES)
def test_lines_of_the_text_fit_a_terminal(composer, template, locale):
    mail = mails.canonical(template, {"name": " ".join(["\u674e\u5c0f\u9f99\u674e", "Ye\u0301nnefer"] * 3)})
    for line in composer.preview(mail, locale).text.splitlines():
        assert columns(line) <= 78 or " " not in line.strip(), line


@pytest.mark.parametrize("name", [
    "https://evil.example", "evil.example", "www.evil", "a@evil.example", "123456",
    "1 2 3 4 5 6", "\u0661\u0662\u0663\u0664\u0665\u0666", "Zoe http://evil.example/x",
    "evil\u3002example", "\u202e\u2066", "Locked! Fix: acme.u.rest/reset", "j.su",
    "Account locked Reply with your password to unlock it today"])
def test_a_name_that_is_an_address_or_a_code_is_not_said(composer, name):
    plain = composer.preview(mails.canonical("login_code_valid", {"name": None}), "en")
    shown = composer.preview(mails.canonical("login_code_valid", {"name": name}), "en")
    assert shown == plain


@pytest.mark.parametrize("name,said", [
    ("Dr. Nagy-Kov\u00e1cs \u00c1gnes", "Dr. Nagy-Kov\u00e1cs \u00c1gnes"),
    ("a\u202eb\u0007c", "abc"),
    ("x" * 100, "x" * 64),
    ("x" + FAMILY * 40, "x" + FAMILY * 31),
    ("x" + "\U0001f600" * 100, "x" + "\U0001f600" * 63),
    ("e\u0301" * 100, "e\u0301" * 64),
])
def test_a_name_is_said_without_what_could_deceive_and_cut(composer, name, said):
    shown = composer.preview(mails.canonical("login_code_valid", {"name": name}), "en")
    assert f"Hi {said}," in page.Page(shown.html).lines
    assert f"Hi {said}," in " ".join(shown.text.split("\n"))


@pytest.mark.parametrize("wish,locale", [
    ("hu", "hu"), ("hu-HU", "hu"), ("hu_HU", "hu"), ("HU", "hu"), ("de-CH", "de"),
    ("de_AT.UTF-8", "de"), ("ar-EG", "ar"), ("ar", "ar"), ("en-GB", "en"), ("fr", "en"),
    ("hu-x-formal", "hu"), ("", "en"),
    ("../hu", "en"), ("x" * 200, "en")])
def test_a_wish_finds_its_language(composer, wish, locale):
    mail, raw = composer.render(mails.canonical("login_code_valid", locales=[wish]))
    assert mail["locale"] == locale
    assert f"\r\nContent-Language: {locale}\r\n".encode() in raw


def test_a_wish_without_a_catalog_leaves_the_type_and_takes_the_next_wish(composer):
    for mail in (mails.canonical("recovery_valid", locales=["fr", "xx", "de"]),
                 mails.canonical("recovery_valid", locales=["fr"],
                                 accept_language="it, de;q=0.5, hu;q=0.1"),
                 mails.canonical("recovery_valid", default_locale="de")):
        made, raw = composer.render(mail)
        assert (made["template"], made["locale"]) == ("recovery_valid", "de")
        assert b"Content-Language: de" in raw


def isolated(text, value):
    """How often value stands in text between FSI and PDI, and how often without them."""
    inside = text.count(f"\u2068{value}\u2069")
    return inside, text.count(value) - inside


def test_a_value_against_the_direction_of_the_text_is_isolated(composer):
    for locale in BASE_LOCALES:
        for name, is_rtl in (("Zoe", False), ("\u0645\u062d\u0645\u062f", True),
                             ("\u05d3\u05d5\u05d3", True)):
            shown = composer.preview(mails.canonical("login_code_valid", {"name": name}), locale)
            turned = is_rtl != (locale == "ar")
            for text in (shown.text, page.Page(shown.html).shown):
                assert isolated(text, name) == ((1, 0) if turned else (0, 1)), (locale, name)
            assert isolated(shown.subject, "Acme") == ((1, 0) if locale == "ar" else (0, 1))
            for part, text in seen(shown).items():
                assert isolated(text, "750046")[0] == 0, part
                assert text.count("\u2068") == text.count("\u2069")


# ---- brands: tests/data/templates-sample -----------------------------------------------------

def test_the_oauth2_client_picks_the_brand(sample_composer):
    made = mails.canonical("login_code_valid", locales=["en"])
    for brand, name in ((None, "Acme"), ("unknown", "Acme"), ("club", "Club"),
                        ("shop", "K\u00e9k Bolt"), ("webshop", "K\u00e9k Bolt"),
                        ("webshop-app", "K\u00e9k Bolt")):
        shown = sample_composer.preview({**made, "brand": brand})
        assert name in shown.subject and shown.text.startswith(f"{name}\n")


def test_a_brand_says_where_a_code_may_show(sample_composer):
    for brand, showing in (("shop", set()), ("club", {"login_code_valid"})):
        for template in mails.CODE_TYPES:
            code = mails.TYPES[template][0]["code"]
            parts = seen(sample_composer.preview(mails.canonical(template, brand=brand), "en"))
            for part in ("subject", "preheader", "title"):
                assert (code in parts[part]) == (template in showing), (brand, template, part)
            assert code in parts["text"] and code in parts["html"]


def test_a_brand_without_a_code_in_its_subjects_keeps_kratos_own_subject_out(sample_composer):
    for brand, showing in (("shop", False), (None, True)):
        shown = sample_composer.preview(mails.canonical(
            "login_code_valid", {"code": None}, brand=brand,
            fallback={"subject": "Use code 750046 to log in", "text": "Code: 750046\n"}), "en")
        assert ("750046" in shown.subject) == showing
        assert "750046" in shown.text


def test_a_link_of_a_host_that_the_brand_does_not_name_is_not_sent(sample_composer):
    evil = "https://evil.example/self-service?flow=1"
    shown = sample_composer.preview(mails.canonical(
        "verification_code_valid", {"url": evil}, brand="shop"), "en")
    assert "830175" in shown.text and "evil" not in shown.text + shown.html
    with pytest.raises(mails.Parked, match="^link_not_allowed$"):
        sample_composer.preview(mails.canonical(
            "recovery_valid", {"url": evil}, brand="shop",
            fallback={"subject": "s", "text": f"Go to {evil}\n"}), "en")
    # A brand that names no hosts takes any.
    shown = sample_composer.preview(mails.canonical(
        "recovery_valid", {"url": evil}, brand="club"), "en")
    assert set(page.Page(shown.html).hrefs) == {evil}


def test_a_payloads_oauth2_client_picks_the_brand(sample_composer, strict_parser):
    made = payloads.login_code(code="750046", language="hu")
    made["template_data"]["oauth2_login_request"] = {"client": {"client_id": "webshop"}}
    _, raw = sample_composer.compose(made)
    mail = wire.check(raw, strict_parser)
    assert mail.headers["Reply-To"] == "help@shop.example"
    assert "K\u00e9k Bolt" in mail.subject and "750046" not in mail.subject
    assert "750046" in mail.text


def test_a_types_own_files_go_before_the_shared_ones_in_every_language(sample_composer, composer):
    for locale in LOCALES:
        mail = mails.canonical("recovery_valid")
        own = sample_composer.preview(mail, locale)
        shared = composer.preview(mail, locale)
        heading = page.Page(shared.html).attributes("h1") and page.Page(shared.html).lines[1]
        assert heading in own.subject and own.subject != shared.subject
        assert " ->\n" in own.text and " ->\n" not in shared.text
        assert "<h1" not in own.html
        other = mails.canonical("verification_valid")
        assert sample_composer.preview(other, locale) == composer.preview(other, locale)


def test_a_brand_may_address_its_readers_otherwise(sample_composer):
    variants = {("shop", "hu"): "hu-x-formal", ("club", "de"): "de-x-informal",
                ("shop", "en"): "en"}
    for (brand, wish), locale in variants.items():
        shown = sample_composer.preview(
            mails.canonical("login_code_valid", brand=brand, locales=[wish]))
        assert shown.locale == locale
        assert f"\r\nContent-Language: {wish}\r\n".encode() in shown.raw
