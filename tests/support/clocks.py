"""Clocks that lie to one program: a wall clock that is set while it runs, and machines' others.

    wall = WallClock(tmp_path)
    relay.prefix = wall.prefix
    relay.start()
    wall.set(3600)        # an hour forward, for the relay and for nobody else

libfaketime sits between the program and the C library. CLOCK_BOOTTIME and CLOCK_MONOTONIC stay what
they are, as they do where somebody sets the clock. The relay's children are started without an
environment, so theirs is the true one.

    relay.prefix = [*boot_clock(-1000), *wall.prefix]

In a time namespace of its own the relay sees CLOCK_BOOTTIME and CLOCK_MONOTONIC shifted: what a
reboot does to them, and what starting a container on another host does.
"""
import functools
import pathlib
import shutil
import subprocess


class Unavailable(Exception):
    """Why clocks cannot be made to lie here."""


@functools.cache
def library():
    """Where Debian has put libfaketime on this machine's architecture."""
    found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Unavailable("libfaketime is missing")
    return found[0]


class WallClock:
    """A wall clock of the true one's pace, off by as many seconds as set() says.

    Programs with sanitizers must not be started behind it: they want to be first.
    """

    def __init__(self, folder, offset_s=0):
        self._path = pathlib.Path(folder) / "wall_clock"
        self.offset_s = 0
        self.environment = {
            "LD_PRELOAD": str(library()), "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1",
            # Its repair for other glibcs makes waits for a condition end at once with this one.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0"}
        self.set(offset_s)

    def set(self, offset_s):
        """From now on the clock is so many seconds fast (or slow, where negative)."""
        self.offset_s = offset_s
        # Replaced as a whole: it is read before every look at the clock.
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{offset_s:+d}\n")
        fresh.rename(self._path)

    @property
    def prefix(self):
        """The command that a program is started behind, with the same process id."""
        return ["env", *(f"{name}={value}" for name, value in self.environment.items())]

    @staticmethod
    def clear_up():
        """Takes away what libfaketime has left of programs that have ended."""
        for left in pathlib.Path("/dev/shm").glob("*faketime_s*_*"):
            if not pathlib.Path("/proc", left.name.rpartition("_")[2]).exists():
                left.unlink(missing_ok=True)


@functools.cache
def require_time_namespaces():
    """Raises Unavailable where a program cannot be given clocks that count from elsewhere."""
    if not shutil.which("unshare"):
        raise Unavailable("unshare (util-linux) is missing")
    seen = subprocess.run([*boot_clock(1000000), "cat", "/proc/uptime"], capture_output=True,
                          text=True)
    # Before Linux 6.1 the program itself stays in the old namespace, and its children do not.
    if seen.returncode != 0 or float(seen.stdout.split()[0]) < 1000000:
        raise Unavailable(f"no time namespaces here: {seen.stderr.strip() or 'it had no effect'}")


def boot_clock(offset_s):
    """The command behind which CLOCK_BOOTTIME and CLOCK_MONOTONIC are off by so much."""
    return ["unshare", "--time", "--boottime", str(offset_s), "--monotonic", str(offset_s)]
