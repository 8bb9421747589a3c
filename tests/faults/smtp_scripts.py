#!/usr/bin/python3
"""A relay whose smarthosts do something wrong, drawn from a seed, at any stage of any connection.

A script is one or two smarthosts, a dozen messages of all lanes that live for seconds, and what is
done at each stage of each connection; after a while the smarthosts behave. Then everything must have
ended as the one checker (ledger.py) has it, and the log must show circuits that open, are probed by
one message at a time, and close. A violation names its script's seed:

    smtp_scripts.py 123456789        that script again, with the relay's log

Which message meets which fault is also a matter of which connection is first, so not every run of a
script is the same.
"""
import calendar
import collections
import concurrent.futures
import pathlib
import random
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(HERE), str(HERE.parent / "support")) if path not in sys.path]

import ledger  # noqa: E402
import payloads  # noqa: E402
import relay as harness  # noqa: E402
from result import Result  # noqa: E402
from smtp_server import (SmtpServer, drip, drop, extra, garbage, half, hang,  # noqa: E402
                         long_reply, reply, reset, then_drop)

MARGIN_S = 51     # of the minute that each message says: they live for nine seconds
MISBEHAVE_S = 5   # then the smarthosts are as good as any
DRAIN_S = 30
LANES_AT_A_TIME = 6  # a processor: a script mostly waits
LOG_TICK_S = 0.1     # events have whole milliseconds, and are written later where a thread had to wait
SLACK_S = 3          # so late a busy machine may read a dot that was sent in time
FINAL = {"sent", "failed", "expired", "unknown"}
UNANSWERED = object()  # a dot's verdict that nobody heard

NO_ANSWER = {"drop": drop(), "reset": reset(), "hang": hang(), "garbage": garbage(),
             "half a line": half(2), "NUL": garbage(b"250 o\0k\r\n"), "9 kB": long_reply(90, 100),
             "101 lines": long_reply(101, 8), "a code of four digits": garbage(b"2500 ok\r\n")}
# (Not a NUL, though, where there is BDAT: libesmtp then takes its line for an answer, and what is
# taken for accepted at one end only is refused at BDAT.)
# Of 100 times that a stage is come to, so many meet each of these; of NO_ANSWER one is drawn.
FAULTS = {
    "connect": {"drop": 2, "reset": 1},
    "greeting": {"421 4.3.2 not now": 3, "554 5.3.2 no": 1, "no answer": 3},
    "ehlo": {"421 4.3.2 not now": 1, "no answer": 2},
    "auth": {"454 4.7.0 later": 2, "535 5.7.8 no": 1, "no answer": 2},
    "mail": {"451 4.3.0 later": 3, "550 5.7.1 no": 1, "421 and drop": 1, "no answer": 3},
    "rcpt": {"450 4.2.0 later": 8, "421 4.3.2 going": 2, "550 5.1.1 nobody": 3,
             "554 5.7.1 relaying denied": 4, "251 2.1.5 forwarded": 2, "no answer": 4},
    "data": {"451 4.3.0 later": 3, "554 5.6.0 no": 1, "two replies": 2, "no answer": 3},
    "body": {"drop": 2, "reset": 1},
    "dot": {"451 4.3.0 later": 5, "421 4.3.2 going": 2, "554 5.6.0 no": 2, "250 and drop": 3,
            "a drip": 4, "no answer": 8},
    "quit": {"no answer": 20},
}
OTHERS = {"drop": drop(), "reset": reset(), "421 and drop": then_drop("421 4.3.2 going"),
          "250 and drop": then_drop("250 2.0.0 queued"), "a drip": drip(0.001),
          "two replies": extra("250 2.0.0 queued")}


