"""What a smarthost does wrong, stage by stage, and the class that it has: the deliverer's binary
against the scripted server.

One table. A row is a stage, what is done there, and the class of the outcome, as the reference page
that is quoted above each block has it; beside it, where the stage does not tell: the alarm, the
stage that is told, how much of a message the smarthost may have seen, which drivers meet it. After
each row the same deliverer has to get the next message through, to a smarthost that behaves again.
"""
import dataclasses
import shutil
import socket
import threading

import pytest
import relay as harness
import smtp_server
from deliverer import BODY, Dots, expect
from smtp_server import (Hangup, SmtpServer, after, drip, drop, extra, garbage, half, hang, long_reply, reply,
                         reset, stall, then_drop)

BOTH, ESMTP, CURL = ("esmtp", "curl"), ("esmtp",), ("curl",)
SENT, SESSION, TEMPORARY, PERMANENT, UNKNOWN = "sent", "session", "temporary", "permanent", "unknown"
UNABLE = "unable"
# What a smarthost may have seen of a message.
NOTHING, MAIL, DATA, DOT = range(4)
SEEN = {"mail": MAIL, "rcpt": MAIL, "data": DATA, "body": DATA, "dot": DOT, "quit": DOT}
# Of a transaction: where a limit is what ends it, and elsewhere. A busy machine has to come to the
# stage in question within the first, and to have the next message through.
LIMIT_MS, ENOUGH_MS = 3000, 90000
UNTIL_THE_LIMIT = ("hang", "silence", "stall", "a drip without end", "a flood")
# More than the kernel keeps for a peer that does not read.
HUGE = BODY % b"huge" + (b"y" * 76 + b"\r\n") * 150000
CREDENTIALS = {"user": "relay", "password": "secret"}
# Files that the test makes: an authority's certificate, a token, a server's certificate.
AUTHORITY, TOKEN = "<authority>", "<token>"
GOOD = "<good>"
CERTIFICATES = {
    GOOD: {"issuer": "authority"},
    "<self-signed>": {},
    "<another authority's>": {"issuer": "other"},
    "<expired>": {"issuer": "authority", "made": "2020-01-01"},
    "<yet to come>": {"issuer": "authority", "made": "2037-01-01"},
    "<another host's>": {"issuer": "authority", "name": "mail.example.com"},
}
MODES = ("starttls", "implicit")
MECHANISMS = ("plain", "login", "xoauth2", "oauthbearer")


@dataclasses.dataclass
class Row:
    stage: str
    name: str
    behaviour: object
    outcome: str
    code: object = None  # a reply's, or several that may be told
    alarm: str = None
    at: tuple = ()     # the stages that may be told
    seen: int = None
    on: tuple = BOTH
    body: bytes = None
    recovers: bool = True
    answer: str = None  # a reply of one line, which is told
    also: tuple = (None, None)  # another stage and its behaviour
    mended: dict = dataclasses.field(default_factory=dict)  # attributes of the server, afterwards
    server: dict = dataclasses.field(default_factory=dict)
    init: dict = dataclasses.field(default_factory=dict)


def row(stage, what, outcome, **others):
    """what: a reply's text, or a name and a behaviour."""
    if isinstance(what, str):
        others.setdefault("code", int(what[:3]))
        others["answer"] = what if "\n" not in what else None
        what = what.replace("\n", " / "), reply(what)
    others.setdefault("at", (stage,))
    return Row(stage, *what, outcome, **{"seen": SEEN.get(stage, NOTHING), **others})


def each(kinds, stage, outcome, **others):
    return [row(stage, kind, outcome, **others) for kind in kinds.items()]


def tls(certificate, mode="starttls", alarm="tls"):
    """A smarthost with that certificate (None: without TLS), where TLS is asked for."""
    return {"server": {"tls": certificate, "implicit": bool(certificate) and mode == "implicit",
                       "auth": ("PLAIN",)},
            "init": {"tls": mode, "ca_file": AUTHORITY, "server_name": "localhost", **CREDENTIALS},
            "alarm": alarm, "on": CURL}


