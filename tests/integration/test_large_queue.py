"""Many messages wait: the start, one probe, the order of recovery, expiry in bulk, flat memory."""
import pathlib
import re
import sqlite3
import time

import pytest

import filled_queue
import payloads
import relay as relay_module

CIRCUIT_PAUSE_FIRST_S = 0.5  # relay/smarthosts/circuit.h
CACHES_KB = 2 * 4096         # queue/database.c: the writer's pages and the reader's


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    return filled_queue.write_mail_pattern(tmp_path_factory.mktemp("pattern") / "mail")


def count_states(relay):
    """{state: rows}, straight from the file: listing 20,000 rows takes longer."""
    path = f"file:{relay.queue_dir}/queue.db?mode=ro"
    with sqlite3.connect(path, uri=True) as database:
        return dict(database.execute("SELECT state, count(*) FROM message GROUP BY state"))


def anonymous_kb(relay):
    status = pathlib.Path(f"/proc/{relay.process.pid}/status").read_text()
    return int(re.search(r"^RssAnon:\s+(\d+)", status, re.M).group(1))


def number_of(mail):
    """(run, number) of one that bench/fill.c has made."""
    found = re.fullmatch(r"b(\d+)\.r(\d+)@bench\.test", mail.recipient)
    return (int(found[2]), int(found[1])) if found else None


def test_twenty_thousand_wait_behind_one_probe_at_a_time(sink, start_relay, pattern):
    sink.down()
    relay = start_relay(sink, connections=1)
    filled_queue.fill(relay.queue_dir, pattern, 20000, "--mixed-lanes")
    started = time.monotonic()
    with relay:
        relay.wait_for("smarthost_down")
        relay.wait_for("attempt", count=3)
        attempts = relay.found("attempt")
        elapsed_s = time.monotonic() - started
        assert all(entry["outcome"] == "session" for entry in attempts)
        assert len(attempts) <= 1 + elapsed_s / CIRCUIT_PAUSE_FIRST_S
        new_id = relay.accept(payloads.login_code())
        relay.stop()
    states = count_states(relay)
    waiting = ("received", "queued", "sending")  # the probe's lease, where the stop met one
    assert sum(states.get(state, 0) for state in waiting) == sum(states.values()) == 20001, states
    assert any(row["id"] == new_id for row in relay.queue_list("--limit", "1"))


def test_memory_does_not_grow_with_what_waits(sink, start_relay, pattern):
    """A build without sanitizers: theirs keep what was freed."""
    sink.down()
    relay = start_relay(sink, build=relay_module.RELEASE_BUILD)
    sizes = []
    for run, rows in enumerate((100, 20000)):
        filled_queue.fill(relay.queue_dir, pattern, rows, "--mixed-lanes", "--run", run)
        with relay:
            relay.wait_for("smarthost_down")
            relay.wait_for("attempt", count=2)
            sizes.append(anonymous_kb(relay))
            relay.stop()
    assert sizes[1] < sizes[0] + CACHES_KB, sizes


def drain(sink, relay, count):
    """Starts the relay at a smarthost that is up, and gives [(run, number)] as they arrive."""
    with relay:
        sink.wait_for(count)
        relay.wait_for("sent", count=count)
        relay.stop()
    return [number_of(mail) for mail in sink.accepted]


def test_a_backlog_drains_by_lane_and_the_newest_code_first(sink, start_relay, pattern):
    """One connection, so that what was picked first arrives first."""
    relay = start_relay(sink, connections=1)
    rows = 200
    filled_queue.fill(relay.queue_dir, pattern, rows, "--mixed-lanes")
    order = [number for _, number in drain(sink, relay, rows)]
    codes = [number for number in order if number % 10 < 8]
    others = {lane: [number for number in order if number % 10 == lane] for lane in (8, 9)}
    assert codes == sorted(codes, reverse=True)
    assert all(numbers == sorted(numbers) for numbers in others.values())
    # Codes go first, yet the others are not starved: each eighth turn is theirs.
    last_code = order.index(codes[-1])
    early = [number for number in order[:last_code] if number % 10 >= 8]
    assert last_code // 16 <= len(early) <= last_code // 4, order


def test_a_fresh_code_goes_before_all_that_wait(sink, start_relay, pattern):
    relay = start_relay(sink, connections=1)
    rows, before = 200, 20
    filled_queue.fill(relay.queue_dir, pattern, rows)
    fresh = payloads.login_code()

    def post_one(*_):
        if len(sink.accepted) == before:
            assert relay.state(relay.accept(fresh))["state"] == "queued"
    sink.data_reply = post_one  # it waits while that mail is under way: the next turn is free
    drain(sink, relay, rows + 1)
    order = [mail.recipient for mail in sink.accepted]
    # Behind the one that was under way, and what was already claimed.
    assert order.index(fresh["recipient"]) <= before + 2, order


def test_what_has_expired_ends_in_bulk_and_is_not_sent(sink, start_relay, pattern):
    relay = start_relay(sink)
    dead, alive = 5000, 50
    filled_queue.fill(relay.queue_dir, pattern, dead, "--mixed-lanes", "--deadline-in", -1000)
    filled_queue.fill(relay.queue_dir, pattern, alive, "--mixed-lanes", "--run", 1)
    with relay:
        sink.wait_for(alive)
        relay.wait_for("expired", count=dead, reason="deadline", timeout=120)
        relay.stop()
    assert {number_of(mail)[0] for mail in sink.accepted} == {1}
    assert count_states(relay) == {"expired": dead, "sent": alive}
