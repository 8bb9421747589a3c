#!/usr/bin/python3
"""Everybody else at a besieged relay, each kind in a thread of its own.

Wrong keys; slow heads, bodies and chunk sizes; floods of silent connections, from other addresses
and from the good clients' own; payloads on which the normaliser loops, fails or eats memory;
clients that vanish. Prints one JSON object: per kind, how often what happened, and what must not.
"""
import argparse
import collections
import contextlib
import json
import pathlib
import random
import resource
import socket
import struct
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import http_seeds  # noqa: E402
import siege_clients  # noqa: E402

DRIPS = 24
DRIP_PAUSE_S = 0.2
DRIP_LIMIT_S = 25     # the relay's own limit is 10 s
POISONS_PER_S = 2
POISONS = ["loop", "error", "bomb", "deep", "array", "trace"]
FLOOD_PAUSE_S = 2
ANSWER_S = 30


class Attackers:
    """All of them; each method named as a kind runs until the time is over."""

    KINDS = ["wrong_keys", "drips", "floods", "poisons", "vanishing"]

    def __init__(self, options):
        self.options = options
        self.until = time.monotonic() + options.seconds
        self.counts = {kind: collections.Counter() for kind in self.KINDS}
        self.broken = []
        self.poisoned = []  # recipients that must end as a mail or parked

    def going(self):
        return time.monotonic() < self.until

    def pause(self, seconds):
        time.sleep(max(0, min(seconds, self.until - time.monotonic())))

    def dial(self):
        return socket.create_connection(("127.0.0.1", self.options.port), timeout=ANSWER_S)

    def exchange(self, data):
        with self.dial() as one:
            one.sendall(data)
            answer = one.recv(4096)
        return answer.split(b"\r\n")[0].decode(errors="replace") or "closed"

    def guarded(self, kind):
        try:
            getattr(self, kind)()
        except Exception as error:  # a thread that dies would only make the siege easier
            self.broken.append(f"{kind}: {error!r}")

    def wrong_keys(self):
        number = 0
        while self.going():
            number += 1
            body = siege_clients.payload(f"wrong{number}@example.com", "000000")
            keys = [b"X-Api-Key: wrong-%d" % number, b"X-Api-Key:", http_seeds.AUTH[:-1]]
            try:
                answer = self.exchange(http_seeds.good(body, random.choice(keys),
                                                       gone=[http_seeds.AUTH]))
            except OSError as error:  # turned away for room
                answer = type(error).__name__
            self.counts["wrong_keys"][answer] += 1
            if " 200" in answer:
                self.broken.append("a wrong key was accepted")
            self.pause(0.005)

    def drips(self):
        def drip(number):
            body = siege_clients.payload(f"drip{number}@example.com", "000000")
            kinds = [http_seeds.good(body, gone=[http_seeds.AUTH]), http_seeds.good(body),
                     http_seeds.chunked(body, size=1 << 30, extension=b";" + b"x" * 2000)]
            starts = [5, len(http_seeds.good(body)) - len(body), None]
            data, start = kinds[number % 3], starts[number % 3]
            if start is None:  # in the middle of the line that says how large the chunk is
                start = data.index(b"\r\n\r\n") + 6
            return data, start

        def one_after_the_other(number):
            name = ["head", "body", "chunk size"][number % 3]
            while self.going():
                data, at = drip(number)
                began = time.monotonic()
                with contextlib.suppress(OSError), self.dial() as one:
                    one.sendall(data[:at])
                    one.settimeout(DRIP_PAUSE_S)
                    while self.going() and at < len(data):
                        one.sendall(data[at:at + 1])
                        at += 1
                        try:
                            if not one.recv(4096):
                                break
                        except TimeoutError:
                            continue
                took = time.monotonic() - began
                self.counts["drips"][f"{name} cut off" if self.going() else "still going"] += 1
                if took > DRIP_LIMIT_S:
                    self.broken.append(f"a slow {name} was borne for {took:.0f} s")
        threads = [threading.Thread(target=one_after_the_other, args=[number])
                   for number in range(DRIPS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def floods(self):
        turn = 0
        while self.going():
            own = turn % 2 == 1
            turn += 1
            opened = []
            for number in range(self.options.flood):
                one = socket.socket()
                one.setblocking(False)
                with contextlib.suppress(OSError):
                    if not own:
                        one.bind((f"127.0.{1 + number % 4}.{2 + number // 4 % 250}", 0))
                    one.connect_ex(("127.0.0.1", self.options.port))
                opened.append(one)
            self.counts["floods"]["from their address" if own else "from others"] += len(opened)
            self.pause(FLOOD_PAUSE_S)
            for one in opened:
                one.close()

    def poisons(self):
        number = 0
        while self.going():
            kind = POISONS[number % len(POISONS)]
            recipient = f"poison{number}.{kind}@example.com"
            body = siege_clients.payload(recipient, f"{200000 + number}", {"attack": kind})
            number += 1
            answer = "closed"
            for _ in range(2):  # once more where a flood had come before its key was sent
                with contextlib.suppress(OSError):
                    answer = self.exchange(http_seeds.good(body, b"Connection: close"))
                self.counts["poisons"][answer] += 1
                if answer != "closed":
                    break
                time.sleep(siege_clients.AGAIN_S)
            if " 200" not in answer:
                self.broken.append(f"a payload with the key ({kind}) was answered: {answer}")
            self.poisoned.append(recipient)
            self.pause(1 / POISONS_PER_S)

    def vanishing(self):
        number = 0
        while self.going():
            number += 1
            data = http_seeds.good(siege_clients.payload(f"gone{number}@example.com", "000000"))
            part = random.choice((len(data), len(data) // 2, len(data) - 1, 40))
            with contextlib.suppress(OSError), self.dial() as one:
                one.sendall(data[:part])
                if number % 2:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            whole = "before the answer" if part == len(data) else "in the middle"
            self.counts["vanishing"][whole] += 1
            self.pause(0.02)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--flood", type=int, default=1000)
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    attackers = Attackers(options)
    threads = [threading.Thread(target=attackers.guarded, args=[kind]) for kind in Attackers.KINDS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    json.dump({"counts": attackers.counts, "broken": attackers.broken,
               "poisoned": attackers.poisoned}, sys.stdout)


if __name__ == "__main__":
    main()
