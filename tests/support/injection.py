"""Calls that fail in a running relay, and limits that it meets: failing_calls.c and prlimit."""
import contextlib
import errno
import mmap
import resource
import struct
import subprocess

import relay as harness

CALLS = ("pwrite64", "fallocate", "ftruncate", "fdatasync", "fsync")  # failing_calls.c
ENTRY = struct.Struct("iiI")  # error, turns, failed of each, and then how the file's path ends
FILE = struct.Struct("32s")
TURNS = struct.Struct("i")


class Unavailable(Exception):
    """No fault can be injected here; the text says why."""


class Calls:
    """The calls of a relay on its files, which run as ever while none is told to fail.

    Made before the relay's start, whose prefix it becomes. Holds for all its later starts."""

    def __init__(self, relay):
        program = harness.RELEASE_BUILD / "tests/faults/failing_calls"
        relay.folder.mkdir(parents=True, exist_ok=True)
        path = relay.folder / "calls"
        path.write_bytes(bytes(ENTRY.size * len(CALLS) + FILE.size))
        with open(path, "r+b") as file:
            self._plan = mmap.mmap(file.fileno(), 0)
        tried = subprocess.run([program, path, "/bin/true"], stderr=subprocess.PIPE, text=True)
        if tried.returncode != 0:
            raise Unavailable(tried.stderr.strip())
        relay.prefix = [str(program), str(path)]

    def failed(self, call):
        """How often it has, since it was last told to."""
        return ENTRY.unpack_from(self._plan, CALLS.index(call) * ENTRY.size)[2]

    @contextlib.contextmanager
    def failing(self, *calls, error, turns=-1, file=""):
        """Until left, these calls fail with error ("EIO"), each so many times (-1: always), where
        the file's path ends so."""
        FILE.pack_into(self._plan, ENTRY.size * len(CALLS), file.encode())
        for call in calls:
            ENTRY.pack_into(self._plan, CALLS.index(call) * ENTRY.size,
                            getattr(errno, error), turns, 0)
        try:
            yield self
        finally:
            for call in calls:  # nothing but the turns: one may be on its way to fail
                TURNS.pack_into(self._plan, CALLS.index(call) * ENTRY.size + TURNS.size, 0)


@contextlib.contextmanager
def limited_files(relay, size_bytes):
    """Until left, the core's files can grow to that size; a write over it comes out short."""
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
