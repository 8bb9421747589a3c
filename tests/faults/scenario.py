"""Lives of a relay in which one call fails or kills, and the life after, in which all must be well.

A point is a scenario, a thread, a system call and which of its turns (inject.c). One trial of it: a
life with that fault, in which Kratos posts and posts again what was not acknowledged; a second life
without, in which it does so once more; then everything must have ended as the checker says.
"""
import contextlib
import datetime
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

import ledger
import payloads
import relay as harness

SHOW_LOG = False   # of every trial, for people
START_S = 60       # a relay that has neither started nor ended by then hangs
LOG_S = 1          # after this its log is not waited for any more
ANSWER_S = 30      # nor has one that has not answered
PATIENCE_S = 1.0   # how long the first life gets to deliver what it has accepted
REPOST_S = 1.5     # ... and Kratos tries again
STOP_S = 60
DRAIN_S = 60
RETRY_SPARE_S = 0.3
ENDS = {"sent", "failed", "expired", "superseded", "cancelled", "unknown", "parked"}

class View:
    """What one trial's relay has sent, of a sink that serves many."""

    def __init__(self, sink):
        self._sink, self._first = sink, len(sink.mails)

    @property
    def mails(self):
        return self._sink.mails[self._first:]


class World:
    """A relay in a folder of its own, a client and a sink, and what they do to each other."""

    def __init__(self, folder, sink, build, **settings):
        self.sink, self.view = sink, View(sink)
        self.client = ledger.ClientLedger()
        # The same port in every life, as an operator has it; and it is known though the log is not.
        self.port = harness.free_port()
        self.relay = harness.Relay(folder, build=build, smtp_uri=harness.smtp_uri(sink),
                                   listen=f"127.0.0.1:{self.port}", **settings)
        self.fault = None  # of the present life
        self.ends = frozenset()  # states that the fault makes right
        self.earlier = []  # relays of lives that are over
        self.to_post = []
        self.deaths = []
        self.violations = []

    # ---- a life -----------------------------------------------------------------------------------

    def begin(self):
        """Starts it. True: it accepts mail."""
        self.relay.port = self.port
        self.relay.spawn()
        until = time.monotonic() + START_S
        while self.is_alive():
            if self.relay.found("ready"):
                return True
            if time.monotonic() > until - START_S + LOG_S and answers(self.port):
                return True  # the line was lost
            if time.monotonic() > until:
                self.violations.append(f"O7 hung at its start\n{self.relay.tail()}")
                self.end_hard()
            time.sleep(0.003)
        return False

    def is_alive(self):
        """The core, that is: its children, and so an injector, may live a little longer, as they
        may under any supervisor that starts it anew at once."""
        return self.relay.process.poll() is None and self.ended() is None

    def ended(self):
        return self.fault.has_ended() if self.fault else None

    def post(self, payload):
        """As Kratos: again where it was not taken, as long as the relay lives."""
        until = time.monotonic() + REPOST_S
        while True:
            began = time.monotonic()
            answer = self.client.post(self.relay, payload)
            if time.monotonic() - began > ANSWER_S:
                self.violations.append("O7 did not answer a POST")
                return False
            if answer is not None and answer.status == 200:
                return True
            if answer is not None and answer.status != 503:
                self.violations.append(f"O1 a good payload was answered {answer.status}")
                return False
            if not self.is_alive() or time.monotonic() > until:
                return False
            time.sleep(0.02)

    def events(self):
        """Of all lives."""
        return [event for relay in (*self.earlier, self.relay) for event in list(relay.events)]

    def unsettled(self):
        """Ids that were acknowledged and whose end no log line has told."""
        ended = {event["id"] for event in self.events()
                 if event.get("event") in ENDS and "id" in event}
        return [message_id for entry in self.client.entries() for message_id in entry.message_ids
                if message_id not in ended]

    def wait_event(self, name, count):
        """Until the present life has told that, or has ended, or PATIENCE_S is over."""
        self.relay.wait_log(lambda: len(self.relay.found(name)) >= count, PATIENCE_S)

    def wait_settled(self, limit_s):
        """Until all was told, or it is certain that it will not be soon."""
        self.relay.wait_log(lambda: not self.unsettled(), limit_s)

    def end(self):
        """SIGTERM. The exit status; negative: by that signal."""
        if self.is_alive():
            self.relay.process.send_signal(signal.SIGTERM)
        until = time.monotonic() + STOP_S
        while self.is_alive() and time.monotonic() < until:
            time.sleep(0.002)
        if self.is_alive():
            self.violations.append(f"O7 did not stop\n{self.relay.tail()}")
            self.end_hard()
        status = self.ended()
        return self.relay.process.wait() if status is None else status

    def note_deaths(self):
        """Of this life, beside what the fault itself killed: a core that gave up takes its deliverers
        with it, one that lacks memory for a frame ends the deliverer. Either may have had a dot out."""
        if self.status < 0:
            self.deaths.append(ledger.boot_s())
        for died in self.relay.found("deliverer_died"):
            age_s = time.time() - datetime.datetime.fromisoformat(died["time"]).timestamp()
            self.deaths.append(ledger.boot_s() - age_s)

    def end_hard(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.relay.process.pid, signal.SIGKILL)
        self.relay.process.wait()

    def end_everything(self):
        for relay in (*self.earlier, self.relay):
            if relay.process is not None:
                try:
                    relay.process.wait(1)
                except subprocess.TimeoutExpired:
                    relay.process.kill()
                    relay.process.wait()

    def begin_life(self, fault=None):
        """Starts a relay on the folder, whether the last one's children have ended or not."""
        if self.relay.process is not None:
            self.earlier.append(self.relay)
            self.relay = harness.Relay(self.relay.folder, build=self.relay.build,
                                       **self.relay.settings)
        self.fault = fault
        self.relay.prefix = list(fault.prefix) if fault else []
        return self.begin()

    def log(self):
        lives = ["\n".join(relay.lines) for relay in (*self.earlier, self.relay)]
        return "\n---- the next life\n".join(lives) + f"\n---- errors\n{self.relay.stderr()}"

    # ---- the life after -----------------------------------------------------------------------------

    def finish(self):
        """A life without a fault, in which all ends; then the books are compared."""
        if not self.begin_life():
            self.violations.append(f"O1 did not start again\n{self.relay.tail()}")
            return
        for entry in self.client.entries():
            if entry.acknowledged_s is None and not self.post(entry.payload):
                self.violations.append(f"O1 did not take a payload again\n{self.relay.tail()}")
        self.drain()
        status = self.end()
        if status != 0:
            self.violations.append(f"O7 ended with {status} after a life without a fault")
        rows = self.relay.queue_list("--limit", "10000")
        self.judge(rows)
        self.violations += [f"O7 {event['event']}: {event.get('error')}"
                            for event in self.relay.events
                            if event.get("event") in ("queue_error", "start_failed")]

    def drain(self):
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            self.drained_s = time.time() + RETRY_SPARE_S
            if not any(map(self.is_on_its_way, self.relay.queue_list("--limit", "10000"))):
                return
            time.sleep(0.01)

    def is_on_its_way(self, row):
        return row["state"] in ("received", "sending") or (
            row["state"] == "queued" and not self.waits_on(row))

    def waits_on(self, row):
        """Is it queued for a time that had not come when the rest was done?"""
        return row["state"] == "queued" and row["not_before"] is not None and \
            ledger.seconds(row["not_before"]) > self.drained_s

    def judge(self, rows):
        kept = self.ends | ({"queued"} if any(map(self.waits_on, rows)) else set())
        found = ledger.check(self.client, self.view, rows, deaths=self.deaths, ends=kept,
                             told=ledger.told_sent(self.events()))
        lines = [line for relay in (*self.earlier, self.relay) for line in relay.lines]
        found += ledger.check_output(self.client, [*lines, self.relay.stderr()])
        found += ledger.check_folder(self.relay.queue_dir)
        checked = self.relay.command("queue", "check", status=None)
        if checked.returncode != 0:
            found.append(f"O8 queue check: {checked.stdout[-2000:]} {checked.stderr[-2000:]}")
        if harness.SANITIZER.search(self.relay.stderr()):
            found.append(f"O7 {self.relay.stderr()[-4000:]}")
        if found:
            found.append("rows: " + json.dumps(
                [{name: row[name] for name in ("id", "state", "reason", "attempts", "last_reply")}
                 for row in rows]))
        self.violations += found


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


