"""`courier-relay render`: one mail, or all of them, shown without a daemon, a key or a smarthost."""
import email
import email.policy
import html.parser
import json
import os
import re
import resource
import signal
import subprocess

import payloads
import pytest
import relay as harness
from templates_folder import TemplatesFolder

SHIPPED = harness.ROOT / "templates"
LOCALES = sorted(path.stem for path in (SHIPPED / "locales").glob("*.json"))
TYPES = list(json.loads((SHIPPED / "locales/en.json").read_text())["types"])
SAMPLES = sorted((harness.ROOT / "jsonnet/samples").glob("*.json"))
CODE = "482913"


@pytest.fixture
def run(tmp_path):
    """courier-relay with no settings but those given, as strings of bytes."""
    def run_one(*arguments, status=0, input=None, stdout=subprocess.PIPE, before=None, **settings):
        environment = {name: value for name, value in os.environ.items()
                       if name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")}
        environment |= {f"RELAY_{name.upper()}": str(value) for name, value in settings.items()}
        done = subprocess.run([str(harness.program()), *map(str, arguments)], cwd=tmp_path,
                              env=environment, input=input, stdout=stdout, stderr=subprocess.PIPE,
                              preexec_fn=before, timeout=60)
        assert not harness.SANITIZER.search(done.stderr.decode()), done.stderr.decode()
        assert done.returncode == status, done.stderr.decode()
        return done
    return run_one


def complaint(done):
    return done.stderr.decode()


@pytest.fixture
def templates(tmp_path):
    return TemplatesFolder(tmp_path / "templates")


def write(path, value):
    path.write_bytes(payloads.as_bytes(value))
    return path


class Page(html.parser.HTMLParser):
    """The links of a page, its elements and its text."""

    def __init__(self, text):
        super().__init__()
        self.links, self.elements, self.pieces = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "a":
            self.links.append(dict(attributes)["href"])

    def handle_data(self, data):
        self.pieces.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.pieces).split())


# ---- one example ---------------------------------------------------------------------------------

@pytest.mark.parametrize("part", ["text", "html", "eml", "subject"])
def test_each_part_of_a_mail(run, part):
    made = run("render", "--type", "login_code_valid", "--locale", "hu", "--part", part)
    assert made.stderr == b""
    text = made.stdout.decode()
    if part == "eml":
        mail = email.message_from_bytes(made.stdout, policy=email.policy.default)
        assert not mail.defects
        assert mail["Content-Language"] == "hu"
        assert mail["From"] == "Example <no-reply@example.com>"
        assert mail.get_body(("plain",)).get_content().count(CODE) == 1
        assert b"\n" not in made.stdout.replace(b"\r\n", b"")
    elif part == "html":
        assert ("html", "hu") in [(tag, given.get("lang")) for tag, given in Page(text).elements]
        assert CODE in Page(text).text
    elif part == "subject":
        assert CODE in text and text.count("\n") == 1 and text.endswith("\n")
    else:
        assert CODE in text and "Anna Kovács" in text and "<" not in text


def test_the_text_is_what_is_shown_unless_told(run):
    arguments = ["render", "--type", "recovery_valid", "--locale", "de"]
    assert run(*arguments).stdout == run(*arguments, "--part", "text").stdout


def test_without_a_locale_the_mail_is_in_the_default_one(run):
    mail = run("render", "--type", "recovery_valid", "--part", "eml", locale="de").stdout
    assert b"\r\nContent-Language: de\r\n" in mail


def test_the_sender_that_is_set_is_the_one_that_is_shown(run):
    mail = run("render", "--type", "recovery_valid", "--part", "eml",
               mail_from="Acme <no-reply@acme.example>").stdout
    assert b"From: Acme <no-reply@acme.example>\r\n" in mail


@pytest.mark.parametrize("type", TYPES)
def test_an_example_has_what_its_type_needs_and_no_more(run, type):
    mail = run("render", "--type", type, "--locale", "en").stdout.decode()
    assert (CODE in re.sub(r"https?://\S+", "", mail)) == type.endswith("_code_valid")
    has_link = "https://login.example.com/" in mail
    assert has_link == (type in ("recovery_valid", "verification_valid", "verification_code_valid"))
    assert re.search(r"\b15 minutes\b", mail) or not type.endswith("_valid")
    assert ("Anna" in mail) == (not type.endswith("_invalid"))
    assert ("Time: " in mail) == (type in ("verifiable_address_changed",
                                           "authenticator_key_added"))
    asked_with = "Firefox on Windows" in mail
    assert asked_with == (type in ("login_code_valid", "recovery_code_valid",
                                   "registration_code_valid"))


