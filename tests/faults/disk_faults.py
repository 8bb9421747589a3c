"""Disks that fill up, fail, forget and vanish below a running relay: nothing is lost, nothing is
answered 200 that is not kept, and all is well again by itself.

Each scenario is a function of a Scene (a relay on a disk of its own, a smarthost, the books of the
client) and asserts what has to be seen on the way; at its end the one checker judges (ledger.py).
"""
import argparse
import contextlib
import errno
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parent.parent / "support")]

import injection  # noqa: E402
import ledger  # noqa: E402
import loop_disk  # noqa: E402
import payloads  # noqa: E402
import relay as harness  # noqa: E402
import sink as sink_module  # noqa: E402
from result import Result  # noqa: E402

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


# ---- full ------------------------------------------------------------------------------------------

def fill_up(scene):
    """Ends with a full disk and messages whose outcome the smarthost still owes."""
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.gate.clear()
    scene.accept(3)
    scene.disk.fill(leave_bytes=50_000)
    scene.post_until_refused()
    scene.assert_refusing()


def end_by_the_reserve(scene):
    """What was accepted is sent, and that is written down, though the disk is full."""
    scene.gate.set()
    scene.wait_ended()
    assert all(row["state"] == "sent" for row in scene.rows())
    scene.assert_refusing()


def assert_same_process(scene, core):
    assert scene.relay.process.pid == core and scene.relay.process.poll() is None
    assert not scene.relay.found("starting_anew")
    assert len(scene.faults()) == 1, scene.faults()
    scene.relay.wait_for("queue_writable")
    assert len(scene.relay.found("queue_writable")) == 1


def full_disk(scene):
    core = scene.relay.process.pid
    fill_up(scene)
    end_by_the_reserve(scene)
    for _ in range(50):
        assert scene.post() == 503
    scene.free_room()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_full_disk_takes_outcomes_and_nothing_else(scene):
    full_disk(scene)


@scenario(block_bytes=1024)
def a_full_disk_of_small_blocks(scene):
    full_disk(scene)


@scenario(kind="xfs", size_mb=64)
def a_full_disk_with_xfs(scene):
    full_disk(scene)


@scenario()
def a_start_on_a_full_disk_sends_what_is_there(scene):
    fill_up(scene)
    scene.deaths.append(ledger.boot_s())
    scene.relay.kill()
    scene.gate.set()
    scene.relay.start()
    scene.wait_ended()
    scene.assert_refusing()
    assert len(scene.faults()) == 1, scene.faults()
    scene.free_room()
    scene.wait_well()


@scenario(size_mb=20)
def a_disk_that_the_queue_has_filled_empties_by_itself(scene):
    """Nobody frees anything: what was sent gives its body's space back, and that is enough. The
    database has left what the reserve needs, with the log's blocks."""
    own_bytes = scene.disk.free_bytes()
    scene.gate.clear()
    assert scene.post_until_refused(filler_bytes=200_000) > 5
    scene.gate.set()
    scene.wait_well()
    database_bytes = (scene.relay.queue_dir / "queue.db").stat().st_size
    assert database_bytes < own_bytes - (2 << 20), (database_bytes, own_bytes)
    assert not scene.relay.found("starting_anew")


def key_count(scene):
    return len((scene.relay.queue_dir / "queue.key").read_text().split())


@scenario()
def a_rekey_on_a_full_disk_holds_nothing_up(scene):
    """What waits is sent, and that is written down; the rest is sealed anew when there is room.
    The log is so short that with its blocks, too, there are too few to take the reserve again."""
    scene.gate.clear()
    scene.accept(30)
    scene.disk.fill(leave_bytes=50_000)
    scene.relay.command("queue", "rekey")
    scene.relay.wait_for("queue_error")
    scene.unknown_outcomes_possible = True  # of those whose dot is under way, since when ever
    scene.relay.kill()
    scene.relay.start()
    scene.gate.set()
    scene.wait_ended()
    assert all(row["state"] == "sent" for row in scene.rows())
    scene.assert_refusing()
    assert len(scene.faults()) == 1 and key_count(scene) == 2, scene.faults()
    scene.free_room()
    scene.wait_well()
    scene.relay.wait_for("resealed", older_keys_needed=0)
    assert key_count(scene) == 1


@scenario(inodes=64)
def a_disk_without_inodes_is_no_full_disk(scene):
    """All files that the queue needs are there from the start on, also after a crash."""
    scene.accept(2)
    scene.disk.fill_inodes()
    scene.accept(2)
    scene.sink.wait_for(4)
    scene.wait_ended()
    scene.relay.kill()
    scene.relay.start()
    scene.accept(1)
    scene.free_room()


