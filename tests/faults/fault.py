"""What is done to a life of a relay: a system call of it fails, or an allocation, or none (recorded).

Each has: build (the programs to run), prefix (what they are run behind), settings, arm(), disarm(),
has_ended() (the core, where that can be told before its children have), ends (states that are right
beside the usual ones), and after disarm(): fired,
deaths (CLOCK_BOOTTIME).
"""
import struct

import relay as harness

PROGRAMS = ("courier-relay", "composer", "deliverer")
ALLOCATION = "allocation"
PLAN = struct.Struct("9I")  # fail_at, fired, counted of each program (failing_allocations.c)


class Call:
    """The n-th call of a thread (inject.c). words: WHERE SYSCALL N DO; none: all are recorded."""

    settings = {}
    ends = frozenset()

    def __init__(self, build, folder, words=()):
        self.build, self.report = build, folder / "report"
        self.prefix = [str(word) for word in
                       (build / "tests/faults/inject", self.report, *words, "--")]
        self.fired, self.deaths, self.calls = False, [], []

    def told(self, word):
        """Lines of the report that begin with that, split."""
        lines = self.report.read_text().splitlines() if self.report.exists() else []
        return [line.split() for line in lines if line.startswith(word + " ")]

    def arm(self):
        pass

    def has_ended(self):
        """The exit status; negative: by that signal. None: not yet."""
        ended = self.told("ended")
        return int(ended[0][1]) if ended else None

    def disarm(self):
        fired = self.told("fired")
        self.fired = bool(fired)
        self.deaths = [float(line[-1]) for line in fired]
        words = (line.split() for line in self.report.read_text().splitlines())
        self.calls = [(word[0], word[1], int(word[2])) for word in words if len(word) == 3]

    def recorded(self):
        """(where, syscall, n) of each call, in order."""
        return self.calls


class Allocation:
    """The n-th allocation in a process of program fails, once. program None: all are counted."""

    prefix = ()
    ends = {"parked"}  # where a composer lacked memory: seen, and can be released
    settings = {"templates_dir": harness.ROOT / "templates",
                "normaliser": harness.ROOT / "jsonnet/kratos_courier.jsonnet"}

    def __init__(self, build, folder, program=None, nth=0):
        self.build = build / "tests/faults/failing"
        self.plan = folder / "relay/allocations"  # the relay's working directory
        self.program, self.nth = program, nth
        self.fired, self.deaths = False, []
        self.counts = {}

    def _write(self, program, nth):
        values = [0] * 9
        if program is not None:
            values[PROGRAMS.index(program) * 3] = nth
        self.plan.parent.mkdir(parents=True, exist_ok=True)
        self.plan.write_bytes(PLAN.pack(*values))

    def arm(self):
        self._write(self.program, self.nth)

    def has_ended(self):
        return None

    def disarm(self):
        values = PLAN.unpack(self.plan.read_bytes())
        self.fired = any(values[1::3])
        self.counts = dict(zip(PROGRAMS, values[2::3]))
        self.plan.unlink()

    def recorded(self):
        """How many there are in a process of each program."""
        return self.counts


def of_point(build, folder, point):
    if point.syscall == ALLOCATION:
        return Allocation(build, folder, point.where, point.nth)
    return Call(build, folder, (point.where, point.syscall, point.nth, point.action))
