"""Threads that post payloads as Kratos' workers do: one after the other, each on its connection."""
import random
import threading

import ledger
import payloads
import relay as harness


def make_payload(rng, minutes=15, filler_bytes=0):
    """A code, or each fifth time a link; each its own, with secrets that no chance can repeat."""
    transient = {"transient_payload": {"filler": "x" * filler_bytes}}
    if rng.random() < 0.2:
        token = "S7" + "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", k=14))
        return payloads.recovery_link(f"flow-{rng.getrandbits(60):x}", token=token,
                                      minutes=minutes, data=transient)
    return ledger.secret_payload(minutes=minutes, data=transient)


class Clients:
    """Posts from begin() to end(), or until the relay cuts a connection off. What got no answer is
    posted again, every other time, when they begin anew.

    make: a function of a random.Random that gives the next payload.
    """

    def __init__(self, relay, client_ledger, rng, count=4):
        self.relay, self.client_ledger = relay, client_ledger
        self.make = make_payload
        self._rngs = [random.Random(rng.getrandbits(32)) for _ in range(count)]
        self._unanswered = [None] * count
        self._answered = 0
        self._news = threading.Condition()
        self._over = False
        self._threads = []

    def begin(self):
        """The relay was started, or is about to listen."""
        self._over, self._answered = False, 0
        self._threads = [threading.Thread(target=self._run, args=[number])
                         for number in range(len(self._rngs))]
        for thread in self._threads:
            thread.start()

    def end(self):
        self._over = True
        for thread in self._threads:
            thread.join()
        self._threads = []

    def wait_answered(self, count):
        """Until so many were answered 200 since begin()."""
        with self._news:
            ok = self._news.wait_for(lambda: self._answered >= count, harness.WAIT_S)
        assert ok, f"{self._answered} of {count} payloads were answered\n{self.relay.tail()}"

    def _run(self, number):
        try:
            listening = self.relay.wait_for("listening", listener="mail")
        except AssertionError:  # it was killed before
            return
        self.relay.port = int(listening["address"].rsplit(":", 1)[1])
        payload, self._unanswered[number] = self._unanswered[number], None
        while not self._over and self._post(number, payload):
            payload = None

    def _post(self, number, again):
        """False where there was no answer."""
        rng = self._rngs[number]
        payload = again or self.make(rng)
        answer = self.client_ledger.post(self.relay, payload)
        if answer is not None and answer.status == 200:
            with self._news:
                self._answered += 1
                self._news.notify_all()
        elif rng.random() < 0.5:
            self._unanswered[number] = payload
        return answer is not None
