"""Allocations of our own code fail, here and there. A short run of tests/faults/allocations.py;
`make crash` has the long one."""
import argparse
import json
import random
import shutil
import sqlite3
import subprocess
import sys

import payloads
import pytest
import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import allocations  # noqa: E402
import fault  # noqa: E402


def test_a_life_later_nothing_is_lost_and_nothing_repeated():
    seed = random.randrange(1 << 32)
    result = allocations.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, points=14, seed=seed, jobs=1))
    report = "\n".join([f"seed {seed}", *result.report()])
    print(report)
    assert result.points > 0 and not result.violations, report


@pytest.mark.parametrize("told_by", ["variable", "file"])
def test_without_memory_no_setting_turns_into_its_default(relay, told_by, tmp_path):
    """A queue's folder that is forgotten is the default one: an empty queue beside the full one."""
    with relay:
        message_id = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=message_id)
    folder = tmp_path / "elsewhere"
    shutil.copytree(relay.queue_dir, folder / "var")
    with sqlite3.connect(folder / "var/queue.db") as decoy:
        decoy.execute("DELETE FROM message")
    (folder / "relay.json").write_text(json.dumps({"queue_dir": str(relay.queue_dir)}))
    environment = {"variable": {"RELAY_QUEUE_DIR": str(relay.queue_dir)},
                   "file": {"RELAY_CONFIG": str(folder / "relay.json")}}[told_by]

    def stats(nth):
        failing = fault.Allocation(harness.RELEASE_BUILD, tmp_path, "courier-relay", nth)
        failing.plan = folder / "allocations"
        failing.arm()
        ended = subprocess.run([failing.build / "bin/courier-relay", "queue", "stats", "--json"],
                               cwd=folder, env=environment, capture_output=True,
                               timeout=harness.WAIT_S)
        failing.disarm()
        return failing.fired, ended.returncode, ended.stdout

    _, status, told = stats(0)
    assert status == 0 and json.loads(told)["states"]["sent"] == 1
    fired, nth = True, 0
    while fired:
        nth += 1
        fired, status, said = stats(nth)
        assert status != 0 or said == told, f"allocation {nth}"
    assert nth > 20
