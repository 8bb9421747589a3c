"""Runs trials of a scenario at many points, some at a time, and sums them up."""
import collections
import concurrent.futures
import contextlib
import errno
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [path for path in (str(HERE), str(HERE.parent / "support")) if path not in sys.path]

import fault  # noqa: E402
import scenario as scenarios  # noqa: E402
import sink as sink_module  # noqa: E402
from result import Result, Unavailable  # noqa: E402

# A program's first call that is not the loading of its libraries.
AT_WORK_FROM = {"courier-relay": "flock", "composer": "sendto", "deliverer": "sendto"}

# A thread's n-th system call in a scenario, and what is done to it (inject.c).
Point = collections.namedtuple("Point", "scenario where syscall nth action")
Trial = collections.namedtuple("Trial", "point fired status violations")
CRASHES = {-number: number.name for number in (
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSYS)}

_lane = {}  # of a worker process: its sink


def check_available(build):
    """Raises Unavailable where no call can be made to fail."""
    if os.uname().machine != "x86_64":
        raise Unavailable("calls can be changed on x86-64 only")
    with tempfile.TemporaryDirectory() as folder:
        probe = fault.Call(build, pathlib.Path(folder))
        status = os.spawnv(os.P_WAIT, probe.prefix[0], [*probe.prefix, "/bin/true"])
        if status != 0 or probe.has_ended() != 0:
            raise Unavailable("a process may not be traced here (ptrace)")


@contextlib.contextmanager
def _lane_folder():
    """A new folder, and the sink of this process as it was at first."""
    if "sink" not in _lane:
        _lane["sink"] = sink_module.Sink()
    sink = _lane["sink"]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="crash-"))
    try:
        yield folder, sink
    finally:
        sink.rcpt_reply = lambda *_: None
        if not sink.is_up:
            sink.up()
        shutil.rmtree(folder, ignore_errors=True)


def try_point(build, point):
    """One trial. In a worker process, or in this one."""
    with _lane_folder() as (folder, sink):
        try:
            what = fault.of_point(build, folder, point)
            world = scenarios.live(point.scenario, folder / "relay", sink, what)
        except Exception as error:  # a trial that cannot be judged is a violation as well
            return Trial(point, True, None, [f"the trial itself failed: {error!r}"])
        return Trial(point, what.fired, world.status, world.violations)


def record(build, name, kind=fault.Call):
    """A scenario without a fault, its calls or allocations counted. Gives the fault.Call, or kind."""
    with _lane_folder() as (folder, sink):
        what = kind(build, folder)
        world = scenarios.live(name, folder / "relay", sink, what)
        assert not world.violations, f"{name} without any fault: {world.violations}"
        return what


def at_work(build, name, loading_every):
    """(where, syscall, n) of a scenario; of programs that load their libraries one of loading_every.

    Until then nothing of ours has happened: the core has not the queue's lock, a child has not
    talked to the core.
    """
    at_work, loading = set(), 0
    for where, syscall, nth in dict.fromkeys(record(build, name).recorded()):
        program = where.split(".")[0]
        if syscall == AT_WORK_FROM.get(program):
            at_work.add(program)
        loading += program not in at_work
        if program in at_work or loading % loading_every == 0:
            yield where, syscall, nth


def choose(points, count, seed):
    """count of them, spread evenly over their order, from a start that seed decides; None: all."""
    if count is None or count >= len(points):
        return list(points)
    step = len(points) / count
    start = random.Random(seed).random() * step
    return [points[int(start + step * number)] for number in range(count)]


def is_for_want_of_memory(point):
    """A library that has none may crash, if nothing is lost."""
    return point.syscall == fault.ALLOCATION or point.action == errno.ENOMEM


def run_points(name, build, points, jobs):
    """Tries them all."""
    result = Result(name)
    unreached = collections.Counter()
    statuses, deaths = collections.Counter(), []
    with contextlib.ExitStack() as stack:
        if jobs > 1:
            # Made afresh, not forked: this process has threads, and a sink of its own.
            pool = stack.enter_context(concurrent.futures.ProcessPoolExecutor(
                jobs, mp_context=multiprocessing.get_context("spawn")))
            trials = pool.map(try_point, [build] * len(points), points, chunksize=4)
        else:
            trials = (try_point(build, point) for point in points)
        for trial in trials:
            if not trial.fired:
                unreached[trial.point.scenario] += 1
                continue
            result.points += 1
            statuses[trial.status] += 1
            if trial.status == -signal.SIGABRT or trial.status in CRASHES:
                deaths.append(f"{' '.join(map(str, trial.point))} ({trial.status})")
            if trial.status in CRASHES and not is_for_want_of_memory(trial.point):
                trial.violations.append(f"O7 crashed: {CRASHES[trial.status]}")
            for violation in trial.violations:
                result.violations.append(f"{' '.join(map(str, trial.point))}: {violation}")
                print(result.violations[-1], file=sys.stderr, flush=True)  # not at the end only
    result.notes.append(f"not reached this time: {sum(unreached.values())} more points")
    result.notes.append("the first life's exit status: " + ", ".join(
        f"{status} x {count}" for status, count in statuses.most_common()))
    result.notes += [f"died of a signal of its own: {death}" for death in deaths]
    return result
