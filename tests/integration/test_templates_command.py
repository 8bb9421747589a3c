"""`courier-relay templates list|check`: what the templates folder holds, and what is wrong with it."""
import json
import re
import subprocess

import pytest
import relay as harness
from templates_folder import TemplatesFolder


@pytest.fixture
def templates(tmp_path):
    return TemplatesFolder(tmp_path / "templates")


@pytest.fixture
def run(tmp_path, templates):
    """courier-relay templates, in that folder and with no other settings but those given."""
    def run_one(*arguments, status=0, **settings):
        settings.setdefault("templates_dir", templates.path)
        relay = harness.Relay(tmp_path / "run", **{"listen": None, "admin_listen": None,
                                                   "api_key": None, "mail_from": None,
                                                   "queue_dir": None, **settings})
        relay.folder.mkdir(exist_ok=True)
        return relay.command("templates", *arguments, status=status)
    return run_one


def lines(run, kind, **settings):
    made = [json.loads(line) for line in run("list", "--json", **settings).stdout.splitlines()]
    return [one for one in made if one["kind"] == kind]


def test_list_for_programs(run, templates):
    templates.write("brands/acme.json", {"name": "Acme", "clients": ["web", "app"],
                                         "address": "formal", "locale": "hu",
                                         "link_hosts": ["*.acme.example"]})
    types = lines(run, "type")
    assert [one["name"] for one in types] == templates.types
    assert {one["name"]: one["need"] for one in types}["recovery_valid"] == "link"
    assert all(one["overrides"] == [] for one in types)
    locales = lines(run, "locale", locale="de")
    assert [one["locale"] for one in locales] == templates.locales
    assert [one["locale"] for one in locales if one["default"]] == ["de"]
    by_locale = {one["locale"]: one for one in locales}
    assert (by_locale["hu"]["name"], by_locale["hu"]["dir"]) == ("magyar", "ltr")
    assert by_locale["ar"]["dir"] == "rtl"
    assert len({one["texts"] for one in locales}) == 1
    brands = {one["brand"]: one for one in lines(run, "brand")}
    assert brands["acme"] == {"kind": "brand", "brand": "acme", "name": "Acme",
                              "clients": ["web", "app"], "address": "formal", "locale": "hu",
                              "link_hosts": ["*.acme.example"]}
    assert list(brands)[0] == "default"


def test_list_for_people(run, templates):
    templates.write("brands/acme.json", {"name": "Acme", "clients": ["web"],
                                         "address": "informal", "locale": "de"})
    text = run("list").stdout
    assert re.search(r"^recovery_code_valid +code$", text, re.M)
    count = lines(run, "locale")[0]["texts"]
    assert re.search(rf"^hu +ltr +{count} of {count} +magyar$", text, re.M)
    assert re.search(rf"^en +ltr +{count} of {count} +English  \(where none is known\)$", text, re.M)
    assert re.search(r"^acme +informal +de +Acme\n    client web$", text, re.M)


def test_list_shows_what_a_type_has_of_its_own(run, templates):
    for name in ("body.html", "subject.text"):
        shared = templates.path / f"{name}.mustache"
        templates.write(f"types/recovery_valid/{name}.mustache",
                        shared.read_text() if shared.exists() else "{{subject}}\n")
    types = {one["name"]: one for one in lines(run, "type")}
    assert types["recovery_valid"]["overrides"] == ["body.html.mustache", "subject.text.mustache"]
    assert types["login_code_valid"]["overrides"] == []
    assert re.search(r"^recovery_valid +link\n    types/recovery_valid/body\.html\.mustache\n"
                     r"    types/recovery_valid/subject\.text\.mustache$", run("list").stdout, re.M)


def test_check_of_what_is_in_order(run, templates):
    counts = [len(templates.types), len(templates.locales), 1]
    assert run("check").stdout == "ok: {} types, {} locales, {} brand\n".format(*counts)
    templates.write("brands/acme.json", {"name": "Acme"})
    assert run("check").stdout == "ok: {} types, {} locales, 2 brands\n".format(*counts[:2])


@pytest.mark.parametrize("name, before, after, wrong", [
    ("locales/hu.json", '"intro"', '"intor"', r"locales/hu\.json:\d+: .*intor"),
    ("locales/de.json", "{name}", "{nmae}", r"locales/de\.json:\d+: .*nmae"),
    ("locales/ar.json", "{", "{,", r"locales/ar\.json:\d+: "),
    ("frame.text.mustache", "{{", "{{#never_closed}}{{", r"frame\.text\.mustache:\d+: "),
    ("brand.json", '"name"', '"nmae"', r"brand\.json:\d+: .*nmae"),
])
def test_check_names_file_and_line(run, templates, name, before, after, wrong):
    templates.change(name, before, after)
    done = run("check", status=1)
    assert done.stdout == ""
    assert re.search(wrong, done.stderr), done.stderr


def test_check_names_all_faults_at_once(run, templates):
    templates.change("locales/hu.json", "{name}", "{nmae}")
    templates.change("brand.json", '"name"', '"nmae"')
    done = run("check", status=1, timezone="Mars/Olympus", mail_from="nobody",
               mail_headers='{"Bcc": "x@y.example"}')
    for wrong in (r"hu\.json:\d+: ", r"brand\.json:\d+: ", "RELAY_TIMEZONE: ", "RELAY_MAIL_FROM: ",
                  "RELAY_MAIL_HEADERS: .*Bcc"):
        assert re.search(wrong, done.stderr), wrong


def test_check_looks_at_nothing_that_mails_are_not_made_of(run):
    run("check", api_key="two words", smtp_uri="gopher://x", normaliser="/nonexistent", routes="[]",
        queue_dir="/nonexistent/queue", listen="nowhere")


def test_a_folder_that_is_not_there(run):
    done = run("check", status=1, templates_dir="/nonexistent/templates")
    assert done.stderr == ("courier-relay: RELAY_TEMPLATES_DIR: /nonexistent/templates: "
                           "No such file or directory\n")


@pytest.mark.parametrize("arguments, wrong", [
    ([], "needs one of list and check"), (["lsit"], "needs one of list and check"),
    (["list", "x"], "x is too much"), (["check", "--json"], "--json belongs to list"),
    (["list", "--jsn"], "unknown option --jsn"),
])
def test_wrong_usage(run, arguments, wrong):
    done = run(*arguments, status=2)
    assert done.stdout == ""
    assert done.stderr == f"courier-relay: {wrong}\nTry: courier-relay templates --help\n"


def test_help_names_the_commands():
    for arguments, named in ((["--help"], ["render", "templates list|check"]),
                             (["render", "--help"], ["--payload FILE", "--all DIR"]),
                             (["templates", "--help"], ["templates check", "--json"])):
        done = subprocess.run([str(harness.program()), *arguments], capture_output=True, text=True,
                              check=True)
        assert all(one in done.stdout for one in named)
        assert max(map(len, done.stdout.splitlines())) <= 100
