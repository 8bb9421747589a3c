"""A scriptable SMTP server, for what a smarthost should not do.

    with SmtpServer() as server:
        server.on("rcpt", reply("450 4.2.0 later"), times=1)
        server.on("dot", drop())
        ...
        server.port, server.connections, server.commands, server.messages

Stages: connect (before a word of TLS or SMTP), greeting, ehlo, helo, starttls, tls (in place of the
handshake), auth, mail, rcpt, data, body (354 was sent, nothing is read yet), dot (the end of the
message was read), rset, quit. A behaviour is what a stage does instead of its ordinary reply:
reply(), drop(), reset(), hang(), garbage(), drip(), then_drop(), half(), extra(), long_reply() ...

One thread a connection. Everything is recorded before it is answered.
"""
import base64
import contextlib
import dataclasses
import re
import socket
import struct
import threading
import time

from certificates import make_certificate  # noqa: F401, for those that have the server

TCP_ESTABLISHED = 1  # netinet/tcp.h
TOKEN_FAULT = b'{"status":"401","schemes":"bearer"}'
STAGES = {"connect", "greeting", "ehlo", "helo", "starttls", "tls", "auth", "mail", "rcpt", "data",
          "body", "dot", "rset", "quit"}


# ---- behaviours: functions of the connection and the ordinary reply ------------------------------

class Hangup(Exception):
    """Ends a connection."""


def as_sent(text):
    """The bytes of a reply of one or more lines."""
    *lines, last = text.split("\n")
    return "".join([*(f"{line[:3]}-{line[4:]}\r\n" for line in lines), f"{last}\r\n"]).encode()


def reply(text):
    """Another reply. Of several lines all become one reply: "550 first\\nsecond" will not do,
    "550 first\\n550 second" will."""
    return lambda connection, ordinary: connection.say(text)


def drop():
    """Closes without a word."""
    def behave(connection, ordinary):
        raise Hangup
    return behave


def reset():
    """Closes with a TCP reset."""
    def behave(connection, ordinary):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Hangup
    return behave


def then_drop(text=None):
    """The ordinary reply (or text), and the connection is closed behind it."""
    def behave(connection, ordinary):
        connection.say(text or ordinary)
        raise Hangup
    return behave


def hang():
    """Says nothing until the peer or the server goes."""
    def behave(connection, ordinary):
        connection.wait_for_end()
        raise Hangup
    return behave


def garbage(data=b"\x00\xff not SMTP at all\r\n"):
    return lambda connection, ordinary: connection.send(data)


def drip(pause=0.02, text=None):
    """The ordinary reply (or text), a byte at a time."""
    def behave(connection, ordinary):
        connection.said = text or ordinary
        for byte in as_sent(connection.said):
            connection.send(bytes([byte]))
            time.sleep(pause)
    return behave


def half(size=2):
    """The first bytes of the ordinary reply, and then nobody is there."""
    def behave(connection, ordinary):
        connection.send(ordinary.encode()[:size])
        raise Hangup
    return behave


def extra(*texts):
    """The ordinary reply and, in the same segment, others that nothing has asked for."""
    return lambda connection, ordinary: connection.say(ordinary, *texts)


def long_reply(lines, width):
    """So many lines of so many bytes, that make one reply."""
    def behave(connection, ordinary):
        code = ordinary[:3] or "250"
        connection.say("\n".join([f"{code} ".ljust(width, "x")] * lines))
    return behave


def stall():
    """Neither reads nor says anything, until the server is to behave well again."""
    def behave(connection, ordinary):
        connection.server.wait_until(lambda: connection.server.behaves_well)
        raise Hangup
    return behave


def after(pause, behaviour=None):
    """The same, later."""
    def behave(connection, ordinary):
        time.sleep(pause)
        (behaviour or reply(ordinary))(connection, ordinary)
    return behave


# ---- the server --------------------------------------------------------------------------------

@dataclasses.dataclass
class Message:
    """What reached its final dot, whatever was answered."""
    connection: int
    sender: str
    recipients: list
    parameters: str  # of MAIL
    data: bytes      # dot-stuffing undone
    dot_boot_s: float
    left: bool = False  # its client had gone when the answer came

    @property
    def message_id(self):
        found = re.search(rb"^Message-ID:\s*(\S+)", self.data, re.I | re.M)
        return found and found[1].decode()


