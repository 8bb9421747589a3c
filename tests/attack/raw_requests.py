#!/usr/bin/python3
"""Sends mutated HTTP requests to a relay built with sanitizers, over raw sockets.

Each request is made of the run's seed and its number, so `--seed S --only N` sends that one
again. Every tenth is untouched and must be answered as http_seeds.py says; every hundredth is a
good POST on a kept connection, whose mail must arrive. What is checked at the end: the process
lives, no sanitizer spoke, nothing leaked, connections, descriptors and memory are back.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import http_seeds  # noqa: E402
import mutations  # noqa: E402
import payloads  # noqa: E402
import relay as harness  # noqa: E402
import sink as sink_module  # noqa: E402
import watch  # noqa: E402

CLIENTS = 24
PATIENCE_S = 0.05    # so long an answer that may not come is waited for
BROKEN_MAX = 20      # then it stops
ANSWER_S = 60        # no answer and no end within it: a hang
UNTOUCHED_EVERY, GOOD_EVERY = 10, 100
BODY_LIMIT = 30000
MEMORY_GROWTH_MAX_KB = 64 * 1024
# Those of design §5, and those that libmicrohttpd gives itself: 100 to Expect, 400 where it
# cannot read a head, 413 for a chunk's size beyond its arithmetic, 414 and 431 for a target or
# head that does not fit its 32 KiB, 505 for another version, 500 where it has no memory left.
STATUSES = {100, 200, 400, 401, 404, 405, 413, 414, 415, 431, 500, 503, 505}
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
KEYED = re.compile(rb"(?i)(^|\n)x-api-key:[ \t]*" + re.escape(http_seeds.KEY) + rb"[ \t]*\r?\n")


class Broken(AssertionError):
    """A promise was not kept; names the request."""


def body_of(source):
    """A small good payload that the source alone decides."""
    code, name = source.randrange(100000, 999999), source.getrandbits(40)
    return json.dumps({
        "recipient": f"odd{name:x}@example.com", "template_type": "login_code_valid",
        "subject": "Own subject", "body": f"Own text with {code}.",
        "template_data": {"login_code": str(code), "expires_in_minutes": 15}}).encode()


class Attack:
    """One run against one relay."""

    def __init__(self, relay, sink, requests, seed):
        self.relay, self.sink, self.seed = relay, sink, seed
        self.numbers = iter(range(requests))
        self.statuses = collections.Counter()
        self.endings = collections.Counter()
        self.good = []      # payloads that must arrive
        self.broken = []
        self.memory_kb = None  # once a quarter was sent: by then every pool has its size
        self.quarter = requests // 4
        self._lock = threading.Lock()

    def make(self, number):
        """The bytes of a request, what must be answered (or None), and how it is sent."""
        source = random.Random(f"{self.seed}:{number}")
        build, expected = http_seeds.SEEDS[source.choice(list(http_seeds.SEEDS))]
        data = build(body_of(source))
        if number % UNTOUCHED_EVERY == 1:
            return data, expected, "half-close", source
        data = mutations.mutate(data, source)
        ending = source.choices(("half-close", "close", "reset"), (8, 1, 1))[0]
        return data, None, ending, source

    def send(self, number):
        data, expected, ending, source = self.make(number)
        answer = self.exchange(data, ending, len(expected or ()), source)
        self.endings[ending] += 1
        found = [int(status) for status in STATUS.findall(answer)]
        self.statuses.update(found or ["none"])
        if expected is not None and found != expected:
            raise Broken(f"answered {found}, not {expected}: {answer[:300]!r}")
        if not set(found) <= STATUSES:
            raise Broken(f"answered {found}: {answer[:300]!r}")
        if b"X-Message-Id" in answer and not KEYED.search(data):
            raise Broken(f"accepted without the key: {answer[:300]!r}")
        if http_seeds.CANARY in answer or http_seeds.KEY in answer:
            raise Broken(f"a stranger's text in an answer: {answer[:300]!r}")

    def exchange(self, data, ending, answers, source):
        """Sends the bytes in one or several pieces and reads until the relay closes.

        libmicrohttpd drops what it has not answered when it sees our end closed. So that comes
        last: behind the answers that are certain, or behind a moment's silence.
        """
        with socket.create_connection(("127.0.0.1", self.relay.port), timeout=ANSWER_S) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pieces = source.choice((1, 1, 2, 5))
            cuts = sorted(source.randrange(len(data) + 1) for _ in range(pieces - 1))
            # The relay may answer and close before it has read all: that is its right.
            with contextlib.suppress(OSError):
                for start, end in zip([0, *cuts], [*cuts, len(data)]):
                    one.sendall(data[start:end])
                    if cuts and source.random() < 0.3:
                        time.sleep(0.001)  # so that a piece is read alone; nothing waits for it
            if ending == "reset":
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return self.read_all(one, answers) if ending == "half-close" else b""

    @staticmethod
    def read_all(one, answers):
        answer, half_closed = b"", False
        one.settimeout(ANSWER_S if answers else PATIENCE_S)
        with contextlib.suppress(ConnectionResetError):
            while True:
                try:
                    piece = one.recv(65536)
                    if not piece:
                        break
                    answer += piece
                except TimeoutError:
                    if half_closed or answers:
                        raise Broken(f"no answer, no end within {ANSWER_S} s: {answer!r}") from None
                    piece = b""
                if not half_closed and (not piece or len(STATUS.findall(answer)) >= answers > 0):
                    half_closed = True
                    one.settimeout(ANSWER_S)
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_WR)
        return answer

    def post_good(self):
        made = payloads.login_code()
        try:
            answer = self.relay.post(made)
        except (OSError, harness.http.client.HTTPException) as error:
            raise Broken(f"a good request was not answered: {error!r}") from error
        if answer.status != 200:
            raise Broken(f"a good request was answered {answer}")
        with self._lock:
            self.good.append(made)

    def work(self):
        while True:
            with self._lock:
                number = None if len(self.broken) >= BROKEN_MAX else next(self.numbers, None)
            if number is None:
                return
            try:
                if number % GOOD_EVERY == 0:
                    self.post_good()
                else:
                    self.send(number)
                if number == self.quarter:
                    self.memory_kb = watch.pss_kb(self.relay.process.pid)
            except (Broken, OSError) as error:
                with self._lock:
                    self.broken.append(f"--seed {self.seed} --only {number}: {error}")

    def run(self):
        threads = [threading.Thread(target=self.work) for _ in range(CLIENTS)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.broken, "\n".join([self.relay.tail(), *self.broken])
        return time.monotonic() - began

    def check_arrivals(self):
        for made in self.good:
            mails = self.sink.wait_for(1, recipient=made["recipient"])
            assert len(mails) == 1 and payloads.code_of(made) in mails[0].text(), made["recipient"]


def attack(relay, sink, requests, seed, report=print):
    """The whole of it on a relay that is not started yet."""
    with relay:
        relay.accept(payloads.login_code())
        sink.wait_for(1)
        descriptors = watch.descriptors(relay.process.pid)
        run = Attack(relay, sink, requests, seed)
        seconds = run.run()
        run.check_arrivals()
        assert relay.process.poll() is None, relay.tail()
        # Kept: this thread's connection, and what the deliverers and a second composer have.
        harness.wait_until(lambda: watch.connections(relay.port) <= 1, "connections to be closed")
        harness.wait_until(lambda: watch.descriptors(relay.process.pid) <= descriptors + 4,
                           "descriptors to be given back")
        memory_kb = watch.pss_kb(relay.process.pid)
        assert memory_kb - run.memory_kb < MEMORY_GROWTH_MAX_KB, (run.memory_kb, memory_kb)
    assert relay.stop() == 0, relay.tail()  # 0 also means that LeakSanitizer found nothing
    report(f"{requests} requests, seed {seed}: {seconds:.1f} s, {requests / seconds:.0f}/s, "
           f"{len(run.good)} good ones answered 200 and delivered once")
    report("answers: " + ", ".join(f"{status} x {count}" for status, count in
                                   sorted(run.statuses.items(), key=str)))
    report("endings: " + ", ".join(f"{name} x {count}" for name, count in run.endings.items()))
    report(f"memory: {run.memory_kb} kB after a quarter, {memory_kb} kB at the end")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/sanitize")
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run")
    parser.add_argument("--only", type=int, help="print and send this one request")
    options = parser.parse_args()
    seed = random.randrange(1 << 32) if options.seed is None else options.seed
    # ASan keeps freed memory for a while; with its usual 256 MB nothing would be seen to grow.
    os.environ.setdefault("ASAN_OPTIONS", "quarantine_size_mb=8:detect_leaks=1")
    with tempfile.TemporaryDirectory(prefix="attack-") as folder, sink_module.Sink() as sink:
        relay = harness.Relay(folder, build=(harness.ROOT / options.build).resolve(),
                              smtp_uri=harness.smtp_uri(sink), body_limit=BODY_LIMIT)
        if options.only is None:
            attack(relay, sink, options.requests, seed)
            return
        with relay:
            run = Attack(relay, sink, 0, seed)
            data, expected, ending, _ = run.make(options.only)
            print(f"{data!r}\nexpected {expected}, then {ending}")
            run.send(options.only)
            print(f"answered {dict(run.statuses)}")


if __name__ == "__main__":
    main()
