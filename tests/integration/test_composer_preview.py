"""Previews, and what a composer says that it has loaded: docs/protocol.md, Composer."""
import json
import shutil

import pytest
import relay as harness
from composer import (MESSAGE_ID, TYPES, compose_one, make, parse, preview, start,  # noqa: F401
                      texts)


def test_a_preview_in_a_language_of_ones_choice(start):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid", "de"))
    canonical = blobs[mail["canonical"]]
    for locale in ("en", "hu", "de", None):
        header, (subject, text, html, raw) = preview(child, canonical, locale=locale)
        assert (header["op"], header["id"], header["park"]) == ("previewed", MESSAGE_ID, None)
        assert header["locale"] == (locale or "de")
        parsed = parse(raw)
        assert parsed["Subject"] == subject.decode()
        assert parsed["Content-Language"] == header["locale"]
        # The last line end is the boundary's.
        assert [part.replace("\r\n", "\n") + "\n" for part in texts(parsed)] == [
            text.decode(), html.decode()]


def test_a_preview_in_a_brand_of_ones_choice(start, tmp_path):
    folder = tmp_path / "templates"
    shutil.copytree(harness.ROOT / "templates", folder)
    (folder / "brands").mkdir(exist_ok=True)
    (folder / "brands/other.json").write_text('{"name": "Other & Sons", "clients": ["web"]}')
    child = start(templates_dir=str(folder))
    mail, blobs = compose_one(child, make("login_code_valid"))
    for brand, name in (("other", "Other & Sons"), ("default", "Acme"), (None, "Acme")):
        header, (_, text, _, _) = preview(child, blobs[mail["canonical"]], brand=brand)
        assert header["park"] is None
        assert name in text.decode()
    # By its name only: a client is no brand.
    assert preview(child, blobs[mail["canonical"]], brand="web")[0]["reason"] == "unknown_brand"


@pytest.mark.parametrize("change, want", [
    ({"locale": "fr"}, "unknown_locale"),
    ({"locale": "de-CH"}, "unknown_locale"),
    ({"brand": "nobody"}, "unknown_brand"),
])
def test_a_preview_of_what_is_not_there(start, change, want):
    child = start()
    mail, blobs = compose_one(child, make("login_code_valid"))
    header, blobs = preview(child, blobs[mail["canonical"]], **change)
    assert (header["op"], header["id"], header["reason"]) == ("failed", MESSAGE_ID, want)
    assert blobs == []


@pytest.mark.parametrize("canonical, answer", [
    (b"{", {"op": "failed", "reason": "preview_failed", "detail": "the mail is no object"}),
    (b'{"to": "a@b.example"}',
     {"op": "failed", "reason": "preview_failed", "detail": "data is missing"}),
    (b'{"data": {}}', {"op": "previewed", "park": "no_recipient"}),
    (b'{"data": {}, "to": "a@b.example"}', {"op": "previewed", "park": "no_content"}),
])
def test_a_preview_of_no_mail(start, canonical, answer):
    child = start()
    header, blobs = preview(child, canonical)
    assert (header, blobs) == ({**answer, "id": MESSAGE_ID}, [])


def test_a_composer_describes_what_it_has_loaded(start):
    header, blobs = start().ask({"op": "describe", "id": MESSAGE_ID}, b"")
    assert (header["op"], header["id"], blobs) == ("described", MESSAGE_ID, [])
    types = {one["name"]: one["need"] for one in header["types"]}
    assert set(types) == set(TYPES)
    assert types["login_code_valid"] == "code"
    assert types["recovery_valid"] == "link"
    assert types["recovery_invalid"] == "nothing"
    assert all(one["overrides"] == [] for one in header["types"])
    files = {path.stem: json.loads(path.read_text())
             for path in (harness.ROOT / "templates/locales").glob("*.json")}
    assert [one["locale"] for one in header["locales"]] == sorted(files)
    for one in header["locales"]:
        catalog = files[one["locale"]]
        assert one["name"] == catalog["name"]
        assert one["language"] == one["locale"].split("-x-")[0]
        assert one["dir"] == ("rtl" if one["language"] == "ar" else "ltr")
        assert one["texts"] == len(catalog["texts"]) + sum(map(len, catalog["types"].values()))
    assert header["brands"] == [{"brand": "default", "name": "Acme", "clients": [], "address": None,
                                 "locale": None, "link_hosts": None}]
    assert header["default_locale"] == "en"


def test_a_composer_describes_its_brands(start, tmp_path):
    folder = tmp_path / "templates"
    shutil.copytree(harness.ROOT / "templates", folder)
    (folder / "brands").mkdir(exist_ok=True)
    (folder / "brands/other.json").write_text(json.dumps(
        {"name": "Other", "clients": ["web", "app"], "address": "formal", "locale": "hu",
         "link_hosts": ["*.other.example"]}))
    header, _ = start(templates_dir=str(folder), default_locale="de").ask(
        {"op": "describe", "id": MESSAGE_ID}, b"")
    assert [one["brand"] for one in header["brands"]][:1] == ["default"]
    assert {"brand": "other", "name": "Other", "clients": ["web", "app"], "address": "formal",
            "locale": "hu", "link_hosts": ["*.other.example"]} in header["brands"]
    assert header["default_locale"] == "de"
