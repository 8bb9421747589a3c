"""The one checker of every fault suite: what the client was told, against what the smarthost got,
against what the queue says.

  O1  what was acknowledged was sent, or stands in the queue in a state that is true
  O2  no final dot after the deadline
  O3  no copy but after an outcome that could not be known; never more than max_copies; one
      Message-ID a message, and one message a Message-ID
  O4  each recipient gets his own code, and nobody else's
  O5  no secret in anything that was printed
  O6  no file in the queue's folder but those that belong there
  O8  `queue check` finds nothing

A message is told by its payload's bytes. Its secrets are long and its recipient is its own (see
secret_payload()), so that nothing is found by chance.
"""
import calendar
import collections
import contextlib
import dataclasses
import email
import email.header
import email.policy
import json
import pathlib
import random
import re
import sqlite3
import stat
import string
import threading
import time

import payloads

TOKEN = re.compile(r"[A-Za-z0-9-]+")
SETTLE_S = 10
SECRET_BYTES_MIN = 8  # shorter ones may stand in a line by chance, and are not looked for there
ON_THEIR_WAY = {"received", "sending"}
TELLING_S = 0.05  # events have whole milliseconds, and the kernel counts in ticks
FILES = {"queue.db", "queue.db-wal", "queue.db-shm", "queue.lock", "queue.key", "dots",
         "control.sock", "reserve"}


def boot_s():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def seconds(text):
    """Since the epoch, of a time as RFC 3339 has it in UTC."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(f"0.{rest or 0}")


def told_sent(events):
    """When the log first said of each message that it was sent, which it says once that is on disk."""
    found = {}
    for event in events:
        if event.get("event") == "sent" and "id" in event:
            found.setdefault(event["id"], seconds(event["time"]))
    return found


def secret_payload(recipient=None, **options):
    """A login code that cannot be met by chance: 14 letters and digits, of which some are digits."""
    code = "S7" + "".join(random.choices(string.ascii_uppercase + string.digits, k=12))
    return payloads.login_code(recipient, code, **options)


def secrets_of(payload):
    """The codes and tokens of a payload."""
    data = payload.get("template_data", {})
    found = {value for name, value in data.items() if name.endswith("_code")}
    for name, value in data.items():
        if name.endswith("_url"):
            found.update(re.findall(r"[?&]token=([^&]+)", value))
    return {str(secret) for secret in found}


@dataclasses.dataclass
class Posted:
    """One payload, however often it was posted."""
    payload: dict
    recipient: str
    secrets: set
    life_s: float          # None: no deadline is checked
    first_s: float         # CLOCK_BOOTTIME at which it was first sent
    acknowledged_s: float = None  # ... and first answered 200
    message_ids: set = dataclasses.field(default_factory=set)  # as acknowledged


class ClientLedger:
    """What Kratos saw. Any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self._posted = {}

    def posted(self, payload):
        """payload (a dict) is about to be sent, for the first time or again."""
        minutes = payload.get("template_data", {}).get("expires_in_minutes")
        entry = Posted(payload, payload["recipient"], secrets_of(payload),
                       minutes * 60 if minutes else None, boot_s())
        with self._lock:
            self._posted.setdefault(payloads.as_bytes(payload), entry)

    def acknowledged(self, payload, message_id):
        """It was answered 200 with that X-Message-Id."""
        now_s = boot_s()
        with self._lock:
            entry = self._posted[payloads.as_bytes(payload)]
            entry.message_ids.add(message_id)
            entry.acknowledged_s = entry.acknowledged_s or now_s

    def post(self, relay, payload):
        """POSTs it and keeps the books. The answer, or None where there was none."""
        self.posted(payload)
        try:
            answer = relay.post(payload)
        except OSError:
            return None
        except Exception as error:  # http.client's own are no OSErrors
            if type(error).__module__ != "http.client":
                raise
            return None
        if answer.status == 200:
            self.acknowledged(payload, answer.headers["X-Message-Id"])
        return answer

    def entries(self):
        with self._lock:
            return list(self._posted.values())

    def secrets(self):
        return set().union(*(entry.secrets for entry in self.entries()))


