"""`courier-relay doctor`: what it finds, how it says it, and that it tells no secret."""
import json
import os
import subprocess
import tempfile

import clocks
import payloads
import pytest
import relay as harness
import smtp_server
from kratos_admin import KratosAdmin, ago, identity, message
from smtp_server import SmtpServer, reply

PASSWORD = "pass-0123456789-canary"


def findings(relay, *arguments, status=0, **environment):
    """Runs it with --json. Each finding has why and what to do exactly where it is not fine."""
    relay.folder.mkdir(exist_ok=True)
    done = relay.command("doctor", "--json", *arguments, status=status, **environment)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for one in found:
        assert set(one) == {"severity", "subject", "what", "why", "what_to_do"}
        assert (one["why"] is None) == (one["what_to_do"] is None) == (one["severity"] == "fine")
    assert ("error" in {one["severity"] for one in found}) == (status == 1)
    assert harness.API_KEY not in done.stdout and PASSWORD not in done.stdout
    assert "zoe" not in done.stdout and not done.stderr
    return found


def named(found, subject, severity=None):
    """What was said of it, but of how slow the disk is of the machine that runs the tests."""
    return [one["what"] for one in found if one["subject"] == subject
            and severity in (None, one["severity"])
            and (severity is None or " are on the disk within " not in one["what"])]


def test_nothing_is_wrong_and_nothing_is_changed(sink, start_relay):
    relay = start_relay(sink)
    found = findings(relay)
    assert not [one for one in found if one["severity"] == "error"]
    subjects = {one["subject"] for one in found}
    assert subjects == {"settings", "keys", "queue folder", "clock", "mails", "relay",
                        f"smarthost 127.0.0.1:{sink.port}"}
    assert "takes mail (in the clear)" in named(found, f"smarthost 127.0.0.1:{sink.port}")[0]
    assert any("4 kB are on the disk within" in what for what in named(found, "queue folder"))
    assert named(found, "relay", "warning") == named(found, "relay") == ["none runs on this queue"]
    assert os.listdir(relay.folder) == []


def test_for_people(sink, start_relay):
    relay = start_relay(sink, api_key="short")
    relay.folder.mkdir()
    done = relay.command("doctor")
    assert "\033" not in done.stdout
    assert "warning  settings: RELAY_API_KEY: the key default has fewer than 16 characters\n" \
        "         why: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 errors, ")


@pytest.mark.parametrize("arguments", [["word"], ["--kratos", "kratos:4434"], ["--kratos"],
                                       ["--kratos", "http://me:secret@kratos:4434"], ["--oops"]])
def test_wrong_usage(sink, start_relay, arguments):
    relay = start_relay(sink)
    relay.folder.mkdir()
    done = relay.command("doctor", *arguments, status=2)
    assert not done.stdout and "doctor --help" in done.stderr and "secret" not in done.stderr


# ---- settings, keys, folder, mails ---------------------------------------------------------------

def test_settings_that_are_wrong(sink, start_relay):
    found = findings(start_relay(sink, listen="nowhere"), status=1)
    assert "RELAY_LISTEN" in named(found, "settings", "error")[0]
    assert named(found, "clock") and not named(found, "mails")


def test_a_key_that_is_easily_guessed(sink, start_relay):
    found = findings(start_relay(sink, api_key="aaaabbbbaaaabbbb"))
    assert named(found, "keys", "warning")


def test_a_queue_whose_key_is_gone(sink, start_relay):
    with start_relay(sink) as relay:
        pass
    (relay.queue_dir / "queue.key").unlink()
    found = findings(relay, status=1)
    assert "queue.key" in named(found, "queue folder", "error")[0]
    assert not [name for name in os.listdir(relay.queue_dir) if name.startswith("doctor")]


def test_a_folder_in_memory_and_one_that_is_open(sink, start_relay, tmp_path):
    relay = start_relay(sink)
    relay.queue_dir.mkdir(parents=True, mode=0o755)
    relay.queue_dir.chmod(0o755)
    assert "0700" in named(findings(relay, status=1), "settings", "error")[0]
    found = findings(relay, RELAY_QUEUE_DIR="/dev/shm/courier-relay-doctor")
    assert "in memory" in named(found, "settings", "warning")[0]


def test_a_broken_template(sink, start_relay, tmp_path):
    folder = tmp_path / "templates"
    subprocess.run(["cp", "-r", harness.ROOT / "templates", folder], check=True)
    frame = folder / "frame.text.mustache"
    frame.write_text(frame.read_text() + "\n{{#code}} never closed\n")
    found = findings(start_relay(sink, templates_dir=folder), status=1)
    assert "frame.text.mustache:" in named(found, "mails", "error")[0]


