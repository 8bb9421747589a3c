#!/usr/bin/python3
"""Good clients of a besieged relay: each POSTs codes of its own, one after the other.

Most keep their connection, as Kratos does; some open a new one for each POST, as Kratos does
after a pause. A new connection that is closed unanswered is tried once more after a second, which
is what Kratos' HTTP client does: in a thousand that come at once from the same address, one that
has not sent its key yet is like any other. Prints one JSON object: the ledger of what was answered 200, what was not, what was repeated, and how long
the answers took.
"""
import argparse
import http.client
import json
import pathlib
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support")]

import relay as harness  # noqa: E402

FRESH_EVERY = 6   # every sixth client keeps no connection
ANSWER_S = 30
AGAIN_S = 1
SWITCH_S = 0.0002  # between threads: so that a request follows its connection at once
HEADERS = {"X-Api-Key": harness.API_KEY, "Content-Type": "application/json",
           "User-Agent": "Go-http-client/1.1"}


def payload(recipient, code, transient=None):
    return json.dumps({
        "recipient": recipient, "subject": f"Use code {code} to log in",
        "body": f"Login with the following code:\n\n{code}\n", "message_type": "email",
        "template_type": "login_code_valid",
        "template_data": {"to": recipient, "login_code": code, "expires_in_minutes": 15,
                          "identity": {"traits": {"email": recipient, "lang": "en"}},
                          "transient_payload": transient or {}},
        "request_headers": {}}).encode()


class Client(threading.Thread):
    """One of them."""

    def __init__(self, number, options):
        super().__init__()
        self.number, self.options = number, options
        self.keeps = number % FRESH_EVERY != 0
        self.connection = None
        self.acknowledged = {}  # recipient -> [code, seconds since the start, id]
        self.refused = []
        self.repeated = 0
        self.times_ms = []

    def post(self, body):
        fresh = self.connection is None
        if fresh:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.options.port,
                                                         timeout=ANSWER_S)
        try:
            self.connection.request("POST", "/kratos/webhook", body, HEADERS)
            answer = self.connection.getresponse()
            answer.read()
            return answer
        except ConnectionError:
            self.close()
            if not fresh:
                raise
            return None
        finally:
            if not self.keeps:
                self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def post_one(self, recipient, code, now):
        body = payload(recipient, code)
        started = time.monotonic()
        answer = self.post(body)
        if answer is None:
            self.repeated += 1
            time.sleep(AGAIN_S)
            answer = self.post(body)
        self.times_ms.append((time.monotonic() - started) * 1000)
        if answer is not None and answer.status == 200:
            self.acknowledged[recipient] = [code, now, answer.headers["X-Message-Id"]]
        else:
            self.refused.append(f"{recipient} at {now:.2f} s: {answer and answer.status}")

    def run(self):
        count = 0
        began = time.monotonic()
        while (now := time.monotonic() - began) < self.options.seconds:
            # Unlike numbers elsewhere in a mail, such as years and sizes.
            code = f"{100000 + (self.number * 37501 + count * 7) % 900000}"
            recipient = f"good{self.number}.{count}@example.com"
            count += 1
            try:
                self.post_one(recipient, code, now)
            except (OSError, http.client.HTTPException) as error:
                self.refused.append(f"{recipient} at {now:.2f} s: {error!r}")
                self.close()
            time.sleep(self.options.pause)  # the pace, not a wait for anything


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--clients", type=int, default=24)
    parser.add_argument("--pause", type=float, default=0.08)
    options = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    clients = [Client(number, options) for number in range(options.clients)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    json.dump({"acknowledged": {key: value for client in clients
                                for key, value in client.acknowledged.items()},
               "repeated": sum(client.repeated for client in clients),
               "refused": [line for client in clients for line in client.refused],
               "times_ms": sorted(time for client in clients for time in client.times_ms)},
              sys.stdout)


if __name__ == "__main__":
    main()
