"""Starts the real relay and talks to it as Kratos, an operator and a log reader would.

Nothing here sleeps for luck: the relay says in its log what it has done, and tests wait for that.
"""
import collections
import contextlib
import http.client
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import canaries

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / os.environ.get("RELAY_BUILD", "build/sanitize")
RELEASE_BUILD = ROOT / os.environ.get("RELAY_RELEASE_BUILD", "build/release")
API_KEY = canaries.API_KEY
MAIL_FROM = "Acme <no-reply@acme.example>"
WAIT_S = 60  # for what comes at once, unless the machine is very busy
PIPE_BYTES = 1 << 16  # all that one holds
# What LeakSanitizer says of a thread that ends while it looks through the others; no leak.
ENDING_THREAD = re.compile(r"^==\d+==Unable to get registers from thread \d+\.\n", re.M)
SANITIZER = re.compile(r"((ERROR|WARNING): \w+Sanitizer|: runtime error: )")

Answer = collections.namedtuple("Answer", "status headers body")


def program(name="courier-relay", build=None):
    """Path of one of the three programs."""
    return (build or BUILD) / ("bin" if name == "courier-relay" else "libexec/courier-relay") / name


class Relay:
    """One daemon on a folder of its own. May be started again on it, after stop() or kill().

    Whatever it shows is searched for the secrets of canaries.py, at the latest when it has ended.

    settings are those of design §9, without RELAY_ and in lower case: smtp_uri=..., lifetime=...
    """

    def __init__(self, folder, build=None, **settings):
        self.folder = pathlib.Path(folder)
        self.queue_dir = self.folder / "queue"
        self.build = build or BUILD
        self.settings = {
            "listen": "127.0.0.1:0", "admin_listen": "off", "api_key": API_KEY,
            "mail_from": MAIL_FROM, "queue_dir": str(self.queue_dir), **settings}
        self.prefix = []  # a command that the daemon is started behind, such as a namespace's
        self.variables = {}  # of its environment, that are no settings
        self.pass_fds = []   # descriptors that it inherits
        self.process = None
        self.port = None
        self.lines = []   # every line of standard output, of all starts
        self.events = []  # those that are JSON objects, of all starts
        self.stderr_path = self.folder / "stderr"
        self._news = threading.Condition()
        self._begun = b""  # a line whose end has not come yet
        self.canaries = canaries.Watch(self)
        self._since = 0   # first event of the present start
        self._searched = True  # what the last start has left behind
        self._ended = True
        self._ignoring = False
        self._local = threading.local()

    # ---- start and stop ---------------------------------------------------------------------

    def environment(self):
        """What the daemon is started with: our settings, and what sanitizers need."""
        keep = {name: value for name, value in os.environ.items()
                if name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TZ")}
        return keep | self.variables | {
            f"RELAY_{name.upper()}": str(value)
            for name, value in self.settings.items() if value is not None}

    def hand_over(self, *sockets, names="mail"):
        """From the next start on, as systemd starts it: these are its descriptors from 3 on."""
        moves = " ".join(f"{3 + place}<&{one.fileno()}" for place, one in enumerate(sockets))
        self.pass_fds = [one.fileno() for one in sockets]
        self.prefix = ["/bin/bash", "-c", f'export LISTEN_PID=$$; exec "$@" {moves}', "bash"]
        self.variables["LISTEN_FDS"] = str(len(sockets))
        if names is not None:
            self.variables["LISTEN_FDNAMES"] = names
        return self

    def spawn(self, *arguments):
        """Starts the daemon without waiting for it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.stderr_path, "ab") as stderr:
            self.process = subprocess.Popen(
                [*self.prefix, str(program(build=self.build)), "serve", *arguments],
                cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=stderr, start_new_session=True,
                pass_fds=self.pass_fds, bufsize=0)
        os.set_blocking(self.process.stdout.fileno(), False)
        with self._news:
            self._begun = b""
            self._since = len(self.events)
            self._ended = self._searched = False
        threading.Thread(target=self._read, args=[self.process.stdout], daemon=True).start()
        return self

    def start(self, *arguments):
        """Starts the daemon and returns when it accepts mail."""
        self.spawn(*arguments)
        address = self.wait_for("listening", listener="mail")["address"]
        self.port = int(address.rsplit(":", 1)[1])
        self.wait_for("ready")
        return self

    def stop(self, timeout=WAIT_S):
        """SIGTERM. Returns the exit status."""
        if self.process is None or self.process.poll() is not None:
            return self._finish()
        self.canaries.processes()
        self.process.send_signal(signal.SIGTERM)
        return self._finish(timeout)

    def kill(self):
        """SIGKILL, to the core alone. Its children are the kernel's to end."""
        self.process.kill()
        return self._finish()

    def _finish(self, timeout=WAIT_S):
        if self.process is None:
            return None
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the relay did not end within {timeout} s\n{self.tail()}")
        with self._news:  # the reader has everything once the pipe is closed by the children too
            self._news.wait_for(lambda: self._ended, WAIT_S)
        self.check_sanitizers()
        if not self._searched:
            self._searched = True
            self.canaries.ended()
            self.canaries.raise_found()
        return status

    def check_sanitizers(self):
        """Children have an empty environment, so their reports come by standard error."""
        text = self.stderr()
        assert not SANITIZER.search(text), text[-8000:]

    def stderr(self):
        return self.stderr_path.read_text(errors="replace") if self.stderr_path.exists() else ""

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, value, trace):
        if kind is not None and self.process is not None and self.process.poll() is None:
            print(self.tail())
        self.stop()

    # ---- log --------------------------------------------------------------------------------

    def ignore_log(self):
        """From here on the log is read and dropped, so that reading it costs next to nothing."""
        self._ignoring = True

    def _read(self, stream):
        comes = select.poll()
        comes.register(stream, select.POLLIN)
        more = True
        while more:
            comes.poll()
            more = self._take(stream)
        with self._news:
            if self._begun:
                self._take_line(self._begun)
            stream.close()
            self._ended = True
            self._news.notify_all()

    def _take(self, stream):
        """All that is in the pipe, so that nothing is on its way between it and lines. False: it
        has ended."""
        with self._news:
            data = None if stream.closed else stream.read(PIPE_BYTES)
            if data and not self._ignoring:
                *lines, self._begun = (self._begun + data).split(b"\n")
                for line in lines:
                    self._take_line(line)
                self._news.notify_all()
            return data != b""

    def _take_line(self, raw):
        line = raw.decode(errors="replace")
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                self.events.append(event)
        self.lines.append(line)

    def found(self, event, **fields):
        """Events of the present start with that name and those fields, up to what the relay has
        written last, whether or not the reader's thread has had a turn since."""
        if self.process:
            self._take(self.process.stdout)
        return [entry for entry in self.events[self._since:] if entry.get("event") == event
                and all(entry.get(name) == value for name, value in fields.items())]

    def wait_for(self, event, count=1, timeout=WAIT_S, **fields):
        """Waits for the count-th such event of the present start and returns it."""
        self.wait_log(lambda: len(self.found(event, **fields)) >= count, timeout)
        found = self.found(event, **fields)
        assert len(found) >= count, f"no {event} {fields} (x{count})\n{self.tail()}"
        return found[count - 1]

    def wait_log(self, condition, timeout=WAIT_S):
        """Waits until the log makes condition() true, or has ended. True: it is."""
        with self._news:
            self._news.wait_for(lambda: condition() or self._ended, timeout)
            return condition()

    def tail(self):
        return "\n".join([*self.lines[-40:], "-- stderr:", self.stderr()[-4000:]])

    # ---- HTTP -------------------------------------------------------------------------------

    def request(self, method, path, body=None, headers=(), close=False):
        """One exchange on this thread's kept connection."""
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.port != self.port:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
            self._local.connection = connection
        try:
            connection.request(method, path, body=body, headers=dict(headers))
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            self._local.connection = None
            raise
        if close:
            connection.close()
        if answer.body:
            self.canaries.answer(method, path, answer)
        return answer

    def post(self, payload, key=API_KEY, path="/kratos/webhook", **headers):
        """POSTs a payload (bytes as they are, else as JSON), with the headers Kratos sends."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"Content-Type": "application/json", "User-Agent": "Go-http-client/1.1",
                "Accept-Encoding": "gzip", **headers}
        if key is not None:
            sent["X-Api-Key"] = key
        return self.request("POST", path, body, sent)

    def accept(self, payload):
        """POSTs a payload that must be accepted, and returns its id."""
        answer = self.post(payload)
        assert answer.status == 200, (answer, self.tail())
        assert answer.body == b"" and answer.headers["Content-Length"] == "0"
        return answer.headers["X-Message-Id"]

    # ---- command line and processes -----------------------------------------------------------

    def command(self, *arguments, status=0, **environment):
        """Runs a subcommand with the daemon's settings and returns the finished process."""
        done = subprocess.run(
            [str(program(build=self.build)), *arguments], cwd=self.folder, text=True,
            env=self.environment() | environment, stdin=subprocess.DEVNULL, timeout=WAIT_S * 2,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done.stderr = ENDING_THREAD.sub("", done.stderr)
        assert status is None or done.returncode == status, \
            (arguments, done.returncode, done.stdout, done.stderr)
        self.canaries.output(arguments, done)
        return done

    def queue_list(self, *arguments):
        """The queue as `queue list --json` has it: one dict a message."""
        text = self.command("queue", "list", "--json", *arguments).stdout
        return [json.loads(line) for line in text.splitlines()]

    def state(self, message_id):
        """The row of one message, waited for until it is no longer on its way."""
        until = time.monotonic() + WAIT_S
        while True:
            row = next((row for row in self.queue_list("--limit", "10000")
                        if row["id"] == message_id), None)
            if row and row["state"] not in ("received", "sending"):
                return row
            assert time.monotonic() < until, (row, self.tail())

    def children(self, name=None):
        """Process ids of the core's children by program name."""
        return [pid for pid, parent, command in processes()
                if parent == self.process.pid and (name is None or command == name)]


def processes():
    """(pid, parent's pid, name) of all that run."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                text = (entry / "stat").read_text()
                name = text[text.index("(") + 1:text.rindex(")")]
                found.append((int(entry.name), int(text[text.rindex(")") + 2:].split()[1]), name))
    return found


def alive(pid):
    """True where pid runs; a zombie does not."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text[text.rindex(")") + 2] != "Z"


def all_sleep(pid):
    """True where none of its threads has anything to do: what they had been woken for is done."""
    def sleeps(task):
        with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
            text = (task / "stat").read_text()
            return text[text.rindex(")") + 2] == "S"
        return True
    return all(map(sleeps, pathlib.Path(f"/proc/{pid}/task").iterdir()))


def wait_until(condition, what, timeout=WAIT_S):
    """For what no log tells, such as the end of a process: asks again until it is so."""
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, f"waited {timeout} s for {what}"
        time.sleep(0.01)


_held = []  # for as long as this process runs


def free_port():
    """One that nobody listens on, and that the kernel gives nobody who asks for any. Who sets
    SO_REUSEADDR, as servers do, can bind it all the same."""
    _held.append(socket.socket())
    _held[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held[-1].bind(("127.0.0.1", 0))
    return _held[-1].getsockname()[1]


def smtp_uri(sink, query="disable_starttls=true"):
    return f"smtp://127.0.0.1:{sink.port}/?{query}"


def quote(text):
    return urllib.parse.quote(text, safe="")