# ---- the scenarios ------------------------------------------------------------------------------------
# prepare(world) before the fault is armed, live(world) under it.

class Sent:
    """Accepted and sent: a code, a notice, and the code again."""

    @staticmethod
    def prepare(world):
        code = ledger.secret_payload()
        world.to_post = [code, payloads.payload("recovery_code_invalid", minutes=None), code]

    @staticmethod
    def live(world):
        if all(map(world.post, world.to_post)):
            world.wait_settled(PATIENCE_S)


class Refused:
    """The smarthost says 451 to the first code, which has to wait; the second goes."""

    @staticmethod
    def prepare(world):
        world.to_post = [ledger.secret_payload(), ledger.secret_payload()]
        first = world.to_post[0]["recipient"]
        world.sink.rcpt_reply = lambda _, recipient: \
            "451 4.7.1 come back later" if recipient == first else None

    @staticmethod
    def live(world):
        if all(map(world.post, world.to_post)):
            world.wait_event("attempt", 2)

    @staticmethod
    def mend(world):
        world.sink.rcpt_reply = lambda *_: None


class Down:
    """The smarthost is away: what is accepted waits in the queue, and goes in the life after."""

    @staticmethod
    def prepare(world):
        world.to_post = [ledger.secret_payload(), ledger.secret_payload()]
        world.sink.down()

    @staticmethod
    def live(world):
        if all(map(world.post, world.to_post)):
            world.wait_event("smarthost_down", 1)

    @staticmethod
    def mend(world):
        world.sink.up()


