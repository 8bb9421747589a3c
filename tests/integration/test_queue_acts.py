"""Acts on the queue by the command line: retry, hold, release, cancel, of ids and of filters."""
import contextlib
import json
import os
import pty
import subprocess

import payloads
import pytest
import relay as harness
import sink as sink_module
import test_admin

NO_MESSAGE = "01938c5e-0000-7000-8000-000000000000"
ACTS = ["retry", "hold", "release", "cancel"]


@pytest.fixture
def down():
    with sink_module.Sink(listening=False) as made:
        yield made


@pytest.fixture
def relay(down, start_relay):
    """What it accepts stays queued: not even a probe is made, until smarthosts are resumed."""
    with start_relay(down, rate_recipient="off") as made:
        made.command("smarthosts", "pause", f"127.0.0.1:{down.port}")
        accept(made, recipient="first@example.com")
        yield made


def accept(relay, **options):
    message_id = relay.accept(payloads.login_code(**options))
    assert relay.state(message_id)["state"] == "queued"
    return message_id


def act(relay, *arguments, status=0):
    return relay.command("queue", *arguments, status=status).stdout


def on_a_terminal(relay, typed, *arguments):
    """Exit status, and what stood on it."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(harness.program(build=relay.build)), "queue", *arguments],
                               cwd=relay.folder, stdin=theirs, stdout=theirs, stderr=theirs,
                               env=relay.environment(), start_new_session=True)
    os.close(theirs)
    os.write(ours, typed)
    text = b""
    with contextlib.suppress(OSError):  # a terminal's end that nobody holds
        while chunk := os.read(ours, 65536):
            text += chunk
    os.close(ours)
    return process.wait(harness.WAIT_S), text.decode()


def test_by_ids(relay, down):
    one, other = accept(relay), accept(relay)
    assert act(relay, "hold", one, other) == f"{one}: held\n{other}: held\n"
    assert relay.state(one)["state"] == "held"
    assert f"`courier-relay queue release {one}` lets it go" in act(relay, "explain", one)
    assert act(relay, "cancel", other) == f"{other}: cancelled\n"
    assert "an operator cancelled it" in act(relay, "explain", other)
    line = json.loads(act(relay, "release", "--json", "--note", "mended", one))
    assert line == {"id": one, "act": "release", "done": True, "state": "queued",
                    "unknown_outcomes": 0, "error": None}
    relay.wait_for("audit", act="release", id=one, by="owner", note="mended")
    down.up()
    relay.command("smarthosts", "resume", f"127.0.0.1:{down.port}")
    relay.wait_for("sent", id=one)
    assert act(relay, "retry", one, status=1).startswith(f"{one}: it is sent: only messages")
    assert relay.state(other)["state"] == "cancelled"


def test_of_each_it_is_said_what_became_of_it(relay):
    queued = accept(relay)
    lines = act(relay, "cancel", NO_MESSAGE, "../../etc", queued, status=1).splitlines()
    assert lines == [f"{NO_MESSAGE}: there is no such message", "../../etc: is no id",
                     f"{queued}: cancelled"]
    line = json.loads(act(relay, "hold", "--json", queued, status=1))
    assert (line["done"], line["state"]) == (False, None) and "it is cancelled" in line["error"]


def test_by_a_filter(relay):
    ids = [accept(relay, recipient=f"zoe{number}+x@example.com") for number in range(3)]
    assert act(relay, "hold", "--recipient", "ZOE1+x@example.com") == "1 message held\n"
    assert relay.state(ids[1])["state"] == "held"
    done = relay.command("queue", "hold", "--template", "login_code_valid", status=1)
    assert "3 messages are meant: say --yes" in done.stderr and not done.stdout
    assert act(relay, "hold", "--lane", "code", "--dry-run") == "3 messages would be held\n"
    assert json.loads(act(relay, "hold", "--newer-than", "1h", "--dry-run", "--json")) == \
        {**test_admin.acted("hold", 3), "dry_run": True}
    assert act(relay, "hold", "--older-than", "1h", "--yes") == "nothing to hold\n"
    assert act(relay, "hold", "--newer-than", "1h", "--yes") == "3 messages held\n"
    assert json.loads(act(relay, "cancel", "--state", "held", "--limit", "2", "--yes", "--json")) == \
        test_admin.acted("cancel", 2)
    states = [row["state"] for row in relay.queue_list()]
    assert sorted(states) == ["cancelled", "cancelled", "held", "held"]
    assert act(relay, "cancel", "--all", "--yes", "--note", "load test: gone") == \
        "2 messages cancelled\n"
    relay.wait_for("audit", act="cancel", messages=2, note="load test: gone")


def test_a_terminal_is_asked(relay):
    accept(relay)
    status, text = on_a_terminal(relay, b"n\n", "cancel", "--all")
    assert status == 1 and "2 messages are meant. Cancel them? [y/N] " in text and "nothing was cancelled" in text
    status, text = on_a_terminal(relay, b"y\n", "cancel", "--all")
    assert status == 0 and "2 messages cancelled" in text


def test_a_terminal_is_told_that_nothing_can_go(relay):
    for arguments in (["list", "--state", "sent"], ["stats"]):
        status, text = on_a_terminal(relay, b"", *arguments)
        assert status == 0 and "No smarthost takes mail now" in text
        assert ("there is no such message" in text) == ("list" in arguments)
        assert relay.command("queue", *arguments).stdout.find("No smarthost") < 0
    relay.stop()
    assert "No relay runs on this queue" in on_a_terminal(relay, b"", "list")[1]


def test_what_may_have_arrived_is_retried_by_whoever_says_so(relay):
    one, other = accept(relay), accept(relay)
    relay.stop()
    for message_id, outcomes in ((one, 3), (other, 0)):
        test_admin.edit(relay, "UPDATE message SET state = 'unknown', unknown_outcomes = ?"
                               " WHERE id = ?", outcomes, message_id)
    relay.start()
    test_admin.silence(relay)
    done = relay.command("queue", "retry", one, other, status=1)
    assert done.stdout == f"{one}: not retried: it may have arrived already\n{other}: retried\n"
    assert f"{one} may have arrived 3 times already: say --yes" in done.stderr
    assert "1 of which may have arrived already: say --yes" in relay.command(
        "queue", "retry", "--state", "unknown", status=1).stderr
    status, text = on_a_terminal(relay, b"y\n", "retry", one)
    assert status == 0 and f"{one}: retried; it may have arrived 3 times already" in text
    assert relay.state(one)["state"] == "queued"
    act(relay, "hold", one)
    act(relay, "release", one)
    assert act(relay, "retry", "--yes", one).startswith(f"{one}: retried; it may have arrived")


@pytest.mark.parametrize("verb", ACTS)
def test_wrong_usage(start_relay, sink, verb):
    relay = start_relay(sink)
    relay.folder.mkdir()
    for wrong in ([], ["--yes"], ["--limit", "3"], [NO_MESSAGE, "--lane", "code"],
                  [NO_MESSAGE, "--all"], ["--all", "--lane", "code"], ["--state", "sent"],
                  [NO_MESSAGE, "--dry-run"], ["--all", "--note", "x" * 201], ["--state", "asleep"]):
        assert act(relay, verb, *wrong, status=2) == "", wrong
    for other in (["list"], ["stats"], ["show", NO_MESSAGE]):
        act(relay, *other, "--all", status=2)


@pytest.mark.parametrize("arguments", [[NO_MESSAGE], ["--all"]])
def test_without_a_daemon(relay, arguments):
    relay.stop()
    done = relay.command("queue", "cancel", *arguments, status=75)
    assert not done.stdout and "no relay runs on this queue" in done.stderr