class Smarthost(SmtpServer):
    """Plays its part of a script; what it does depends on the connection's number alone."""

    def __init__(self, seed, counts):
        rng = random.Random(seed)
        self._seed, self._counts = seed, counts
        self._visits = collections.Counter()
        self.refused = set()  # recipients of what it has refused for good
        offers = [offer for offer in ("PIPELINING", "SIZE 10000000", "ENHANCEDSTATUSCODES", "CHUNKING")
                  if rng.random() < 0.6]
        # With credentials libcurl is what talks to it, else libesmtp.
        super().__init__(offers=offers, auth=("PLAIN",) if rng.random() < 0.5 else ())

    @property
    def uri(self):
        user = f"{self.user}:{self.password}@" if self.auth else ""
        return f"smtp://{user}127.0.0.1:{self.port}/?disable_starttls=true"

    def behaviour(self, stage, connection):
        with self._news:
            self._visits[connection.number, stage] += 1
            visit = self._visits[connection.number, stage]
            name, behaviour = (None, None) if self.behaves_well else self._draw(
                stage, random.Random(f"{self._seed}/{connection.number}/{stage}/{visit}"))
            self._counts[f"{stage}: {name or 'as it should be'}"] += 1
            if stage == "dot":
                message = next(message for message in reversed(self.messages)
                               if message.connection == connection.number)
                message.reply = self._verdict(name)
            if name and name.startswith("5") and stage in ("rcpt", "data", "dot"):
                self.refused.add(self._recipient(stage, connection))
        return behaviour

    def _draw(self, stage, rng):
        drawn = rng.uniform(0, 100)
        for name, share in FAULTS.get(stage, {}).items():
            drawn -= share
            if drawn < 0:
                if name == "no answer":
                    return rng.choice([one for one in NO_ANSWER.items() if one[0] != "NUL" or
                                       "CHUNKING" not in self.offers])
                return name, OTHERS.get(name) or reply(name)
        return None, None

    @staticmethod
    def _verdict(name):
        if name in (None, "250 and drop", "a drip"):
            return None
        return UNANSWERED if name in NO_ANSWER else name

    def _recipient(self, stage, connection):
        if stage == "data":
            return connection.recipients[0]
        if stage == "dot":
            return self.messages[-1].recipients[0] if self.messages[-1].connection == \
                connection.number else connection.recipients[0]
        line = next(line for number, line in reversed(self.commands) if number == connection.number)
        return line.partition("<")[2].partition(">")[0]


Mail = collections.namedtuple("Mail", "recipient data reply boot_s left heard",
                              defaults=(False, False))


class Received:
    """What all smarthosts have got, as the checker reads it."""

    def __init__(self, smarthosts):
        self.mails = sorted(
            (Mail(message.recipients[0], message.data, message.reply, message.dot_boot_s, message.left)
             for smarthost in smarthosts for message in smarthost.messages),
            key=lambda mail: mail.boot_s)


# ---- what the log says of the circuits ----------------------------------------------------------------

def seconds(event):
    whole, _, rest = event["time"].rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest}")


class Circuit:
    """When a smarthost was down, by the log."""

    def __init__(self, name, events):
        self.name, self.violations, self.spans = name, [], []  # [from, to] in seconds
        for event in events:
            if event.get("smarthost") != name:
                continue
            is_open = bool(self.spans) and self.spans[-1][1] is None
            if event["event"] == "smarthost_down":
                if is_open:
                    self.violations.append(f"{name} went down twice")
                else:
                    self.spans.append([seconds(event), None])
            elif event["event"] == "smarthost_up":
                if is_open:
                    self.spans[-1][1] = seconds(event)
                else:
                    self.violations.append(f"{name} came up and was not down")

    def down_at(self, when_s):
        """The span that it surely lies in, or None."""
        return next((span for span in self.spans if span[0] + LOG_TICK_S < when_s and
                     (span[1] is None or when_s < span[1] - LOG_TICK_S)), None)

    def surely_up(self, when_s):
        return not any(span[0] - LOG_TICK_S <= when_s and
                       (span[1] is None or when_s <= span[1] + LOG_TICK_S) for span in self.spans)

    def check_probes(self, attempts):
        """While it is down one message at a time may try it."""
        probes = [attempt for attempt in attempts if self.down_at(attempt[0])]
        for (began, ended, _), (other, _, who) in zip(probes, probes[1:]):
            if other < ended - LOG_TICK_S and self.down_at(began) is self.down_at(other):
                self.violations.append(f"{self.name} was probed by {who} beside another")


def check_circuits(events, names):
    circuits = {name: Circuit(name, events) for name in names}
    attempts = collections.defaultdict(list)  # smarthost -> (began, ended, id)
    met = collections.defaultdict(set)        # id -> smarthosts
    violations = []
    first = circuits[names[0]]
    # One that refuses a connection while it has others has its own limit, and is not down.
    limited = {event["smarthost"] for event in events if event.get("event") == "smarthost_limit"}
    for event in events:
        if event.get("event") != "attempt" or event["smarthost"] not in circuits:
            continue
        ended = seconds(event)
        began = ended - event["took_ms"] / 1000
        attempts[event["smarthost"]].append((began, ended, event["id"]))
        if event["smarthost"] != names[0] and names[0] not in met[event["id"]] and \
                first.surely_up(began):
            violations.append(f"{event['id']} went to {event['smarthost']} while {names[0]} was up")
        met[event["id"]].add(event["smarthost"])
        if event["outcome"] == "session" and not circuits[event["smarthost"]].spans and \
                event["smarthost"] not in limited:
            violations.append(f"{event['smarthost']} failed and never was down")
    for name, circuit in circuits.items():
        circuit.check_probes(sorted(attempts[name]))
        violations += circuit.violations
    return [f"O9 {violation}" for violation in violations]


# ---- a script ----------------------------------------------------------------------------------------

