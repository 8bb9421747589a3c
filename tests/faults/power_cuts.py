#!/usr/bin/python3
"""Power cuts, as real as a disk can tell: on ext4 and XFS, with mail going in and out.

A lane is one disk with one queue. In each of its lives the relay is started, clients post (their
ledger is in our memory), and the smarthost receives. At a random moment all of the relay is killed
and the file system shut down without its log by the kernel, in the middle of whatever sync is under
way. The journal is replayed, the machine "starts anew" (another boot id: the marks are worthless),
and the next life begins. After the last one everything drains, and the one checker (ledger.py) judges.

The kill comes first, since it takes effect at once in every thread: no power cut lets a program see
what became of the sync that it broke. (The ioctl does: such a sync says success now and then
although nothing was written, to any program and on both file systems.)

In every third life it is the disk alone that dies. The relay is stopped until it is in no system call,
the disk is shut down, and the relay goes on for a moment, meeting nothing but errors: what it
acknowledges then is held against it.

One lane of eight is a disk that goes away and comes back while the machine stays up. Marks that were
never synced are lost there and nobody knows, so copies are not bounded.

Mounting with nobarrier would add nothing: what is lost is what the file system had not written, not
what a disk's own cache holds.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import functools
import multiprocessing
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

import clients  # noqa: E402
import filled_queue  # noqa: E402
import ledger  # noqa: E402
import loop_disk  # noqa: E402
import machine as machines  # noqa: E402
import relay as harness  # noqa: E402
import sink as sinks  # noqa: E402
from result import Result  # noqa: E402

POINTS = 400
LANE_CUTS = 10
# Lanes take these in turn: three on ext4, one of which writes data whenever it likes, and one on XFS.
DISKS = ({"kind": "ext4"}, {"kind": "ext4", "mount_options": "data=writeback"},
         {"kind": "xfs", "size_mb": 320}, {"kind": "ext4"})
SIZE_MB = 256  # a WAL of 64 MB and what was in it, twice; the image is a sparse file
MARGIN_S = 58  # of a minute: what is to expire lives for two seconds
DRAIN_S = 60
STOP_S = 2
OLD_ROWS = 4000  # ten batches of the sweep, a tenth of a second from one to the next
FINE = {"sent", "expired", "unknown", "superseded"}


class Lane:
    """One disk, its queue, and what happened to it."""

    def __init__(self, folder, build, disk, seed, machine_stays=False):
        self.rng = random.Random(seed)
        self.machine_stays = machine_stays
        self.disk = disk
        self.sink = sinks.Sink()
        self.ledger = ledger.ClientLedger()
        self.machine = machines.Machine(folder)
        self.relay = harness.Relay(folder / "relay", build=build, queue_dir=disk.mount / "queue",
                                   smtp_uri=harness.smtp_uri(self.sink),
                                   deadline_margin=f"{MARGIN_S}s", retention="1h")
        self.relay.queue_dir = disk.mount / "queue"
        self.clients = clients.Clients(self.relay, self.ledger, self.rng)
        self.may_end = False  # the relay, by itself
        self.orders = []      # commands of an operator that are under way
        self.backup = None    # the file that one of them makes
        self.deaths = []
        self.counts = collections.Counter()
        self.violations = []

    def pause(self, most_s):
        """Any moment from now until then is as good: the point of it all."""
        time.sleep(self.rng.uniform(0, most_s))

    def post(self, **options):
        """The clients begin; options are make_payload()'s."""
        self.clients.make = functools.partial(clients.make_payload, **options)
        self.clients.begin()

    def live(self, moment):
        """One life. moment: a function of the lane that returns when the power is to fail."""
        self.relay.prefix = self.machine.prefix
        self.may_end = False
        moment(self)
        self.cut()
        self.counts[moment.__name__] += 1

    def cut(self):
        has_backup = self.backup and self.orders[0].poll() == 0
        if self.rng.random() < 1 / 3 and self.stop():
            self.outlive()
            self.kill()
        else:
            self.kill()
            self.disk.shut_down()
            self.deaths.append(ledger.boot_s())
        self.relay.kill()  # is dead; what it has said is read to the end
        self.clients.end()
        for order in self.orders:
            order.wait()
        self.orders = []
        self.disk.detach()
        self.disk.attach()
        self.counts["cuts"] += 1
        self.check_backup(has_backup)
        if not self.machine_stays:
            self.machine.reboot()

    def kill(self):
        self.deaths.append(ledger.boot_s())
        with contextlib.suppress(ProcessLookupError):  # it has stopped by itself, as it was told to
            os.killpg(self.relay.process.pid, signal.SIGKILL)

    def stop(self):
        """Until it is in no system call. False: it cannot be; who waits for a child's exec() is not
        stopped before, and that child may be stopped already."""
        core, until = self.relay.process, time.monotonic() + STOP_S
        with contextlib.suppress(ProcessLookupError):
            os.killpg(core.pid, signal.SIGSTOP)
        while not _stands_still(core):
            if time.monotonic() > until:
                return False
            time.sleep(0.001)
        return True

    def outlive(self):
        """The disk is dead, the relay is not."""
        core = self.relay.process
        self.disk.shut_down()
        self.deaths.append(ledger.boot_s())
        with contextlib.suppress(ProcessLookupError):
            os.killpg(core.pid, signal.SIGCONT)
        self.pause(0.3)
        if core.poll() is not None and not self.may_end:
            self.violations.append(f"without a disk the relay ended: {core.returncode}\n"
                                   f"{self.relay.tail()}")
        self.counts["lived without a disk"] += 1

    def check_backup(self, is_expected):
        """A file of that name is whole, and is there once the command has said so."""
        path, self.backup = self.backup, None
        if not path:
            return
        if path.exists():
            with contextlib.closing(sqlite3.connect(f"file:{path}?immutable=1", uri=True)) as copy:
                verdict = copy.execute("PRAGMA integrity_check").fetchall()
            if verdict != [("ok",)]:
                self.violations.append(f"a backup is {verdict[:3]}")
            self.counts["backups"] += 1
        elif is_expected:
            self.violations.append("a backup was made, and is not there")
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()

    def order(self, *arguments):
        """An operator gives a command and does not wait for it."""
        self.orders.append(subprocess.Popen(
            [str(harness.program(build=self.relay.build)), "queue", *arguments],
            env=self.relay.environment(), cwd=self.relay.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def age(self):
        """Before the first life: the queue is an old one, of which most is to be swept."""
        folder = self.relay.folder
        folder.mkdir()
        filled_queue.fill(self.relay.queue_dir,
                          filled_queue.write_mail_pattern(folder / "pattern", self.relay.build),
                          OLD_ROWS, "--state", "sent", "--age", "14400000", build=self.relay.build)

    def catch_up(self):
        """Starts, and mostly works off what was left: what meets three cuts ends as `unknown`."""
        self.relay.start()
        if self.rng.random() < 0.75:
            self.drain()

    def drain(self):
        def waiting():
            return [row for row in self.rows() if row["state"] not in FINE]
        try:
            harness.wait_until(lambda: not waiting(), "everything to end", DRAIN_S)
        except AssertionError as failure:
            rows = waiting()
            raise AssertionError(f"{failure}: {len(rows)} rows, such as {rows[:1]}\n"
                                 f"{self.relay.tail()}") from failure

    def rows(self):
        return [row for row in self.relay.queue_list("--limit", "1000000")
                if not (row["recipient"] or "").endswith("@bench.test")]

    def judge(self):
        """The power stays on: everything ends, and the books are compared."""
        self.relay.prefix = self.machine.prefix
        self.relay.start()
        self.drain()
        rows = self.rows()
        if self.relay.stop() != 0:
            self.violations.append("the relay did not stop cleanly")
        bound = {"max_copies": 1 << 30} if self.machine_stays else {}
        self.violations += ledger.check(self.ledger, self.sink, rows, margin_s=MARGIN_S,
                                        deaths=self.deaths,
                                        told=ledger.told_sent(self.relay.events), **bound)
        if not self.machine_stays:
            self.violations += ledger.check_counts(self.sink, self.relay.queue_dir)
        # What was not acknowledged is whole as well, or not there at all.
        self.violations += [f"O1 {row['id']} is {row['state']} ({row['reason']})" for row in rows
                            if row["state"] not in FINE]
        self.violations += ledger.check_output(self.ledger,
                                               [*self.relay.lines, self.relay.stderr()])
        self.violations += ledger.check_folder(self.relay.queue_dir)
        self.violations += ledger.check_queue(self.relay)
        self._count(rows)

    def _count(self, rows):
        entries = self.ledger.entries()
        self.counts["posted"] += len(entries)
        self.counts["acknowledged"] += sum(entry.acknowledged_s is not None for entry in entries)
        self.counts["mails"] += len(self.sink.mails)
        self.counts["copies"] += len(self.sink.mails) - len({mail.recipient
                                                             for mail in self.sink.mails})
        self.counts.update(row["state"] for row in rows)

    def close(self):
        if self.relay.process and self.relay.process.poll() is None:
            self.kill()
            self.relay.kill()
        self.clients.end()
        self.sink.close()


def _stands_still(core):
    """All its threads are stopped, or it has ended."""
    if core.poll() is not None:
        return True
    states = []
    for task in pathlib.Path(f"/proc/{core.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            text = (task / "stat").read_text()
            states.append(text[text.rindex(")") + 2])
    return set(states) <= set("TZX")


# ---- moments ---------------------------------------------------------------------------------

def first_start(lane):
    """The folder, the key and the database are made, and the first payloads come at once."""
    starting(lane)


def starting(lane):
    """Recovery of what the last cut has left, and the first payloads."""
    lane.may_end = True
    lane.relay.spawn()
    lane.post()
    lane.pause(0.12)


def accepting(lane):
    """Payloads are accepted and sent."""
    lane.catch_up()
    lane.post()
    lane.clients.wait_answered(lane.rng.randrange(1, 10))
    lane.pause(0.06)


def sending(lane):
    """The last answer was given, and deliveries go on."""
    lane.catch_up()
    lane.post()
    lane.clients.wait_answered(lane.rng.randrange(1, 30))
    lane.clients.end()
    lane.pause(0.03)


def stopping(lane):
    """A stop with what was under way, and its checkpoint."""
    lane.catch_up()
    lane.post()
    lane.clients.wait_answered(lane.rng.randrange(1, 20))
    lane.may_end = True
    lane.relay.process.terminate()
    lane.pause(0.05)


def idle_checkpoint(lane):
    """Enough for a checkpoint was written, and then nothing for so long that one is made."""
    lane.catch_up()
    lane.post(filler_bytes=200_000)
    lane.clients.wait_answered(24)
    lane.clients.end()
    time.sleep(0.03)  # until 50 ms without a commit are nearly over
    lane.pause(0.1)


def rekeying(lane):
    """A new key is made, and rows are sealed under it while others come and go."""
    lane.catch_up()
    lane.post()
    lane.clients.wait_answered(4)
    lane.order("rekey")
    lane.pause(0.15)


def backing_up(lane):
    """A copy is made while others come and go."""
    lane.catch_up()
    lane.post(filler_bytes=20_000)
    lane.clients.wait_answered(4)
    lane.backup = lane.disk.mount / "backup"
    lane.order("backup", str(lane.backup))
    lane.pause(0.4)


def forced_checkpoint(lane):
    """So much is written without a pause that the checkpoint cannot wait for one."""
    lane.catch_up()
    lane.post(filler_bytes=900_000)
    lane.clients.wait_answered(lane.rng.randrange(60, 80))  # a WAL of 64 MB is the limit
    lane.pause(0.1)


def expiring(lane):
    """Mails die while they wait for a smarthost that is away."""
    lane.catch_up()
    lane.sink.down()
    lane.post(minutes=1)
    lane.clients.wait_answered(20)
    lane.clients.end()
    lane.relay.wait_for("expired")
    lane.pause(0.05)
    lane.sink.up()


OFTEN = (accepting, starting, sending, accepting, stopping, rekeying, backing_up,
         idle_checkpoint)
SELDOM = (expiring, forced_checkpoint)  # these take a second or two


def moments_of(rng, number, cuts):
    """What a lane goes through: a first start, one of the long ones, and the others by chance."""
    chosen = [first_start, *(rng.choice(OFTEN) for _ in range(cuts - 1))]
    if cuts >= LANE_CUTS:
        chosen[rng.randrange(1, cuts)] = SELDOM[number % len(SELDOM)]
    return chosen


# ---- all of it ---------------------------------------------------------------------------------

def run_lane(number, cuts, build, seed):
    """Gives (counts, violations). Each lane draws from a seed of its own."""
    options = DISKS[number % len(DISKS)]
    with tempfile.TemporaryDirectory(prefix="power-") as folder, \
            loop_disk.LoopDisk(folder, **{"size_mb": SIZE_MB} | options) as disk:
        lane = Lane(pathlib.Path(folder), build, disk, f"{seed}.{number}", number % 8 == 7)
        try:
            if number % len(DISKS) == 3:
                lane.age()
            for moment in moments_of(lane.rng, number, cuts):
                lane.live(moment)
            lane.judge()
        except AssertionError as failure:  # it did not start, or not go on
            lane.violations.append(str(failure))
        finally:
            lane.close()
    where = f"{' '.join(map(str, options.values()))}, lane {number}, seed {seed}"
    lane.counts[f"cuts on {disk.kind}"] = lane.counts.pop("cuts", 0)
    return lane.counts, [f"{where}: {violation}" for violation in lane.violations]


def run(options):
    """options.points: how many cuts (None: POINTS); build, seed and jobs as in result.py."""
    outcome = Result("power cuts")
    try:
        machines.require()
        with tempfile.TemporaryDirectory(prefix="power-") as folder:
            for kind in ("ext4", "xfs"):
                with loop_disk.LoopDisk(pathlib.Path(folder) / kind, kind, size_mb=320):
                    pass
    except (machines.Unavailable, loop_disk.Unavailable) as why:
        outcome.skipped_reason = str(why)
        return outcome
    points = options.points or POINTS
    longest = min(LANE_CUTS, -(-points // len(DISKS)))  # of few cuts, some on each
    sizes = [min(longest, points - done) for done in range(0, points, longest)]
    lanes = [(number, cuts, options.build, options.seed) for number, cuts in enumerate(sizes)]
    counts = collections.Counter()
    for lane_counts, violations in _run_lanes(lanes, options.jobs):
        counts.update(lane_counts)
        outcome.violations += violations
    outcome.points = sum(count for name, count in counts.items() if name.startswith("cuts on "))
    outcome.notes = [f"{count} {name}" for name, count in sorted(counts.items())]
    outcome.notes.append(f"seed {options.seed}")
    return outcome


def _run_lanes(lanes, jobs):
    if jobs == 1:
        return [run_lane(*lane) for lane in lanes]
    # Processes of their own: threads of one would wait for each other's Python.
    with concurrent.futures.ProcessPoolExecutor(
            jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(run_lane, *zip(*lanes)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=lambda name: harness.ROOT / name,
                        default=harness.RELEASE_BUILD)
    parser.add_argument("--points", type=int, help=f"how many cuts ({POINTS})")
    parser.add_argument("--seed", type=int, default=random.getrandbits(32))
    parser.add_argument("--jobs", type=int, default=2)
    outcome = run(parser.parse_args())
    print(*outcome.report(), sep="\n")
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
