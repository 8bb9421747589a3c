"""The command line beside a running daemon, and without one."""
import contextlib
import fcntl
import json
import os
import pty
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import termios
import threading

import payloads
import pytest
import relay as harness
import sink as sink_module
import test_admin

FIELDS = ("id state reason route key channel lane template locale recipient identity_id smarthost "
          "attempts created_at updated_at not_before deadline last_reply "
          "trace_id locale_source").split()
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
    assert "composer_died" not in served.stdout and served.stdout.count('"what"') <= 1


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
        let_wait(relay, ids)
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
        assert re.search(r"\b[1-9]\d* took place, 0 count", both)
        stats = json.loads(relay.command("queue", "stats", "--json").stdout)
        assert "queued" in json.dumps(stats)
        relay.stop()
        assert [row["id"] for row in relay.queue_list()] == ids[::-1], "without the daemon"
        assert relay.command("queue", "show", "no-such-id", status=1).stdout == ""


def let_wait(relay, ids):
    """They have been tried, as far as any is, and are tried no more: none is on its way while
    somebody looks."""
    relay.wait_for("smarthost_down")
    test_admin.silence(relay)
    for one in ids:
        assert relay.state(one)["state"] == "queued"


def listed(relay, *filter):
    return {row["id"] for row in relay.queue_list(*filter)}


