#!/usr/bin/python3
"""What the relay does on this machine, beside what this machine can do. Reports, judges nothing.

Everything on 127.0.0.1: bench/load.c is Kratos and the smarthost in one process, so every time is
read from one clock. Each payload differs, since a repeated one would be a duplicate.
"""
import argparse
import collections
import contextlib
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))
SAMPLE = ROOT / "jsonnet/samples/v26-login_code_valid.json"
MEASURE_EACH_S = 0.1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write_pattern(folder):
    """The shipped sample, with another recipient and code each time."""
    text = SAMPLE.read_text()
    payload = json.loads(text)
    recipient, code = payload["recipient"], payload["template_data"]["login_code"]
    text = text.replace(recipient, "@ID@.r@RUN@@bench.test").replace(code, "@CODE@")
    path = folder / "pattern.json"
    path.write_text(text)
    return path


class Meter:
    """CPU time of the relay and its children, and the peak of their memory, during a block."""

    def __init__(self, relay):
        self.relay = relay
        self.cpu_s = {}
        self.peak_kb = None
        self._stop = threading.Event()

    def _processes(self):
        return [self.relay.process.pid, *self.relay.children()]

    def _cpu(self):
        """Seconds so far, by program."""
        used = collections.Counter()
        for pid in self._processes():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/stat").read_text()
                name = text[text.index("(") + 1:text.rindex(")")]
                fields = text[text.rindex(")") + 2:].split()
                ticks = int(fields[11]) + int(fields[12])
                used[name.replace("courier-relay", "core")] += ticks / os.sysconf("SC_CLK_TCK")
        return used

    def _pss_kb(self):
        total = 0
        for pid in self._processes():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", text, re.M).group(1))
        return total

    def _watch(self):
        try:
            while True:
                self.peak_kb = max(self.peak_kb or 0, self._pss_kb())
                if self._stop.wait(MEASURE_EACH_S):
                    return
        except PermissionError:
            self.peak_kb = None  # only root may ask this of processes that forbid dumps

    def __enter__(self):
        self._before = self._cpu()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.cpu_s = {name: used - self._before[name] for name, used in self._cpu().items()}
        self._stop.set()
        self._thread.join()


class Bench:
    def __init__(self, build, folder):
        self.programs = ROOT / build / "bench"
        self.pattern = write_pattern(folder)
        self.runs = itertools.count(1)

    def program(self, name, *arguments):
        """Runs one of bench's own programs and gives the JSON it prints."""
        done = subprocess.run([str(self.programs / name), *map(str, arguments)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode != 0:
            print(f"{name}: {done.stdout}{done.stderr}".rstrip(), file=sys.stderr)
            if not done.stdout:
                sys.exit(1)
        return json.loads(done.stdout)

    def load(self, relay, sink_port, messages, clients=1, interval=0):
        """One cell: figures of load, with CPU a message and peak memory."""
        with Meter(relay) as meter:
            result = self.program(
                "load", "--port", relay.port, "--sink-port", sink_port, "--key",
                relay.settings["api_key"], "--body", self.pattern, "--messages", messages,
                "--clients", clients, "--interval", interval, "--run", next(self.runs))
        cpu_us = {name: used / messages * 1e6 for name, used in meter.cpu_s.items()}
        return result | {"cpu_us": cpu_us, "peak_kb": meter.peak_kb}

    def compose(self, composer, messages):
        init = {"op": "init", "templates_dir": str(ROOT / "templates"),
                "routes": [{"name": "kratos", "defaults": None,
                            "normaliser": str(ROOT / "jsonnet/kratos_courier.jsonnet")}],
                "default_locale": "en", "timezone": "UTC", "mail_from": "Acme <a@acme.example>",
                "reply_to": None, "lifetimes": {}}
        return self.program("compose", composer, json.dumps(init), self.pattern, messages)


def line(what, *values):
    print(f"{what:<46}" + "".join(f"{value:>14}" for value in values), flush=True)


def us(value):
    return f"{value:.0f} us"


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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="folder of the built programs")
    parser.add_argument("--messages", type=int, default=5000, help="a cell of the closed loop")
    parser.add_argument("--idle-messages", type=int, default=100, help="one each 100 ms")
    parser.add_argument("--folder", help="where the queue is put; its disk is what is measured")
    options = parser.parse_args()
    os.environ["RELAY_BUILD"] = options.build
    import relay as harness

    with tempfile.TemporaryDirectory(prefix="relay-bench-", dir=options.folder) as name:
        folder = pathlib.Path(name)
        bench = Bench(options.build, folder)
        sink_port = free_port()
        uri = f"smtp://127.0.0.1:{sink_port}/?disable_starttls=true"
        disk = bench.program("disk", folder)
        line("a bare 4 kB append + fdatasync, p50 p99", us(disk["sync_p50_us"]),
             us(disk["sync_p99_us"]))
        composer = bench.compose(harness.program("composer"), 3000)
        line("composer, start -> ready, p50", us(composer["ready_p50_us"]))
        line("composer round trip, p50 p99", us(composer["composer_p50_us"]),
             us(composer["composer_p99_us"]))
        line("  within it the normaliser, p50 p99", us(composer["normaliser_p50_us"]),
             us(composer["normaliser_p99_us"]))
        line("  within it words and MIME, p50 p99", us(composer["compose_p50_us"]),
             us(composer["compose_p99_us"]))
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
