#!/usr/bin/python3
"""Mail for minutes, while everything dies now and then: `make soak`.

Clients post as Kratos' workers do, each on its connection: codes, links, notices, some twice, some
with other HTML, some that supersede each other; what is not answered 200 is posted again. The core
or one of its children is killed (SIGKILL) every few seconds, and started again; there are SIGHUPs
and new keys. Three of ten transactions meet a smarthost that refuses for now, drops the connection
before or after the dot, hangs until the time is over, or refuses for good. In the last part
nothing is killed: once the caches are full, memory and descriptors have to be flat. Then everything
drains and the one checker (ledger.py) judges.
"""
import argparse
import asyncio
import collections
import contextlib
import os
import pathlib
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support"), str(HERE.parent / "attack")]

import ledger  # noqa: E402
import payloads  # noqa: E402
import relay as harness  # noqa: E402
import sink as sinks  # noqa: E402
import watch  # noqa: E402
from result import Result  # noqa: E402

SECONDS, CLIENTS, RATE = 600, 32, 100  # of payloads a second, all clients together
CALM_S, CALM_SHARE = 180, 0.3  # the last part, at most so long and so much of it
FULL_S, FLAT_MIN_S = 80, 20  # of that: until the caches are full; what is left must be so long
TRIES, AGAIN_S = 20, 0.25
TRANSACTION_S = 2
DRAIN_S = 300
FAULTS = {"rcpt 451": 8, "rcpt 421": 3, "rcpt drop": 4, "rcpt hang": 1, "dot 451": 5,
          "dot drop": 5, "dot hang": 2, "dot 554": 2}  # of 100 transactions
FAULTS_MAX = 3  # a mail meets no more, so that its last retry is not minutes away
FINAL = {"sent", "expired", "unknown", "superseded", "failed"}
SECRET = re.compile(r"\bS7[A-Z0-9]{12,14}\b")
# What may not be passed: the WAL is begun anew at 64 MB, and a transaction may go beyond.
WAL_MAX_BYTES, ROW_MAX_BYTES, FILES_MAX = 96 << 20, 4096, 9
# What core and deliverer may have, and by how much each may grow once its caches are full (see
# docs/architecture.md, "How much memory"): 250 bytes kept of each message are more.
CORE_MAX_KB, DELIVERER_MAX_KB, GROWTH_MAX_KB, DESCRIPTORS_MORE_MAX = 20 * 1024, 8 * 1024, 2048, 16


# ---- the smarthost ---------------------------------------------------------------------------------

class Smarthost(sinks.Sink):
    """Misbehaves while it is told to. Of a mail it keeps what the checker looks at."""

    HANG = object()  # a reply that never comes

    def __init__(self, rng):
        self.misbehaves = True
        self.notice_faults_max = 1
        self.faults = collections.Counter()
        self._rng = rng
        self._met = collections.Counter()  # recipient -> faults
        super().__init__()

    def _fault(self, recipient):
        # Notices are tried again after a quarter of a minute, a whole one, five ...
        most = self.notice_faults_max if recipient.startswith("notice") else FAULTS_MAX
        drawn = self._rng.uniform(0, 100)
        if not self.misbehaves or self._met[recipient] >= most:
            return None
        for name, share in FAULTS.items():
            drawn -= share
            if drawn < 0:
                self._met[recipient] += 1
                self.faults[name] += 1
                return name
        return None

    async def _play(self, how, server):
        if how == "drop":
            server.transport.abort()
        elif how == "hang":  # aiosmtpd cancels this when the connection has gone
            await asyncio.get_running_loop().create_future()
        return f"{how} 4.3.0 not now" if how.startswith("4") else "554 5.7.1 never"

    async def handle_RCPT(self, server, session, envelope, address, options):
        stage, _, how = (self._fault(address) or "").partition(" ")
        if stage == "rcpt":
            return await self._play(how, server)
        envelope.fault = how
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        mail = sinks.Mail(envelope.mail_from, envelope.rcpt_tos[0],
                          _essence(envelope.original_content), None, age_s=server.dot_age_s())
        mail.reply = {"": None, "drop": self.DROP, "hang": self.HANG, "451": "451 4.3.0 not now",
                      "554": "554 5.7.1 never"}[envelope.fault]
        self.mails.append(mail)
        server.mail = mail
        if mail.reply is not None:
            return await self._play(envelope.fault, server)
        return "250 2.0.0 Ok"


