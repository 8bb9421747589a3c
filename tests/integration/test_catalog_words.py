"""What the loader cannot know of the shipped catalogs: the slips that translations make."""
import json
import re

import mails
import page
import pytest
import relay as harness

# Words of one way to address the reader that have no place in the other. German's formal ones are
# told by their capital, so sentences do not begin with "sie" or "ihr" (they, her).
WRONG_ADDRESS = {
    "hu": r"(?i)\b(ön|önt|önnek|öné|kérte|adja|írja|nyissa|hagyja|forduljon|erősítse|fiókja|fiókjá\w*"
          r"|címé\w*|teendője|használhatja|regisztrál|regisztrált-e)\b",
    "hu-x-formal": r"(?i)\b(te|neked|tiéd|kódod\w*|fiókod\w*|címed\w*|teendőd|add|írd|nyisd|hagyd"
                   r"|fordulj|erősítsd|voltál|kérted|használhatod|regisztrálsz|regisztráltál-e)\b",
    "de": r"\b([Dd]u|[Dd]ein\w*|[Dd]ich|[Dd]ir|[Gg]ib|[Öö]ffne|[Bb]estätige)\b",
    "de-x-informal": r"\b(Sie|Ihr\w*|Ihnen|[Gg]eben|[Öö]ffnen|[Pp]rüfen)\b",
}
SENTENCES = ("intro", "outro", "not_you", "preheader", "preheader_code", "context", "context_time",
             "expiry_code", "expiry_link", "expiry_code_until", "expiry_link_until")


def catalog(locale):
    return json.loads((harness.ROOT / f"templates/locales/{locale}.json").read_text())


def texts(locale):
    """(where, text) of each text, each plural class by itself."""
    document = catalog(locale)
    for part, keys in (("texts", document["texts"]), *document["types"].items()):
        for key, value in keys.items():
            for plural, text in (value.items() if isinstance(value, dict) else [("", value)]):
                yield f"{part}.{key}{plural and '.'}{plural}", text


every_locale = pytest.mark.parametrize("locale", mails.locales())


@every_locale
def test_no_text_has_a_number_that_could_be_taken_for_the_code(locale):
    for where, text in texts(locale):
        assert not re.search(r"\d", text), where


@every_locale
def test_texts_are_set_as_printers_set_them(locale):
    for where, text in texts(locale):
        assert text == text.strip() and "  " not in text, where
        assert not re.search(r"['\"]|\.\.|--| [,.:;!?،؟]", text), where
        if where.split(".")[1] in SENTENCES:
            assert text.endswith("."), where


@pytest.mark.parametrize("locale", WRONG_ADDRESS)
def test_a_catalog_addresses_its_readers_in_one_way(locale):
    for where, text in texts(locale):
        found = re.search(WRONG_ADDRESS[locale], text)
        assert not found, f"{where}: {found.group()} in {text!r}"


@pytest.mark.parametrize("locale", ["hu", "hu-x-formal"])
def test_hungarian_bends_no_word_to_a_value_nor_a_value_to_a_word(locale):
    for where, text in texts(locale):
        assert not re.search(r"(?i)\b(az?|ezt? az?|egy) \{", text), where
        assert not re.search(r"\}(-?[a-záéíóöőúüű])", text), where
        assert not re.search(r"\{minutes\} (perc\w*ek|percig?ek|percek\w*)", text), where


def test_german_goes_on_in_lower_case_after_a_greeting_with_a_comma():
    for locale in ("de", "de-x-informal"):
        document = catalog(locale)
        if document["texts"]["greeting"].endswith(","):
            for template, keys in document["types"].items():
                first = keys["intro"].split()[0]
                assert first in ("Sie", "Ihre", "Ihrem", "Kontaktdaten"), (locale, template)


@every_locale
def test_a_preview_fits_the_list_of_mails(locale):
    for where, text in texts(locale):
        key = where.split(".")[1]
        if key.startswith("preheader"):
            assert 20 <= len(text) <= 90, where
        elif key.startswith("subject"):
            assert len(text.replace("{brand}", "").replace("{code}", "")) <= 65, where
            assert ("{code}" in text) == (key == "subject_code"), where
            assert "{code}" not in text or text.startswith("{code}"), f"{where}: cut off on a phone"


@every_locale
def test_who_has_no_account_is_told_only_that(locale):
    for template in mails.INVALID_TYPES:
        keys = catalog(locale)["types"][template]
        assert set(keys) == {"subject", "preheader", "heading", "intro", "outro", "not_you"}
        for key, text in keys.items():
            assert set(re.findall(r"\{(\w+)\}", text)) <= {"brand"}, (template, key)


@pytest.mark.parametrize("minutes,said", [
    (1, "دقيقة واحدة"), (2, "دقيقتين"), (3, "3 دقائق"), (10, "10 دقائق"), (11, "11 دقيقة"),
    (99, "99 دقيقة"), (100, "100 دقيقة"), (103, "103 دقائق"), (111, "111 دقيقة")])
@pytest.mark.parametrize("template,what", [("login_code_valid", "هذا الرمز"),
                                           ("recovery_valid", "هذا الرابط")])
@pytest.mark.parametrize("timezone", [None, "Africa/Cairo"])
def test_arabic_counts_minutes_in_all_its_classes(composer, minutes, said, template, what,
                                                  timezone):
    shown = composer.preview(mails.canonical(template, expires_in_minutes=minutes,
                                             timezone=timezone), "ar")
    sentence = f"{what} صالح لمدة {said}" + ("، حتى الساعة" if timezone else ".")
    assert sentence in shown.text and sentence in page.Page(shown.html).shown


@pytest.mark.parametrize("locale,one,two", [
    ("en", "valid for 1 minute", "valid for 2 minutes"),
    ("hu", "1 percig érvényes", "2 percig érvényes"),
    ("hu-x-formal", "1 percig érvényes", "2 percig érvényes"),
    ("de", "1 Minute gültig", "2 Minuten gültig"),
    ("de-x-informal", "1 Minute gültig", "2 Minuten gültig")])
def test_one_minute_is_not_two(composer, locale, one, two):
    for template in ("login_code_valid", "recovery_valid"):
        for timezone in (None, "Europe/Vienna"):
            for minutes, said in ((1, one), (2, two)):
                shown = composer.preview(mails.canonical(
                    template, expires_in_minutes=minutes, timezone=timezone), locale)
                assert re.search(re.escape(said) + r"\b", shown.text), (template, timezone)
