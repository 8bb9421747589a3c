"""A few seconds of tests/faults/soak.py; `make soak` has ten minutes of it."""
import argparse
import random
import sys

import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import soak  # noqa: E402


def test_a_short_soak_loses_nothing():
    # All of it is sent or dead within eight seconds after the last payload.
    outcome = soak.run(argparse.Namespace(
        build=harness.RELEASE_BUILD, seconds=6, clients=8, rate=soak.RATE, brief_share=1, margin=52,
        strike=1.2, seed=random.getrandbits(32),
        transaction=6))  # on a machine that is busy with other tests everybody is slow
    assert not outcome.failed, "\n".join(outcome.report())
