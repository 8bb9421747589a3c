"""Slow, silent and many clients: none of them keeps Kratos out."""
import contextlib
import http.client
import resource
import select
import socket
import threading
import time

import payloads
import pytest
import relay as harness

REQUEST_S = 10  # what a request may take
LATE_S = 20     # how much later the end may be seen on a busy machine
SOON_S = 5      # Kratos waits ten, and is told to come again
MANY = 1000
KEY = b"X-Api-Key: " + harness.API_KEY.encode() + b"\r\n"
HEAD = (b"POST /kratos/webhook HTTP/1.1\r\nHost: relay\r\n" + KEY +
        b"Content-Type: application/json\r\n")
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: relay\r\n\r\n"


@pytest.fixture(autouse=True, scope="module")
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = MANY * 3 if hard == resource.RLIM_INFINITY else min(hard, MANY * 3)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(relay, source="127.0.0.1"):
    return socket.create_connection(("127.0.0.1", relay.port), timeout=harness.WAIT_S,
                                    source_address=(source, 0))


def silent(relay, count, sources=("127.0.0.1",)):
    """Connections that say nothing, spread over source addresses."""
    opened = contextlib.ExitStack()
    for number in range(count):
        opened.enter_context(dial(relay, sources[number % len(sources)]))
    return opened


class Poster:
    """Kratos' client: one connection, kept."""

    def __init__(self, relay, source="127.0.0.1"):
        self.connection = http.client.HTTPConnection(
            "127.0.0.1", relay.port, timeout=harness.WAIT_S, source_address=(source, 0))
        self.connection.auto_open = 0  # a connection that was cut is a fault
        self.connection.connect()

    def post(self):
        self.ask(payloads.as_bytes(payloads.login_code()))
        self.hear(200)

    def knock(self):
        """Shows the key, and waits for nobody's disk."""
        self.ask(b"")
        self.hear(400)

    def ask(self, body):
        self.connection.request(
            "POST", "/kratos/webhook", body=body,
            headers={"X-Api-Key": harness.API_KEY, "Content-Type": "application/json"})

    def hear(self, status):
        answer = self.connection.getresponse()
        assert answer.status == status, answer.status
        answer.read()

    def close(self):
        self.connection.close()


class Drip:
    """Says a first part at once and then one byte at a time, for ever."""

    def __init__(self, relay, first=b"", then=None, after_an_answer=False, reads=True):
        self.begun = time.monotonic()  # not later than the relay's time does
        self.socket = dial(relay)
        if after_an_answer:
            self.socket.sendall(HEALTH)
            assert self.socket.recv(4096).startswith(b"HTTP/1.1 200")
        self.socket.setblocking(False)
        self.socket.send(first)
        self.then = then
        self.reads = reads
        self.lived = None

    def step(self):
        if self.lived is not None:
            return
        ended = False
        try:
            if self.then is not None:
                self.socket.send(self.then)
            if self.reads:
                ended = self.socket.recv(65536) == b""
        except BlockingIOError:
            # Who does not read learns of the end by the kernel's notice.
            poll = select.poll()
            poll.register(self.socket, select.POLLHUP)
            ended = bool(poll.poll(0))
        except OSError:
            ended = True
        if ended:
            self.lived = time.monotonic() - self.begun


def test_a_request_has_ten_seconds_however_it_drips_and_a_kept_connection_more(start_relay, sink):
    with start_relay(sink, log_level="debug") as relay:
        body = HEAD + b"Content-Length: 10000\r\n\r\n"
        chunked = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
        drips = {
            "silence": Drip(relay),
            "empty lines": Drip(relay, then=b"\n"),
            "the first line": Drip(relay, b"POST /", b"x"),
            "a header": Drip(relay, HEAD + b"X-Other: ", b"x"),
            "headers": Drip(relay, HEAD, b"X: y\r\n"),
            "half a head": Drip(relay, HEAD),
            "a body": Drip(relay, body, b"x"),
            "half a body": Drip(relay, body + b"x" * 100),
            "a chunk's size": Drip(relay, chunked, b"0"),
            "chunks": Drip(relay, chunked, b"1\r\nx\r\n"),
            "trailers": Drip(relay, chunked + b"2\r\n{}\r\n0\r\n", b"X: y\r\n"),
            "a kept connection's header": Drip(relay, b"GET /health/live HTTP/1.1\r\nX: ", b"x",
                                               after_an_answer=True),
            "a kept connection's body": Drip(relay, body, b"x", after_an_answer=True),
        }
        deaf = Drip(relay, EMPTY, EMPTY * 100, reads=False)
        kept = Drip(relay, after_an_answer=True)
        poster = Poster(relay)
        poster.post()
        until = time.monotonic() + REQUEST_S + LATE_S
        while any(drip.lived is None for drip in drips.values()) and time.monotonic() < until:
            for drip in (*drips.values(), kept, deaf):
                drip.step()
            select.select([], [], [], 0.1)  # a drip's pace
        lived = {name: drip.lived for name, drip in drips.items()}
        assert all(seconds and REQUEST_S - 1 < seconds < REQUEST_S + LATE_S
                   for seconds in lived.values()), lived
        assert kept.lived is None
        poster.post()  # the same connection, idle for as long
        relay.wait_for("connection_reaped", count=len(drips), reason="late")
        # Who never reads is cut off as well, once what it was sent no longer fits the sockets.
        until = time.monotonic() + 2 * REQUEST_S + LATE_S
        while deaf.lived is None and time.monotonic() < until:
            deaf.step()
            select.select([], [], [], 0.01)
        assert deaf.lived is not None


