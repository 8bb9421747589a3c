#!/usr/bin/python3
"""Mail from 64 clients for half a minute, under an instrument: `make tsan`, `make memcheck`.

The soak (soak.py) without its kills, as what an instrument knows of a process dies with it: the
smarthosts misbehave, the first (without TLS: libesmtp) is paused and resumed, so that the second
(TLS: libcurl) is used too, and SIGHUPs, new keys, backups and scrapes come meanwhile. The smarthosts take
their time, so that several deliverers with many connections each are at work. The ledger judges as
ever, and one report of the instrument is a violation.

tsan      a build with ThreadSanitizer, of all three programs
memcheck  the release build's core and deliverers under valgrind: no error, nothing definitely lost
          (a composer's own confinement leaves valgrind no room)
"""
import argparse
import asyncio
import contextlib
import pathlib
import random
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import admin_api  # noqa: E402
import relay as harness  # noqa: E402
import sink as sinks  # noqa: E402
import smtp_server  # noqa: E402
import soak  # noqa: E402

CLIENTS, STRIKE_S = 64, 2
CONNECTIONS, OF_ONE_DELIVERER = 48, 16  # deliverer_process.h
DOT_S = 0.7  # what the smarthosts take for their answer


class Smarthosts(soak.Smarthost):
    """Both: the same, but that one is spoken to in TLS."""

    def __init__(self, rng):
        super().__init__(rng)
        with tempfile.TemporaryDirectory() as folder:
            tls = smtp_server.make_certificate(pathlib.Path(folder))
        self._tls = self._run(self._loop.create_server(lambda: sinks._Server(self), "127.0.0.1", 0,
                                                       ssl=tls))
        self.tls_port = self._tls.sockets[0].getsockname()[1]

    async def handle_DATA(self, server, session, envelope):
        await asyncio.sleep(DOT_S)
        return await super().handle_DATA(server, session, envelope)

    def close(self):
        self._loop.call_soon_threadsafe(self._tls.close)
        super().close()


class Instrumented(soak.Soak):
    make_smarthost = Smarthosts
    # So long that a slow machine is not taken for a smarthost that hangs: that would be a copy of
    # what the smarthost had answered already.
    settings = {"transaction_timeout": "8s"}

    def __init__(self, folder, options):
        super().__init__(folder, options)
        self.folder = folder
        self.first = f"127.0.0.1:{self.smarthost.port}"
        self.relay.settings |= self.settings | {
            "connections": CONNECTIONS,
            "smtp_uri": f"{harness.smtp_uri(self.smarthost)},"
                        f"smtps://127.0.0.1:{self.smarthost.tls_port}/?skip_ssl_verify=true"}
        self.is_paused = False
        self.deliverers_max = self.threads_max = 0

    def strike(self, is_calm):
        act = self.rng.choice((self.hang_up, self.rekey, self.back_up, self.pause_or_resume,
                               self.scrape))
        act()
        self.counts[act.__name__.replace("_", " ")] += 1

    def command(self, *words):
        done = self.relay.command(*words, status=None)
        if done.returncode != 0:
            self.violations.append(f"{words} ended with {done.returncode}: {done.stderr[-8000:]}")

    def rekey(self):
        self.command("queue", "rekey")

    def back_up(self):
        self.command("queue", "backup", str(self.folder / f"backup-{self.counts['back up']}.db"))

    def pause_or_resume(self):
        self.command("smarthosts", "resume" if self.is_paused else "pause", self.first)
        self.is_paused = not self.is_paused

    def scrape(self):
        """What is counted is told while it is counted."""
        answer = admin_api.AdminApi(self.relay, by_owner=True).request("GET", "/metrics")
        if answer.status != 200:
            self.violations.append(f"GET /metrics was answered {answer.status}")

    def deliverers(self):
        """Process ids, whatever program runs them."""
        return [pid for pid in self.relay.children()
                if b"libexec/courier-relay/deliverer" in read(pid, "cmdline")]

    def look(self, calm_s):
        super().look(calm_s)
        threads = [int(found[1]) for pid in self.deliverers()
                   if (found := re.search(rb"^Threads:\s+(\d+)", read(pid, "status"), re.M))]
        self.deliverers_max = max(self.deliverers_max, len(threads))
        self.threads_max = max(self.threads_max, sum(threads))

    def judge(self):
        if self.is_paused:
            self.pause_or_resume()
        rows = super().judge()
        if self.threads_max <= OF_ONE_DELIVERER or self.deliverers_max < 2:
            self.violations.append("there was never work for more than one deliverer")
        return rows

    def check_growth(self, rows):
        """Of an instrument's own memory there is nothing to say."""
        yield f"{self.deliverers_max} deliverers and {self.threads_max} threads in them at most"


class Tsan(Instrumented):
    """Its reports come by standard error, which Relay.stop() looks at."""
    name, seconds_of_mail, rate_of_mail = "tsan", 30, 50


class Memcheck(Instrumented):
    """Valgrind says nothing (-q) but what it has found, to a log for each process."""
    name, seconds_of_mail, rate_of_mail = "memcheck", 60, 15
    settings = {"transaction_timeout": "20s"}

    def __init__(self, folder, options):
        super().__init__(folder, options)
        # Without fair-sched a thread may wait for its turn until it is taken for one that hangs.
        self.relay.prefix = [
            "valgrind", "-q", "--tool=memcheck", "--fair-sched=yes", "--trace-children=yes",
            "--trace-children-skip=*/composer", f"--log-file={folder}/valgrind.%p",
            "--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"]

    def live(self):
        super().live()
        # A core looks for leaks as it ends, and ends its deliverers by SIGKILL: they look now.
        for pid in self.deliverers():
            done = subprocess.run(["vgdb", f"--pid={pid}", "leak_check", "full", "definite"],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode == 0 and "error" not in done.stderr:  # else it has just begun, or ended
                self.counts["deliverers looked for leaks"] += 1
            if done.stdout.strip():
                self.violations.append(done.stdout)

    def judge(self):
        rows = super().judge()
        logs = sorted(self.folder.glob("valgrind.*"))
        self.counts["processes under valgrind"] = len(logs)
        self.violations += [text for log in logs if (text := log.read_text().strip())]
        if not self.counts["deliverers looked for leaks"]:
            self.violations.append("no deliverer has looked for leaks")
        return rows


def read(pid, name):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


KINDS = (Tsan, Memcheck)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("under", choices=[kind.name for kind in KINDS])
    parser.add_argument("--build", type=lambda name: harness.ROOT / name, required=True)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rate", type=float, help="payloads a second, all together")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.set_defaults(clients=CLIENTS, strike=STRIKE_S, brief_share=0, margin=45)
    options = parser.parse_args()
    kind, = (kind for kind in KINDS if kind.name == options.under)
    options.seconds = options.seconds or kind.seconds_of_mail
    options.rate = options.rate or kind.rate_of_mail
    outcome = soak.run(options, kind)
    print(*outcome.report(), sep="\n")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