def test_the_filter_of_lists(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        code = relay.accept(payloads.login_code())
        let_wait(relay, [code])
        link = relay.accept(payloads.recovery_link("f1", recipient="Zoe@Example.com"))
        relay.state(link)
        none = relay.accept({"neither": "mail"})
        assert relay.state(none)["state"] == "parked"
        every = {code, link, none}
        for filter, want in [
                (["--state", "queued,parked"], every), (["--state", "parked"], {none}),
                (["--template", "recovery_valid"], {link}), (["--reason", "no_recipient"], {none}),
                (["--recipient", "zoe@example.com", "--lane", "code"], {link}),
                (["--smarthost", f"127.0.0.1:{sink.port}", "--template", "login_code_valid"], {code}),
                (["--smarthost", "other:25"], set()), (["--lane", "notice"], set()),
                (["--older-than", "1h"], set()), (["--newer-than", "1h"], every),
                (["--since", "2020-01-31"], every), (["--before", "2020-01-31T18:00:00Z"], set())]:
            assert listed(relay, *filter) == want, filter
        exported = relay.command("queue", "export", "--json", "--state", "parked").stdout
        assert [json.loads(line)["id"] for line in exported.splitlines()] == [none]
        for wrong in (["--state", "queued,nonsense"], ["--older-than", "soon"], ["--limit", "0"],
                      ["--since", "yesterday"], ["--lane", "fast"]):
            done = relay.command("queue", "list", *wrong, status=2)
            assert f"courier-relay: {wrong[0]} " in done.stderr


def test_the_table_of_a_list(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        ids = [relay.accept(payloads.login_code(recipient=recipient))
               for recipient in ("a@example.com", "zoe.ohara.the.longest@example.com")]
        let_wait(relay, ids)
        title, *rows = relay.command("queue", "list").stdout.splitlines()
        assert title.split()[:7] == ["ID", "STATE", "CREATED", "TRY", "TEMPLATE", "LOCALE",
                                     "RECIPIENT"]
        places = {row.index("login_code_valid") for row in rows} | {title.index("TEMPLATE")}
        assert len(rows) == 2 and len(places) == 1 and "\033" not in title
        assert re.search(r" queued +(now|\d+[sm] ago) ", rows[0])
        none = relay.command("queue", "list", "--reason", "nonsense")
        assert "there is no such message; --reason, " in none.stderr
        narrow = on_a_terminal(relay, 100, "queue", "list")
        assert "\033" not in narrow and "…" in narrow
        assert max(map(len, narrow.splitlines())) <= 100
        relay.accept({"neither": "mail"})
        relay.wait_for("parked")
        wide = on_a_terminal(relay, 200, "queue", "list")
        assert "\033[33mparked\033[0m" in wide and "1 of these parked: " in wide
        assert "of these parked" not in relay.command("queue", "list").stdout
        assert "\033" not in on_a_terminal(relay, 200, "queue", "list", NO_COLOR="1")


def on_a_terminal(relay, columns, *arguments, **environment):
    """What a command prints to one of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(harness.program(build=relay.build)), *arguments],
                               cwd=relay.folder, stdin=subprocess.DEVNULL, stdout=theirs,
                               env=relay.environment() | {"TERM": "xterm"} | environment)
    os.close(theirs)
    text = b""
    with contextlib.suppress(OSError):  # a terminal's end that nobody holds
        while chunk := os.read(ours, 65536):
            text += chunk
    os.close(ours)
    assert process.wait(harness.WAIT_S) == 0
    return text.decode().replace("\r\n", "\n")


def explain(relay, message_id):
    done = relay.command("queue", "explain", message_id)
    assert json.loads(relay.command("queue", "explain", "--json", message_id).stdout)["id"] == \
        message_id
    return done.stdout


def test_explain(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        waiting = relay.accept(payloads.login_code(recipient="zoe@example.com", language="hu"))
        relay.wait_for("smarthost_down")
        relay.state(waiting)
        harness.wait_until(lambda: "It waits" in explain(relay, waiting), "no probe with it")
        text = explain(relay, waiting)
        assert re.search(r"It came (now|\d+[sm] ago) \(.*\) by the route kratos, with the key default: "
                         r"login_code_valid for zoe@example.com\.", text)
        assert "Its language is hu: " in text
        assert re.search(r"Attempt 1, .*: the smarthost could not be used, which does not count", text)
        assert f"The smarthost 127.0.0.1:{sink.port} takes no mail" in text
        assert "No smarthost takes mail now" in text and "`courier-relay doctor` says" in text
        assert f"Failed to connect to 127.0.0.1 port {sink.port} " in text or "refused" in text
        assert re.search(r"Its time is over in 1[0-4]m \(.*\): then it expires, since its code", text)
        parked = relay.accept({"neither": "mail"})
        relay.state(parked)
        text = explain(relay, parked)
        assert "since it cannot be sent as it is: no_recipient." in text
        assert f"then `courier-relay queue release {parked}`" in text
        broken = relay.accept(b'{"no": "JSON",}')
        relay.state(broken)
        text = explain(relay, broken)
        assert "It cannot be mended: cancel it, " in text and "queue release" not in text
        assert f"queue cancel {broken}\n" in relay.command("queue", "show", broken).stdout
        bad = relay.accept(payloads.login_code(recipient="zoe@@example.com"))
        row = relay.state(bad)
        assert row["reason"] == "bad_recipient"
        assert f"Its identity in Kratos is {row['identity_id']}." in explain(relay, bad)
        sink.up()
        relay.wait_for("sent", id=waiting)
        text = explain(relay, waiting)
        assert ": it was taken; 250 " in text and "It was sent " in text
        relay.stop()
        assert "It was sent " in explain(relay, waiting)
        assert relay.command("queue", "explain", "no-such-id", status=1).stdout == ""


@pytest.mark.parametrize("edit, said", [
    ("state = 'failed', reason = 'rejected'", [
        r"It was given up (now|\S+ ago) .*: rejected\.",
        r"`courier-relay queue retry ID` tries once more; its time is over in 1[0-4]m "]),
    ("state = 'failed', reason = 'rejected', deadline = created", [
        r"It cannot be tried again: its time is over\."]),
    ("state = 'unknown', unknown_outcomes = 3", [
        r"It was handed over 3 times and no answer came, so it may have arrived"]),
    ("state = 'expired', reason = 'deadline', deadline = created, body = NULL, body_form = 0", [
        r"It expired (now|\S+ ago) .*: no smarthost had taken it"]),
    ("state = 'superseded', reason = 'newer', body = NULL, body_form = 0", [
        r"It was not sent: a newer one of its kind took its place"]),
    ("state = 'superseded', reason = 'duplicate', body = NULL, body_form = 0", [
        r"It was not sent: it is the same as another one"]),
    ("state = 'cancelled', reason = 'by_operator', body = NULL, body_form = 0", [
        r"It was not sent: an operator cancelled it"]),
    ("state = 'held', reason = NULL", [
        r"An operator put it aside .*", r"`courier-relay queue release ID` lets it go"]),
    ("reason = 'rate_limited', not_before = created + 3600000", [
        r"It waits: its recipient, or all together, had as many as they may",
        r"It is tried next in 5[0-9]m ", r"No relay runs on this queue"]),
    ("locale_source = 'accept_language'", [r"Its language is en: .*\(Accept-Language\)"]),
    ("trace_id = '0af7651916cd43dd8448eb211c80319c'", [r"the trace 0af7651916cd43dd8448eb211c80319c"]),
])
def test_explain_tells_how_it_ended_and_whether_there_is_a_way_back(queued, edit, said):
    relay, message_id = queued
    with contextlib.closing(sqlite3.connect(relay.queue_dir / "queue.db")) as database, database:
        database.execute(f"UPDATE message SET {edit}")
    text = relay.command("queue", "explain", message_id).stdout.replace(message_id, "ID")
    for one in said:
        assert re.search(one, text), text


@pytest.fixture(scope="module")
def queue_of_one(tmp_path_factory):
    """Of a relay that has stopped, with one message that waits; and its id."""
    with sink_module.Sink(listening=False) as sink, harness.Relay(
            tmp_path_factory.mktemp("explained"), smtp_uri=harness.smtp_uri(sink)) as relay:
        message_id = relay.accept(payloads.login_code())
        let_wait(relay, [message_id])
    return relay, message_id


@pytest.fixture
def queued(queue_of_one, tmp_path):
    relay, message_id = queue_of_one
    folder = shutil.copytree(relay.queue_dir, tmp_path / "queue")
    return harness.Relay(tmp_path, **{**relay.settings, "queue_dir": str(folder)}), message_id


def test_send_posts_a_file_to_the_running_relay(relay, sink, tmp_path):
    made = payloads.login_code()
    path = tmp_path / "payload.json"
    path.write_bytes(payloads.as_bytes(made))
    with relay:
        relay.command("send", "--url", f"http://127.0.0.1:{relay.port}/kratos/webhook", str(path))
        assert sink.wait_for(1)[0].recipient == made["recipient"]
        # Said where a person sees it, and where a program does.
        again = relay.command("send", str(path), RELAY_LISTEN=f"127.0.0.1:{relay.port}")
        assert again.stdout.strip() == relay.wait_for("accepted")["id"]
        assert "not sent again" in again.stderr
        done = relay.command("send", "--json", str(path), RELAY_LISTEN=f"127.0.0.1:{relay.port}")
        assert json.loads(done.stdout)["duplicate"] is True and not done.stderr
    nobody = f"127.0.0.1:{harness.free_port()}"
    assert "no relay runs there" in relay.command("health", status=1, RELAY_LISTEN=nobody).stderr


def test_what_somebody_answers_does_not_drive_the_terminal(relay, tmp_path):
    body = json.dumps({"message": "\x1b[2Jno\u202e\r\nmore"}).encode()
    (tmp_path / "payload.json").write_text("{}")
    relay.folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            for _ in range(2):
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as asked:
                    # All of it: what is not read makes the end a reset, which takes the answer.
                    head = b"".join(iter(asked.readline, b"\r\n"))
                    asked.read(int((re.search(rb"(?i)content-length: *(\d+)", head) or [0, 0])[1]))
                    connection.sendall(b"HTTP/1.1 503 No\r\nX-Message-Id: \x1b[31m\r\n"
                                       b"Connection: close\r\nContent-Length: %d\r\n\r\n"
                                       % len(body) + body)
        threading.Thread(target=answer, daemon=True).start()
        url = "http://127.0.0.1:%d/" % server.getsockname()[1]
        health = relay.command("health", "--url", url, status=1)
        assert health.stdout == "" and "503: ?[2Jno???more\n" in health.stderr
        send = relay.command("send", "--url", url, str(tmp_path / "payload.json"), status=1)
        assert send.stdout == "?[31m\n" and "503: ?[2Jno???more\n" in send.stderr


def test_send_reads_the_key_from_a_file(relay, sink, tmp_path):
    made = payloads.login_code()
    path = tmp_path / "payload.json"
    path.write_bytes(payloads.as_bytes(made))
    key = tmp_path / "key"
    with relay:
        url = f"http://127.0.0.1:{relay.port}/kratos/webhook"
        key.write_text("not-the-right-key\n")
        refused = relay.command("send", "--url", url, "--key-file", str(key), str(path), status=1)
        assert "refused with 401" in refused.stderr and "bare key" not in refused.stderr
        key.write_text(f"kratos:{harness.API_KEY}\n")
        refused = relay.command("send", "--url", url, "--key-file", str(key), str(path), status=1)
        assert f"{key} must hold the bare key" in refused.stderr
        assert harness.API_KEY not in refused.stderr
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
    for command in (["smarthosts"], ["queue", "release", "--all"]):
        assert "No such file or directory" in relay.command(*command, status=75).stderr


def test_usage_errors(relay):
    relay.folder.mkdir()
    for arguments in ([], ["nonsense"], ["queue"], ["queue", "list", "--nonsense"],
                      ["queue", "list", "--state", "nonsense"], ["send"]):
        assert relay.command(*arguments, status=2).stdout == "", arguments
    assert "queue has no lst: it needs one of list, show" in \
        relay.command("queue", "lst", status=2).stderr
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