def test_what_is_not_known_is_named_with_what_there_is(run):
    done = run("render", "--type", "login_code_vald", status=1)
    assert done.stdout == b""
    assert f"there is no type login_code_vald; there are: {', '.join(TYPES)}\n" in complaint(done)
    done = run("render", "--type", TYPES[0], "--locale", "xx", "--brand", "none", status=1)
    assert f"there is no locale xx; there are: {', '.join(LOCALES)}\n" in complaint(done)
    assert "there is no brand none; there are: default" in complaint(done)
    done = run("render", "--payload", SAMPLES[0], "--route", "crm", status=1)
    assert complaint(done) == "courier-relay: there is no route crm; there are: kratos\n"


@pytest.mark.parametrize("arguments, wrong", [
    ([], "needs one of --type, --payload and --all"),
    (["--locale", "hu"], "needs one of --type, --payload and --all"),
    (["--type", "x", "--part", "pdf"], "--part is none of text, html, eml and subject"),
    (["--type", "x", "--index", "1"], "--index needs --payload"),
    (["--type", "x", "--route", "crm"], "--route needs --payload"),
    (["--payload", "x", "--index", "0"], "--index is not from 1 to 16"),
    (["--payload", "x", "--index", "17"], "--index is not from 1 to 16"),
    (["--all", "x", "--type", "y"], "--all and --type do not go together"),
    (["--all", "x", "--locale", "y"], "--all and --locale do not go together"),
    (["--all", "x", "--payload", "y"], "--all and --payload do not go together"),
    (["--all", "x", "--part", "html"], "--all and --part do not go together"),
    (["--type", "x", "y"], "y is too much"),
    (["--type"], "--type needs a value"),
])
def test_wrong_usage(run, arguments, wrong):
    done = run("render", *arguments, status=2)
    assert done.stdout == b""
    assert complaint(done) == f"courier-relay: {wrong}\nTry: courier-relay render --help\n"


def test_a_fault_of_the_templates_is_named_with_file_and_line(run, templates):
    templates.change("locales/hu.json", "{name}", "{nmae}")
    done = run("render", "--type", TYPES[0], status=1, templates_dir=templates.path)
    assert done.stdout == b""
    assert re.search(r"locales/hu\.json:\d+: .*nmae", complaint(done))


def test_settings_that_mails_do_not_need_may_be_wrong_or_missing(run):
    run("render", "--type", TYPES[0], api_key="two words", smtp_uri="gopher://x", listen="nowhere",
        queue_dir="/nonexistent/q", normaliser="/nonexistent", routes="[]")
    done = run("render", "--type", TYPES[0], timezone="Mars/Olympus", status=1)
    assert "RELAY_TIMEZONE" in complaint(done)
    done = run("render", "--payload", SAMPLES[0], normaliser="/nonexistent", status=1)
    assert "RELAY_NORMALISER" in complaint(done)


# ---- a brand -------------------------------------------------------------------------------------

def test_a_language_is_shown_as_the_brand_speaks_it(run, templates):
    """As a reader gets it who wishes for that language."""
    templates.write("brands/bank.json", {"name": "Bank", "address": "formal"})
    for locale, brand, same in [("hu", "bank", "hu-x-formal"), ("hu-x-formal", "default", "hu-x-formal"),
                                ("de-x-informal", "bank", "de-x-informal"), ("hu", "default", "hu")]:
        done = run("render", "--type", "login_code_valid", "--locale", locale, "--brand", brand,
                   templates_dir=templates.path)
        intro = json.loads((templates.path / f"locales/{same}.json").read_text())["types"]["login_code_valid"]["intro"]
        assert " ".join(intro.split()) in " ".join(done.stdout.decode().split()), (locale, brand)


