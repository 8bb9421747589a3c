"""What the mail listener answers to requests that no honest client sends, byte for byte.

Each case is one new connection: what is sent, the status that must come (None: the connection is
cut without an answer), and whether it is kept afterwards.
"""
import json
import re
import socket

import payloads
import pytest
import relay as harness

KEPT, CLOSED = True, False
KEY = b"X-Api-Key: " + harness.API_KEY.encode() + b"\r\n"
HOST = b"Host: relay\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LINE = b"POST /kratos/webhook HTTP/1.1\r\n"
TWO = b"Content-Length: 2\r\n\r\n{}"
GOOD = LINE + HOST + KEY + JSON


def line(text, rest=HOST + KEY + JSON + TWO):
    return text + b"\r\n" + rest


def with_header(text):
    return GOOD + text + b"\r\n" + TWO


# Framing that a proxy in front could read otherwise.
FRAMING = {
    "length and chunked": (GOOD + CHUNKED + TWO, 400),
    "chunked and length": (GOOD + b"Content-Length: 2\r\n" + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n",
                           400),
    "two lengths": (with_header(b"Content-Length: 3"), 400),
    "two equal lengths": (with_header(b"Content-Length: 2"), 400),
    "a list of lengths": (GOOD + b"Content-Length: 2, 2\r\n\r\n{}", 400),
    "a length with a sign": (GOOD + b"Content-Length: +2\r\n\r\n{}", 400),
    "a negative length": (GOOD + b"Content-Length: -2\r\n\r\n{}", 400),
    "a length in hex": (GOOD + b"Content-Length: 0x2\r\n\r\n{}", 400),
    "a length with a space": (GOOD + b"Content-Length: 2 \r\n\r\n{}", 400),
    "an empty length": (GOOD + b"Content-Length:\r\n\r\n{}", 400),
    "a length beyond 64 bits": (GOOD + b"Content-Length: 18446744073709551618\r\n\r\n{}", 413),
    "two encodings": (GOOD + CHUNKED + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "gzip, chunked": (GOOD + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "identity": (GOOD + b"Transfer-Encoding: identity\r\n" + b"\r\n", 400),
    "chunked in HTTP/1.0": (b"POST /kratos/webhook HTTP/1.0\r\n" + HOST + KEY + JSON + CHUNKED +
                            b"\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "xchunked": (GOOD + b"Transfer-Encoding: xchunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "chunked with a tab": (GOOD + b"Transfer-Encoding: chunked\t\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
    "chunked twice in one": (
        GOOD + b"Transfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400),
}

HEADERS = {
    "no host": (LINE + KEY + JSON + TWO, 400),
    "two hosts": (with_header(b"Host: other"), 400),
    "two keys": (with_header(KEY.strip()), 400),
    "a wrong key before the right one": (LINE + HOST + b"X-Api-Key: x\r\n" + KEY + JSON + TWO, 400),
    "a right key before a wrong one": (with_header(b"x-api-key: x"), 400),
    "two types": (with_header(JSON.strip()), 400),
    "a control byte": (with_header(b"X-Other: a\x01z"), 400),
    "a lone return": (with_header(b"X-Other: a\rz"), 400),
    "a delete": (with_header(b"X-Other: a\x7fz"), 400),
    "a hidden end of the key": (LINE + HOST + KEY.strip() + b"\0junk\r\n" + JSON + TWO, 400),
    "a hidden nothing": (LINE + HOST + KEY.strip() + b"\0\r\n" + JSON + TWO, 400),
    "a hidden header": (with_header(b"X-Other: a\0X-Api-Key: other"), 400),
    "a hidden value": (with_header(b"X-Other:\0a"), 400),
    "a hidden end of the last value": (GOOD + b"Content-Length: 2\0x\r\n\r\n{}", 400),
    "a hidden line at the end": (GOOD + b"Content-Length: 2\r\n\0x: y\r\n\r\n{}", 400),
    "NUL in a name": (with_header(b"X-Ot\0her: a"), 400),
    "a space before the colon": (LINE + HOST + KEY.replace(b":", b" :") + JSON + TWO, 400),
    "a tab before the colon": (with_header(b"X-Other\t: a"), 400),
    "an empty name": (with_header(b": a"), 400),
    "a name with a bracket": (with_header(b"X(Other: a"), 400),
    "a name beyond ASCII": (with_header("X-Öther: a".encode()), 400),
    "no colon": (with_header(b"X-Other"), 400),
    "a folded value": (with_header(b"X-Other: a\r\n b"), 400),
    "a folded name": (LINE + HOST + b"X-Api: " + harness.API_KEY.encode() + b"\r\n -Key\r\n" + JSON +
                      TWO, 400),
    "a folded first line": (LINE + b" " + HOST + KEY + JSON + TWO, 400),
    "a head of 70 kB": (with_header(b"X-Other: " + b"a" * 70000), 431),
    "2,000 headers": (GOOD + b"X-Other: a\r\n" * 2000 + TWO, 431),
}

REQUEST_LINES = {
    "a NUL in the path": (line(b"POST /kratos/webhook\0 HTTP/1.1"), 400),
    "a hidden end of the path": (line(b"POST /kratos/webhook\0/other HTTP/1.1"), 400),
    "a NUL in the method": (line(b"POST\0X /kratos/webhook HTTP/1.1"), 400),
    "a NUL in the query": (line(b"POST /kratos/webhook?a\0b HTTP/1.1"), 400),
    "a NUL in the version": (line(b"POST /kratos/webhook HTTP/1.1\0"), 400),
    "two spaces": (line(b"POST  /kratos/webhook HTTP/1.1"), 400),
    "two spaces behind": (line(b"POST /kratos/webhook  HTTP/1.1"), 400),
    "a space in the path": (line(b"POST /kratos/webhook x HTTP/1.1"), 400),
    "a tab": (line(b"POST\t/kratos/webhook HTTP/1.1"), 400),
    "a control byte in the path": (line(b"POST /kratos/webhook\x01 HTTP/1.1"), 400),
    "a method that is none": (line(b"PO(ST /kratos/webhook HTTP/1.1"), 400),
    "no version": (line(b"POST /kratos/webhook"), 400),
    "HTTP/1.2": (line(b"POST /kratos/webhook HTTP/1.2"), 400),
    "HTTP/2.0": (line(b"POST /kratos/webhook HTTP/2.0"), 505),
    "HTTP/0.9": (line(b"POST /kratos/webhook HTTP/0.9"), 505),
    "http/1.1": (line(b"POST /kratos/webhook http/1.1"), 400),
    "HTTP/1.10": (line(b"POST /kratos/webhook HTTP/1.10"), 400),
    "a path of 40 kB": (line(b"POST /" + b"a" * 40000 + b" HTTP/1.1"), 414),
    "TLS": (bytes.fromhex("16030100a5010000a10303") + b"\r\n\r\n", None),
    "HTTP/2's preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    # Encoded and odd paths name nothing.
    "%00": (line(b"POST /kratos/webhook%00 HTTP/1.1"), 404),
    "an escape": (line(b"POST /kratos/webhoo%6b HTTP/1.1"), 404),
    "an escaped slash": (line(b"POST /kratos%2Fwebhook HTTP/1.1"), 404),
    "two slashes": (line(b"POST //kratos/webhook HTTP/1.1"), 404),
    "two slashes within": (line(b"POST /kratos//webhook HTTP/1.1"), 404),
    "a slash at the end": (line(b"POST /kratos/webhook/ HTTP/1.1"), 404),
    "dots": (line(b"POST /x/../kratos/webhook HTTP/1.1"), 404),
    "a dot": (line(b"POST /kratos/./webhook HTTP/1.1"), 404),
    "escaped dots": (line(b"POST /x/%2e%2e/kratos/webhook HTTP/1.1"), 404),
    "other case": (line(b"POST /Kratos/Webhook HTTP/1.1"), 404),
    "a parameter": (line(b"POST /kratos/webhook;x HTTP/1.1"), 404),
    "a fragment": (line(b"POST /kratos/webhook#x HTTP/1.1"), 404),
    "no slash": (line(b"POST kratos/webhook HTTP/1.1"), 404),
    "absolute form": (line(b"POST http://relay/kratos/webhook HTTP/1.1"), 404),
    "OPTIONS *": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "CONNECT": (b"CONNECT relay:25 HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "nothing is served here": (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", 404),
}

CHUNKS = {
    "a size that is none": (GOOD + CHUNKED + b"\r\nxyz\r\n", 400),
    "a size with a sign": (GOOD + CHUNKED + b"\r\n+2\r\n{}\r\n0\r\n\r\n", 400),
    "a size beyond 64 bits": (GOOD + CHUNKED + b"\r\n10000000000000000\r\n", 413),
    "an endless size": (GOOD + CHUNKED + b"\r\n" + b"0" * 70000, {400, 413, 500}),
    "an endless extension": (GOOD + CHUNKED + b"\r\n2;x=" + b"a" * 70000, {400, 413, 500}),
    "a chunk longer than its size": (GOOD + CHUNKED + b"\r\n2\r\n{}}\r\n0\r\n\r\n", 400),
    "endless trailers": (GOOD + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + b"X-Other: a\r\n" * 6000, {431}),
}

CLOSING = {**FRAMING, **HEADERS, **REQUEST_LINES, **CHUNKS}


class Client:
    """A socket that says what it is told to and reads one answer at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.WAIT_S)
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def say(self, data):
        try:
            self.socket.sendall(data)
        except OSError:
            pass  # it may answer, and close, before it has all
        return self

    def hear(self, head_only=False):
        """(status, headers, body), or None where the connection has ended."""
        try:
            first = self.file.readline()
            if not first:
                return None
            headers = {}
            while (text := self.file.readline().strip()):
                name, _, value = text.decode().partition(": ")
                headers[name] = value
            size = 0 if head_only else int(headers.get("Content-Length", 0))
            return int(first.split()[1]), headers, self.file.read(size)
        except ConnectionResetError:
            return None

    def is_kept(self):
        """True where another request is answered."""
        self.say(b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n")
        answer = self.hear()
        return answer is not None and answer[0] == 200

    def is_closed(self):
        # libmicrohttpd 0.9.75 writes the head of its own refusals twice: what is left is dropped.
        try:
            while self.file.read(4096):
                pass
        except ConnectionResetError:
            pass
        return True  # or the read would have timed out


def shared_relay(folder):
    """One relay for many tests: what one client does must not matter to the next."""
    (folder / "mails").mkdir()
    return harness.Relay(folder / "relay", smtp_uri=f"file:{folder / 'mails'}", body_limit=20000,
                         log_level="debug")


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    with shared_relay(tmp_path_factory.mktemp("attacked")) as relay:
        yield relay


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    with shared_relay(tmp_path_factory.mktemp("asked")) as relay:
        yield relay


def assert_clean(answer):
    status, headers, body = answer
    assert "Location" not in headers and "Retry-After" not in headers
    assert harness.API_KEY.encode() not in body
    if status >= 400 and body and headers.get("Content-Type") == "application/json":
        told = json.loads(body)
        assert set(told) == {"error", "message"} and len(body) < 200
        assert re.fullmatch("[a-z_]+", told["error"])


@pytest.mark.parametrize("name", CLOSING)
def test_hostile_requests_are_refused_and_the_connection_closed(attacked, name):
    request, want = CLOSING[name]
    with Client(attacked.port) as client:
        answer = client.say(request).hear()
        if want is None:
            assert answer is None
            return
        assert answer is not None, "no answer"
        assert answer[0] in (want if isinstance(want, set) else {want}), answer
        assert_clean(answer)
        assert client.is_closed()
    assert not attacked.found("accepted")


def test_every_key_but_the_header_is_none(attacked):
    key = harness.API_KEY.encode()
    body = JSON + TWO
    for request in (
            LINE + HOST + body,
            b"POST /kratos/webhook?X-Api-Key=" + key + b" HTTP/1.1\r\n" + HOST + body,
            b"POST /kratos/webhook?api_key=" + key + b" HTTP/1.1\r\n" + HOST + body,
            LINE + HOST + b"Cookie: X-Api-Key=" + key + b"\r\n" + body,
            LINE + HOST + b"Authorization: Bearer " + key + b"\r\n" + body,
            LINE + HOST + b"X-Api-Key: " + key + b", x\r\n" + body,
            LINE + HOST + b"X-Api-Key: \"" + key + b"\"\r\n" + body,
            LINE + HOST + b"X-Api-Key: " + key + b"x\r\n" + body,
            LINE + HOST + b"X-Api-Key: " + key[:-1] + b"\r\n" + body,
            LINE + HOST + b"X-Api-Key:\r\n" + body,
            LINE + HOST + JSON + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n" + KEY + b"\r\n"):
        with Client(attacked.port) as client:
            answer = client.say(request).hear()
            assert answer and answer[0] == 401, (request, answer)
            assert_clean(answer)
            assert client.is_closed()


# What follows leaves the connection as the answer table says.
PAYLOAD = payloads.as_bytes(payloads.login_code())
NO_BODY = b"Content-Length: 0\r\n\r\n"
ANSWERS = {
    "accepted": (GOOD + b"Content-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD, 200, KEPT),
    "the same again": (GOOD + b"Content-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD, 200, KEPT),
    "chunked": (GOOD + CHUNKED + b"\r\n%x;ext=\"a\"\r\n" % len(PAYLOAD) + PAYLOAD +
                b"\r\n0\r\nX-Api-Key: other\r\nContent-Length: 9\r\nHost: x\r\n\r\n", 200, KEPT),
    "HTTP/1.0 without a host": (
        b"POST /kratos/webhook HTTP/1.0\r\n" + KEY + JSON +
        b"Content-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD, 200, CLOSED),
    "a query": (b"POST /kratos/webhook?a=b HTTP/1.1\r\n" + HOST + KEY + JSON +
                b"Content-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD, 200, KEPT),
    "an unknown expectation": (with_header(b"Expect: cake").replace(
        b"Content-Length: 2", b"Content-Length: %d" % len(PAYLOAD)).replace(b"{}", PAYLOAD), 200, KEPT),
    "no key": (LINE + HOST + JSON + TWO, 401, CLOSED),
    "no key, no body": (LINE + HOST + JSON + NO_BODY, 401, KEPT),
    "empty body": (GOOD + NO_BODY, 400, KEPT),
    "no length at all": (GOOD + b"\r\n", 400, KEPT),
    "empty chunked body": (GOOD + CHUNKED + b"\r\n0\r\n\r\n", 400, KEPT),
    "not JSON": (GOOD + b"Content-Length: 4\r\n\r\ncode", 400, KEPT),
    "wrong type": (LINE + HOST + KEY + b"Content-Type: text/plain\r\n" + TWO, 415, CLOSED),
    "no type": (LINE + HOST + KEY + TWO, 415, CLOSED),
    "gzip": (with_header(b"Content-Encoding: gzip"), 415, CLOSED),
    "too large by its length": (GOOD + b"Content-Length: 20001\r\n\r\n", 413, CLOSED),
    "too large by counting": (GOOD + CHUNKED + b"\r\n" + b"fff\r\n" + b"x" * 0xfff + b"\r\n" + (
        b"fff\r\n" + b"x" * 0xfff + b"\r\n") * 4 + b"0\r\n\r\n", 413, KEPT),
    "GET": (b"GET /kratos/webhook HTTP/1.1\r\n" + HOST + b"\r\n", 405, KEPT),
    "PUT with a body": (LINE.replace(b"POST", b"PUT") + HOST + KEY + JSON + TWO, 405, CLOSED),
    "HEAD": (b"HEAD /kratos/webhook HTTP/1.1\r\n" + HOST + b"\r\n", 405, KEPT),
    "OPTIONS": (b"OPTIONS /kratos/webhook HTTP/1.1\r\n" + HOST + b"\r\n", 405, KEPT),
    "TRACE": (b"TRACE /kratos/webhook HTTP/1.1\r\n" + HOST + b"\r\n", 405, KEPT),
    "post": (line(b"post /kratos/webhook HTTP/1.1"), 405, CLOSED),
    "HEAD of health": (b"HEAD /health/ready HTTP/1.1\r\n" + HOST + b"\r\n", 200, KEPT),
    "OPTIONS of health": (b"OPTIONS /health/live HTTP/1.1\r\n" + HOST + b"\r\n", 405, KEPT),
    "POST of health": (line(b"POST /health/live HTTP/1.1"), 405, CLOSED),
    "health": (b"GET /health/ready HTTP/1.1\r\n" + HOST + b"\r\n", 200, KEPT),
    "Connection: close": (b"GET /health/ready HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n",
                          200, CLOSED),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_table_and_what_becomes_of_the_connection(asked, name):
    request, status, kept = ANSWERS[name]
    alarms = len(asked.found("empty_payload"))
    with Client(asked.port) as client:
        assert client.is_kept()  # a kept connection to begin with, as Kratos has
        answer = client.say(request).hear(head_only=request.startswith(b"HEAD"))
        assert answer and answer[0] == status, answer
        assert_clean(answer)
        if status == 200 and b"POST" in request:
            assert answer[1]["Content-Length"] == "0" and answer[1]["X-Message-Id"]
        if status == 405:
            allowed = "POST" if b"webhook" in request else "GET, HEAD"
            assert answer[1]["Allow"] == allowed
        if status == 400 and name.startswith(("empty", "no length")):
            asked.wait_for("empty_payload", count=alarms + 1)
        assert client.is_kept() if kept else client.is_closed()
        assert (answer[1].get("Connection") == "close") != kept


@pytest.mark.parametrize("extra", [
    b"X-Other: " + b"a" * 15000, b"X-Other: " + b"a" * 20000,
    b"\r\n".join(b"X-Other-%d: %s" % (number, b"b" * 100) for number in range(120)),
    b"X-Empty:\r\nX-Blank:   \t \r\nX-Bytes: \xc3\xa9\xff\r\nCookie: a=b; c=\"d\"; e"],
    ids=["15k", "20k", "120", "odd"])
@pytest.mark.parametrize("piece", [1 << 20, 700])
def test_an_honest_head_is_accepted_however_long_and_in_however_many_pieces(asked, extra, piece):
    body = payloads.as_bytes(payloads.login_code())
    request = GOOD + extra + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with Client(asked.port) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):  # the second one on a kept connection
            for at in range(0, len(request), piece):
                client.say(request[at:at + piece])
            answer = client.hear()
            assert answer and answer[0] == 200, answer


def test_a_body_that_is_cut_off_leaves_nothing(relay):
    with relay:
        for cut in (GOOD + b"Content-Length: 20\r\n\r\n{\"a\"", GOOD + CHUNKED + b"\r\n20\r\n{\"a\"",
                    GOOD + CHUNKED + b"\r\n2\r\n{}\r\n", GOOD + b"Content-Le", LINE, b"PO"):
            with Client(relay.port) as client:
                client.say(cut)
                client.socket.shutdown(socket.SHUT_WR)
                assert client.hear() is None
        relay.accept(payloads.login_code())
        relay.wait_for("accepted")
        assert len(relay.found("accepted")) == 1 and len(relay.queue_list()) == 1


def test_pipelined_requests_are_answered_in_order(relay):
    with relay, Client(relay.port) as client:
        post = GOOD + b"Content-Length: %d\r\n\r\n" % len(PAYLOAD) + PAYLOAD
        health = b"GET /health/live HTTP/1.1\r\n" + HOST + b"\r\n"
        client.say((post + health) * 20 + GOOD + NO_BODY + b"GET /nowhere HTTP/1.1\r\n" + HOST +
                   b"\r\n" + health)
        for _ in range(20):
            accepted, alive = client.hear(), client.hear()
            assert accepted[0] == 200 and accepted[2] == b"" and alive[2] == b'{"status":"ok"}\n'
        assert client.hear()[0] == 400
        assert client.hear()[0] == 404
        assert client.is_closed()


def test_a_refusal_comes_before_100_continue_and_an_acceptance_after_it(relay):
    with relay:
        expect = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(PAYLOAD)
        with Client(relay.port) as client:
            assert client.say(LINE + HOST + JSON + expect).hear()[0] == 401
            assert client.is_closed()
        with Client(relay.port) as client:
            assert client.say(GOOD + expect).hear()[0] == 100
            assert client.say(PAYLOAD).hear()[0] == 200
            assert client.is_kept()


@pytest.mark.parametrize("size", [4096, 60_000, 900_000])
@pytest.mark.parametrize("head, status", [
    (LINE + HOST + JSON, 401), (GOOD, 413), (LINE + HOST + KEY, 415),
    (b"POST /nowhere HTTP/1.1\r\n" + HOST, 404)], ids=["401", "413", "415", "404"])
def test_a_refusal_reaches_a_client_that_is_still_sending(start_relay, sink, head, status, size):
    """Unread bytes at a close make the kernel reset the connection, which loses the answer."""
    with start_relay(sink, body_limit=1024) as relay:
        for _ in range(20):
            with Client(relay.port) as client:
                # Not say(): here a write that fails is the fault that is looked for.
                client.socket.sendall(head + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
                answer = client.hear()
                assert answer and answer[0] == status, answer
                assert client.file.read() == b""  # an end, and no reset


@pytest.mark.parametrize("offered, reason, name", [
    (None, "key_missing", None), ("no-key-0123456789", "key_unknown", None),
    ("old-key-0123456789", "key_expired", "old")])
def test_a_refused_key_is_logged_with_the_cause_which_the_client_is_not_told(
        start_relay, sink, offered, reason, name):
    keys = f"kratos:{harness.API_KEY},old:old-key-0123456789;not_after=2020-01-31"
    with start_relay(sink, api_key=keys) as relay:
        answer = relay.post(payloads.login_code(), key=offered)
        assert answer.status == 401
        assert json.loads(answer.body) == {
            "error": "unauthorized", "message": "an X-Api-Key that is valid for this path is needed"}
        logged = relay.wait_for("unauthorized")
        assert logged["reason"] == reason and logged.get("key") == name
        assert not offered or offered not in "\n".join(relay.lines)