def _essence(data):
    """Head and secrets of a mail: all of them, of ten minutes, would be gigabytes."""
    secrets = " ".join(word for word in ledger.words_of(data) if SECRET.fullmatch(word))
    return "".join(f"{name}: {ledger.header_of(data, name)}\r\n" for name in ("To", "Message-ID")
                   ).encode() + f"\r\n{secrets}\r\n".encode()


# ---- the clients -----------------------------------------------------------------------------------

class Relay(harness.Relay):
    """Has a key of its own: a port that it no longer has may be somebody else's."""

    def post(self, payload, **headers):
        return super().post(payload, key=self.settings["api_key"], **headers)


class Client(threading.Thread):
    """One of Kratos' workers."""

    def __init__(self, soak, seed):
        super().__init__(daemon=True)
        self.soak, self.rng = soak, random.Random(seed)
        self.counts = collections.Counter()

    def run(self):
        pause_s = self.soak.clients_count / self.soak.rate
        while not self.soak.over.is_set():
            began = time.monotonic()
            for payload in self.make():
                self.deliver(payload)
            self.soak.over.wait(max(0, began + pause_s * self.rng.uniform(0.5, 1.5)
                                    - time.monotonic()))

    def deliver(self, payload):
        """Kratos' own retries: until it is answered, and not for ever."""
        for _ in range(TRIES):
            answer = self.soak.ledger.post(self.soak.relay, payload)
            self.counts[f"answered {answer.status}" if answer else "not answered"] += 1
            if answer and answer.status == 200:
                return
            time.sleep(AGAIN_S)  # Kratos' pause
        self.counts["given up"] += 1

    def make(self):
        """What is posted next, one after the other."""
        kind = self.rng.choices(("code", "link", "twice", "html", "flow", "notice"),
                                (55, 15, 8, 7, 5, 10))[0]
        self.counts[f"payloads: {kind}"] += 1
        minutes = 1 if self.rng.random() < self.soak.brief_share else 15
        if kind == "notice":
            return [payloads.payload("verification_code_invalid",
                                     payloads.unique_recipient("notice"), minutes=None)]
        if kind in ("link", "flow"):
            recipient, flow = payloads.unique_recipient(), f"flow-{self.rng.getrandbits(60):x}"
            return [payloads.recovery_link(flow, recipient, self.token(), minutes=minutes)
                    for _ in range(2 if kind == "flow" else 1)]
        payload = ledger.secret_payload(minutes=minutes)
        if kind == "twice":
            return [payload, payload]
        if kind == "html":
            return [payload | {"html_body": f"<p>{number}</p>"} for number in (1, 2)]
        return [payload]

    def token(self):
        return "S7" + "".join(self.rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=14))


# ---- what happens to the relay -----------------------------------------------------------------------