def test_a_brand_by_its_name_with_a_link_of_a_host_that_it_allows(run, templates):
    templates.write("brands/acme.json", {"name": "Acme Bank", "link_hosts": ["*.acme.example"],
                                         "code_in_subject": False})
    settings = {"templates_dir": templates.path}
    text = run("render", "--type", "recovery_valid", "--brand", "acme", **settings).stdout.decode()
    assert "Acme Bank" in text and "https://login.acme.example/" in text
    with_code = ["render", "--type", "login_code_valid", "--part", "subject"]
    assert CODE in run(*with_code, **settings).stdout.decode()
    assert CODE not in run(*with_code, "--brand", "acme", **settings).stdout.decode()


# ---- a payload -----------------------------------------------------------------------------------

@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_payload_is_shown_as_it_would_be_sent(run, sample):
    payload = json.loads(sample.read_text())
    mail = email.message_from_bytes(run("render", "--payload", sample, "--part", "eml").stdout,
                                    policy=email.policy.default)
    assert not mail.defects
    found = json.dumps(payload)
    assert mail["To"].addresses[0].addr_spec in found
    text = mail.get_body(("plain",)).get_content()
    code = re.search(r"\b\d{6}\b", re.sub(r"https?://\S+", "", text))
    assert not code or code.group() in found


def test_a_payload_keeps_its_browser(run):
    sample = harness.ROOT / "jsonnet/samples/v26-login_code_valid.json"
    text = run("render", "--payload", sample, "--locale", "en").stdout.decode()
    assert "Requested with Firefox on Windows" in text


def test_a_payload_in_another_language_and_from_standard_input(run):
    payload = payloads.as_bytes(payloads.login_code(language="de"))
    own = run("render", "--payload", "-", "--part", "eml", input=payload).stdout
    assert b"Content-Language: de\r\n" in own
    chosen = run("render", "--payload", "-", "--locale", "hu", "--part", "eml", input=payload)
    assert b"Content-Language: hu\r\n" in chosen.stdout


def test_a_payload_of_another_type_than_was_named(run):
    sample = harness.ROOT / "jsonnet/samples/v26-recovery_valid.json"
    assert run("render", "--payload", sample, "--type", "recovery_valid").stdout
    done = run("render", "--payload", sample, "--type", "login_code_valid", status=2)
    assert done.stdout == b""
    assert complaint(done).startswith(
        f"courier-relay: --type is login_code_valid, and {sample} is recovery_valid\n")


@pytest.mark.parametrize("payload, reason", [
    (b"{", "unparseable"),
    (b"{}", "no_recipient"),
    (b'{"recipient": "nobody", "template_type": "recovery_invalid"}', "bad_recipient"),
])
def test_what_would_be_parked_is_not_shown(run, tmp_path, payload, reason):
    path = tmp_path / "payload.json"
    path.write_bytes(payload)
    done = run("render", "--payload", path, status=1)
    assert done.stdout == b""
    assert f"{path} would be parked: {reason}\n" in complaint(done)


def test_a_payload_that_cannot_be_read(run, tmp_path):
    done = run("render", "--payload", tmp_path / "none.json", status=1)
    assert complaint(done) == f"courier-relay: {tmp_path}/none.json: open: No such file or directory\n"


def test_the_normaliser_of_a_route_and_one_of_several_mails(run, tmp_path):
    (tmp_path / "crm.jsonnet").write_text("""function(payload) [
        { template: payload.kind, to: to, data: { code: payload.otp } } for to in payload.to ]""")
    routes = json.dumps({"crm": {"path": "/crm", "normaliser": str(tmp_path / "crm.jsonnet")}})
    path = write(tmp_path / "p.json", {"kind": "login_code_valid", "otp": "551177",
                                       "to": ["a@one.example", "b@two.example"]})
    arguments = ["render", "--payload", path, "--route", "crm", "--part", "eml"]
    done = run(*arguments, status=2, routes=routes)
    assert f"{path} makes 2 mails: say which with --index\n" in complaint(done)
    assert b"To: b@two.example\r\n" in run(*arguments, "--index", "2", routes=routes).stdout
    done = run(*arguments, "--index", "3", status=2, routes=routes)
    assert "makes 2 mails" in complaint(done)
    none = write(tmp_path / "none.json", {"to": []})
    done = run("render", "--payload", none, "--route", "crm", status=1, routes=routes)
    assert complaint(done) == f"courier-relay: {none}: there is nothing to send\n"


