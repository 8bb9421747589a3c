"""What the cells share: bench's own programs, a meter of CPU and memory, a line of the report."""
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
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
MEASURE_EACH_S = 0.1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


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
    def __init__(self, build, pattern):
        """pattern: a payload that differs each time, see bench/payload.h."""
        self.programs = ROOT / build / "bench"
        self.pattern = pattern
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

    def accept(self, relay, messages, clients=1, interval=0):
        """The same of acceptance alone, where no smarthost listens; without CPU and memory."""
        return self.program("load", "--port", relay.port, "--key", relay.settings["api_key"],
                            "--body", self.pattern, "--messages", messages, "--clients", clients,
                            "--interval", interval, "--run", next(self.runs))

    def compose(self, composer, messages):
        init = {"op": "init", "templates_dir": str(ROOT / "templates"),
                "routes": [{"name": "kratos", "defaults": None,
                            "normaliser": str(ROOT / "jsonnet/kratos_courier.jsonnet")}],
                "default_locale": "en", "timezone": "UTC", "mail_from": "Acme <a@acme.example>",
                "reply_to": None, "lifetimes": {}}
        return self.program("compose", composer, json.dumps(init), self.pattern, messages)


def line(what, *values):
    print(f"{what:<54}" + "".join(f"{value:>12}" for value in values), flush=True)


def us(value):
    return f"{value:.0f} us"