class Backlog:
    """What died with a message `received` and two `queued` starts again and sends all three."""

    @staticmethod
    def prepare(world):
        made = [ledger.secret_payload() for _ in range(3)]
        world.sink.down()
        assert world.begin_life(), world.relay.tail()
        for payload in made[:2]:
            assert world.post(payload)
        world.wait_event("smarthost_down", 1)
        assert world.post(made[2])
        world.end_hard()
        world.deaths.append(ledger.boot_s())
        world.sink.up()

    @staticmethod
    def live(world):
        world.wait_settled(PATIENCE_S)


class Rekeyed:
    """An operator has a new key made while two bodies wait, sealed under the old one."""

    @staticmethod
    def prepare(world):
        Backlog.prepare(world)
        world.old = world.client.entries()[0].payload
        world.sink.down()

    @staticmethod
    def live(world):
        world.relay.command("queue", "rekey", status=None)
        # The key of the hashes stays: an old payload is known still.
        if world.post(ledger.secret_payload()) and world.post(world.old):
            world.wait_event("smarthost_down", 1)

    @staticmethod
    def mend(world):
        world.sink.up()


class BackedUp:
    """A backup is made while the backlog is sent. What has the backup's name is whole."""

    @staticmethod
    def prepare(world):
        Backlog.prepare(world)
        world.backup = world.relay.folder / "backup.db"
        world.was_backed_up = False

    @staticmethod
    def live(world):
        done = world.relay.command("queue", "backup", str(world.backup), status=None)
        world.was_backed_up = done.returncode == 0
        if world.post(ledger.secret_payload()):
            world.wait_settled(PATIENCE_S)

    @staticmethod
    def check(world):
        if not world.backup.exists():
            return ["O8 the backup that was made is not there"] if world.was_backed_up else []
        with contextlib.closing(sqlite3.connect(f"file:{world.backup}?mode=ro", uri=True)) as copy:
            (sound,), = copy.execute("PRAGMA integrity_check").fetchall()
            (count,), = copy.execute("SELECT count(*) FROM message").fetchall()
        return [] if sound == "ok" and count >= 3 else [f"O8 backup: {sound}, {count} messages"]


SCENARIOS = {"rekeyed": Rekeyed, "backed-up": BackedUp, "sent": Sent, "refused": Refused, "down": Down, "backlog": Backlog}


def live(name, folder, sink, fault):
    """One trial: prepares, lives under the fault (fault.py), mends, lives again, judges."""
    scenario = SCENARIOS[name]
    world = World(folder, sink, fault.build, **fault.settings)
    try:
        scenario.prepare(world)
        world.ends = fault.ends
        fault.arm()
        if world.begin_life(fault):
            scenario.live(world)
        world.status = world.end()
        fault.disarm()
        world.deaths += fault.deaths
        world.note_deaths()
        if hasattr(scenario, "mend"):
            scenario.mend(world)
        world.finish()
        if hasattr(scenario, "check"):
            world.violations += scenario.check(world)
    finally:
        world.end_everything()
        if SHOW_LOG:
            print(world.log())
    return world
