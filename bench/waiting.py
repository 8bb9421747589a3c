"""Cells of a queue that holds many messages already, each beside an empty queue's.

Both relays run at once and are asked in turns, so that what else happens on the machine happens to
both. Their smarthost refuses connections: what is posted waits, in either queue.
"""
import concurrent.futures
import json
import os
import pathlib
import statistics
import time

import admin_api
import filled_queue
import relay as harness
from measure import Meter, free_port, line, us

ROUNDS = 9
MESSAGES = {1: 300, 32: 3000}  # a round, by clients
STARTS = 3
LISTED = 1000
PAGE = 100  # rows: a million are 10,000 pages
PAGES_ASKED = 30


class Queues:
    """Makes relays in folder, filled or not."""

    def __init__(self, bench, folder):
        self.bench = bench
        self.folder = folder
        self.pattern = filled_queue.write_mail_pattern(folder / "mail.pattern")
        self.build = bench.programs.parent

    def relay(self, name, smtp_port=None, rows=0, **settings):
        """smtp_port None: a port at which nobody listens."""
        uri = f"smtp://127.0.0.1:{smtp_port or free_port()}/?disable_starttls=true"
        made = harness.Relay(self.folder / name, smtp_uri=uri, **settings)
        if rows:
            arguments = ["--mixed-lanes"] if smtp_port is None else []
            self.fill(made, rows, *arguments)
        return made

    def fill(self, relay, rows, *arguments):
        figures = filled_queue.fill(relay.queue_dir, self.pattern, rows, *arguments,
                                    build=self.build)
        line(f"{rows:,}: rows a second, filled", f"{figures['rows_per_second']:.0f}")


def forget_file(path):
    """Takes the file out of the kernel's memory, as after a reboot."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def read_file(path):
    """Into the kernel's memory, where a file is that has been in use for a while."""
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


def time_starts(relay):
    """Milliseconds from the start of the program to `listening` and to `ready`; medians."""
    listening, ready = [], []
    for _ in range(STARTS):
        forget_file(relay.queue_dir / "queue.db")
        began = time.monotonic()
        relay.spawn()
        relay.wait_for("listening", listener="mail", timeout=300)
        listening.append((time.monotonic() - began) * 1000)
        relay.wait_for("ready", timeout=300)
        ready.append((time.monotonic() - began) * 1000)
        relay.stop()
    return statistics.median(listening), statistics.median(ready)


def report_start(name, relay, watch_s):
    """Alone on the machine, since PSS shares out what several processes have in common."""
    listening_ms, ready_ms = time_starts(relay)
    line(f"{name}: start -> listening, ready, file not cached", f"{listening_ms:.0f} ms",
         f"{ready_ms:.0f} ms")
    with relay:
        with Meter(relay) as meter:
            relay.wait_for("smarthost_down")
            tried = len(relay.found("attempt"))
            time.sleep(watch_s)  # what is measured is this time
        line(f"{name}: peak PSS, all processes", "needs root" if meter.peak_kb is None
             else f"{meter.peak_kb / 1024:.1f} MB")
        line(f"{name}: probes, CPU while it waits, {watch_s} s",
             len(relay.found("attempt")) - tried, f"{sum(meter.cpu_s.values()):.2f} s")
        for command in (["stats"], ["list", "--limit", str(LISTED)]):
            began = time.monotonic()
            relay.command("queue", *command)
            line(f"{name}: queue {' '.join(command)}", f"{time.monotonic() - began:.2f} s")


def compare(bench, empty, large, clients, interval=0, rounds=ROUNDS):
    """Medians over the rounds: {relay: (p50, p99)}."""
    seen = {empty: [], large: []}
    for number in range(rounds):
        for relay in (empty, large) if number % 2 else (large, empty):
            result = bench.accept(relay, MESSAGES[clients], clients, interval)
            seen[relay].append((result["accept_p50_us"], result["accept_p99_us"]))
    return {relay: tuple(map(statistics.median, zip(*values))) for relay, values in seen.items()}


def report_compared(name, figures, empty, large):
    for index, quantile in enumerate(("p50", "p99")):
        base, here = figures[empty][index], figures[large][index]
        line(f"{name}: POST -> 200, {quantile}: empty, here", us(base), us(here),
             f"x {here / base:.2f}")