def test_a_normaliser_that_makes_nothing_of_the_samples(sink, start_relay, tmp_path):
    path = tmp_path / "none.jsonnet"
    path.write_text("function(payload) null")
    found = findings(start_relay(sink, normaliser=path), status=1)
    assert named(found, "mails", "error")


def test_names_that_are_no_text(sink, start_relay, tmp_path):
    """JSON cannot have them as they are."""
    folder = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(folder)
    found = findings(start_relay(sink), RELAY_QUEUE_DIR=os.fsdecode(folder) + "/queue")
    assert any(what.startswith(f"{tmp_path}/?/queue is not there yet") for what in
               named(found, "queue folder"))


def test_another_users_folder(sink, start_relay):
    if os.geteuid() != 0:
        pytest.skip("only the superuser can become somebody else")
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        relay = start_relay(sink, folder=folder, build=harness.RELEASE_BUILD)
        relay.queue_dir.mkdir(mode=0o700)
        os.chmod(folder, 0o755)
        assert named(findings(relay), "queue folder", "warning") == [], "root may look at any"
        try:
            done = subprocess.run(
                [harness.program(build=relay.build), "doctor", "--json"], cwd="/",
                env=relay.environment(), user="nobody", group="nogroup", extra_groups=[],
                capture_output=True, text=True, timeout=harness.WAIT_S)
        except PermissionError:
            pytest.skip("the programs are where nobody else may start them")
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert "belongs to user 0" in named(found, "queue folder", "warning")[0]
    assert "cannot be written to" in named(found, "queue folder", "error")[0]
    assert done.returncode == 1


# ---- smarthosts ----------------------------------------------------------------------------------

def secured(server, query="", host="localhost"):
    return f"smtp://relay:{PASSWORD}@{host}:{server.port}/?{query}"


def authority(tmp_path, **made):
    smtp_server.make_certificate(tmp_path, "authority")
    return smtp_server.make_certificate(tmp_path, issuer="authority", **made)


def test_a_smarthost_with_tls_and_a_password(start_relay, tmp_path):
    with SmtpServer(tls=authority(tmp_path), auth=["PLAIN"], password=PASSWORD) as server:
        relay = start_relay(None, smtp_uri=secured(server, f"ca_file={tmp_path}/authority.pem"))
        found = findings(relay)
        subject = f"smarthost localhost:{server.port}"
        assert "TLSv1.3, logged in" in named(found, subject, "fine")[0]
        # Made for two days: soon it ends, and so does its authority's.
        assert len([what for what in named(found, subject, "warning") if "ends in 1 days" in what
                    or "ends in 2 days" in what]) == 2
        assert "RCPT" not in server.verbs() and not server.messages


def test_certificates_that_are_not_trusted(start_relay, tmp_path):
    context = authority(tmp_path, made="2020-01-01")
    with SmtpServer(tls=context) as old, \
            SmtpServer(tls=smtp_server.make_certificate(tmp_path, "self")) as own:
        ca = f"ca_file={tmp_path}/authority.pem"
        relay = start_relay(None, smtp_uri=f"{secured(old, ca)}, {secured(own)}")
        found = findings(relay, status=1)
        what = " ".join(named(found, f"smarthost localhost:{old.port}", "error"))
        assert "no trusted TLS" in what and "certificate has expired (good until 2020-01-03" in what
        what = " ".join(named(found, f"smarthost localhost:{own.port}", "error"))
        assert "no trusted TLS" in what and "self-signed" in what
        assert not {"AUTH", "MAIL"} & set(old.verbs() + own.verbs())
        # Where it is not checked it passes, which is a warning of its own.
        relay.settings["smtp_uri"] = f"smtp://localhost:{old.port}/?skip_ssl_verify=true"
        found = findings(relay)
        assert any("has ended, at 2020-01-03" in what for what in
                   named(found, f"smarthost localhost:{old.port}", "warning"))


def test_a_password_that_is_refused(start_relay, tmp_path):
    with SmtpServer(tls=authority(tmp_path), auth=["PLAIN"], password="another") as server:
        server.on("auth", reply(f"535 5.7.8 {PASSWORD} is wrong"))
        relay = start_relay(None, smtp_uri=secured(server, f"ca_file={tmp_path}/authority.pem"))
        found = findings(relay, status=1)
        what = named(found, f"smarthost localhost:{server.port}", "error")[0]
        assert what.startswith("it does not let us log in: 535 5.7.8 ")


