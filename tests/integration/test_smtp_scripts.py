"""A few random scripts of tests/faults/smtp_scripts.py; `make crash` has 400 of them."""
import argparse
import random
import sys

import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import smtp_scripts  # noqa: E402


def test_whatever_smarthosts_do_nothing_is_lost_late_or_needlessly_sent_twice():
    seed = random.randrange(1 << 32)
    result = smtp_scripts.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, points=10, seed=seed, jobs=2))
    report = "\n".join([f"seed {seed}", *result.report()])
    print(report)
    assert result.points == 10 and not result.violations, report
