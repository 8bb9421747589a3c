"""The secrets that tests use, each of a form that is met nowhere else, and the search for them in
whatever a relay shows.

A relay of relay.py is searched by itself: nothing has to be asked for. Not seen is what a test
reads past it (a raw socket, a program started by hand), and what ignore_log() dropped.
"""
import base64
import contextlib
import itertools
import os
import pathlib
import random

API_KEY = "canary-api-key-0123456789abcdef"
READ_KEY = "canary-admin-key-read-0123456789abcdef"
OPERATE_KEY = "canary-admin-key-operate-0123456789abcdef"
OLD_KEY = "canary-admin-key-old-0123456789abcdef"
PASSWORD = "canary-password-93bd71fe"

_CODE = "8364"  # what each begins with, before six digits of its own
_codes = set()
_numbers = itertools.count(random.randrange(10 ** 6))
_RECIPIENT = ".canary"  # in the local part of each


def code():
    """Ten digits, so that no time, port or size is taken for one."""
    made = f"{_CODE}{next(_numbers) % 10 ** 6:06}"
    _codes.add(made.encode())
    return made


def token():
    """Of a link. Also known when it is cut off, or in other letters."""
    return f"canarytoken{random.getrandbits(64):016x}"


def recipient(prefix):
    """Seen by operators; in logs and metrics a secret."""
    return f"{prefix}{_RECIPIENT}{next(_numbers):x}{random.getrandbits(32):08x}@example.com"


def _in_base64(text):
    """What all base64 of something with this in it has, at each of the three places it can have."""
    return [base64.b64encode(bytes(before) + text)[4 if before else 0:-4] for before in range(3)]


_FORMS = {
    "API key": [b"canary-api-key-"],
    "admin key": [b"canary-admin-key-"],
    "SMTP password": [b"canary-password-", *_in_base64(b"canary-password-")],
    "link's token": [b"canarytoken"],
    "body": [b"ratos' own text of "],
    "subject": [b"ratos' own subject of "],
}
_FORMS_IN_TEXT = {kind: [form.lower() for form in forms] for kind, forms in _FORMS.items()}


def _has_code(data):
    at = data.find(_CODE.encode())
    while at >= 0:
        if data[at:at + 10] in _codes:
            return True
        at = data.find(_CODE.encode(), at + 1)
    return False


def kinds_in(data, recipients_too=False):
    """The kinds of secrets that stand in a text, in small letters or large."""
    data = (data if isinstance(data, bytes) else data.encode(errors="replace")).lower()
    kinds = [kind for kind, forms in _FORMS_IN_TEXT.items() if any(form in data for form in forms)]
    if recipients_too and _RECIPIENT.encode() in data:
        kinds.append("recipient")
    return kinds + ["code"] * _has_code(data)


FILE_BYTES = 32 << 20  # of a larger file that much is searched, from its beginning


def kinds_in_file(path):
    with open(path, "rb", buffering=0) as file:
        try:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
        except OSError:
            return []  # empty, or blocks that nothing was written to, such as the reserve
        file.seek(0)
        data = file.read(FILE_BYTES)
    kinds = [kind for kind, forms in _FORMS.items() if any(form in data for form in forms)]
    return kinds + ["code"] * _has_code(data)


PROGRAMS = ("courier-relay", "composer", "deliverer")
SHOW_MAILS = ("render", "templates")  # subcommands that are there for it


class Watch:
    """Searches what one relay shows, from its start to its end.

    What it finds is kept until raise_found(), so that a relay is stopped all the same.
    """

    def __init__(self, relay):
        self._relay = relay
        self._found = []
        self._lines = self._stderr = 0  # so much has been searched

    def look(self, where, data, recipients_too=False):
        self._found += [(kind, where) for kind in kinds_in(data, recipients_too)]

    def raise_found(self):
        found, self._found = dict.fromkeys(self._found), []
        assert not found, "secrets show: " + "; ".join(f"{kind} in {where}" for kind, where in found)

    def output(self, arguments, done):
        """Of a finished command."""
        if not arguments or arguments[0] not in SHOW_MAILS:
            for stream in ("stdout", "stderr"):
                self.look(f"{stream} of {' '.join(arguments[:2])}", getattr(done, stream))
            self.raise_found()

    def answer(self, method, path, answer):
        where = path.partition("?")[0]
        self.look(f"the answer to {method} {where}", answer.body, where == "/metrics")
        self.raise_found()

    def processes(self):
        """While it runs. A start that is not through has not wiped its environment yet."""
        if not self._relay.found("ready"):
            return
        for pid in _descendants(self._relay.process.pid):
            with contextlib.suppress(OSError):  # it has ended, or only root may look
                name = _proc(pid, "comm").decode().strip()
                if name in PROGRAMS:  # and not what one was started behind
                    for part in ("cmdline", "environ"):
                        self.look(f"{part} of {name}", _proc(pid, part), recipients_too=True)

    def ended(self):
        """What it leaves behind: its log, its standard error, its folder."""
        lines = self._relay.lines[self._lines:]
        self._lines += len(lines)
        self.look("its log", "\n".join(lines), recipients_too=True)
        text = self._relay.stderr()
        self.look("its standard error", text[self._stderr:], recipients_too=True)
        self._stderr = len(text)
        self.files()

    def files(self):
        """All but the key that bodies are sealed with, and what this process has open itself: as
        a look ends, SQLite's locks would go with it (fcntl(2))."""
        skipped = {"queue.key", *_own_files()}
        folder = pathlib.Path(self._relay.settings.get("queue_dir") or self._relay.queue_dir)
        with contextlib.suppress(OSError):  # none was made, or its disk is gone
            for path in folder.iterdir():
                if path.is_file() and not {path.name, str(path.resolve())} & skipped:
                    self._found += [(kind, f"the file {path.name}") for kind in kinds_in_file(path)]


def _proc(pid, name):
    return pathlib.Path(f"/proc/{pid}/{name}").read_bytes()


def _own_files():
    for entry in pathlib.Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # of this very look
            yield os.readlink(entry)


def _descendants(pid):
    """pid, and all that it and its children have started."""
    found = [pid]
    for one in found:  # grows meanwhile
        with contextlib.suppress(OSError):
            for task in pathlib.Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found