def test_a_login_that_is_wanted_and_not_set(start_relay):
    with SmtpServer(auth=["PLAIN"], password=PASSWORD) as server:
        server.on("mail", reply("530 5.7.0 Authentication required"))
        found = findings(start_relay(server), status=1)
        [error] = [one for one in found if one["severity"] == "error"]
        assert error["what"] == \
            "it does not take mail of our sender: 530 5.7.0 Authentication required"
        assert "smtp://USER:PASSWORD@HOST" in error["what_to_do"] and not server.messages


def test_tls_at_once_where_it_comes_by_starttls(start_relay, tmp_path):
    with SmtpServer(tls=authority(tmp_path)) as server:
        found = findings(start_relay(None, smtp_uri=f"smtps://localhost:{server.port}"), status=1)
        [error] = [one for one in found if one["severity"] == "error"]
        assert "wrong version number" in error["what"]
        assert "write smtp:// in place of smtps://" in error["what_to_do"]
        assert "disable_starttls" not in error["what_to_do"]


def test_nobody_is_there(start_relay, tmp_path):
    with SmtpServer(door="shut") as server:
        uri = f"smtp://127.0.0.1:{server.port}/?disable_starttls=true, smtp://nowhere.invalid:587"
        found = findings(start_relay(None, smtp_uri=uri), status=1)
        what = named(found, f"smarthost 127.0.0.1:{server.port}")[0]
        assert what.startswith("no connection") and f" port {server.port} " in what, "no mask"
        assert named(found, "smarthost nowhere.invalid:587")[0].startswith("its name is not found")


def test_a_smarthost_that_takes_small_mails_alone(start_relay):
    with SmtpServer(offers=["SIZE 65536"]) as server:
        found = findings(start_relay(server))
        assert "at most 65536 bytes" in \
            named(found, f"smarthost 127.0.0.1:{server.port}", "warning")[0]


def test_a_folder_is_for_development(start_relay, tmp_path):
    found = findings(start_relay(None, smtp_uri=f"file:{tmp_path}"))
    assert named(found, "smarthost file", "warning")


# ---- the clock -----------------------------------------------------------------------------------

def test_a_clock_that_is_years_off(sink, start_relay, tmp_path):
    relay = start_relay(sink, build=harness.RELEASE_BUILD)
    try:
        wall = clocks.WallClock(tmp_path, -20 * 365 * 24 * 3600)
    except clocks.Unavailable as reason:
        pytest.skip(str(reason))
    found = findings(relay, status=1, **wall.environment)
    assert named(found, "clock", "error")[0].startswith("it is not 200")


# ---- the relay -----------------------------------------------------------------------------------

def test_a_relay_that_runs(sink, start_relay):
    port = harness.free_port()
    with start_relay(sink, listen=f"127.0.0.1:{harness.free_port()}",
                     admin_listen=f"127.0.0.1:{port}") as relay:
        found = findings(relay, RELAY_ADMIN_KEY="alice:operate:0123456789abcdef0123")
        assert named(found, "relay", "fine") == [
            "it runs on this queue", f"http://127.0.0.1:{relay.port}/health/ready: it takes mail",
            f"http://127.0.0.1:{port}/: the admin API listens"]
        # What keys the relay has is not to be told from this command's own.
        assert any("doctor was given no admin key" in what for what in
                   named(findings(relay), "relay", "fine"))
        assert not relay.found("unauthorized") and not relay.found("refused")
        relay.command("smarthosts", "pause", f"127.0.0.1:{sink.port}")
        found = findings(relay, status=1, RELAY_LISTEN=f"127.0.0.1:{harness.free_port()}",
                         RELAY_ADMIN_LISTEN=f"127.0.0.1:{harness.free_port()}")
        assert "is paused since" in named(found, "relay", "warning")[0]
        assert "/health/ready" in named(found, "relay", "error")[0]
        assert "Couldn't connect" in named(found, "relay", "warning")[1], "the admin listener"
        # Another relay's settings, by the same address.
        found = findings(relay, RELAY_QUEUE_DIR=str(relay.folder / "other"))
        assert "somebody listens there" in named(found, "relay", "warning")[1]


# ---- Kratos --------------------------------------------------------------------------------------