def report_waiting(queues, rows, watch_s):
    name = f"{rows:,} waiting"
    large = queues.relay(f"large-{rows}", rows=rows)
    report_start(name, large, watch_s)
    with queues.relay(f"empty-{rows}") as empty, large:
        for relay in (empty, large):
            relay.wait_for("ready")
            relay.ignore_log()
        read_file(large.queue_dir / "queue.db")
        for clients in MESSAGES:
            figures = compare(queues.bench, empty, large, clients)
            plural = "s" * (clients > 1)
            report_compared(f"{name}, {clients} client{plural}", figures, empty, large)
        report_pages(name, large, rows)
        report_cancel(queues, name, rows, empty, large)


def time_page(api, path):
    """Milliseconds of the median, and the path of the next page."""
    took = []
    for _ in range(PAGES_ASKED):
        began = time.monotonic()
        _, following = api.page(path)
        took.append((time.monotonic() - began) * 1000)
    return statistics.median(took), following


def report_pages(name, large, rows):
    """The admin API, by its socket."""
    api = admin_api.AdminApi(large, by_owner=True)
    first, path = f"/admin/messages?page_size={PAGE}", None
    steps = f"/admin/messages?page_size={LISTED}"
    for _ in range(rows // LISTED - 1):
        _, steps = api.page(steps)
    path = steps.replace(f"page_size={LISTED}", f"page_size={PAGE}")
    first_ms, last_ms = time_page(api, first)[0], time_page(api, path)[0]
    line(f"{name}: a page of {PAGE}: page 1, page {(rows - LISTED) // PAGE + 1:,}",
         f"{first_ms:.1f} ms", f"{last_ms:.1f} ms", f"x {last_ms / first_ms:.2f}")
    began = time.monotonic()
    api.page("/admin/messages?recipient=nobody@example.com")
    line(f"{name}: a filter that meets nothing, one answer",
         f"{(time.monotonic() - began) * 1000:.0f} ms")


def report_cancel(queues, name, rows, empty, large):
    """All of them, while one client posts each 5 ms."""
    api = admin_api.AdminApi(large, by_owner=True)
    dry_run = api.post("/admin/messages/cancel?older_than=1s&dry_run=true")
    rounds = []
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        began = time.monotonic()
        act = threads.submit(api.request, "POST", "/admin/messages/cancel?older_than=1s",
                             timeout=3600)
        while not act.done():
            rounds.append(compare(queues.bench, empty, large, 1, interval=5, rounds=1))
        took_s = time.monotonic() - began
    done = json.loads(act.result().body)
    assert done["messages"] >= rows <= dry_run["messages"], (done, dry_run)
    line(f"{name}: all cancelled, a second", f"{done['messages'] / took_s:.0f}")
    figures = {relay: tuple(statistics.median(one[relay][i] for one in rounds) for i in (0, 1))
               for relay in (empty, large)}
    report_compared(f"{name}, while they are cancelled", figures, empty, large)


def count_expired(relay):
    return json.loads(relay.command("queue", "stats", "--json").stdout)["states"]["expired"]


def report_expiry(queues, rows):
    """All of them die at once; a client posts each 5 ms meanwhile."""
    name = f"{rows:,} expire at once"
    large = queues.relay("dead")
    queues.fill(large, rows, "--deadline-in", -1)
    with queues.relay("empty-dead") as empty, large:
        for relay in (empty, large):
            relay.ignore_log()
        began, before = time.monotonic(), count_expired(large)
        figures = compare(queues.bench, empty, large, 1, interval=5, rounds=4)
        ended = count_expired(large) - before
        line(f"{name}: a second, while they do", f"{ended / (time.monotonic() - began):.0f}")
        report_compared(name, figures, empty, large)


def report_drain(queues, rows):
    """The smarthost is up again."""
    port = free_port()
    relay = queues.relay("drain", smtp_port=port, rows=rows)
    relay.spawn()
    result = queues.bench.program("drain", "--sink-port", port, "--messages", rows)
    relay.stop()
    line(f"{rows:,} drain: messages a second", f"{result['per_second']:.0f}")


def report(bench, folder, sizes, watch_s):
    queues = Queues(bench, pathlib.Path(folder))
    for rows in sizes:
        report_waiting(queues, rows, watch_s)
    report_expiry(queues, 100000)
    report_drain(queues, 20000)
