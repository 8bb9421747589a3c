"""The command line beside a running daemon, and without one."""
import json
import re
import subprocess

import payloads
import pytest
import relay as harness
import sink as sink_module

FIELDS = ("id state reason route key channel lane template locale recipient identity_id smarthost "
          "attempts created_at updated_at not_before deadline last_reply").split()
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_check_passes_with_what_is_shipped(relay):
    relay.folder.mkdir()
    done = relay.command("check")
    assert "login_code_valid" in done.stdout


@pytest.mark.parametrize("settings, named", [
    ({"mail_from": "nobody"}, "mail_from"),
    ({"mail_from": None}, "mail_from"),
    ({"smtp_uri": "gopher://example.com"}, "smtp_uri"),
    ({"lifetime": "login_code_valid=soon"}, "lifetime"),
    ({"listen": "nowhere"}, "listen"),
    ({"templates_dir": "/nonexistent"}, "/nonexistent"),
    ({"mail_form": "a@b.example"}, "mail_from"),  # names the nearest known one
    ({"smtp_uri": "file:/nonexistent/mails"}, "relay_smtp_uri"),
    ({"locale": "fr"}, "relay_locale"),
    ({"mail_reply_to": "nobody"}, "relay_mail_reply_to: not a mail address"),
    ({"mail_headers": "[]"}, "relay_mail_headers: is no json object"),
    ({"mail_headers": "{"}, "relay_mail_headers: is no json object: "),
    ({"mail_headers": '{"A": "x", "A": "y"}'}, "relay_mail_headers: is no json object: duplicate"),
    ({"mail_headers": '{"Bcc": "x@y.example"}'}, "relay_mail_headers: bcc: is not to be set here"),
    ({"mail_headers": '{"X-Tag": "{code}"}'}, "relay_mail_headers: x-tag: {code} is none of"),
])
def test_check_names_what_is_wrong(tmp_path, sink, settings, named):
    relay = harness.Relay(tmp_path, **{"smtp_uri": harness.smtp_uri(sink), **settings})
    done = relay.command("check", status=1)
    assert named in (done.stdout + done.stderr).lower()
    served = relay.command("serve", status=None)
    assert served.returncode not in (0, 75)


@pytest.mark.parametrize("settings", [
    {"mail_from": "nobody"}, {"templates_dir": "/nonexistent"}, {"locale": "fr"},
    {"timezone": "Mars/Olympus"}, {"config": "/nonexistent/relay.jsonnet", "mail_from": None},
    {"smtp_uri": "file:/nonexistent"},
])
def test_check_reports_one_fault_once(tmp_path, sink, settings):
    relay = harness.Relay(tmp_path, **{"smtp_uri": harness.smtp_uri(sink), **settings})
    done = relay.command("check", status=1)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout in ("", "0 samples composed, 1 fault\n")


def test_check_warns_of_a_type_that_looks_misspelt(relay):
    relay.folder.mkdir()
    done = relay.command("check", RELAY_LIFETIME="login_code_vald=15m")
    assert "did you mean login_code_valid?" in done.stderr


def test_check_names_file_and_line_of_a_broken_template(tmp_path, sink):
    folder = tmp_path / "templates"
    subprocess.run(["cp", "-r", harness.ROOT / "templates", folder], check=True)
    frame = folder / "frame.text.mustache"
    frame.write_text(frame.read_text() + "\n{{#code}} never closed\n")
    relay = harness.Relay(tmp_path / "relay", smtp_uri=harness.smtp_uri(sink),
                          templates_dir=folder)
    relay.folder.mkdir()
    done = relay.command("check", status=1)
    assert re.search(r"frame\.text\.mustache:\d+", done.stdout + done.stderr)


def test_check_names_file_and_line_of_a_broken_normaliser(tmp_path, sink):
    path = tmp_path / "broken.jsonnet"
    path.write_text("function(payload) {\n  to: payload.recipient,\n  oops\n}\n")
    relay = harness.Relay(tmp_path / "relay", smtp_uri=harness.smtp_uri(sink), normaliser=path)
    relay.folder.mkdir()
    done = relay.command("check", status=1)
    assert re.search(r"broken\.jsonnet:[34]", done.stdout + done.stderr)


