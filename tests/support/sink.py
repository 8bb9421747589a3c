"""An SMTP server that keeps what it is given, and can refuse, break off, or be away.

Built on Debian's aiosmtpd. For faults below SMTP's own replies (garbage, hanging, TLS) there is
smtp_server.py.
"""
import asyncio
import collections
import email
import email.policy
import inspect
import pathlib
import re
import socket
import struct
import threading
import time

from aiosmtpd.smtp import SMTP

WAIT_S = 60
TCP_ESTABLISHED = 1  # netinet/tcp.h
LAST_DATA_RECEIVED = 52  # where tcp_info has it: so many ms ago


class Mail:
    """One message as it was received."""

    def __init__(self, sender, recipient, data, session, options=(), age_s=0.0):
        """age_s: how long its final dot has been here."""
        self.sender = sender
        self.recipient = recipient
        self.data = data
        self.session = session  # one object a connection
        self.options = list(options)  # behind MAIL FROM:<...>
        self.reply = None  # what its dot was answered in place of 250; Sink.DROP: nothing
        self.left = False   # its client had ended the connection before it could read the answer
        self.heard = False  # its client said something after the answer, so it has read that
        self.boot_s = time.clock_gettime(time.CLOCK_BOOTTIME) - age_s
        self.wall_s = time.time() - age_s

    @property
    def parsed(self):
        return email.message_from_bytes(self.data, policy=email.policy.default)

    def text(self, kind="plain"):
        """The decoded text or html part."""
        return self.parsed.get_body((kind,)).get_content()

    @property
    def message_id(self):
        return self.parsed["Message-ID"]

    @property
    def language(self):
        return self.parsed["Content-Language"]

    @property
    def subject(self):
        return self.parsed["Subject"]


class Held:
    """A data_reply that holds back what is said to each mail with that text until it is told."""

    def __init__(self, text):
        self.text = text.encode()
        self.arrived = threading.Event()  # such a mail has had its final dot
        self._told = threading.Event()
        self._reply = None

    async def __call__(self, _envelope, mail):
        if self.text not in mail.data:
            return None
        self.arrived.set()
        await asyncio.get_running_loop().run_in_executor(None, self._told.wait, WAIT_S)
        return self._reply

    def tell(self, reply):
        self._reply = reply
        self._told.set()


class _Server(SMTP):
    """SMTP as ever, but the greeting can be a refusal, and it notes whether an answer was read."""

    def __init__(self, sink):
        super().__init__(sink, hostname="sink.test", enable_SMTPUTF8=True, decode_data=False)
        self.mail = None  # whose answer comes next
        self._sink = sink
        self._answered = None

    def data_received(self, data):
        if self._answered is not None:
            self._answered.heard = True
            self._answered = None
        super().data_received(data)

    def connection_made(self, transport):
        super().connection_made(transport)
        self._sink.connected(transport)

    async def push(self, status):
        if self._sink.greeting and self.session is not None and not self.session.host_name \
                and str(status).startswith("220 "):
            status = self._sink.greeting
        mail, self.mail = self.mail, None
        self._answered = mail
        try:
            await super().push(status)
        finally:
            if mail is not None:
                mail.left = not self._stands()

    def dot_age_s(self):
        """By the kernel's word: how long ago the last of the data came."""
        info = self.transport.get_extra_info("socket").getsockopt(
            socket.IPPROTO_TCP, socket.TCP_INFO, LAST_DATA_RECEIVED + 4)
        return struct.unpack_from("I", info, LAST_DATA_RECEIVED)[0] / 1000 \
            if len(info) == LAST_DATA_RECEIVED + 4 else 0.0

    def _stands(self):
        """By the kernel's word: of its end a busy sink hears only when it gets round to reading."""
        if self.transport is None:
            return False
        connection = self.transport.get_extra_info("socket")
        return connection.fileno() >= 0 and \
            connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_ESTABLISHED


