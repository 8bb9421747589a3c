#!/usr/bin/python3
"""Besieges a relay while good clients go on, and checks that these notice nothing.

The release build with its confined composers. See siege_clients.py for who is good and
siege_attackers.py for who is not; beside them a SIGHUP each 300 ms, some with a normaliser or a
key file that must be refused. At the end: every good POST was answered 200 and delivered once,
with its own code; memory and descriptors are flat; the relay answers, and stops cleanly.
"""
import argparse
import collections
import contextlib
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import relay as harness  # noqa: E402
import siege_clients  # noqa: E402
import watch  # noqa: E402

SAMPLE_S = 1.0
SAMPLES_MIN = 20  # fewer say nothing: caches are still filling, and it is chance who is alive
ENDS = {"sent", "parked"}
ARRIVAL_S = 120
SIGHUP_S = 0.3
# Between the first and the last third, and between the third and the last quarter. The core:
# SQLite's caches (4 MB a connection) and the allocator's arenas fill first (flat at 21 MB from the
# second minute to the third). Children come and go: a second composer, one that is being tried.
CORE_GROWTH_MAX_KB, CORE_LATE_GROWTH_MAX_KB = 12 * 1024, 3 * 1024
CHILDREN_GROWTH_MAX_KB = 32 * 1024
DESCRIPTORS_MORE_MAX = 8
EVENTS = ["accepted", "duplicate", "sent", "parked", "confined", "normaliser_down", "normaliser_up",
          "reloaded", "reload_refused", "unauthorized", "connection_reaped", "queue_error"]

NORMALISER = """
local attack = std.native('text')('template_data.transient_payload.attack');
local endless(n) = endless(n + 1) tailstrict;
local bomb(text) = bomb(text + text) tailstrict;
local deep(n) = 1 + deep(n + 1);
local flood(n) = if n == 0 then {} else std.trace('flood %d' % n, flood(n - 1)) tailstrict;
local shipped = (
%s
);
function(payload)
  if attack == null then shipped(payload)
  else if attack == 'loop' then endless(0)
  else if attack == 'error' then error 'as it was told to'
  else if attack == 'bomb' then std.length(bomb('0123456789abcdef'))
  else if attack == 'deep' then deep(0)
  else if attack == 'array' then [shipped(payload) for _ in std.range(1, 1000)]
  else shipped(payload) + flood(200)
"""


