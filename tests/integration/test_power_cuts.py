"""The power fails. A short run of tests/faults/power_cuts.py; `make crash` has the long one."""
import argparse
import contextlib
import random
import sqlite3
import sys

import machine as machines
import payloads
import pytest
import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import power_cuts  # noqa: E402


@pytest.fixture
def machine(tmp_path):
    try:
        machines.require()
    except machines.Unavailable as why:
        pytest.skip(f"no reboot can be made up: {why}")
    return machines.Machine(tmp_path)


def unknown_outcomes(relay, message_id):
    # Read-only and closed at once: the daemon's own reading has no such column.
    path = f"file:{relay.queue_dir}/queue.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
        return database.execute("SELECT unknown_outcomes FROM message WHERE id = ?",
                                [message_id]).fetchone()[0]


@pytest.mark.parametrize("rebooted", [False, True])
def test_only_a_reboot_wipes_the_marks(sink, start_relay, machine, rebooted):
    """The core dies before the dot: the marks know that nothing was sent. After a reboot they
    would say the same, whatever had been sent, so then they are not asked."""
    relay = start_relay(sink)
    relay.prefix = machine.prefix
    relay.start()
    sink.rcpt_reply = lambda *_: relay.process.kill() or sink.DROP
    message_id = relay.accept(payloads.login_code())
    relay.process.wait(harness.WAIT_S)
    relay.kill()
    sink.rcpt_reply = lambda *_: None
    if rebooted:
        machine.reboot()
        relay.prefix = machine.prefix
    relay.start()
    relay.wait_for("sent", id=message_id)
    relay.stop()
    assert len(sink.mails) == 1
    assert unknown_outcomes(relay, message_id) == (1 if rebooted else 0)


def test_power_cuts_lose_nothing():
    outcome = power_cuts.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, points=18, seed=random.getrandbits(32), jobs=1))
    if outcome.skipped_reason:
        pytest.skip(outcome.skipped_reason)
    assert not outcome.failed, "\n".join(outcome.report())
