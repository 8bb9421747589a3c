"""What every real server has: a folder that its own user may enter, a port, a process, mails."""
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import relay as harness

# Accounts that every Debian has and hardly any uses: theirs are the server's processes and files.
USER, GROUP = "uucp", "news"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return bound.getsockname()[1]


class Stored:
    """A mail in the server's maildir: the bytes that the relay has sent, and what stands before."""

    def __init__(self, raw, first_header):
        raw = raw.replace(b"\n", b"\r\n")  # a maildir has LF
        self.trace, mark, rest = raw.partition(first_header)
        assert mark, raw[:2000]
        self.data = mark + rest
        self.trace = self.trace.decode()

    def header(self, name):
        """A header of the server's own, unfolded."""
        unfolded = self.trace.replace("\r\n\t", " ").replace("\r\n ", " ")
        return next((line.split(": ", 1)[1] for line in unfolded.split("\r\n")
                     if line.startswith(f"{name}: ")), None)


class MailServer:
    """start() and stop() as often as one likes, on the same port. Subclasses write their
    configuration in configure() and say in command() how they are run."""

    STARTED = "daemon started"  # what the log says then

    def __init__(self, packages, certificates=None):
        self.packages, self.certificates = packages, certificates
        # Not pytest's folder: that is root's alone.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="courier-relay-server-"))
        self.folder.chmod(0o755)
        self.log_path = self.folder / "log/main"
        self.own_folder("log", 0o755)
        self.port = free_port()
        self.process = None

    def own_folder(self, name, mode=0o700, group=None):
        """A folder of the server's user."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        shutil.chown(path, USER, group or USER)
        path.chmod(mode)
        return path

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(self):
        self.configure()
        before = self.log().count(self.STARTED)
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.command(), env=self.packages.environment(), cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        harness.wait_until(lambda: self._has_started(before), "the server's start")
        return self

    def _has_started(self, before):
        assert self.process.poll() is None, self.tail()
        return self.log().count(self.STARTED) > before

    def stop(self):
        """Ends all its processes, as its own stop command does."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(harness.WAIT_S)
            harness.wait_until(self._is_gone, "the server's end")

    def _is_gone(self):
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def reload(self):
        """The configuration, written anew, is read; what is under way goes on."""
        self.configure()
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self):
        return self.log()[-6000:] + (self.folder / "output").read_text(errors="replace")[-2000:]

    def wait_log(self, text, count=1):
        harness.wait_until(lambda: self.log().count(text) >= count, f"{text} in the server's log")

    def mails(self, count, first_header=b"From: "):
        """Waits until count mails are stored, and returns all that are then."""
        new = self.folder / "mail/all/new"
        harness.wait_until(lambda: new.exists() and len(list(new.iterdir())) >= count,
                           f"{count} mails\n{self.tail()}")
        return [Stored(path.read_bytes(), first_header) for path in sorted(new.iterdir())]

    def stored(self):
        """How many mails are stored."""
        new = self.folder / "mail/all/new"
        return len(list(new.iterdir())) if new.exists() else 0
