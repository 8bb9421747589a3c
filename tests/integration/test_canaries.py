"""The search of every relay for secrets (tests/support/canaries.py) has not gone blind: what leaks
on purpose, through each thing that a relay shows, is found."""
import base64
import fcntl
import http.client
import subprocess
import sys
import textwrap
import types

import admin_api
import canaries
import payloads
import pytest
import relay as harness

# Plays the daemon: says that it is ready and waits for SIGTERM. Its name is what counts in /proc.
DAEMON = """\
#!/usr/bin/python3 -I
import os, signal, sys
{before}
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print('{{"event":"listening","listener":"mail","address":"127.0.0.1:1"}}')
print('{{"event":"ready"}}', flush=True)
signal.sigwait([signal.SIGTERM])
os.killpg(0, signal.SIGTERM)
"""
CHILD = "#!/usr/bin/python3 -I\nimport signal\nsignal.pause()\n"

CODE, TOKEN = canaries.code(), canaries.token()
RECIPIENT = canaries.recipient("leaked")
BODY = payloads.payload("login_code_valid")["body"]
SUBJECT = payloads.payload("login_code_valid")["subject"]
AS_BASE64 = [base64.b64encode(f"\0{'u' * more}\0{canaries.PASSWORD}".encode()).decode()
             for more in range(3)]
KINDS = {
    "code": [CODE, f"Use code {CODE} to", f"a{CODE}9"],
    "link's token": [TOKEN, TOKEN.upper(), TOKEN[:12]],
    "API key": [harness.API_KEY], "body": [BODY], "subject": [SUBJECT],
    "admin key": [admin_api.READ_KEY, admin_api.OPERATE_KEY, admin_api.OLD_KEY],
    "SMTP password": [canaries.PASSWORD, *AS_BASE64],
}


@pytest.fixture
def stand_in(tmp_path):
    """Makes relays that are DAEMON, with what is done before it is ready."""
    def make(before="", **settings):
        folder = tmp_path / "build"
        for name, text in (("bin/courier-relay", DAEMON.format(before=textwrap.dedent(before))),
                           ("libexec/courier-relay/deliverer", CHILD)):
            path = folder / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            path.chmod(0o755)
        made = harness.Relay(tmp_path / "relay", build=folder, **settings)
        made.queue_dir.mkdir(parents=True)
        return made
    yield make


CLEAN = {"api_key": None}  # nothing that is wiped by the real one

LEAKS = {  # what is done, what the finding says, and a setting that is not clean
    "log": (f"print('what of {CODE} is it')", "code in its log", {}),
    "log: a recipient": (f"print('{RECIPIENT}')", "recipient in its log", {}),
    "log: not all in JSON": (f"print('{{\"event\":\"{TOKEN}\"}}')", "link's token in its log", {}),
    "standard error": (f"print('{CODE}', file=sys.stderr)", "code in its standard error", {}),
    "a file": (f"open('queue/dots', 'w').write('x' * 5000 + '{CODE}')", "code in the file dots", {}),
    "a file with a body": (f"open('queue/queue.db', 'w').write({BODY!r})",
                           "body in the file queue.db", {}),
    "environment": ("", "API key in environ of courier-relay", {"api_key": harness.API_KEY}),
    "a child's environment": (
        f"""
        if not os.fork():
            os.execve('../build/libexec/courier-relay/deliverer', ['deliverer'],
                      dict(WHAT={canaries.PASSWORD!r}))
        """, "SMTP password in environ of deliverer", {}),
    "a child's arguments": (
        f"""
        if not os.fork():
            os.execve('../build/libexec/courier-relay/deliverer', ['deliverer', '{TOKEN}'], dict())
        """, "link's token in cmdline of deliverer", {}),
}


@pytest.mark.parametrize("channel", LEAKS)
def test_what_a_relay_leaks_is_found_when_it_ends(stand_in, channel):
    before, finding, settings = LEAKS[channel]
    # A child is there once it has its name: its pipe is closed as it becomes the program.
    if "fork" in before:
        before = ("\nheld, gone = os.pipe()\nos.set_inheritable(gone, False)" +
                  textwrap.dedent(before) + "os.close(gone)\nos.read(held, 1)\n")
    relay = stand_in(before, **CLEAN | settings).start()
    with pytest.raises(AssertionError, match=finding):
        relay.stop()
    assert relay.process.poll() is not None, "it is stopped all the same"
    relay.stop()  # each is told once


