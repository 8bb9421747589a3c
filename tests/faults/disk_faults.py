"""Disks that fill up, fail, forget and vanish below a running relay: nothing is lost, nothing is
answered 200 that is not kept, and all is well again by itself.

Each scenario is a function of a Scene (a relay on a disk of its own, a smarthost, the books of the
client) and asserts what has to be seen on the way; at its end the one checker judges (ledger.py).
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parent.parent / "support")]

import full_disk  # noqa: E402, F401: its scenarios
import lost_disk  # noqa: E402, F401
import relay as harness  # noqa: E402
from disk_scene import SCENARIOS, UNAVAILABLE, play  # noqa: E402
from result import Result  # noqa: E402


def run(options):
    """options.points: how many scenarios at most (None: all); build as in result.py."""
    outcome = Result("disk faults")
    skipped = {}
    for name in list(SCENARIOS)[:options.points]:
        with tempfile.TemporaryDirectory(prefix="disk-") as folder:
            try:
                play(name, folder, options.build)
                outcome.points += 1
            except UNAVAILABLE as why:
                skipped[name] = str(why)
            except (AssertionError, OSError, subprocess.SubprocessError) as failure:
                outcome.points += 1
                where = traceback.extract_tb(failure.__traceback__)[-1]
                outcome.violations.append(f"{name}, {where.name}:{where.lineno}: {failure}")
    if skipped:
        outcome.skipped_reason = "; ".join(f"{name}: {why}" for name, why in skipped.items())
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=harness.RELEASE_BUILD)
    parser.add_argument("--points", type=int, help="how many scenarios (all)")
    outcome = run(parser.parse_args())
    print("\n".join(outcome.report()))
    sys.exit(outcome.failed)


if __name__ == "__main__":
    main()