class Besieged:
    """The relay and the files that SIGHUPs make it read again."""

    def __init__(self, folder, build, port):
        self.folder = pathlib.Path(folder)
        shipped = (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text()
        self.good = {"normaliser.jsonnet": NORMALISER.replace("%s", shipped, 1),
                     "api.key": f"{harness.API_KEY}\n"}
        self.bad = {"normaliser.jsonnet": "function(payload) { nothing: payload", "api.key": ""}
        for name in self.good:
            self.write(name, self.good)
        self.relay = harness.Relay(
            self.folder / "relay", build=build, api_key=None, log_level="debug",
            api_key_file=str(self.folder / "api.key"), smtp_uri=f"smtp://127.0.0.1:{port}/"
            "?disable_starttls=true", normaliser=str(self.folder / "normaliser.jsonnet"))
        self.signals = collections.Counter()

    def write(self, name, texts):
        temporary = self.folder / f"{name}.new"
        temporary.write_text(texts[name])
        temporary.chmod(0o600)
        os.replace(temporary, self.folder / name)

    def hang_up(self, turn):
        """Each fourth time with a broken normaliser, each fourth with a broken key file."""
        name = [None, "normaliser.jsonnet", None, "api.key"][turn % 4]
        for one in self.good:
            self.write(one, self.bad if one == name else self.good)
        self.relay.process.send_signal(signal.SIGHUP)
        self.signals[f"with a broken {name}" if name else "with good files"] += 1


def start(script, *arguments, **options):
    return subprocess.Popen([sys.executable, str(HERE / script), *map(str, arguments)],
                            stdout=subprocess.PIPE, text=True, **options)


def watch_over(besieged, seconds):
    """Samples once a second and sends the signals, until the time is over."""
    samples, turn = [], 0
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        assert besieged.relay.process.poll() is None, besieged.relay.tail()
        if now >= len(samples) * SAMPLE_S:
            samples.append(watch.Sample(besieged.relay))
        if now >= (turn + 1) * SIGHUP_S:
            besieged.hang_up(turn)
            turn += 1
        time.sleep(0.02)  # the pace of looking at the clock
    return samples


def typical(samples, name, parts):
    """A value for each of so many equal parts of the time: the median. Of children the lower
    quartile, since at any time one may be there that a payload has made large."""
    values = [getattr(sample, name) for sample in samples]
    size = max(len(values) // parts, 1)
    pieces = [sorted(values[at:at + size]) for at in range(0, min(size * parts, len(values)), size)]
    return [piece[len(piece) // (4 if name == "children_kb" else 2)] for piece in pieces]


def thirds(samples, name):
    found = typical(samples, name, 3)
    return found[0], found[-1]


def wait_for_arrivals(sink, count):
    """Until so many good recipients have their mail, or it takes too long."""
    until = time.monotonic() + ARRIVAL_S
    while time.monotonic() < until:
        sink.stdin.write("good\n")
        sink.stdin.flush()
        if int(sink.stdout.readline()) >= count:
            break
        time.sleep(0.1)  # asks another process, which has no event to wait for


def check_queue(relay, problems):
    """Everything ends, and in which states."""
    def states():
        return collections.Counter(row["state"] for row in relay.queue_list("--limit", "1000000"))
    with contextlib.suppress(AssertionError):
        harness.wait_until(lambda: set(states()) <= ENDS, "everything to end", ARRIVAL_S)
    found = states()
    if not set(found) <= ENDS:
        problems.append(f"not everything has ended: {dict(found)}")
    return found


def check_ledger(acknowledged, arrived, problems):
    lost = [one for one in acknowledged if one not in arrived]
    twice = [one for one, mails in arrived.items() if one.startswith("good") and len(mails) > 1]
    wrong = [one for one, (code, *_) in acknowledged.items()
             if one in arrived and code not in arrived[one][0]]
    problems += [f"lost: {lost[:5]} ({len(lost)})"] if lost else []
    problems += [f"delivered twice: {twice[:5]} ({len(twice)})"] if twice else []
    problems += [f"another code: {wrong[:5]} ({len(wrong)})"] if wrong else []
    ids = [one[2] for one in acknowledged.values()]
    if len(set(ids)) != len(ids):
        problems.append("two messages have the same id")


def check_resources(relay, samples, before, problems):
    limits = {"core_kb": CORE_GROWTH_MAX_KB, "children_kb": CHILDREN_GROWTH_MAX_KB}
    for name, growth in limits.items():
        first, last = thirds(samples, name)
        if len(samples) >= SAMPLES_MIN and last > first + growth:
            problems.append(f"{name} grew from {first:.0f} to {last:.0f}")
    third, last = typical(samples, "core_kb", 4)[-2:]
    if len(samples) >= SAMPLES_MIN and last > third + CORE_LATE_GROWTH_MAX_KB:
        problems.append(f"the core still grew, from {third:.0f} to {last:.0f} kB")
    with contextlib.suppress(AssertionError):
        harness.wait_until(
            lambda: watch.descriptors(relay.process.pid) <= before + DESCRIPTORS_MORE_MAX,
            "descriptors to be given back", 20)
    after = watch.descriptors(relay.process.pid)
    if after > before + DESCRIPTORS_MORE_MAX:
        problems.append(f"descriptors: {before} before, {after} after")
    return after


def print_table(rows, report):
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        report(f"{name:{width}}  {value}")


def counts(counter):
    return ", ".join(f"{name}: {count}" for name, count in sorted(counter.items())) or "none"


def rows_of(good, attackers, besieged, samples, arrived):
    times = good["times_ms"] or [0]
    poisoned = [len(arrived.get(one, [])) for one in attackers["poisoned"]]
    events = collections.Counter(event.get("event") for event in besieged.relay.events)
    rows = [("good POSTs answered 200", len(good["acknowledged"])),
            ("good POSTs not answered 200", len(good["refused"])),
            ("new connections tried again", good["repeated"]),
            ("POST to 200, p50 / p99 / most",
             f"{times[len(times) // 2]:.1f} / {times[len(times) * 99 // 100]:.1f} / "
             f"{times[-1]:.1f} ms"),
            ("payloads that attack the normaliser",
             f"{len(poisoned)}, of which {sum(count > 0 for count in poisoned)} delivered")]
    rows += [(kind.replace("_", " "), counts(attackers["counts"][kind]))
             for kind in attackers["counts"]]
    rows.append(("SIGHUPs", counts(besieged.signals)))
    for name in ("core_kb", "children_kb", "descriptors"):
        values = [getattr(sample, name) for sample in samples]
        first, last = thirds(samples, name)
        rows.append((name.replace("_kb", ", PSS in kB"),
                     f"first third {first:.0f}, last third {last:.0f}, most {max(values)}"))
    rows.append(("log", counts({name: events[name] for name in EVENTS if events[name]})))
    return rows


def post_one(relay, recipient):
    """On a connection of its own: one kept for so long may have been idle for too long."""
    connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=harness.WAIT_S)
    with contextlib.closing(connection):
        connection.request("POST", "/kratos/webhook", siege_clients.payload(recipient, "123456"),
                           siege_clients.HEADERS)
        assert connection.getresponse().status == 200, relay.tail()


def besiege(folder, build, seconds, flood=1000, report=print):
    """The whole of it. Returns what was broken, as texts."""
    problems = []
    sink = start("fast_sink.py", stdin=subprocess.PIPE)
    besieged = Besieged(folder, build, int(sink.stdout.readline()))
    relay = besieged.relay
    with relay:
        post_one(relay, "before@example.com")
        relay.wait_for("sent")
        before = watch.descriptors(relay.process.pid)
        clients = start("siege_clients.py", "--port", relay.port, "--seconds", seconds)
        others = start("siege_attackers.py", "--port", relay.port, "--seconds", seconds, "--flood",
                       flood)
        samples = watch_over(besieged, seconds)
        good, attackers = (json.loads(one.communicate()[0]) for one in (clients, others))
        besieged.hang_up(0)  # whatever the last one said, from here on all is well
        wait_for_arrivals(sink, len(good["acknowledged"]))
        states = check_queue(relay, problems)
        after = check_resources(relay, samples, before, problems)
        post_one(relay, "after@example.com")
    if relay.stop() != 0:
        problems.append("it did not stop cleanly")
    arrived = json.loads(sink.communicate()[0])
    check_ledger(good["acknowledged"], arrived, problems)
    problems += [f"not answered 200: {line}" for line in good["refused"][:10]]
    problems += attackers["broken"][:10]
    print_table([*rows_of(good, attackers, besieged, samples, arrived),
                 ("queue at the end", counts(states)),
                 ("descriptors before and after", f"{before}, {after}")], report)
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="siege-") as folder:
        problems = besiege(folder, (harness.ROOT / options.build).resolve(), options.seconds)
    print("\n".join(problems) or "nothing was broken")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
