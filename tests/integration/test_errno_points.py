"""Errors and short I/O at points spread over all system calls. A short run of
tests/faults/errno_points.py; `make crash` has the long one."""
import argparse
import random
import sys

import pytest
import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import errno_points  # noqa: E402


def test_a_life_later_nothing_is_lost_and_nothing_repeated():
    seed = random.randrange(1 << 32)
    result = errno_points.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, points=14, seed=seed, jobs=1))
    if result.skipped_reason:
        pytest.skip(result.skipped_reason)
    report = "\n".join([f"seed {seed}", *result.report()])
    print(report)
    assert result.points > 0 and not result.violations, report