# ---- what the smarthost got -----------------------------------------------------------------------

def words_of(data):
    """Every word of a mail: its subject and its decoded texts."""
    mail = email.message_from_bytes(data, policy=email.policy.compat32)
    texts = [str(email.header.make_header(email.header.decode_header(mail["Subject"] or "")))]
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            texts.append(part.get_payload(decode=True).decode("utf-8", "replace"))
    return set(TOKEN.findall("\n".join(texts)))


def header_of(data, name):
    return email.message_from_bytes(data, policy=email.policy.compat32)[name]


def was_taken(mail):
    """True where the smarthost said 250, or broke off so that nobody knows."""
    return mail.reply is None or not isinstance(mail.reply, str)


def id_of(mail):
    """The relay's id of a message, from its Message-ID: <id@domain>."""
    return (header_of(mail.data, "Message-ID") or "").strip("<>").partition("@")[0]


def _owner(mail, candidates):
    """Of payloads with the same content (but for HTML): the one that went, as far as is known."""
    message_id = id_of(mail)
    return next((entry for entry in candidates if message_id in entry.message_ids), None) or \
        next((entry for entry in candidates if not entry.message_ids), candidates[0])


class _Check:
    def __init__(self, client, sink, rows, **options):
        self.entries = client.entries()
        self.mails = list(sink.mails)
        self.rows = {row["id"]: row for row in rows}
        self.violations = []
        self.now_s = boot_s()
        self.by_recipient = {}
        for entry in self.entries:
            self.by_recipient.setdefault(entry.recipient, []).append(entry)
        self.copies = {}  # id(entry) -> mails that it was sent in
        for name, value in options.items():
            setattr(self, name, value)

    def complain(self, oracle, entry, text):
        who = f"{entry.recipient} {sorted(entry.message_ids)}" if entry else "-"
        self.violations.append(f"{oracle} {who}: {text}")

    # O4, and by the way: which payload each mail was made of
    def assign_mails(self):
        by_secret = {}
        for entry in self.entries:
            for secret in entry.secrets:
                by_secret.setdefault(secret, []).append(entry)
        for mail in self.mails:
            found = words_of(mail.data) & by_secret.keys()
            candidates = [entry for secret in found for entry in by_secret[secret]] or [
                entry for entry in self.by_recipient.get(mail.recipient, []) if not entry.secrets]
            if len({frozenset(entry.secrets) for entry in candidates}) > 1:
                self.complain("O4", None, f"codes of several payloads in one mail to "
                                          f"{mail.recipient}")
            elif not candidates:
                self.complain("O4", None, f"a mail to {mail.recipient} with no code of theirs")
            elif candidates[0].recipient != mail.recipient:
                self.complain("O4", candidates[0], f"this code went to {mail.recipient}")
            elif header_of(mail.data, "To") is None or mail.recipient not in \
                    header_of(mail.data, "To"):
                self.complain("O4", candidates[0], "To: names somebody else")
            else:
                self.copies.setdefault(id(_owner(mail, candidates)), []).append(mail)

    # O2
    def check_deadlines(self, entry, mails):
        if entry.life_s is None or entry.acknowledged_s is None:
            return
        deadline_s = entry.acknowledged_s + entry.life_s - self.margin_s
        for mail in mails:
            if mail.boot_s > deadline_s + self.slack_s:
                self.complain("O2", entry, f"dot {mail.boot_s - deadline_s:.3f} s after the "
                                           "deadline")

    # O3
    def is_excused(self, mail):
        """May its outcome have been unknown to the relay?"""
        if self.unknown_outcomes_possible or not (mail.reply is None or
                                                  isinstance(mail.reply, str)):
            return True
        # The mark has the verdict before anything more is said on that connection.
        if mail.heard and self.marks_survive:
            return False
        # A sink that was slower than the relay's patience has answered nobody.
        return (mail.left and not mail.heard) or any(
            mail.boot_s - self.settle_s <= death <= mail.boot_s + self.settle_s
            for death in self.deaths)

    def check_copies(self, entry, mails):
        taken = [mail for mail in mails if was_taken(mail)]
        if len(taken) > self.max_copies:
            self.complain("O3", entry, f"{len(taken)} copies")
        needless = [mail for mail in taken[:-1] if not self.is_excused(mail)]
        if needless:
            self.complain("O3", entry, f"sent again {len(needless)} x though its outcome was known")
        if any(mail.wall_s > self.told[id_of(mail)] + TELLING_S for mail in taken
               if id_of(mail) in self.told):
            self.complain("O3", entry, "sent again though it was told as sent")
        if len({header_of(mail.data, "Message-ID") for mail in mails}) > 1:
            self.complain("O3", entry, "copies with different Message-IDs")
        if len(entry.message_ids) > 1:
            self.complain("O3", entry, "one payload was acknowledged as several messages")
        for mail in mails:
            if entry.message_ids and id_of(mail) not in entry.message_ids:
                self.complain("O3", entry, f"its mail is that of {id_of(mail)}")

    def check_message_ids(self):
        owners = {}
        for entry in self.entries:
            for mail in self.copies.get(id(entry), []):
                owners.setdefault(id_of(mail), set()).add(id(entry))
        for message_id, entries in owners.items():
            if len(entries) > 1:
                self.complain("O3", None, f"{len(entries)} messages have the id {message_id}")

    # O1
    def check_end(self, entry, mails, row):
        state, reason = row["state"], row["reason"]
        wrong = None
        if state == "sent":
            wrong = None if any(was_taken(mail) for mail in mails) else "and never arrived"
        elif state in ON_THEIR_WAY:
            wrong = "and nobody is at work on it" if self.drained else None
        elif state in self.ends:
            pass
        elif state == "expired":
            alive_s = entry.first_s + (entry.life_s or 3600) - self.margin_s - self.now_s
            wrong = f"{alive_s:.1f} s before its deadline" if alive_s > self.slack_s else None
        elif state == "superseded":
            rivals = [other for other in self.by_recipient[entry.recipient]
                      if other is not entry and
                      (reason == "duplicate" or other.first_s >= entry.first_s)]
            wrong = None if rivals else "by nothing"
        elif state == "unknown":
            events = len(self.deaths) + sum(
                mail.left or not isinstance(mail.reply, (str, type(None))) for mail in mails)
            if events < self.max_copies and not self.unknown_outcomes_possible:
                wrong = f"after {events} events that could cause it"
        elif state == "failed":
            if not any(str(mail.reply).startswith("5") for mail in mails):
                wrong = "and the smarthost has not refused it"
        else:
            wrong = "which nothing explains"
        if wrong:
            self.complain("O1", entry, f"is {state} ({reason}), {wrong}")

    def check_entry(self, entry):
        mails = self.copies.get(id(entry), [])
        self.check_deadlines(entry, mails)
        self.check_copies(entry, mails)
        ids = entry.message_ids or {id_of(mail) for mail in mails}
        found = [self.rows[message_id] for message_id in ids if message_id in self.rows]
        if entry.acknowledged_s and not found:
            self.complain("O1", entry, "was acknowledged, and the queue has no row of it; "
                                       f"{len(mails)} copies arrived")
        elif mails and not found:
            self.complain("O1", entry, "was sent, and the queue has no row of it")
        for row in found:
            self.check_end(entry, mails, row)
            if row["recipient"] not in (None, entry.recipient):
                self.complain("O4", entry, f"its row is for {row['recipient']}")

    def check_rows(self):
        recipients = {entry.recipient for entry in self.entries}
        for row in self.rows.values():
            if row["recipient"] is not None and row["recipient"] not in recipients:
                self.complain("O4", None, f"a row for {row['recipient']}, whom nobody posted to")
            if self.drained and row["state"] in ON_THEIR_WAY:
                self.complain("O1", None, f"{row['id']} is {row['state']} for ever")


