"""Small runs of tests/attack; `make attack` has the long ones."""
import random
import sys

import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/attack"))

import raw_requests  # noqa: E402
import siege  # noqa: E402


def test_odd_requests_break_nothing(start_relay, sink):
    relay = start_relay(sink, body_limit=raw_requests.BODY_LIMIT)
    raw_requests.attack(relay, sink, requests=500, seed=random.randrange(1 << 32))


def test_a_short_siege_is_not_noticed(tmp_path):
    problems = siege.besiege(tmp_path, harness.RELEASE_BUILD, seconds=3, flood=200)
    assert not problems, problems