# 40 kB, and 80 kB with each member on a line of its own, as Jsonnet prints it.
PRINTS_LONG = identity(metadata_public={f"k{number}": number for number in range(3000)})


def test_a_kratos_in_which_all_is_well(sink, start_relay):
    with KratosAdmin() as kratos:
        kratos.messages = [message("sent", ago(hours=1)), message("queued", ago(seconds=2)),
                           message("processing", ago(seconds=5))]
        kratos.identities = [identity(100), identity(30000), identity(
            0, metadata_admin={"notes": "n" * 200000}, credentials={"oidc": {"c": "x" * 99000}})]
        found = findings(start_relay(sink), "--kratos", kratos.url + "/")
        assert named(found, "kratos", "fine") == [
            "is version v26.2.0", "it has given no mail up", "no mail is stuck in `processing`",
            "no mail waits in it"]
        assert named(found, "kratos identities") == \
            ["none of 3 people has data too large for a mail"]


def test_what_kratos_has_lost_and_holds_back(sink, start_relay):
    with KratosAdmin("v1.3.1") as kratos:
        kratos.messages = \
            [message("abandoned", ago(hours=1), tries=6)] * 600 + \
            [message("abandoned", ago(days=9), tries=301)] * 5 + \
            [message("sent", ago(hours=2))] + \
            [message("processing", ago(hours=3), tries=0)] * 2 + \
            [message("processing", ago(hours=3)), message("processing", ago(hours=1), tries=0)] + \
            [message("queued", ago(minutes=5), tries=0)] * 7
        kratos.identities = [PRINTS_LONG]
        found = findings(start_relay(sink), "--kratos", kratos.url, status=1)
        assert named(found, "kratos", "error") == [
            "605 mails are abandoned, 600 of them were asked for within a day, after 6 to 301 tries",
            "2 mails are stuck in `processing`: newer ones were sent",
            "7 mails are `queued` for longer than a minute, after up to 0 tries"]
        # What is tried again looks so as well, and what has waited until a newer one was sent.
        assert named(found, "kratos", "warning") == \
            ["2 mails are `processing`, and were asked for more than a minute ago"]
        assert named(found, "kratos identities") == \
            [f"1 of 1 people have data of about 64 kB or more: {PRINTS_LONG['id']}"]
        assert any("message_retries" in one["what_to_do"] for one in found if one["what_to_do"])
        assert any("watch-courier" in one["what_to_do"] for one in found if one["what_to_do"])


def test_what_was_lost_long_ago_is_a_warning(sink, start_relay):
    with KratosAdmin() as kratos:
        kratos.messages = [message("abandoned", ago(days=3), tries=301),
                           message("processing", ago(days=3), tries=0),
                           message("sent", ago(days=2))]
        found = findings(start_relay(sink), "--kratos", kratos.url)
        assert len(named(found, "kratos", "warning")) == 2


def test_people_who_cannot_be_mailed(sink, start_relay):
    with KratosAdmin() as kratos:
        large = identity(70000)
        # Quotes count twice, and what Go escapes seven times.
        quoted = identity(metadata_public={"html": '<"' * 8000})
        kratos.identities = [identity()] * 299 + [PRINTS_LONG, large, identity(50000), quoted]
        found = findings(start_relay(sink), "--kratos", kratos.url, status=1)
        assert named(found, "kratos identities", "error") == [
            f"2 of 303 people have data of about 64 kB or more: {large['id']}, {quoted['id']}"]
        assert named(found, "kratos identities", "warning") == \
            ["1 of 303 people come near to 64 kB of data"]


def test_a_kratos_that_is_not_there_or_is_none(sink, start_relay):
    relay = start_relay(sink)
    found = findings(relay, "--kratos", f"http://127.0.0.1:{harness.free_port()}", status=1)
    assert len(named(found, "kratos", "error")) == 1
    with KratosAdmin() as kratos:
        found = findings(relay, "--kratos", kratos.url + "/public", status=1)
        assert "answers 404" in named(found, "kratos", "error")[0]


def test_a_first_look_at_kratos_is_bounded(sink, start_relay):
    with KratosAdmin() as kratos:
        kratos.identities = [{}] * 10100
        found = findings(start_relay(sink), "--kratos", kratos.url)
        assert named(found, "kratos identities") == \
            ["none of the first 10000 people has data too large for a mail"]


def test_mail_goes_on_beside_it(sink, start_relay):
    with start_relay(sink) as relay:
        findings(relay)
        relay.accept(payloads.login_code())
        relay.wait_for("sent")