def hurried(setting):
    """The time to connect is over before that for the whole."""
    return {**setting, "init": {**setting["init"], "connect_timeout_ms": LIMIT_MS // 2}}


def by(mechanism, offered=MECHANISMS, alarm="auth"):
    """A smarthost that offers these, where that mechanism is asked for."""
    secret = {"password": "", "token_file": TOKEN} if mechanism.startswith(("x", "o")) else {}
    return {"server": {"auth": [name.upper() for name in offered]},
            "init": {**CREDENTIALS, **secret, "auth": mechanism}, "alarm": alarm, "on": CURL}


def leave(answer, drops):
    """Answers, and in the same segment says that it goes."""
    def behave(connection, ordinary):
        connection.say(answer, "421 4.3.2 going")
        if drops:
            raise Hangup
    return behave


def split_replies(connection, ordinary):
    """Of two commands that came together: one reply and half of the other, and later its rest."""
    def rest(connection, ordinary):
        connection.said = ordinary
        connection.send(b" go on\r\n")
    connection.read_until(b"DATA")
    connection.said = ordinary
    connection.send(f"{ordinary}\r\n354".encode())
    connection.server.on("data", after(0.03, rest), times=1)


# ---- what is no answer, wherever it is met -------------------------------------------------------

# "any: multi-line reply >8 kB or line >1 kB or >100 lines, NUL: protocol error -> class of the stage".
# (8-bit bytes are listed there as well; but a smarthost that answers in its own language has
# answered, and what was taken is not sent again for that: see "Grüße" below.)
NO_ANSWER = {
    "drop": drop(),
    "reset": reset(),
    "hang": hang(),
    "a drip without end": drip(0.05, "250 " + "x" * 900),
    "half a code": half(2),
    "half a line": half(7),
    "garbage": garbage(),
    "a flood": garbage(b"x" * 100000),
    "NUL": garbage(b"250 o\0k\r\n"),
    "no code": garbage(b"hello\r\n"),
    "code 99": garbage(b"99 ok\r\n"),
    "code 600": garbage(b"600 ok\r\n"),
    "code 2500": garbage(b"2500 ok\r\n"),
    "an empty line": garbage(b"\r\n"),
    "HTTP": garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "8 kB": long_reply(90, 100),
    "101 lines": long_reply(101, 8),
    "a line of 2 kB": long_reply(1, 2000),
    "an unfinished reply": then_drop("250-one\n250-two\n250-"),
    "two codes": garbage(b"550-no\r\n250 ok\r\n"),
}
INJECTED = {
    "offers injected": garbage(b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n"),
    "a welcome injected": garbage(b"220 go ahead\r\n250 AUTH PLAIN\r\n235 2.7.0 welcome\r\n"),
    "half a line injected": garbage(b"220-go\r\n220 ahead\r\n2"),
}
HANDSHAKES = {
    "drop": drop(),
    "reset": reset(),
    "hang": hang(),
    "an alert": garbage(b"\x15\x03\x03\x00\x02\x02\x28"),
    "SMTP": garbage(b"250 2.0.0 welcome\r\n"),
}
ARRIVES = {"code": 250, "at": ("dot",), "seen": DOT}
QUITS = {"at": ("dot",), "code": 250, "init": {"idle_ms": 20}}
LONG = {"body": HUGE, "server": {"offers": ["PIPELINING"]}}
EARLY = {**LONG, "at": ("data", "body")} # it may come with the 354
CHUNKING = {"server": {"offers": ["PIPELINING", "CHUNKING"]}, "on": ESMTP}
# What is an answer all the same, in place of the ordinary one (a word after its code, if there is one).
ANSWERS = {
    "a drip": drip(0.0005),
    "several lines": lambda connection, ordinary: connection.say(
        "\n".join([f"{ordinary[:3]} line {number}" for number in range(90)])),
    "LF alone": lambda connection, ordinary: (setattr(connection, "said", ordinary), connection.send(
        f"{ordinary[:3]} ok\n".encode())),
    "Grüße": lambda connection, ordinary: connection.say(f"{ordinary[:3]} Grüße"),
    "a code alone": lambda connection, ordinary: connection.say(ordinary[:3]), # RFC 5321 §4.2
    "an enhanced code in the first line": lambda connection, ordinary: connection.say(
        f"{ordinary[:3]} {ordinary[:1]}.0.0 one\n{ordinary[:3]} two"),
}

TABLE = [
    # "DNS/connect: fail, refuse, timeout (own 10 s limit): session"
    row("connect", ("refused", None), SESSION, server={"door": "shut"}),
    row("connect", ("nobody answers", None), SESSION, server={"door": "jammed"},
        init={"connect_timeout_ms": LIMIT_MS}),
    row("connect", ("no such name", None), SESSION, server={"door": "shut"},
        init={"host": "no-such-host.invalid"}, recovers=False),
    row("connect", ("drop", drop()), SESSION, at=("connect", "greeting")),
    row("connect", ("reset", reset()), SESSION, at=("connect", "greeting")),
    row("connect", ("silence", hang()), SESSION, at=("greeting",)),

    # "greeting: 4xx/5xx, garbage, hang, drip: session"
    row("greeting", "421 4.3.2 not now", SESSION),
    row("greeting", "451 4.3.0 later", SESSION),
    row("greeting", "500 5.0.0 no", SESSION),
    row("greeting", "554 5.3.2 not today", SESSION),
    row("greeting", "554 5.7.1 never\n554 5.7.1 you", SESSION),
    row("greeting", ("421, drop", then_drop("421 4.3.2 going")), SESSION, code=421),
    row("greeting", "354 go on", SESSION, code=(354, None)),
    *each(NO_ANSWER, "greeting", SESSION, at=("greeting", "connect")),
    *each(ANSWERS, "greeting", SENT, **ARRIVES),

    # "EHLO: 5xx -> try HELO only if TLS not required: session"
    row("ehlo", "421 4.3.2 not now", SESSION, also=("helo", reply("421 4.3.2 not now"))),
    row("ehlo", "451 4.3.0 later", SESSION, also=("helo", reply("451 4.3.0 later"))),
    row("ehlo", ("421, drop", then_drop("421 4.3.2 going")), SESSION, code=(421, None)),
    row("ehlo", "354 go on", SESSION, code=(354, None), also=("helo", reply("354 go on"))),
    row("ehlo", "502 5.5.1 no", SENT, **ARRIVES),
    row("helo", "502 5.5.1 no", SESSION, at=("ehlo",), also=("ehlo", reply("502 5.5.1 no"))),
    row("ehlo", "502 5.5.1 no, and TLS is required", SESSION, **{**tls(GOOD), "alarm": None}),
    row("ehlo", ("of odd offers", reply("250 x\n250 SIZE 99999999999999999999\n250 \n250 SIZE=\n250 =")),
        SENT, **ARRIVES),
    *each(NO_ANSWER, "ehlo", SESSION),
    *each(ANSWERS, "ehlo", SENT, **ARRIVES),

    # "STARTTLS: not offered / refused / handshake / bad cert / bytes after the 220: session + security
    # alarm, never plaintext". Nor a password, which is there to be told.
    row("starttls", ("not offered", None), SESSION, **tls(None), mended={"tls": GOOD}),
    row("starttls", "454 4.7.0 not now", SESSION, **tls(GOOD)),
    row("starttls", "501 5.5.4 no", SESSION, **tls(GOOD)),
    row("starttls", "421 4.3.2 going", SESSION, **tls(GOOD)),
    row("starttls", "250 2.0.0 go ahead", SESSION, code=None, **tls(GOOD)),
    *each(NO_ANSWER, "starttls", SESSION, **tls(GOOD)),
    *each(ANSWERS, "starttls", SENT, **ARRIVES, **tls(GOOD, alarm=None)),
    *each(INJECTED, "starttls", SESSION, code=None, **tls(GOOD)),
    *[row("tls", (f"{mode}: {name}", behaviour), SESSION, at=("starttls",), **tls(GOOD, mode))
      for name, behaviour in HANDSHAKES.items() for mode in MODES
      if (name, mode) != ("reset", "implicit")],  # that is one at connect
    *[row("tls", ("hang", hang()), SESSION, at=("starttls",), **hurried(tls(GOOD, mode)))
      for mode in MODES],
    row("connect", ("no TLS spoken", None), SESSION, at=("starttls",), **tls(None, "implicit"),
        mended={"tls": GOOD, "implicit": True}),
    *[row("starttls", (f"{mode}: {certificate}", None), SESSION, **tls(certificate, mode),
          mended={"tls": GOOD}) for certificate in CERTIFICATES if certificate != GOOD for mode in MODES],

    # "AUTH: not offered, 454, 530, 535, 534, 538: session + alarm. libesmtp continues to MAIL"
    *[row("auth", f"{code} no {mechanism.replace('bearer', '')}", SESSION, **by(mechanism)) # of the token
      for mechanism in MECHANISMS
      for code in ("454 4.7.0", "530 5.7.0", "534 5.7.9", "535 5.7.8", "538 5.7.11", "421 4.3.2")],
    *[row("auth", f"235 2.7.0 too early {mechanism}", SESSION, code=None, **by(mechanism))
      for mechanism in MECHANISMS],
    row("auth", ("not offered", None), SESSION, **by("plain", offered=()), mended={"auth": ("PLAIN",)}),
    row("auth", ("others offered", None), SESSION, **by("plain", offered=("CRAM-MD5", "XOAUTH2")),
        mended={"auth": ("PLAIN",)}),
    *each(NO_ANSWER, "auth", SESSION, **by("plain", alarm=None)),
    *each(NO_ANSWER, "auth", SESSION, **by("login", alarm=None)),
    row("ehlo", "502 5.5.1 what", SESSION, at=("auth",), code=None, **by("plain")),

    # "MAIL: any 4xx/5xx: session: sender is constant for the relay, so 5xx = configuration. Exception
    # 552/452+SIZE -> msg-perm/temp". libcurl does not declare the size, so there no answer is about it.
    row("mail", "451 4.3.0 later", SESSION),
    row("mail", "421 4.3.2 going", SESSION),
    row("mail", ("421, drop", then_drop("421 4.3.2 going")), SESSION, code=421),
    row("mail", "503 5.5.1 not now", SESSION),
    row("mail", "550 5.7.1 who are you", SESSION),
    row("mail", "554 5.7.1 never", SESSION),
    row("mail", "530 5.7.0 who are you", SESSION, alarm="auth"),
    row("mail", "535 5.7.8 who are you", SESSION, alarm="auth"),
    row("mail", "538 5.7.11 not in the clear", SESSION, alarm="auth"),
    row("mail", "552 5.3.4 too big", PERMANENT, on=ESMTP),
    row("mail", "552 5.3.4 too big", SESSION, on=CURL),
    row("mail", "552 5.3.4 too big", SESSION, server={"offers": ["PIPELINING"]}),
    row("mail", "452 4.3.1 too big for now", TEMPORARY, on=ESMTP),
    row("mail", "452 4.3.1 too big for now", SESSION, on=CURL),
    row("mail", "354 go on", SESSION, code=(354, None)),
    *each(NO_ANSWER, "mail", SESSION),
    *each(ANSWERS, "mail", SENT, **ARRIVES),

    # "RCPT: 450/451/452/421: msg-temp. 550/551/553/556, x.1.x: msg-perm. 5.7.x (relay denied, policy),
    # 530, 554: config-suspect": it is the core that suspects (test_suspicion.c, test_circuits.py).
    row("rcpt", "450 4.2.0 greylisted", TEMPORARY),
    row("rcpt", "451 4.3.0 later", TEMPORARY),
    row("rcpt", "452 4.2.2 full", TEMPORARY),
    row("rcpt", "421 4.3.2 going", TEMPORARY),
    row("rcpt", ("421, drop", then_drop("421 4.3.2 going")), TEMPORARY, code=421),
    row("rcpt", ("450, drop", then_drop("450 4.2.0 later")), TEMPORARY, code=450),
    row("rcpt", "550 5.1.1 no such user", PERMANENT),
    row("rcpt", "550 5.7.1 relaying denied", PERMANENT),
    row("rcpt", "551 5.1.6 moved", PERMANENT),
    row("rcpt", "552 5.2.2 full", PERMANENT),
    row("rcpt", "553 5.1.3 no address", PERMANENT),
    row("rcpt", "554 5.7.1 relaying denied", PERMANENT),
    row("rcpt", "556 5.1.10 takes no mail", PERMANENT),
    row("rcpt", "530 5.7.0 who are you", PERMANENT),
    row("rcpt", "251 2.1.5 will forward", SENT, **ARRIVES),
    row("rcpt", "354 go on", TEMPORARY, code=(354, None)),
    row("rcpt", ("halves of replies", split_replies), SENT, **ARRIVES, on=ESMTP),
    row("rcpt", "450 4.2.0 one\n450 4.2.0 two", TEMPORARY),
    *each(NO_ANSWER, "rcpt", TEMPORARY),
    *each(ANSWERS, "rcpt", SENT, **ARRIVES),

    # "DATA->354: 4xx / 5xx: temp / perm"
    row("data", "451 4.3.0 later", TEMPORARY),
    row("data", "421 4.3.2 going", TEMPORARY),
    row("data", "554 5.6.0 no", PERMANENT),
    row("data", "503 5.5.1 no", PERMANENT),
    row("data", "250 2.0.0 queued", TEMPORARY, code=None),
    *each(NO_ANSWER, "data", TEMPORARY, at=("data", "body")),
    *each(ANSWERS, "data", SENT, **ARRIVES),

    # One reply too many, in one segment with the one that was due. A verdict that was there before the
    # dot is none.
    row("greeting", ("two replies", extra("220 again")), SESSION),
    row("ehlo", ("two replies", extra("250 again")), SESSION),
    row("starttls", ("two replies", extra("220 again")), SESSION, code=None, **tls(GOOD)),
    row("mail", ("two replies", extra("250 again")), SESSION),
    row("mail", ("all replies", extra("250 ok", "354 go on", "250 2.0.0 queued")), SESSION),
    row("rcpt", ("two replies", extra("250 again")), TEMPORARY, at=("rcpt", "data"), seen=DATA),
    row("rcpt", ("all replies", extra("354 go on", "250 2.0.0 queued")), TEMPORARY,
        at=("rcpt", "data", "body"), seen=DATA),
    *[row("data", (f"{name}two replies", extra(text)), TEMPORARY, at=("data", "body"), **setting)
      for text in ("250 2.0.0 queued", "554 5.0.0 refused")
      for name, setting in (("", {}), ("TLS: ", tls(GOOD, alarm=None)))],
    *[row("dot", (f"{name}two replies", extra(text)), UNKNOWN, **setting)
      for text in ("250 2.0.0 queued", "554 5.7.1 refused")
      for name, setting in (("", {}), ("TLS: ", tls(GOOD, alarm=None)))],

    # A 421 is what it may say unasked: the verdict is the reply before it, and counts.
    *[row("dot", (f"{name}{answer[:3]}, 421{end}", leave(answer, bool(end))), outcome,
          code=int(answer[:3]), **setting)
      for answer, outcome in (("250 2.0.0 queued", SENT), ("451 4.3.0 later", TEMPORARY),
                              ("554 5.7.1 spam", PERMANENT))
      for end in (("", ", drop") if outcome == SENT else ("",))
      for name, setting in (("", {}), ("TLS: ", tls(GOOD, alarm=None)))],
    row("dot", ("421, 250", lambda connection, ordinary: connection.say(
        "421 4.4.2 you were too slow", ordinary)), UNKNOWN),

    # "body: send stall, reset before dot: msg-temp, not ambiguous"
    row("body", ("drop", drop()), TEMPORARY, **LONG),
    row("body", ("reset", reset()), TEMPORARY, **LONG),
    row("body", ("stall", stall()), TEMPORARY, **LONG),
    row("body", ("an early 250", reply("250 2.0.0 queued already")), TEMPORARY, **EARLY),
    row("body", ("an early 552", reply("552 5.3.4 too big")), TEMPORARY, **EARLY),
    row("body", ("an early 552, drop", then_drop("552 5.3.4 too big")), TEMPORARY, **EARLY),

    # "after dot: 250: sent. 4xx: msg-temp. 552/554/550: msg-perm" (the core counts them). "drop / timeout /
    # garbage / 421 without answer: ambiguous". A 421 in answer to the dot is an ordinary 4xx.
    row("dot", "250 2.0.0 queued", SENT),
    row("dot", "250 2.6.0 one\n250 2.6.0 two", SENT),
    row("dot", ("250, drop", then_drop("250 2.0.0 queued")), SENT, code=250),
    row("dot", ("TLS: 250, drop", then_drop("250 2.0.0 queued")), SENT, code=250,
        **tls(GOOD, alarm=None)),
    row("dot", "451 4.7.1 later", TEMPORARY),
    row("dot", "452 4.2.2 full", TEMPORARY),
    row("dot", "421 4.3.2 going", TEMPORARY),
    row("dot", ("421, drop", then_drop("421 4.3.2 going")), TEMPORARY, code=421),
    row("dot", "550 5.7.1 no", PERMANENT),
    row("dot", "552 5.2.2 quota", PERMANENT),
    row("dot", "554 5.7.1 spam", PERMANENT),
    row("dot", ("554, drop", then_drop("554 5.7.1 spam")), PERMANENT, code=554),
    row("dot", "200 2.0.0 ok", SENT),
    row("dot", "251 2.1.5 will forward", SENT),
    row("dot", "354 go on", UNKNOWN, code=(354, None)),
    row("dot", "221 2.0.0 bye", UNKNOWN, code=(221, None)),
    *each(NO_ANSWER, "dot", UNKNOWN),
    *each(ANSWERS, "dot", SENT, **ARRIVES),

    # The same where BDAT is offered, which libesmtp would use and not let us listen.
    *each(NO_ANSWER, "dot", UNKNOWN, **CHUNKING),
    *[row("dot", (f"CHUNKING: {code}", reply(f"{code} 0.0.0 so")), outcome, code=code, **CHUNKING)
      for code, outcome in ((250, SENT), (451, TEMPORARY), (554, PERMANENT))],

    # "QUIT: anything: ignored"
    row("quit", "421 4.3.2 going", SENT, **QUITS),
    row("quit", "554 5.0.0 no", SENT, **QUITS),
    *each(NO_ANSWER, "quit", SENT, **QUITS),
]


# ---- how a row is played ---------------------------------------------------------------------------

@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """What rows name in angle brackets; for a certificate, the context of a server that has it."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("authority", "other"):
        smtp_server.make_certificate(folder, name)
    (folder / "token").write_text("bearer-token")
    made = {AUTHORITY: str(folder / "authority.pem"), TOKEN: str(folder / "token")}
    for number, (name, options) in enumerate(CERTIFICATES.items()):
        own = folder / str(number)
        shutil.copytree(folder, own, ignore=shutil.ignore_patterns("[0-9]"))
        made[name] = smtp_server.make_certificate(own, **options)
    return made


def furthest(server):
    verbs = set(server.verbs())
    return DOT if server.messages else DATA if verbs & {"DATA", "BDAT"} else \
        MAIL if "MAIL" in verbs else NOTHING


def may_have_seen(row, driver):
    """libesmtp sends RCPT and DATA together where it may."""
    return DATA if row.seen == MAIL and row.stage == "rcpt" and driver == "esmtp" else row.seen


def limit_ms(row):
    return LIMIT_MS if row.name.endswith(UNTIL_THE_LIMIT) and row.outcome != SENT else ENOUGH_MS


def several(value):
    return value if isinstance(value, tuple) else (value,)


def mark_of(row, result):
    if row.outcome == UNKNOWN:
        return Dots.BEGUN, 0
    return (Dots.VERDICT, result["reply_code"]) if result["stage"] == "dot" else (Dots.FREE, 0)


def mend(server, row, found):
    """From now on the smarthost is as good as any."""
    server.behave_well()
    for name, value in row.mended.items():
        setattr(server, name, found(value))
    if row.server.get("door"):
        server.open_door()


CASES = [(row, driver) for row in TABLE for driver in row.on]


@pytest.mark.parametrize("row, driver", CASES, ids=[
    f"{row.stage}: {row.name} ({driver})" for row, driver in CASES])
def test_what_a_smarthost_does_has_its_class(start, files, row, driver):
    def found(value):
        return files.get(value, value) if isinstance(value, str) else value

    with SmtpServer(**{name: found(value) for name, value in row.server.items()}) as server:
        for stage, behaviour in ((row.stage, row.behaviour), row.also):
            if behaviour:
                server.on(stage, behaviour)
        deliverer = start(server, driver, **{
            "timeout_ms": limit_ms(row), **{name: found(value) for name, value in row.init.items()}})

        result = deliverer.send_one(body=row.body)
        assert result["outcome"] in several(row.outcome), result
        assert result["reply_code"] in several(row.code) and result["alarm"] == row.alarm, result
        assert result["stage"] in row.at and (row.outcome == SENT or result["reply_text"]), result
        if row.answer and (result["stage"], str(result["reply_code"])) == (row.stage, row.answer[:3]):
            told = (result[name] for name in ("reply_code", "enhanced_code", "reply_text"))
            assert row.answer == " ".join(str(part) for part in told if part)
        assert "secret" not in str(result) and "bearer-token" not in str(result)
        assert deliverer.dots[0] == mark_of(row, result)
        if row.stage == "quit":
            server.wait_until(lambda: "QUIT" in server.verbs())
        assert furthest(server) <= may_have_seen(row, driver), server.commands
        assert len(server.messages) == (row.seen == DOT)
        assert row.alarm is None or "MAIL" in server.verbs() or not server.verbs().count("AUTH") or \
            row.stage == "auth", "a password was told"

        if row.recovers:
            mend(server, row, found)
            again = deliverer.send_one()
            assert again["outcome"] == SENT, again
            assert len(server.messages) == 1 + (row.seen == DOT)


@pytest.mark.parametrize("driver, encrypted", [("esmtp", False), ("curl", False), ("curl", True)],
                         ids=["esmtp", "curl", "curl, TLS"])
def test_an_answer_before_the_dot_can_have_arrived_is_none_to_it(start, files, driver, encrypted):
    """The gate is passed, but the smarthost reads nothing, so that the dot is still on its way."""
    begun, judged = threading.Event(), threading.Event()

    def answer_early(connection, ordinary):
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.say(ordinary)
        assert begun.wait(harness.WAIT_S)
        connection.say("250 2.0.0 queued already")
        assert judged.wait(harness.WAIT_S)
        connection.wait_for_end()

    offers = {"tls": files[GOOD], "auth": ["PLAIN"]} if encrypted else {}
    init = tls(GOOD)["init"] if encrypted else {}
    with SmtpServer(**offers) as server:
        server.on("data", answer_early, times=1)
        deliverer = start(server, driver, **{name: files.get(value, value)
                                             for name, value in init.items()})
        name = deliverer.deliver(body=BODY % b"long" + (b"y" * 76 + b"\r\n") * 4000)
        # Memory that is shared tells nobody when it changes.
        harness.wait_until(lambda: deliverer.dots[0][0] == Dots.BEGUN, "the dot to be begun")
        begun.set()
        expect(deliverer.result(name), UNKNOWN, "dot")
        judged.set()
        assert deliverer.dots[0] == (Dots.BEGUN, 0)
        expect(deliverer.send_one(), SENT, "dot", 250)


@pytest.mark.parametrize("driver", BOTH)
def test_a_message_over_the_size_limit_ends_before_mail(start, driver):
    with SmtpServer(offers=["PIPELINING", "SIZE 1000"]) as server:
        deliverer = start(server, driver, connections=1)
        too_big = BODY % b"big" + (b"y" * 76 + b"\r\n") * 20
        # The first one on a connection, and one that comes while it is kept.
        names = [deliverer.deliver(body=body) for body in (too_big, None, too_big, None)]
        for name in names[::2]:
            result = deliverer.result(name)
            expect(result, UNABLE, "rcpt")
            assert result["reply_text"] == "the message is over the smarthost's size limit"
        for name in names[1::2]:
            expect(deliverer.result(name), SENT, "dot", 250)
        assert server.verbs().count("MAIL") == 2