def check(client, sink, rows, *, margin_s=15, max_copies=3, deaths=(), settle_s=SETTLE_S, told=None,
          marks_survive=False, unknown_outcomes_possible=False, ends=(), drained=True, slack_s=1.0):
    """What is wrong, a line each; nothing: all promises were kept.

    client     a ClientLedger
    sink       a Sink: mails in the order of their dots, each with the reply it was given
    rows       the queue, as Relay.queue_list() gives it; all of it
    margin_s   the relay's deadline_margin
    deaths     CLOCK_BOOTTIME of each kill or cut: an outcome is unknown if something died within
               settle_s of the dot (the outcome may ride 20 ms until it is committed, but the disk and
               the whole machine may be slow)
    told       told_sent() of the log of all lives: no death excuses a copy of what was told before
    marks_survive   these were processes, and not the machine or its disk: no death excuses a copy
               of what the relay is known to have heard the answer to
    unknown_outcomes_possible   any outcome may be: calls that read replies were made to fail
    ends       states that are right without a reason known here: "queued", "parked", "failed" ...
    drained    the relay had the time to finish, so nothing may be on its way
    slack_s    how late the sink's clock may see what the relay did in time
    """
    checked = _Check(client, sink, rows, margin_s=margin_s, max_copies=max_copies,
                     deaths=list(deaths), settle_s=settle_s, marks_survive=marks_survive,
                     ends=set(ends), drained=drained, told=told or {},
                     unknown_outcomes_possible=unknown_outcomes_possible, slack_s=slack_s)
    checked.assign_mails()
    for entry in checked.entries:
        checked.check_entry(entry)
    checked.check_message_ids()
    checked.check_rows()
    return checked.violations


