"""Allocations of our own code fail, here and there. A short run of tests/faults/allocations.py;
`make crash` has the long one."""
import argparse
import random
import sys

import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import allocations  # noqa: E402


def test_a_life_later_nothing_is_lost_and_nothing_repeated():
    seed = random.randrange(1 << 32)
    result = allocations.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, points=14, seed=seed, jobs=1))
    report = "\n".join([f"seed {seed}", *result.report()])
    print(report)
    assert result.points > 0 and not result.violations, report
