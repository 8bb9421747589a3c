"""The deliverer by itself, with the test as its core: its socket, its dot marks.

Its limits are far beyond what any machine needs, so that a busy one does not change what is told.
Where a limit is what a test is about, it says its own.
"""
import contextlib
import os
import pathlib
import socket
import struct
import subprocess
import time
import uuid

import frames
import relay

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("RELAY_BUILD", "build/sanitize")
DELIVERER = BUILD / "libexec/courier-relay/deliverer"

BODY = (b"From: a@acme.example\r\nTo: z@example.com\r\nMessage-ID: <%s@acme.example>\r\n"
        b"Date: Fri, 21 Nov 2025 01:22:03 +0000\r\nSubject: hello\r\n\r\n"
        b"first\r\n.\r\n..two\r\nlast line\r\n")

# Its first argument is a folder to have in place of the system's certificates, the others are the
# program to become.
IN_NAMESPACE = ["/usr/bin/unshare", "--mount", "--propagation", "slave", "/bin/sh", "-c",
                '/usr/bin/mount --bind "$0" /etc/ssl/certs && exec "$@"']


# The same for a file of names.
WITH_HOSTS = [*IN_NAMESPACE[:-1], '/usr/bin/mount --bind "$0" /etc/hosts && exec "$@"']

SYN_SENT = "02"  # in /proc/net/tcp


class Dots:
    """The marks' file of relay/base/dots.c."""

    FREE, ASSIGNED, BEGUN, VERDICT = range(4)
    HEAD, MARK, COUNT = 8 + 40, 4 + 4 + 40, 512

    def __init__(self, path):
        self.path = path
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip().encode()
        path.write_bytes(b"dots-01\0" + boot.ljust(40, b"\0") + bytes(self.MARK * self.COUNT))

    def __getitem__(self, index):
        data = self.path.read_bytes()
        return struct.unpack_from("<Ii", data, self.HEAD + index * self.MARK)


class Deliverer:
    """Starts the binary as process_spawn() does."""

    def __init__(self, folder, port, *, driver="esmtp", authorities=None, hosts=None, **init):
        """authorities: a folder in place of the system's certificates, hosts: a file in place of
        /etc/hosts, each in a mount namespace of its own."""
        self.dots = Dots(folder / f"dots-{uuid.uuid4()}")
        self.answers = {}
        self.next_mark = 0
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(180)  # beyond any limit below
        dots = os.open(self.dots.path, os.O_RDWR)

        def place():
            os.dup2(os.dup(theirs.fileno()), 3)
            os.dup2(os.dup(dots), 4)

        # Lifted out of the way of 3 and 4 before they are put there.
        lifted = [os.dup(fd) for fd in [0] * 8]
        command = [DELIVERER, str(os.getpid())]
        if authorities:
            command = [*IN_NAMESPACE, authorities, *command]
        if hosts:
            command = [*WITH_HOSTS, hosts, *command]
        self.process = subprocess.Popen(command, env=environment(),
                                        preexec_fn=place, close_fds=False,
                                        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for fd in [dots, *lifted]:
            os.close(fd)
        theirs.close()
        self.send(dict({
            "op": "init", "smarthost": f"127.0.0.1:{port}", "driver": driver,
            "host": "127.0.0.1", "port": port, "tls": "none", "verify": True,
            "server_name": None, "user": None, "password": None, "dir": None,
            "helo": "relay.example.com", "connections": 16, "idle_ms": 30000,
            "connect_timeout_ms": 30000, "timeout_ms": 90000}, **init))
        self.first, _ = frames.read_frame(self.socket)

    def send(self, header, *blobs):
        self.socket.sendall(frames.encode(header, blobs))

    def deliver(self, body=None, mask=None, **fields):
        """Hands a message over and returns its id. mask: its secrets, one a line."""
        name = str(uuid.uuid4())
        header = dict({
            "op": "deliver", "id": name, "mark": self.next_mark, "smtputf8": False,
            "sender": "no-reply@acme.example", "recipient": "zoe@example.com",
            "deadline_boot_ms": boot_ms() + 3600000}, **fields)
        self.next_mark += 1
        blobs = [BODY % name.encode() if body is None else body]
        self.send(header, *(blobs if mask is None else [*blobs, mask]))
        return name

    def result(self, name):
        while name not in self.answers:
            header, _ = frames.read_frame(self.socket)
            assert header["op"] == "result"
            self.answers[header["id"]] = header
        return self.answers[name]

    def send_one(self, **fields):
        return self.result(self.deliver(**fields))

    def cut(self, name=None):
        self.send({"op": "cut", "id": name})

    def wait_until_it_waits(self):
        """Until it has read whatever its smarthost has said, and all its threads sleep: from a
        command that has come there does not follow that what was said before has been read here."""
        relay.wait_until(lambda: not self._unread() and relay.all_sleep(self.process.pid) and
                         not self._unread(), "the deliverer to wait")

    def wait_until_it_connects(self):
        relay.wait_until(lambda: SYN_SENT in [row[3] for row in self._connections()],
                         "the deliverer to connect")

    def _unread(self):
        """Bytes that the kernel keeps for its connections."""
        return sum(int(row[4].partition(":")[2], 16) for row in self._connections())

    def _connections(self):
        """Its rows of /proc/net/tcp."""
        folder = pathlib.Path(f"/proc/{self.process.pid}/fd")
        own = set()
        for fd in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                own.add(os.readlink(fd))
        lines = pathlib.Path(f"/proc/{self.process.pid}/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in lines]
        return [row for row in rows if f"socket:[{row[9]}]" in own]

    def close(self):
        self.socket.close()
        try:
            status = self.process.wait(60)
        finally:
            self.process.kill()
        text = self.process.stderr.read().decode()
        assert status == 0, f"ended with {status}: {text}"
        return text


def environment():
    """Empty as the core leaves it, but for what sanitizers are told."""
    return {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}


def boot_ms():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000)


def expect(result, outcome, stage, code=None, alarm=None):
    got = {key: result[key] for key in ("outcome", "stage", "reply_code", "alarm")}
    assert got == {"outcome": outcome, "stage": stage, "reply_code": code, "alarm": alarm}, result