class Soak:
    name = "soak"
    make_smarthost = Smarthost

    def __init__(self, folder, options):
        self.rng = random.Random(options.seed)
        self.seconds, self.clients_count, self.rate = options.seconds, options.clients, options.rate
        self.brief_share, self.margin_s = options.brief_share, options.margin
        self.strike_s = options.strike
        self.told = {}  # ledger.told_sent() of the lives that are over
        self.over = threading.Event()
        self.ledger = ledger.ClientLedger()
        self.smarthost = self.make_smarthost(random.Random(self.rng.getrandbits(32)))
        # Who has no minute to spare does without, and a kill is the most that a notice meets.
        self.smarthost.notice_faults_max = 0 if options.brief_share == 1 else 1
        self.relay = Relay(folder / "relay", build=options.build, log_level="info",
                           api_key=f"soak-{self.rng.getrandbits(128):032x}",
                           smtp_uri=harness.smtp_uri(self.smarthost),
                           transaction_timeout=f"{getattr(options, 'transaction', TRANSACTION_S)}s",
                           deadline_margin=f"{self.margin_s}s")
        self.clients = [Client(self, self.rng.getrandbits(32)) for _ in range(options.clients)]
        self.deaths = []
        self.counts = collections.Counter()
        self.violations = []
        self.wal_max_bytes = self.files_max = 0
        self.calm_samples = []  # (seconds, watch.Sample)

    def live(self):
        began = time.monotonic()
        calm_from = began + self.seconds - min(CALM_S, self.seconds * CALM_SHARE)
        self.relay.start()
        for client in self.clients:
            client.start()
        strike_at = sample_at = began
        while (now := time.monotonic()) < began + self.seconds:
            if now >= strike_at:
                self.strike(is_calm=now >= calm_from)
                strike_at = time.monotonic() + self.strike_s * self.rng.uniform(0.25, 1)
            if now >= sample_at:
                self.look(now - began if now >= calm_from else None)
                sample_at = now + 1
            time.sleep(0.05)  # how exact the moments are
        self.over.set()
        for client in self.clients:
            client.join()

    def strike(self, is_calm):
        act = self.rng.choices((self.kill_core, self.kill_child, self.hang_up, self.rekey),
                               (0 if is_calm else 50, 0 if is_calm else 35, 10, 5))[0]
        act()
        self.counts[act.__name__.replace("_", " ")] += 1

    def kill_core(self):
        self.deaths.append(ledger.boot_s())
        self.relay.kill()
        self.read_log()
        self.relay.start()

    def kill_child(self):
        children = self.relay.children()
        if children:
            self.deaths.append(ledger.boot_s())
            with contextlib.suppress(ProcessLookupError):  # one that has just ended
                os.kill(self.rng.choice(children), signal.SIGKILL)

    def hang_up(self):
        self.relay.process.send_signal(signal.SIGHUP)

    def rekey(self):
        subprocess.run([str(harness.program(build=self.relay.build)), "queue", "rekey"],
                       env=self.relay.environment(), cwd=self.relay.folder, check=False,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def look(self, calm_s):
        sizes = {}
        for path in self.relay.queue_dir.iterdir():
            with contextlib.suppress(FileNotFoundError):  # a new key's, that has its name by now
                sizes[path.name] = path.stat().st_size
        self.wal_max_bytes = max(self.wal_max_bytes, sizes.get("queue.db-wal", 0))
        self.files_max = max(self.files_max, len(sizes))
        if calm_s is not None:
            self.calm_samples.append((calm_s, watch.Sample(self.relay)))

    def read_log(self):
        """O5, and the counts of what was logged; the lines of an ended life are then let go."""
        texts, self.relay.lines = self.relay.lines, []
        events, self.relay.events = self.relay.events, []
        self.violations += [f"O5 a secret was printed: {text[:200]}" for text in texts
                            if SECRET.search(text)]
        self.told = ledger.told_sent(events) | self.told
        for event in events:
            self.counts[f"log: {event.get('event')}"] += 1
            if event.get("event") == "attempt":
                self.counts[f"attempts: {event['outcome']}"] += 1

    # ---- the end -----------------------------------------------------------------------------

    def judge(self):
        self.smarthost.misbehaves = False
        rows = []

        def has_ended():
            time.sleep(0.2)  # a list of all is work for both
            rows[:] = self.relay.queue_list("--limit", "1000000")
            return all(row["state"] in FINAL for row in rows)
        with contextlib.suppress(AssertionError):  # the checker finds what has not
            harness.wait_until(has_ended, "everything to end", DRAIN_S)
        if self.relay.stop() != 0:
            self.violations.append("the relay did not stop cleanly")
        self.read_log()
        self.violations += ledger.check(self.ledger, self.smarthost, rows, margin_s=self.margin_s,
                                        deaths=self.deaths, told=self.told, marks_survive=True)
        self.violations += ledger.check_counts(self.smarthost, self.relay.queue_dir)
        self.violations += ledger.check_folder(self.relay.queue_dir)
        self.violations += ledger.check_queue(self.relay)
        self.violations += [f"O1 {row['id']} is {row['state']} ({row['reason']})" for row in rows
                            if row["state"] not in FINAL]
        self.violations += self.check_contents()
        return rows

    def check_contents(self):
        """O3: one content is one message, whatever HTML came with it."""
        messages = collections.defaultdict(set)
        for mail in self.smarthost.mails:
            for secret in SECRET.findall(mail.data.decode()):
                messages[secret].add(ledger.id_of(mail))
        return [f"O3 the same content went as {sorted(ids)}" for ids in messages.values()
                if len(ids) > 1]

    def check_growth(self, rows):
        """O6: what it takes of the machine. Gives lines for people."""
        row_bytes = (self.relay.queue_dir / "queue.db").stat().st_size / max(len(rows), 1)
        for name, found, most in (("bytes of WAL", self.wal_max_bytes, WAL_MAX_BYTES),
                                  ("bytes a row", row_bytes, ROW_MAX_BYTES),
                                  ("files in the folder", self.files_max, FILES_MAX)):
            if found > most and len(rows) > 1000:
                self.violations.append(f"O6 {found:.0f} {name}, more than {most}")
            yield f"{found:.0f} {name} at most (allowed: {most})"
        full = [(when, sample) for when, sample in self.calm_samples
                if when >= self.calm_samples[0][0] + FULL_S]
        times = [when for when, _ in full]
        if len(times) < FLAT_MIN_S:
            yield "memory: not judged, the calm part was too short for its caches to fill"
            return
        for name, most, growth in (("core_kb", CORE_MAX_KB, GROWTH_MAX_KB),
                                   ("deliverer_kb", DELIVERER_MAX_KB, GROWTH_MAX_KB),
                                   ("composer_kb", None, None),  # a reload makes others
                                   ("descriptors", None, DESCRIPTORS_MORE_MAX)):
            values = [getattr(sample, name) for _, sample in full]
            slope = statistics.linear_regression(times, values).slope
            grown = slope * (times[-1] - times[0])
            yield (f"{name}: {min(values)} to {max(values)} in the last {len(times)} s, "
                   f"{slope * 60:+.1f} a minute")
            if most is not None and max(values) > most:
                self.violations.append(f"O6 {max(values)} {name}, more than {most}")
            if growth is not None and grown > growth:
                self.violations.append(f"O6 {name} grew by {grown:.0f}, more than {growth}")

    def close(self):
        self.over.set()
        if self.relay.process and self.relay.process.poll() is None:
            self.relay.kill()
        self.smarthost.close()


def run(options, kind=Soak):
    """options: as main() has them. kind: a Soak or what is made of one (instrumented.py)."""
    outcome = Result(kind.name)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        soak = kind(pathlib.Path(folder), options)
        rows = []
        try:
            soak.live()
            rows = soak.judge()
            outcome.notes += soak.check_growth(rows)
        except AssertionError as failure:  # it did not start, or not go on
            soak.violations.append(str(failure))
        finally:
            soak.close()
    for client in soak.clients:
        soak.counts.update(client.counts)
    copies = collections.Counter(ledger.id_of(mail) for mail in soak.smarthost.mails
                                 if ledger.was_taken(mail))
    soak.counts.update(f"ended {row['state']}" for row in rows)
    soak.counts.update(f"smarthost: {name}" for name in soak.smarthost.faults.elements())
    soak.counts.update(f"messages in {count} copies" for count in copies.values())
    outcome.points = len(soak.ledger.entries())
    outcome.violations = soak.violations
    outcome.notes = [*(f"{count} {name}" for name, count in sorted(
        soak.counts.items(), key=lambda item: item[0])), *outcome.notes, f"seed {options.seed}"]
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=lambda name: harness.ROOT / name,
                        default=harness.RELEASE_BUILD)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rate", type=float, default=RATE, help="payloads a second, all together")
    parser.add_argument("--brief-share", type=float, default=0.3, help="that says a minute")
    parser.add_argument("--margin", type=int, default=45, help="of that minute, in seconds")
    parser.add_argument("--strike", type=float, default=4, help="seconds between two, at most")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    outcome = run(parser.parse_args())
    print(*outcome.report(), sep="\n")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