@scenario(fails_calls=True)
def a_quota_is_a_full_disk(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    with scene.calls.failing("pwrite64", "fallocate", error="EDQUOT"):
        scene.assert_refusing()
        # What the reserve was given up for is tried at once, and then a second later.
        harness.wait_until(lambda: scene.calls.failed("pwrite64") >= 2, "the second try")
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_write_that_comes_out_short_is_none(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    size_bytes = (scene.relay.queue_dir / "queue.db-wal").stat().st_size
    with injection.limited_files(scene.relay, size_bytes + 1000):
        # The log may begin anew in front; it is over the limit soon.
        scene.post_until_refused(filler_bytes=20_000)
        scene.assert_refusing()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_start_on_a_disk_without_a_block_waits_for_space(scene):
    """Not even the reserve is left: somebody else has taken what it gave up."""
    fill_up(scene)
    scene.deaths.append(ledger.boot_s())
    scene.relay.kill()
    for name in ("queue.db-shm", "reserve"):  # SQLite makes the one small, to let it grow anew
        os.truncate(scene.relay.queue_dir / name, 0)
    scene.disk.fill()
    scene.gate.set()
    scene.relay.spawn()
    scene.follow(1)
    scene.relay.wait_for("queue_error")
    scene.assert_refusing()
    assert all("full" in fault for fault in scene.faults()), scene.faults()
    core = scene.relay.process.pid
    scene.free_room()
    scene.relay.wait_for("ready")
    scene.wait_well()
    assert scene.relay.process.pid == core


# ---- failing, gone ---------------------------------------------------------------------------------

def come_back(scene, core, starts=2):
    scene.relay.wait_for("ready", count=starts)
    scene.wait_well()
    assert scene.relay.process.pid == core and scene.relay.process.poll() is None


@scenario(fails_calls=True)
def after_a_failed_sync_the_next_incarnation_reads_what_is_there(scene):
    """Also of one that fails for want of space, as where blocks are found only then (NFS)."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    during = ledger.secret_payload()
    scene.accept(2)
    scene.sink.wait_for(2)
    with scene.calls.failing("fdatasync", error="EDQUOT", turns=1):
        assert scene.post(during) == 503
    scene.follow(2)
    come_back(scene, core)
    assert scene.post(during) == 200
    assert any(os.strerror(errno.EDQUOT) in event["error"] for event in scene.relay.events
               if event["event"] == "queue_error")


@scenario(fails_calls=True)
def pauses_grow_while_the_disk_goes_on_failing(scene):
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    with scene.calls.failing("fdatasync", error="EIO"):
        assert scene.post() == 503
        scene.relay.wait_for("started_anew")
        # Its queue cannot be opened either, and that is told once, however often it is tried.
        scene.relay.wait_for("queue_error", count=2)
        scene.follow(2)
        time.sleep(1.5)  # several attempts
        scene.assert_refusing()
        assert len(scene.faults()) == 2, scene.faults()
    come_back(scene, core)
    for number in (2, 3):
        with scene.calls.failing("fdatasync", error="EIO", turns=1):
            assert scene.post() == 503
            scene.relay.wait_for("started_anew", count=number)
        scene.follow(number + 1)
        come_back(scene, core, number + 1)
    pauses = [event["pause_ms"] for event in scene.relay.found("started_anew")]
    assert pauses == [100, 200, 400], pauses


@scenario()
def a_page_that_cannot_be_had_starts_the_relay_anew(scene):
    """SIGBUS: as when a disk is gone below a mapped file. Here its blocks are taken away."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    os.truncate(scene.relay.queue_dir / "dots", 0)
    scene.post()  # may be stored or not, and answered or not
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    come_back(scene, core)
    assert any("mapped file" in fault for fault in scene.faults())


def vanish_and_come_back(scene):
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.disk.shut_down()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    scene.assert_refusing()
    scene.disk.detach()  # nothing of it is held open
    harness.wait_until(lambda: any("No such file" in fault for fault in scene.faults()),
                       "an attempt without the disk")
    scene.assert_refusing()
    assert not any(scene.disk.mount.iterdir())  # no new queue where it was
    scene.disk.attach()
    come_back(scene, core)


@scenario()
def a_disk_that_vanishes_and_is_mounted_again(scene):
    vanish_and_come_back(scene)


@scenario(kind="xfs", size_mb=64)
def a_disk_with_xfs_that_vanishes_and_is_mounted_again(scene):
    vanish_and_come_back(scene)


LOOK_S = 1.1  # the writer looks once a second whether its files are still there


def lose_and_find_again(scene, lose, find_again):
    """What is at the queue's path goes without an error, and comes back."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(2)
    scene.sink.wait_for(2)
    scene.wait_ended()
    time.sleep(LOOK_S)
    lose()
    assert scene.post() == 503
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    harness.wait_until(lambda: any("find" in fault and "queue.db: No such file" in fault
                                   for fault in scene.faults()[1:]), "an attempt without it")
    scene.assert_refusing()
    assert not scene.relay.found("smarthost_down")
    find_again()
    come_back(scene, core)


@scenario()
def a_disk_that_is_unmounted_below_the_relay(scene):
    lose_and_find_again(scene, lambda: scene.disk.detach(lazily=True), scene.disk.attach)


@scenario()
def a_folder_that_is_moved_away(scene):
    queue_dir = scene.relay.queue_dir
    elsewhere = queue_dir.with_name("elsewhere")
    lose_and_find_again(scene, lambda: queue_dir.rename(elsewhere),
                        lambda: elsewhere.rename(queue_dir))


@scenario(size_mb=64)
def files_that_are_removed(scene):
    """They come back from a copy, as from a backup: what waits is not in it, but nothing did."""
    queue_dir = scene.relay.queue_dir
    copy = queue_dir.with_name("copy")

    def lose():
        scene.relay.command("queue", "backup", str(copy))
        for path in queue_dir.glob("queue.db*"):
            path.unlink()
    lose_and_find_again(scene, lose, lambda: copy.rename(queue_dir / "queue.db"))


@scenario()
def a_relay_that_waits_for_its_disk_ends_when_told_to(scene):
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    scene.disk.shut_down()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.relay.wait_for("queue_error", count=2)
    scene.relay.process.send_signal(signal.SIGTERM)
    assert scene.relay.process.wait(harness.WAIT_S) == 0
    scene.disk.detach()
    scene.disk.attach()
    scene.relay.start()
    scene.accept(1)


@scenario()
def a_disk_that_turns_read_only_is_let_go(scene):
    """ext4 stays so until it is mounted anew, so the relay must not hold it."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(2)
    scene.sink.wait_for(2)
    scene.wait_ended()
    scene.disk.remount_ro()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    scene.assert_refusing()
    scene.disk.remount_rw()
    come_back(scene, core)


@scenario(fails_calls=True)
def a_disk_that_is_read_only_for_a_moment(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    with scene.calls.failing("pwrite64", error="EROFS"):
        scene.assert_refusing()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario(on_tmpfs=True)
def a_disk_whose_own_disk_is_full_fails_its_syncs(scene):
    """A sparse image on a full tmpfs: ext4 has room, and the device behind it has none. The pages
    are gone when the sync has failed, and the next sync would say that all is well."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.disk.starve()
    try:
        for _ in range(200):
            if scene.post(filler_bytes=100_000) != 200:
                break
        else:
            raise AssertionError("the device has no room, and everything is accepted")
    finally:
        scene.disk.feed()
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    if scene.disk.is_read_only():  # where the journal was met as well, ext4 gives up
        scene.disk.remount_rw()
    come_back(scene, core)


# ---- all -------------------------------------------------------------------------------------------

def run(options):
    """options.points: how many scenarios at most (None: all); build as in result.py."""
    outcome = Result("disk faults")
    skipped = {}
    for name in list(SCENARIOS)[:options.points]:
        with tempfile.TemporaryDirectory(prefix="disk-") as folder:
            try:
                play(name, folder, options.build)
                outcome.points += 1
            except UNAVAILABLE as why:
                skipped[name] = str(why)
            except (AssertionError, OSError, subprocess.SubprocessError) as failure:
                outcome.points += 1
                where = traceback.extract_tb(failure.__traceback__)[-1]
                outcome.violations.append(f"{name}, {where.name}:{where.lineno}: {failure}")
    if skipped:
        outcome.skipped_reason = "; ".join(f"{name}: {why}" for name, why in skipped.items())
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=harness.RELEASE_BUILD)
    parser.add_argument("--points", type=int, help="how many scenarios (all)")
    outcome = run(parser.parse_args())
    print("\n".join(outcome.report()))
    sys.exit(outcome.failed)


if __name__ == "__main__":
    main()