class Sink:
    """Listens on a free port of 127.0.0.1 (or host) from the start, unless listening=False: then the port
    is taken but refuses connections until up().

    mail_reply, rcpt_reply and data_reply are called with the envelope (and the recipient) and
    return None to accept, a reply to give instead, or Sink.DROP to cut the connection there.
    data_reply may be a coroutine: what it does for one mail holds up no other (see Held).
    greeting, where set, is what is said in place of 220.
    """

    DROP = object()

    def __init__(self, folder=None, listening=True, host="127.0.0.1"):
        self.host = host
        self.folder = pathlib.Path(folder) if folder else None
        self.mails = []     # whatever reached its final dot, also where the reply was a refusal
        self.accepted = []  # those that were answered 250
        self.refused = collections.Counter()  # replies given in place of 250, by stage
        self.greeting = None
        self.mail_reply = self.rcpt_reply = self.data_reply = lambda *_: None
        self._news = threading.Condition()
        self._server = None
        self._transports = set()
        self._is_down = True  # the loop's own
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._holder = self._bind(0)  # or else somebody else's sink is given the port of one down
        self.port = self._holder.getsockname()[1]
        if listening:
            self.up()

    def _bind(self, port):
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((self.host, port))
        return bound

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(WAIT_S)

    def up(self):
        """Begins to listen."""
        async def listen():
            self._is_down = False
            return await self._loop.create_server(lambda: _Server(self), backlog=511,
                                                  sock=self._bind(self.port))
        self._server = self._run(listen())
        return self

    @property
    def is_up(self):
        return self._server is not None

    def down(self):
        """Cuts every connection and refuses new ones; keeps the port."""
        async def close():
            self._is_down = True
            self._server.close()
            for transport in list(self._transports):
                if not transport.is_closing():
                    transport.abort()
        self._run(close())
        self._server = None

    def connected(self, transport):
        """Also one that was taken before the sink went down, and comes up behind it."""
        self._transports.add(transport)
        if self._is_down:
            transport.abort()

    def close(self):
        if self._server:
            self.down()
        self._holder.close()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- aiosmtpd's handler -------------------------------------------------------------------

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self._transports.add(server.transport)
        return responses

    async def handle_MAIL(self, server, session, envelope, address, options):
        return self._reply("mail", self.mail_reply(envelope, address), server) or \
            self._take(envelope, mail_from=address, mail_options=options)

    async def handle_RCPT(self, server, session, envelope, address, options):
        return self._reply("rcpt", self.rcpt_reply(envelope, address), server) or \
            self._take(envelope, rcpt_tos=[*envelope.rcpt_tos, address])

    async def handle_DATA(self, server, session, envelope):
        mail = Mail(envelope.mail_from, envelope.rcpt_tos[0], envelope.original_content, session,
                    envelope.mail_options, server.dot_age_s())
        server.mail = mail
        mail.reply = self.data_reply(envelope, mail)
        if inspect.isawaitable(mail.reply):
            mail.reply = await mail.reply
        reply = self._reply("dot", mail.reply, server)
        with self._news:
            self.mails.append(mail)
            if reply is None:
                self.accepted.append(mail)
                if self.folder:
                    name = f"{len(self.accepted):04}-{re.sub('[^a-zA-Z0-9@.-]', '_', mail.recipient)}"
                    (self.folder / f"{name}.eml").write_bytes(mail.data)
            self._news.notify_all()
        return reply or "250 2.0.0 Ok: queued as SINK"

    @staticmethod
    def _take(envelope, **values):
        for name, value in values.items():
            setattr(envelope, name, value)
        return "250 2.1.0 Ok"

    def _reply(self, stage, reply, server):
        if reply is None:
            return None
        with self._news:
            self.refused[stage] += 1
            self._news.notify_all()
        if reply is Sink.DROP:
            server.transport.abort()
            return "451 never sent"
        return reply

    # ---- what tests wait for --------------------------------------------------------------------

    def wait_for(self, count, timeout=WAIT_S, recipient=None):
        """Waits until count mails were accepted (for that recipient) and returns them."""
        def found():
            return [mail for mail in self.accepted if recipient in (None, mail.recipient)]
        with self._news:
            self._news.wait_for(lambda: len(found()) >= count, timeout)
            assert len(found()) >= count, f"{len(found())} of {count} mails within {timeout} s"
            return found()

    def wait_refused(self, stage, count=1, timeout=WAIT_S):
        with self._news:
            assert self._news.wait_for(lambda: self.refused[stage] >= count, timeout), self.refused
