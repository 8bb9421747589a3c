"""A stand-in for Kratos' courier, with the manners that a relay has to get on with (v26.2): one
worker, a look at its table each second, one POST after the other by a kept connection, ten seconds
for an answer, and after six tries a message is given up for ever.
"""
import http.client
import json
import threading
import time

PULL_COUNT, PULL_WAIT_S, TRIES, TIMEOUT_S = 10, 1, 6, 10


class Message:
    """A row of Kratos' table."""

    def __init__(self, payload):
        self.payload = payload
        self.body = json.dumps(payload).encode()
        self.status = "queued"  # queued, sent, abandoned
        self.tries = 0


class Kratos:
    """Posts to host:port from `with` on. queue() is what a person's request does."""

    def __init__(self, host, port, key):
        self.host, self.port, self.key = host, port, key
        self.messages = []
        self.refusals = []  # what was not a 2xx: a status, or the name of the fault
        self._connection = None
        self._stopping = threading.Event()
        self._worker = threading.Thread(target=self._work, daemon=True)

    def queue(self, payload):
        self.messages.append(Message(payload))
        return self.messages[-1]

    def with_status(self, status):
        return [message for message in self.messages if message.status == status]

    def __enter__(self):
        self._worker.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._worker.join()

    def _work(self):
        while not self._stopping.is_set():
            for message in self.with_status("queued")[:PULL_COUNT]:
                self._dispatch(message)
            time.sleep(PULL_WAIT_S)

    def _dispatch(self, message):
        if message.tries == TRIES:
            message.status = "abandoned"
            return
        message.tries += 1
        outcome = self._post(message.body)
        if isinstance(outcome, int) and 200 <= outcome < 300:
            message.status = "sent"
        else:
            self.refusals.append(outcome)

    def _post(self, body):
        try:
            self._connection = self._connection or http.client.HTTPConnection(
                self.host, self.port, timeout=TIMEOUT_S)
            self._connection.request("POST", "/kratos/webhook", body, {
                "Content-Type": "application/json", "User-Agent": "Go-http-client/1.1",
                "Accept-Encoding": "gzip", "X-Api-Key": self.key})
            answer = self._connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException) as fault:
            self._connection.close()
            self._connection = None
            return type(fault).__name__