@pytest.mark.parametrize("result, wrong", [("1", "the mail is no object"),
                                           ("{}", "data is missing"),
                                           ("{data: {}, to: 5}", "to is no text")])
def test_check_says_what_is_wrong_with_a_normalisers_result(tmp_path, sink, result, wrong):
    normaliser = tmp_path / "own.jsonnet"
    normaliser.write_text(f"function(payload) {result}\n")
    relay = harness.Relay(tmp_path / "relay", smtp_uri=harness.smtp_uri(sink),
                          normaliser=normaliser)
    relay.folder.mkdir()
    done = relay.command("check", status=1)
    assert f"{normaliser}: {wrong}, for v26-login_code_valid.json\n" in done.stderr


def test_check_says_which_samples_and_keys_a_route_has(relay):
    relay.folder.mkdir()
    text = " ".join(relay.command("check", "--help").stdout.split())
    assert "of its folder `samples`, here and on SIGHUP; without one it is only compiled" in text
    assert "A route without `keys` takes every key; so does Kratos' own path, unless" in text


@pytest.mark.parametrize("nothing", ["null", "[]"])
def test_check_says_of_a_normaliser_that_it_makes_nothing_of_every_sample(tmp_path, sink, nothing):
    normaliser = tmp_path / "own.jsonnet"
    relay = harness.Relay(tmp_path / "relay", smtp_uri=harness.smtp_uri(sink),
                          normaliser=normaliser)
    relay.folder.mkdir()
    normaliser.write_text(f"function(payload) {nothing}\n")
    done = relay.command("check", status=1)
    assert done.stderr == (f"courier-relay: {normaliser}: "
                           "makes a mail of none of the samples of route kratos\n")
    # Of some is what it may be for.
    normaliser.write_text(f"""function(payload)
        if std.native('text')('template_type') != 'recovery_valid' then {nothing}
        else {{ to: payload.recipient, template: 'recovery_valid', data: payload.template_data,
               fallback: {{ text: payload.body }} }}""")
    done = relay.command("check")
    assert "nothing to send" in done.stdout