def test_a_relay_that_is_killed_is_searched(stand_in):
    relay = stand_in(f"print('{CODE}')", **CLEAN).start()
    with pytest.raises(AssertionError, match="code in its log"):
        relay.kill()


def test_a_test_that_has_the_database_open_keeps_its_locks(stand_in):
    relay = stand_in(**CLEAN).start()
    with open(relay.queue_dir / "queue.db", "w+") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        relay.kill()
        other = f"import fcntl; fcntl.lockf(open({held.name!r}, 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
        done = subprocess.run([sys.executable, "-c", other], stderr=subprocess.PIPE)
        assert b"BlockingIOError" in done.stderr


def test_arguments_are_searched(stand_in):
    relay = stand_in(**CLEAN).start("--key", harness.API_KEY)
    with pytest.raises(AssertionError, match="API key in cmdline of courier-relay"):
        relay.stop()


def test_one_who_shows_nothing_is_let_go(stand_in):
    relay = stand_in("open('queue/queue.key', 'w').write('canarytoken')", **CLEAN)
    with relay:
        pass


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_a_command_leaks_is_found(stand_in, stream):
    relay = stand_in(f"sys.exit(print('{CODE}', file=sys.{stream}))", **CLEAN)
    with pytest.raises(AssertionError, match=f"code in {stream} of queue list"):
        relay.command("queue", "list", "--json")
    relay.command("render", "--type", "login_code_valid")  # which is there to show it


@pytest.mark.parametrize("who", ["mail", "admin", "owner"])
def test_what_an_answer_leaks_is_found(start_relay, sink, monkeypatch, who):
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        def leak(answer):
            return lambda self: answer(self) + TOKEN.encode()
        monkeypatch.setattr(http.client.HTTPResponse, "read", leak(http.client.HTTPResponse.read))
        door = relay if who == "mail" else admin_api.AdminApi(relay, by_owner=who == "owner")
        with pytest.raises(AssertionError, match="link's token in the answer to GET /admin/stats"):
            door.request("GET", "/admin/stats?x=1")
        monkeypatch.undo()


def test_a_recipient_is_for_operators_and_in_no_metric():
    watch = canaries.Watch(None)
    answer = types.SimpleNamespace(body=RECIPIENT.encode())
    watch.answer("GET", "/admin/messages", answer)
    with pytest.raises(AssertionError, match="recipient in the answer to GET /metrics"):
        watch.answer("GET", "/metrics", answer)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_known_in_each_of_its_forms(tmp_path, kind):
    for form in KINDS[kind]:
        assert canaries.kinds_in(f"before {form} after") == [kind], form
        if form != TOKEN.upper():  # a file is searched for what is in it, and not for its like
            (tmp_path / "file").write_text(f"before {form} after")
            assert canaries.kinds_in_file(tmp_path / "file") == [kind], form


def test_what_stands_behind_a_hole_in_a_file_is_found(tmp_path):
    """A file that is nothing but a hole is not read."""
    with open(tmp_path / "reserve", "wb") as file:
        file.truncate(1 << 20)
        assert canaries.kinds_in_file(tmp_path / "reserve") == []
        file.seek(0, 2)
        file.write(CODE.encode())
    assert canaries.kinds_in_file(tmp_path / "reserve") == ["code"]


def test_what_payloads_have_is_known():
    assert canaries.kinds_in(payloads.as_bytes(payloads.login_code())) == ["code"]
    assert canaries.kinds_in(payloads.as_bytes(payloads.recovery_link("flow"))) == \
        ["link's token", "body", "subject"]
    assert canaries.kinds_in(payloads.unique_recipient(), recipients_too=True) == ["recipient"]


def test_what_looks_like_a_code_is_none_unless_it_was_made():
    assert canaries.kinds_in(f"{int(CODE) ^ 1} 1795178364123 {CODE[:9]}") == []
