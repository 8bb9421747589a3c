"""A relay on a disk of its own, with a smarthost and the books of its client, and the playing of
the scenarios that full_disk.py and lost_disk.py have for it.
"""
import contextlib
import pathlib
import threading

import injection
import ledger
import loop_disk
import relay as harness
import sink as sink_module

FINAL = {"sent", "failed", "expired", "superseded", "cancelled", "unknown"}
FILLER_BYTES = 3000
UNAVAILABLE = (loop_disk.Unavailable, injection.Unavailable)


class Scene:
    """A context manager; judge() ends it. fails_calls: .calls (injection.Calls) can fail."""

    def __init__(self, folder, build=None, fails_calls=False, **disk):
        self.folder = pathlib.Path(folder)
        self._build, self._disk_options = build, {"size_mb": 24} | disk
        self._fails_calls = fails_calls
        self._stack = contextlib.ExitStack()
        self.client = ledger.ClientLedger()
        self.deaths = []
        self.unknown_outcomes_possible = False

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.disk = stack.enter_context(
                loop_disk.LoopDisk(self.folder / "loop", **self._disk_options))
            self.sink = stack.enter_context(sink_module.Sink())
            self.gate = threading.Event()  # no dot is answered while it is not set
            self.gate.set()
            self.sink.data_reply = lambda *_: self.gate.wait(harness.WAIT_S) and None
            self.relay = harness.Relay(self.folder / "relay", build=self._build,
                                       smtp_uri=harness.smtp_uri(self.sink),
                                       queue_dir=self.disk.mount / "queue")
            self.relay.queue_dir = self.disk.mount / "queue"
            self.calls = injection.Calls(self.relay) if self._fails_calls else None
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def _end(self):
        self.gate.set()
        if self.relay.process and self.relay.process.poll() is None:
            self.relay.kill()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.relay.tail())
        self._stack.close()

    # ---- what the client and the operator do -------------------------------------------------------

    def post(self, payload=None, filler_bytes=FILLER_BYTES):
        """The answer's status; None: there was none."""
        payload = payload or ledger.secret_payload(
            data={"transient_payload": {"filler": "x" * filler_bytes}})
        answer = self.client.post(self.relay, payload)
        return answer.status if answer else None

    def accept(self, count, **options):
        for _ in range(count):
            assert self.post(**options) == 200

    def post_until_refused(self, most=2000, **options):
        for count in range(most):
            if (status := self.post(**options)) != 200:
                assert status == 503, status
                return count
        raise AssertionError(f"{most} payloads, and the disk is not full")

    def health(self, what):
        return self.relay.request("GET", f"/health/{what}").status

    def assert_refusing(self):
        assert self.post() == 503
        assert (self.health("ready"), self.health("live")) == (503, 200)

    def wait_well(self):
        harness.wait_until(lambda: self.health("ready") == 200, "a relay that is ready again")
        assert self.post() == 200

    def follow(self, starts):
        """To the listener of the start of that number within one process."""
        address = self.relay.wait_for("listening", count=starts, listener="mail")["address"]
        self.relay.port = int(address.rsplit(":", 1)[1])

    def rows(self):
        return self.relay.queue_list("--limit", "100000")

    def wait_ended(self):
        harness.wait_until(lambda: all(row["state"] in FINAL for row in self.rows()),
                           "the end of every message")

    def faults(self):
        """What the log says of the queue, but for single messages."""
        return [event["error"] for event in self.relay.found("queue_error") if "id" not in event]

    def free_room(self):
        self.disk.free()

    # ---- the end -----------------------------------------------------------------------------------

    def judge(self):
        self.wait_ended()
        rows = self.rows()
        assert self.relay.stop() == 0
        violations = ledger.check(
            self.client, self.sink, rows, deaths=self.deaths,
            told=ledger.told_sent(self.relay.events),
            unknown_outcomes_possible=self.unknown_outcomes_possible)
        violations += ledger.check_output(self.client, self.relay.lines + [self.relay.stderr()])
        violations += ledger.check_folder(self.relay.queue_dir)
        assert not violations, "\n".join(violations)
        assert self.client.entries()


SCENARIOS = {}


def scenario(**options):
    def register(function):
        SCENARIOS[function.__name__] = (function, options)
        return function
    return register


def play(name, folder, build=None):
    """Raises AssertionError for what is not as it should be, or Unavailable."""
    function, options = SCENARIOS[name]
    with Scene(folder, build, **options) as scene:
        scene.relay.start()
        function(scene)
        scene.judge()


def assert_same_process(scene, core):
    assert scene.relay.process.pid == core and scene.relay.process.poll() is None
    assert not scene.relay.found("starting_anew")
    assert len(scene.faults()) == 1, scene.faults()
    scene.relay.wait_for("queue_writable")
    assert len(scene.relay.found("queue_writable")) == 1


def come_back(scene, core, starts=2):
    scene.relay.wait_for("ready", count=starts)
    scene.wait_well()
    assert scene.relay.process.pid == core and scene.relay.process.poll() is None