class Script:
    def __init__(self, seed, folder, build):
        self.rng = random.Random(seed)
        self.counts = collections.Counter()
        self.client = ledger.ClientLedger()
        self.smarthosts = [Smarthost(f"{seed}/{number}", self.counts)
                           for number in range(self.rng.choice((1, 2, 2)))]
        self.names = [f"127.0.0.1:{smarthost.port}" for smarthost in self.smarthosts]
        self.relay = harness.Relay(
            folder, build=build, smtp_uri=",".join(one.uri for one in self.smarthosts),
            transaction_timeout="1s", deadline_margin=f"{MARGIN_S}s", log_level="info",
            connections=self.rng.choice((1, 2, 4, 16)))
        self.violations = []

    def payloads(self):
        for number in range(self.rng.randrange(6, 16)):
            kind = self.rng.choices(("code", "notice", "bulk"), (70, 15, 15))[0]
            recipient = f"{kind}{number}.{random.getrandbits(40):x}@d{number % 3}.example.com"
            if kind == "code":
                yield ledger.secret_payload(recipient, minutes=1)
            else:
                template = {"notice": "verification_code_invalid", "bulk": "welcome"}[kind]
                yield payloads.payload(template, recipient, minutes=1)

    def live(self):
        self.relay.start()
        began = time.monotonic()
        for payload in self.payloads():
            answer = self.client.post(self.relay, payload)
            if answer is None or answer.status != 200:
                self.violations.append(f"O1 a good payload was answered {answer}")
            threading.Event().wait(self.rng.choice((0, 0, 0.05, 0.3)))
        ids = {one for entry in self.client.entries() for one in entry.message_ids}

        def have_ended():
            return ids <= {event.get("id") for event in self.relay.events
                           if event.get("event") in FINAL}
        self.relay.wait_log(have_ended, max(0, began + MISBEHAVE_S - time.monotonic()))
        for smarthost in self.smarthosts:
            smarthost.behave_well()
        if not self.relay.wait_log(have_ended, DRAIN_S):
            self.violations.append("O1 not everything has ended")
        if self.relay.stop() != 0:
            self.violations.append("O7 the relay did not stop cleanly")

    def judge(self):
        received = Received(self.smarthosts)
        rows = self.relay.queue_list("--limit", "1000")
        self.counts.update(f"ended {row['state']}" for row in rows)
        self.counts.update(f"attempts: {event['outcome']}" for event in self.relay.events
                           if event.get("event") == "attempt")
        self.counts.update(event["event"] for event in self.relay.events
                           if str(event.get("event")).startswith("smarthost_"))
        self.violations += ledger.check(self.client, received, rows, margin_s=MARGIN_S,
                                        ends={"failed"}, slack_s=SLACK_S)
        refused = set().union(*(smarthost.refused for smarthost in self.smarthosts))
        self.violations += [f"O1 {row['recipient']} has failed, and was not refused for good"
                            for row in rows
                            if row["state"] == "failed" and row["recipient"] not in refused]
        self.violations += ledger.check_counts(received, self.relay.queue_dir)
        self.violations += ledger.check_folder(self.relay.queue_dir)
        self.violations += ledger.check_queue(self.relay)
        self.violations += ledger.check_output(self.client, [*self.relay.lines, self.relay.stderr()])
        self.violations += check_circuits(self.relay.events, self.names)

    def close(self):
        if self.relay.process and self.relay.process.poll() is None:
            self.relay.kill()
        for smarthost in self.smarthosts:
            smarthost.close()


def play(seed, build, show_log=False):
    """One script: (violations, counts, how many messages)."""
    with tempfile.TemporaryDirectory(prefix="script-") as folder:
        script = Script(seed, pathlib.Path(folder) / "relay", build)
        try:
            script.live()
            script.judge()
        except Exception as error:  # a script that cannot be judged is a violation as well
            script.violations.append(f"the script itself failed: {error!r}")
        finally:
            script.close()
        if show_log:
            print("\n".join(script.relay.lines), script.relay.stderr(), sep="\n")
        return script.violations, script.counts, len(script.client.entries())


def run(options):
    result = Result("smtp scripts")
    rng = random.Random(options.seed)
    seeds = [rng.getrandbits(32) for _ in range(options.points)]
    counts, messages = collections.Counter(), 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs * LANES_AT_A_TIME) as pool:
        for seed, (violations, counted, posted) in zip(seeds, pool.map(
                lambda seed: play(seed, options.build), seeds)):
            result.points += 1
            messages += posted
            counts.update(counted)
            for violation in violations:
                result.violations.append(f"script {seed}: {violation}")
                print(result.violations[-1], file=sys.stderr, flush=True)  # not at the end only
    result.notes = [f"{messages} messages", *(f"{count} {name}" for name, count in sorted(
        counts.items()))]
    return result


def main():
    violations, _, _ = play(int(sys.argv[1]), harness.RELEASE_BUILD, show_log=True)
    print("\n".join(violations) or "no violation")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
