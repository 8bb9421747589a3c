"""A client of the admin API, by either of its doors."""
import contextlib
import http.client
import json
import os
import re
import socket

import relay as relay_module
from canaries import OLD_KEY, OPERATE_KEY, READ_KEY

SETTINGS = {"admin_listen": "127.0.0.1:0",
            "admin_key": f"eye:read:{READ_KEY},hand:operate:{OPERATE_KEY},"
                         f"old:operate:{OLD_KEY};not_after=2020-01-31"}


class ControlConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        # Through the folder's descriptor: a socket's path has 108 bytes, and a test's may be longer.
        folder = os.open(self.path.parent, os.O_PATH)
        try:
            self.sock.connect(f"/proc/self/fd/{folder}/{self.path.name}")
        finally:
            os.close(folder)


class AdminApi:
    """relay runs, with SETTINGS; by_owner: by control.sock."""

    def __init__(self, relay, key=OPERATE_KEY, by_owner=False):
        self.relay, self.key, self.by_owner = relay, key, by_owner

    def _connect(self, timeout):
        if self.by_owner:
            return ControlConnection(self.relay.queue_dir / "control.sock", timeout)
        address = self.relay.wait_for("listening", listener="admin")["address"]
        return http.client.HTTPConnection("127.0.0.1", int(address.rsplit(":", 1)[1]),
                                          timeout=timeout)

    @contextlib.contextmanager
    def asking(self, method, path):
        """Asks, and is gone before the answer: at the end of `with`."""
        connection = self._connect(relay_module.WAIT_S)
        connection.request(method, path, headers={"X-Api-Key": self.key})
        yield
        connection.close()

    def request(self, method, path, body=None, timeout=relay_module.WAIT_S, **headers):
        connection = self._connect(timeout)
        if self.key and not self.by_owner:
            headers.setdefault("X-Api-Key", self.key)
        try:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answer = relay_module.Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        self.relay.canaries.answer(method, path, answer)
        return answer

    def get(self, path, status=200):
        return self._json(self.request("GET", path), status)

    def post(self, path, status=200, body=None):
        return self._json(self.request("POST", path, body), status)

    def _json(self, answer, status):
        assert answer.status == status, (answer, self.relay.tail())
        assert answer.headers["Content-Type"] == "application/json"
        return json.loads(answer.body)

    def page(self, path):
        """A page's rows, and the path of the next one or None."""
        answer = self.request("GET", path)
        assert answer.status == 200, answer
        link = re.fullmatch(r'<(/admin/messages\?[^>]*)>; rel="next"',
                            answer.headers.get("Link", ""))
        return json.loads(answer.body), link and link[1]

    def pages(self, path):
        while path:
            rows, path = self.page(path)
            yield rows