def test_queue_list_show_and_stats(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        made = [payloads.login_code(language=language) for language in ("hu", "de")]
        ids = [relay.accept(payload) for payload in made]
        relay.wait_for("smarthost_down")
        for one in ids:
            relay.state(one)
        rows = relay.queue_list()
        assert [row["id"] for row in rows] == ids[::-1], "newest first"
        for row in rows:
            assert list(row) == FIELDS
            assert TIME.fullmatch(row["created_at"]) and TIME.fullmatch(row["deadline"])
        assert {row["locale"] for row in rows} == {"hu", "de"}
        recipient = made[0]["recipient"]
        assert [row["id"] for row in relay.queue_list("--recipient", recipient)] == ids[:1]
        assert relay.queue_list("--state", "sent") == []
        assert len(relay.queue_list("--limit", "1")) == 1
        table = relay.command("queue", "list").stdout
        assert all(one in table for one in ids)

        shown = relay.command("queue", "show", ids[0]).stdout
        assert recipient in shown
        # The smarthost is down: one of the two was tried, and not charged for it.
        both = shown + relay.command("queue", "show", ids[1]).stdout
        assert re.search(r"\b[1-9] took place, 0 charged", both)
        stats = json.loads(relay.command("queue", "stats", "--json").stdout)
        assert "queued" in json.dumps(stats)
        relay.stop()
        assert [row["id"] for row in relay.queue_list()] == ids[::-1], "without the daemon"
        assert relay.command("queue", "show", "no-such-id", status=1).stdout == ""


def test_send_posts_a_file_to_the_running_relay(relay, sink, tmp_path):
    made = payloads.login_code()
    path = tmp_path / "payload.json"
    path.write_bytes(payloads.as_bytes(made))
    with relay:
        relay.command("send", "--url", f"http://127.0.0.1:{relay.port}/kratos/webhook", str(path))
        assert sink.wait_for(1)[0].recipient == made["recipient"]



def test_send_reads_the_key_from_a_file(relay, sink, tmp_path):
    made = payloads.login_code()
    path = tmp_path / "payload.json"
    path.write_bytes(payloads.as_bytes(made))
    key = tmp_path / "key"
    with relay:
        url = f"http://127.0.0.1:{relay.port}/kratos/webhook"
        key.write_text("not-the-right-key\n")
        refused = relay.command("send", "--url", url, "--key-file", str(key), str(path), status=1)
        assert "refused with 401" in refused.stderr
        key.write_text(harness.API_KEY + "\n")
        relay.command("send", "--url", url, "--key-file", str(key), str(path))
        assert sink.wait_for(1)[0].recipient == made["recipient"]
        key.write_text("x" * 65536)
        long = relay.command("send", "--url", url, "--key-file", str(key), str(path), status=1)
        assert "too large" in long.stderr


def test_an_unknown_option_is_one_complaint(relay):
    relay.folder.mkdir()
    for command in ("serve", "check", "send", "queue"):
        done = relay.command(command, "--statee", status=2)
        assert done.stderr == ("courier-relay: unknown option --statee\n"
                               f"Try: courier-relay {command} --help\n")


def test_queue_names_the_setting_of_a_folder_that_is_not_there(relay):
    relay.folder.mkdir()
    assert "RELAY_QUEUE_DIR" in relay.command("queue", "list", status=1).stderr


def test_usage_errors(relay):
    relay.folder.mkdir()
    for arguments in ([], ["nonsense"], ["queue"], ["queue", "list", "--nonsense"],
                      ["queue", "list", "--state", "nonsense"], ["send"]):
        assert relay.command(*arguments, status=2).stdout == "", arguments
    for arguments in (["--help"], ["--version"], ["queue", "--help"], ["serve", "--help"]):
        assert relay.command(*arguments).stdout, arguments


def test_a_configuration_file_in_jsonnet(tmp_path, sink):
    made = payloads.login_code()
    (tmp_path / "key").write_text("from-a-file-0123456789\n")
    (tmp_path / "relay.jsonnet").write_text(f"""
        local host = '127.0.0.1';
        {{ listen: host + ':0', admin_listen: 'off', mail_from: 'File <f@file.example>',
           api_key_file: '{tmp_path}/key',
           smtp_uri: 'smtp://' + host + ':{sink.port}/?disable_starttls=true' }}
    """)
    relay = harness.Relay(tmp_path / "relay", api_key=None, mail_from=None, listen=None,
                          admin_listen=None)
    relay.start("--config", str(tmp_path / "relay.jsonnet"))
    assert relay.post(made, key="from-a-file-0123456789").status == 200
    assert sink.wait_for(1)[0].sender == "f@file.example"
    assert relay.stop() == 0


def test_an_installed_relay_finds_its_own(tmp_path, sink):
    """Nothing set but key, smarthost and sender (and ports that are free)."""
    subprocess.run(
        ["make", "--no-print-directory", "--old-file=all", "install", f"BUILD={harness.RELEASE_BUILD}",
         "PREFIX=/usr", f"DESTDIR={tmp_path}/root"],
        cwd=harness.ROOT, check=True, stdout=subprocess.DEVNULL)
    prefix = tmp_path / "root/usr"
    for path in ("bin/courier-relay", "libexec/courier-relay/composer",
                 "libexec/courier-relay/deliverer", "share/courier-relay/templates/locales/hu.json",
                 "share/courier-relay/jsonnet/kratos_courier.jsonnet"):
        assert (prefix / path).exists(), path
    made = payloads.login_code(language="hu")
    relay = harness.Relay(tmp_path / "run", build=prefix, queue_dir=None,
                          smtp_uri=harness.smtp_uri(sink))
    with relay:
        relay.accept(made)
        assert sink.wait_for(1)[0].language == "hu"
    assert (relay.folder / "var/queue.db").exists()
    relay.command("check")