class SmtpServer:
    """offers: lines of EHLO's answer, without STARTTLS and AUTH. tls: an SSLContext offers
    STARTTLS, with implicit=True it is spoken at once. auth: mechanisms, offered once TLS is on
    (or at once without tls). door: "open", "shut" (connections are refused) or "jammed" (nobody
    answers at all)."""

    def __init__(self, offers=("PIPELINING", "SIZE 10000000", "ENHANCEDSTATUSCODES", "8BITMIME"),
                 tls=None, implicit=False, host="127.0.0.1", auth=(), user="relay", password="secret",
                 token="bearer-token", door="open"):
        self.offers = list(offers)
        self.tls, self.implicit, self.auth = tls, implicit, auth
        self.user, self.password, self.token = user, password, token
        self.connections = 0
        self.open_connections = 0
        self.commands = []  # (number of the connection, line)
        self.messages = []
        self.stray = []     # bytes that came after the end of a dialogue, or in no command
        self._behaviours = {}
        self.behaves_well = False  # it was told to
        self._news = threading.Condition()
        self._live = set()
        self._callers = []
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._socket.bind((host, 0))
        self.port = self._socket.getsockname()[1]
        if door == "open":
            self.open_door()
        elif door == "jammed":
            self._jam()

    def open_door(self):
        """Listens, where it did not."""
        self._socket.listen(256)
        threading.Thread(target=self._accept, daemon=True).start()

    def _jam(self):
        """Once the backlog of one is taken, no further SYN is answered."""
        self._socket.listen(0)
        for _ in range(3):
            self._callers.append(socket.socket())
            self._callers[-1].setblocking(False)
            self._callers[-1].connect_ex(self._socket.getsockname())

    def on(self, stage, behaviour, times=None):
        """From now on, or only the next so many times."""
        assert stage in STAGES, stage
        with self._news:
            self._behaviours.setdefault(stage, []).append([behaviour, times])
        return self

    def behave_well(self):
        """From now on each stage has its ordinary reply."""
        def forget():
            self._behaviours.clear()
            self.behaves_well = True
        self.note(forget)

    def behaviour(self, stage, connection):
        with self._news:
            for entry in self._behaviours.get(stage, ()):
                if entry[1] is None:
                    return entry[0]
                if entry[1] > 0:
                    entry[1] -= 1
                    return entry[0]
        return None

    def verbs(self):
        return [line.split(":")[0].split(" ")[0].upper() for _, line in self.commands]

    def note(self, change):
        with self._news:
            change()
            self._news.notify_all()

    def wait_until(self, condition, timeout=60):
        with self._news:
            assert self._news.wait_for(condition, timeout), "waited in vain"

    def wait_for(self, count, timeout=60):
        self.wait_until(lambda: len(self.messages) >= count, timeout)
        return self.messages

    def _accept(self):
        while True:
            try:
                connected, _ = self._socket.accept()
            except OSError:
                return
            with self._news:
                self.connections += 1
                self.open_connections += 1
                connection = _Connection(self, connected, self.connections)
                self._live.add(connection)
                self._news.notify_all()
            threading.Thread(target=connection.run, daemon=True).start()

    def forget(self, connection):
        with self._news:
            self.open_connections -= 1
            self._live.discard(connection)
            self._news.notify_all()

    def drop_connections(self):
        """Closes those that are open, as an idle timeout would."""
        with self._news:
            live = list(self._live)
        for connection in live:
            connection.shut()
        self.wait_until(lambda: self.open_connections == 0)

    def close(self):
        self.behave_well()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for one in (self._socket, *self._callers):
            one.close()
        self.drop_connections()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class _Connection:
    def __init__(self, server, connected, number):
        self.server, self.socket, self.number = server, connected, number
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._bytes = b""
        self._chunks = b""
        self.encrypted = False
        self.said = ""  # the last reply
        self.sender, self.recipients, self.parameters = None, [], ""

    # What behaviours use.

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Hangup from error

    def say(self, text, *others):
        """Replies, in one segment. The first is the one that counts as said."""
        self.said = text
        self.send(b"".join(map(as_sent, (text, *others))))

    def read_until(self, text):
        """Reads ahead."""
        while text not in self._bytes:
            self._bytes += self._receive()

    def wait_for_end(self):
        """Reads on, so that what comes after is recorded."""
        while True:
            data = self._receive()
            self.server.note(lambda: self.server.stray.append(data))

    def shut(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    # The dialogue.

    def run(self):
        try:
            self._step("connect", "")
            if self.server.implicit:
                self._encrypt()
            self._step("greeting", "220 scripted.test ESMTP")
            while True:
                self._command(self._line())
        except (Hangup, OSError):
            pass
        finally:
            if self._bytes:
                self.server.note(lambda: self.server.stray.append(self._bytes))
            with contextlib.suppress(OSError):
                self.socket.close()
            self.server.forget(self)

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            raise Hangup from error
        if not data:
            raise Hangup
        return data

    def _line(self):
        while b"\n" not in self._bytes:
            self._bytes += self._receive()
        line, _, self._bytes = self._bytes.partition(b"\n")
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")

    def _step(self, stage, ordinary):
        """Plays a stage; True where it was answered with such a code as ordinarily."""
        self.said = ""
        behaviour = self.server.behaviour(stage, self)
        if behaviour:
            behaviour(self, ordinary)
        elif ordinary:
            self.say(ordinary)
        return self.said[:1] == ordinary[:1]

    def _command(self, line):
        self.server.note(lambda: self.server.commands.append((self.number, line)))
        verb = line.split(" ")[0].split(":")[0].upper()
        handler = getattr(self, f"_on_{verb.lower()}", None)
        if handler:
            handler(line)
        else:
            self.say("500 5.5.2 what?")

    def _on_ehlo(self, line):
        offers = list(self.server.offers)
        if self.server.tls and not self.encrypted:
            offers.append("STARTTLS")
        elif self.server.auth:
            offers.append("AUTH " + " ".join(self.server.auth))
        self._step("ehlo", "\n".join(["250 scripted.test"] + [f"250 {offer}" for offer in offers]))

    def _on_helo(self, line):
        self._step("helo", "250 scripted.test")

    def _on_starttls(self, line):
        if self._step("starttls", "220 2.0.0 go ahead"):
            self._bytes = b""
            self._encrypt()

    def _encrypt(self):
        self._step("tls", "")
        self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
        self.encrypted = True

    def _on_auth(self, line):
        if not self._step("auth", ""):
            return
        words = line.split(" ")
        mechanism = words[1].upper()
        if mechanism in ("XOAUTH2", "OAUTHBEARER"):
            self._judge_token(mechanism, self._answer(words, ""))
            return
        if mechanism == "PLAIN":
            parts = self._answer(words, "").split("\0")[1:]
        else:
            parts = [self._answer(words, "VXNlcm5hbWU6"), self._answer([], "UGFzc3dvcmQ6")]
        if parts == [self.server.user, self.server.password]:
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 wrong user or password")

    def _judge_token(self, mechanism, answer):
        """As Google does: what it has against the token comes first, as one more challenge."""
        fields = answer.split("\x01")
        user = {"XOAUTH2": f"user={self.server.user}",
                "OAUTHBEARER": f"n,a={self.server.user},"}[mechanism]
        if fields[0] == user and f"auth=Bearer {self.server.token}" in fields:
            self.say("235 2.7.0 welcome")
            return
        self._answer([], base64.b64encode(TOKEN_FAULT).decode())
        self.say("535 5.7.8 token refused")

    def _answer(self, words, challenge):
        if len(words) > 2:
            return base64.b64decode(words[2]).decode()
        self.say(f"334 {challenge}")
        return base64.b64decode(self._line()).decode()

    def _on_mail(self, line):
        found = re.match(r"MAIL FROM:<([^>]*)>(.*)", line, re.I)
        if self._step("mail", "250 2.1.0 ok"):
            self.sender, self.recipients, self.parameters = found[1], [], found[2].strip()
            self._chunks = b""

    def _on_rcpt(self, line):
        found = re.match(r"RCPT TO:<([^>]*)>", line, re.I)
        if self._step("rcpt", "250 2.1.5 ok"):
            self.recipients.append(found[1])

    def _on_data(self, line):
        if not self.recipients:
            self.say("554 5.5.1 no valid recipients")
        elif self._step("data", "354 go on"):
            self._step("body", "")
            self._take(self._dotted())

    def _on_bdat(self, line):
        words = line.split(" ")
        size = int(words[1])
        while len(self._bytes) < size:
            self._bytes += self._receive()
        self._chunks += self._bytes[:size]
        self._bytes = self._bytes[size:]
        if len(words) < 3:
            self.say("250 2.0.0 chunk" if self.recipients else "503 5.5.1 no recipients")
            return
        data, self._chunks = self._chunks, b""
        if self.recipients:
            self._take(data)
        else:
            self.say("503 5.5.1 no recipients")

    def _dotted(self):
        """All up to the dot. What was searched is not searched again: a body may have megabytes."""
        read, seen = bytearray(b"\r\n" + self._bytes), 0
        try:
            while (end := read.find(b"\r\n.\r\n", seen)) < 0:
                seen = max(0, len(read) - 4)
                read += self._receive()
        except Hangup:
            self._bytes = bytes(read[2:])
            raise
        data, self._bytes = bytes(read[2:end + 2]), bytes(read[end + 5:])
        return re.sub(rb"(?m)^\.\.", b".", data)

    def _take(self, data):
        message = Message(self.number, self.sender, self.recipients, self.parameters, data,
                          time.clock_gettime(time.CLOCK_BOOTTIME))
        self.server.note(lambda: self.server.messages.append(message))
        try:
            self._step("dot", f"250 2.0.0 queued as {self.number}-{len(self.server.messages)}")
        finally:
            message.left = not self._stands()
        self.sender, self.recipients = None, []

    def _stands(self):
        """By the kernel's word: a busy server has not read of the end yet."""
        with contextlib.suppress(OSError):
            return self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == \
                TCP_ESTABLISHED
        return False

    def _on_rset(self, line):
        self.sender, self.recipients = None, []
        self._step("rset", "250 2.0.0 ok")

    def _on_quit(self, line):
        self._step("quit", "221 2.0.0 bye")
        raise Hangup
