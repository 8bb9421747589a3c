#!/usr/bin/python3
"""What the relay does on this machine, beside what this machine can do. Reports, judges nothing.

Everything on 127.0.0.1: bench/load.c is Kratos and the smarthost in one process, so every time is
read from one clock. Each payload differs, since a repeated one would be a duplicate.
"""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from measure import ROOT, Bench, free_port, line, us

sys.path.insert(0, str(ROOT / "tests/support"))


def report_load(name, result, relay):
    line(f"{name}: POST -> 200, p50 p99", us(result["accept_p50_us"]), us(result["accept_p99_us"]))
    line(f"{name}: messages a second, end to end", f"{result['per_second']:.0f}")
    line(f"{name}: CPU a message, all processes", us(sum(result["cpu_us"].values())))
    for program, used_us in sorted(result["cpu_us"].items()):
        line(f"  of it {program}", us(used_us))
    if result["lost"] or result["repeated"]:
        line(f"{name}: LOST, REPEATED", result["lost"], result["repeated"])
        for row in relay.queue_list("--limit", "1000000"):
            if row["state"] != "sent":
                print(row)


def report_composer(bench, program):
    composer = bench.compose(program, 3000)
    line("composer, start -> ready, p50", us(composer["ready_p50_us"]))
    line("composer round trip, p50 p99", us(composer["composer_p50_us"]),
         us(composer["composer_p99_us"]))
    line("  within it the normaliser, p50 p99", us(composer["normaliser_p50_us"]),
         us(composer["normaliser_p99_us"]))
    line("  within it words and MIME, p50 p99", us(composer["compose_p50_us"]),
         us(composer["compose_p99_us"]))


def report_relay(bench, harness, folder, options):
    sink_port = free_port()
    uri = f"smtp://127.0.0.1:{sink_port}/?disable_starttls=true"
    with harness.Relay(folder / "relay", smtp_uri=uri) as relay:
        relay.ignore_log()
        bench.load(relay, sink_port, 200)  # warms what a first mail opens
        idle = bench.load(relay, sink_port, options.idle_messages, interval=100)
        line("idle, one each 100 ms: POST -> 200, p50 p99", us(idle["accept_p50_us"]),
             us(idle["accept_p99_us"]))
        line("idle: POST -> smarthost has it, p50 p99", us(idle["arrive_p50_us"]),
             us(idle["arrive_p99_us"]))
        peaks = [idle["peak_kb"]]
        for clients in (1, 32):
            result = bench.load(relay, sink_port, options.messages, clients)
            report_load(f"{clients} client{'s' * (clients > 1)}", result, relay)
            peaks.append(result["peak_kb"])
        line("peak PSS, all processes", "needs root" if None in peaks
             else f"{max(peaks) / 1024:.1f} MB")
        for clients in (1, 32):
            report_writes(bench, relay, sink_port, 1000, clients)


def report_writes(bench, relay, sink_port, messages, clients):
    """In a cell of its own, since strace slows it down. Exact: calls and bytes of the core alone."""
    counts = relay.folder / "syncs"
    io = pathlib.Path(f"/proc/{relay.process.pid}/io")
    trace = subprocess.Popen(
        ["strace", "-f", "-c", "-e", "trace=fdatasync,fsync", "-o", str(counts), "-p",
         str(relay.process.pid)], stderr=subprocess.PIPE, text=True)
    trace.stderr.readline()  # it is attached
    try:
        written = read_written(io)
        bench.load(relay, sink_port, messages, clients)
        written = read_written(io) - written
    except PermissionError:
        written = None  # only root may ask this of a process that forbids dumps
    trace.send_signal(signal.SIGINT)
    trace.wait()
    syncs = sum(int(found) for found in
                re.findall(r"^(?:\s*\S+){3}\s+(\d+)\s.*\bf(?:data)?sync$", counts.read_text(), re.M))
    line(f"{clients} client{'s' * (clients > 1)}: syncs, bytes to the disk, a message",
         f"{syncs / messages:.2f}", "needs root" if written is None
         else f"{written / messages:.0f}")


def read_written(io):
    return int(re.search(r"^write_bytes: (\d+)", io.read_text(), re.M).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="folder of the built programs")
    parser.add_argument("--messages", type=int, default=5000, help="a cell of the closed loop")
    parser.add_argument("--idle-messages", type=int, default=100, help="one each 100 ms")
    parser.add_argument("--waiting", type=int, nargs="*", default=[100000],
                        help="how many messages wait in a large queue, for each to be measured")
    parser.add_argument("--watch", type=int, default=10, help="a large queue alone, seconds")
    parser.add_argument("--only-waiting", action="store_true", help="nothing else")
    parser.add_argument("--folder", help="where the queue is put; its disk is what is measured")
    options = parser.parse_args()
    os.environ["RELAY_BUILD"] = options.build
    os.environ["RELAY_RELEASE_BUILD"] = options.build
    import relay as harness
    import filled_queue
    import restarts
    import waiting

    with tempfile.TemporaryDirectory(prefix="relay-bench-", dir=options.folder) as name:
        folder = pathlib.Path(name)
        bench = Bench(options.build, filled_queue.write_payload_pattern(folder / "pattern.json"))
        disk = bench.program("disk", folder)
        line("a bare 4 kB append + fdatasync, p50 p99", us(disk["sync_p50_us"]),
             us(disk["sync_p99_us"]))
        if not options.only_waiting:
            report_composer(bench, harness.program("composer"))
            report_relay(bench, harness, folder, options)
            restarts.report(folder)
        waiting.report(bench, folder, options.waiting, options.watch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
