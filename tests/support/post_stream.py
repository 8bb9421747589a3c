"""A stream of POSTs that goes on whatever happens to the relay, and counts what its clients see."""
import http.client
import json
import threading
import time

import payloads
import relay as harness


class Stream:
    """Posts without a pause until it is told to stop: one by a kept connection, as Kratos does, the
    others with a connection each. A POST that gets no answer is posted again."""

    def __init__(self, port, clients=3, host="127.0.0.1"):
        self.host, self.port, self.stopping = host, port, threading.Event()
        self.accepted, self.refused, self.cut, self.answers = [], 0, 0, {}
        self.answered_s, self._lock = [], threading.Lock()
        self.threads = [threading.Thread(target=self._post, args=[number == 0])
                        for number in range(clients)]

    def _post(self, keeps):
        connection = None
        while not self.stopping.is_set():
            made = payloads.login_code()
            while True:
                connection = connection or http.client.HTTPConnection(
                    self.host, self.port, timeout=harness.WAIT_S)
                status = self._try(connection, json.dumps(made))
                if status != 200 or not keeps:
                    connection.close()
                    connection = None
                if status == 200:
                    break
                time.sleep(0.001)
            with self._lock:
                self.accepted.append(made["recipient"])
                self.answered_s.append(time.monotonic())

    def _try(self, connection, body):
        try:
            connection.request("POST", "/kratos/webhook", body, {
                "Content-Type": "application/json", "X-Api-Key": harness.API_KEY})
            answer = connection.getresponse()
            answer.read()
        except ConnectionRefusedError:
            with self._lock:
                self.refused += 1
            return None
        except (OSError, http.client.HTTPException):
            with self._lock:
                self.cut += 1
            return None
        with self._lock:
            self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
        return answer.status

    def more(self, count):
        """Waits until so many more have been accepted."""
        wanted = len(self.accepted) + count
        harness.wait_until(lambda: len(self.accepted) >= wanted, f"{count} more mails")

    def longest_pause_s(self, since_s=0):
        """How long nobody was answered 200, at the worst."""
        times = [at for at in self.answered_s if at >= since_s]
        return max(after - before for before, after in zip(times, times[1:]))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