# ---- what else must hold ----------------------------------------------------------------------------

def check_counts(sink, queue_dir):
    """O3, exactly: no copy that the queue has not counted an unknown outcome for."""
    path = f"file:{queue_dir}/queue.db?mode=ro"
    with contextlib.closing(sqlite3.connect(path, uri=True)) as database:
        counted = dict(database.execute("SELECT id, unknown_outcomes FROM message"))
    copies = collections.Counter(id_of(mail) for mail in sink.mails if was_taken(mail))
    return [f"O3 {message_id} was sent {count} x, and {counted[message_id]} unknown outcomes were "
            "counted" for message_id, count in copies.items()
            if message_id in counted and count > 1 + counted[message_id]]


def check_queue(relay):
    """O8: `queue check` finds nothing. The daemon may run."""
    checked = relay.command("queue", "check", status=None)
    return [] if checked.returncode == 0 else [
        f"O8 queue check: {checked.stdout[-2000:]} {checked.stderr[-2000:]}"]


def check_output(client, texts):
    """O5: texts (lines of logs, standard error, lists) name no code, token or whole body."""
    secrets = {secret for secret in client.secrets() if len(secret) >= SECRET_BYTES_MIN}
    bodies = {entry.payload["body"].strip() for entry in client.entries()
              if entry.payload.get("body", "").strip()}
    violations = []
    for text in texts:
        if secrets & set(TOKEN.findall(text)) or any(
                body in text or json.dumps(body)[1:-1] in text for body in bodies):
            violations.append(f"O5 a secret was printed: {text[:200]}")
    return violations


def check_folder(queue_dir, stopped=True):
    """O6: the folder holds what it should, readable by nobody else; after a clean stop no WAL."""
    violations = []
    for path in pathlib.Path(queue_dir).iterdir():
        status = path.lstat()
        if path.name not in FILES:
            violations.append(f"O6 a file that does not belong there: {path.name}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            violations.append(f"O6 others can use {path.name}: {stat.filemode(status.st_mode)}")
        if stopped and path.name == "queue.db-wal" and status.st_size > 0:
            violations.append(f"O6 {path.name} was left behind with {status.st_size} bytes")
    return violations