def test_what_the_normaliser_fails_on_is_made_without_it_as_in_the_daemon(run, tmp_path):
    (tmp_path / "own.jsonnet").write_text("function(payload) error 'no'")
    path = write(tmp_path / "p.json", payloads.login_code())
    done = run("render", "--payload", path, "--part", "eml", normaliser=tmp_path / "own.jsonnet")
    assert b"\r\nSubject: " in done.stdout
    assert f"{path}: normaliser_failed: {tmp_path}/own.jsonnet:1:" in complaint(done)
    assert complaint(done).endswith("; trying without the normaliser\n")


def test_what_the_normaliser_makes_no_mail_of_is_made_without_it(run, tmp_path):
    (tmp_path / "own.jsonnet").write_text("function(payload) { data: {}, to: null }")
    path = write(tmp_path / "p.json", payloads.login_code())
    done = run("render", "--payload", path, "--part", "eml", normaliser=tmp_path / "own.jsonnet")
    assert b"\r\nSubject: " in done.stdout
    assert complaint(done) == (f"courier-relay: {path}: no_recipient; trying without the "
                               "normaliser\n")


# ---- what cannot be written ----------------------------------------------------------------------

@pytest.mark.parametrize("arguments", [
    ["render", "--type", "login_code_valid", "--part", "html"], ["templates", "list"],
    ["templates", "list", "--json"], ["templates", "check"], ["render", "--help"],
])
def test_a_full_disk_or_no_standard_output_is_a_failure(run, arguments):
    with open("/dev/full", "wb") as full:
        done = run(*arguments, stdout=full, status=1)
    # What did not fit the buffer failed before the end, and nobody knows why any more.
    assert re.fullmatch(r"courier-relay: standard output: (No space left on device|cannot be "
                        r"written)\n", complaint(done))
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", str(harness.program()), *arguments], stderr=subprocess.PIPE,
        env={"PATH": os.environ["PATH"]})
    assert done.returncode == 1
    assert re.fullmatch(rb"courier-relay: standard output: (Bad file descriptor|cannot be written)"
                        rb"\n", done.stderr)


# ---- all of them ---------------------------------------------------------------------------------

def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_every_type_in_every_locale_and_brand(run, templates, tmp_path):
    templates.write("brands/acme.json", {"name": "<Acme> & \"Sons'", "link_hosts": ["a.example"]})
    done = run("render", "--all", "mails", templates_dir=templates.path)
    assert done.stderr == b""
    brands = sorted(["default", *(path.stem for path in (templates.path / "brands").iterdir())])
    count = len(TYPES) * len(LOCALES) * len(brands)
    assert done.stdout.decode() == f"{count} mails of {len(brands)} brands: mails/index.html\n"
    folder = tmp_path / "mails"
    wanted = {f"{brand}/{locale}/{type}.{ending}" for brand in brands for locale in LOCALES
              for type in TYPES for ending in ("eml", "html", "txt")}
    assert files_below(folder) == wanted | {"index.html", ".courier-relay-render"}

    text = (folder / "index.html").read_text()
    page = Page(text)
    assert set(page.links) == wanted
    assert "<Acme> & \"Sons'" in page.text and "<Acme>" not in text
    tags = [tag for tag, _ in page.elements]
    assert not {"script", "link", "img", "iframe"} & set(tags), "nothing to load"
    assert ("html", {"lang": "en"}) in page.elements
    for brand in brands:
        for locale in LOCALES:
            mail = email.message_from_bytes((folder / brand / locale / f"{TYPES[0]}.eml").read_bytes(),
                                            policy=email.policy.default)
            assert mail["Content-Language"] == locale.split("-x-")[0]
            assert " ".join(str(mail["Subject"]).split()) in page.text
    given = {(attributes.get("lang"), attributes.get("dir")) for tag, attributes in page.elements
             if tag == "a" and "lang" in attributes}
    assert given == {(locale.split("-x-")[0], "rtl" if locale == "ar" else "ltr")
                     for locale in LOCALES}