# Where the flood comes from, while Kratos posts from 127.0.0.1.
FLOODS = {
    "many addresses": [f"127.0.{number // 200}.{2 + number % 200}" for number in range(MANY)],
    "a few addresses": ["127.0.0.2", "127.0.0.3", "127.0.0.4"],
    "Kratos' own address": ["127.0.0.1"],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_a_thousand_silent_connections_keep_nobody_out(start_relay, sink, flood):
    with start_relay(sink) as relay:
        early = Poster(relay)
        early.post()
        with silent(relay, MANY, FLOODS[flood]):
            begun = time.monotonic()
            late = Poster(relay)
            late.knock()
            assert time.monotonic() - begun < SOON_S
            late.post()
            early.post()  # it was never cut off
            assert relay.request("GET", "/health/ready").status == 200
        late.post()
        Poster(relay).post()


@pytest.mark.parametrize("flood", FLOODS)
def test_a_stream_of_silent_connections_does_not_stop_kratos(start_relay, sink, flood):
    with start_relay(sink) as relay:
        stop, opened, turn = threading.Event(), [], threading.Lock()

        def pour():
            sources = FLOODS[flood]
            held = []
            while not stop.is_set():
                with turn, contextlib.suppress(OSError):
                    held.append(dial(relay, sources[len(opened) % len(sources)]))
                    opened.append(1)
                if len(held) > MANY:
                    held.pop(0).close()
            for connection in held:
                connection.close()

        poster = Poster(relay)
        poster.post()
        thread = threading.Thread(target=pour)
        thread.start()
        try:
            for _ in range(100):
                poster.post()
            for _ in range(20):  # and new connections come through
                with turn:  # one that says nothing while others come is one of those
                    new = Poster(relay)
                    new.ask(payloads.as_bytes(payloads.login_code()))
                new.hear(200)
                new.close()
            while len(opened) < MANY:
                poster.post()
            took = []
            for _ in range(20):
                begun = time.monotonic()
                poster.knock()
                took.append(time.monotonic() - begun)
        finally:
            stop.set()
            thread.join()
        assert sorted(took)[len(took) // 2] < SOON_S, took


def test_a_proxy_that_keeps_many_connections_always_gets_a_new_one(start_relay, sink):
    """An ingress or NAT before several Kratos: all have the key, all come from one address."""
    limit, more = 64, 20
    with start_relay(sink) as relay, contextlib.ExitStack() as opened:
        body = payloads.as_bytes(payloads.login_code())
        busy = opened.enter_context(dial(relay))
        # The 100 shows that its head, and so its key, has arrived.
        busy.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert busy.recv(4096).startswith(b"HTTP/1.1 100")
        kept = []
        for _ in range(limit + more):  # all of them in the ten seconds that the request has
            kept.append(Poster(relay))
            opened.callback(kept[-1].close)
            kept[-1].knock()
        # The oldest of all has a request under way, so those went that were idle for longest.
        ended = [is_cut(poster.connection.sock) for poster in kept]
        assert ended == [True] * (more + 1) + [False] * (limit - 1)
        busy.sendall(body)
        assert busy.recv(4096).startswith(b"HTTP/1.1 200")
        kept[-1].post()


def is_cut(connected):
    """Nothing is owed on it, so it is readable at its end alone."""
    return bool(select.select([connected], [], [], 0)[0])


def test_strangers_who_finish_requests_are_not_kept_before_kratos(start_relay, sink):
    """A connection that was answered 401, or that looks at health, has shown no key."""
    with start_relay(sink) as relay, contextlib.ExitStack() as opened:
        for number in range(400):
            stranger = opened.enter_context(dial(relay, f"127.0.1.{1 + number % 200}"))
            stranger.sendall(HEALTH)
            assert stranger.recv(4096).startswith(b"HTTP/1.1 200")
        begun = time.monotonic()
        poster = Poster(relay)
        poster.knock()
        assert time.monotonic() - begun < SOON_S
        poster.post()


def test_a_stranger_costs_no_memory(start_relay, sink):
    """However much a stranger would send: nothing of it is read into memory."""
    with start_relay(sink, build=None) as relay:
        relay.accept(payloads.login_code())
        before = memory_kb(relay)
        with contextlib.ExitStack() as opened:
            for number in range(200):
                stranger = opened.enter_context(dial(relay, f"127.0.1.{1 + number % 100}"))
                stranger.setblocking(False)
                with contextlib.suppress(OSError):
                    stranger.send(b"POST /kratos/webhook HTTP/1.1\r\nHost: x\r\n"
                                  b"Content-Type: application/json\r\n"
                                  b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
            relay.accept(payloads.login_code())
            # A connection's fixed 32 KiB for its head, and not its body; twice, for the sanitizer.
            assert memory_kb(relay) - before < 200 * 64 + 8192


def memory_kb(relay):
    with open(f"/proc/{relay.process.pid}/status", encoding="ascii") as status:
        return next(int(row.split()[1]) for row in status if row.startswith("VmRSS:"))