def test_every_file_of_it_is_what_it_should_be(run, tmp_path):
    run("render", "--all", tmp_path / "mails")
    for path in (tmp_path / "mails/default").rglob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert not mail.defects, path
        for ending, kind in ((".txt", "plain"), (".html", "html")):
            written = path.with_suffix(ending).read_text()
            assert mail.get_body((kind,)).get_content().splitlines() == written.splitlines(), path


def test_one_brand_alone(run, templates, tmp_path):
    templates.write("brands/acme.json", {"name": "Acme"})
    run("render", "--all", "mails", "--brand", "acme", templates_dir=templates.path)
    assert {path.name for path in (tmp_path / "mails").iterdir()} == {
        "acme", "index.html", ".courier-relay-render"}


def test_its_own_folder_is_filled_again_and_a_strangers_left_alone(run, templates, tmp_path):
    run("render", "--all", "mails")
    (tmp_path / "mails/notes.txt").write_text("mine")
    before = (tmp_path / "mails/default/en/recovery_valid.txt").read_text()
    templates.change("brand.json", '"name": null', '"name": "Changed"')
    run("render", "--all", "mails", templates_dir=templates.path)
    assert "Changed" in (tmp_path / "mails/default/en/recovery_valid.txt").read_text()
    assert "Changed" not in before
    assert (tmp_path / "mails/notes.txt").read_text() == "mine"

    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/index.html").write_text("mine")
    done = run("render", "--all", "theirs", status=1)
    assert done.stdout == b""
    assert complaint(done) == ("courier-relay: theirs holds index.html, which is not of `render "
                               "--all`: name a new folder, or an empty one\n")
    assert files_below(tmp_path / "theirs") == {"index.html"}


def test_a_folder_that_cannot_be_made_or_written(run, tmp_path):
    done = run("render", "--all", "no/such", status=1)
    assert complaint(done) == "courier-relay: no/such cannot be made: No such file or directory\n"
    (tmp_path / "file").write_text("mine")
    assert "courier-relay: file: Not a directory\n" == complaint(run("render", "--all", "file", status=1))
    assert (tmp_path / "file").read_text() == "mine"
    # A folder stands where a file should.
    run("render", "--all", "mails")
    page = tmp_path / "mails/index.html"
    page.unlink()
    page.mkdir()
    done = run("render", "--all", "mails", status=1)
    assert done.stdout == b""
    assert complaint(done) == "courier-relay: mails/index.html: cannot be replaced: Is a directory\n"


def test_a_disk_that_is_full(run, tmp_path):
    def limit():  # files cannot become longer; a write beyond it fails instead of killing
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    done = run("render", "--all", "mails", status=1, before=limit)
    assert done.stdout == b""
    assert re.fullmatch(r"courier-relay: mails/default/\w+/\w+\.html: cannot be written: File too "
                        r"large\n", complaint(done))
    assert not list((tmp_path / "mails").rglob("*.html")), "nothing half-written is left"
    assert not list((tmp_path / "mails").rglob("~*"))


# ---- docs/templates.md -----------------------------------------------------------------------------

def test_the_steps_in_the_documentation(templates, tmp_path):
    text = (harness.ROOT / "docs/templates.md").read_text()
    steps = text.split("## Changing it, step by step\n")[1].split("\n## ")[0]
    script = "".join(line[4:] + "\n" for line in steps.splitlines() if line.startswith("    "))
    assert script.count("courier-relay ") == 10, "the steps have changed: look at what is below"
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, capture_output=True, text=True,
                          env={"PATH": f"{harness.program().parent}:{os.environ['PATH']}"})
    assert (done.returncode, done.stderr) == (0, "")
    shown = done.stdout
    page = (tmp_path / "mail.html").read_text()
    assert all(own in page for own in ("Acme Shop", "#0a7d5a", "https://acme.example/logo.png"))
    assert "Acme Shop, 1 Main Street, Springfield. Nobody reads answers.\n" in shown
    assert f"ok: {len(TYPES)} types, {len(LOCALES) + 1} locales, 2 brands\n" in shown
    assert "    types/login_code_valid/subject.text.mustache\n" in shown
    assert re.search(rf"^{CODE} .* \[Acme Shop\]$", shown, re.M)
    assert "Acme Bank" in shown and "https://login.acme-bank.example/" in shown
    assert re.search(r"^\d+ mails of 2 brands: mails/index\.html$", shown, re.M)
