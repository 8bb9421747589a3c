"""Calls that fail in a running relay, and limits that it meets: strace and prlimit."""
import contextlib
import re
import resource
import shutil
import subprocess


class Unavailable(Exception):
    """No fault can be injected here; the text says why."""


@contextlib.contextmanager
def injected(relay, what):
    """Until left, what (strace's words, "fdatasync:error=EIO:when=1") happens to the core's calls,
    also after it has executed itself anew. Gives the file that the calls are written to."""
    if not shutil.which("strace"):
        raise Unavailable("strace is not installed")
    calls = relay.folder / "strace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(relay.process.pid), "-e", f"inject={what}",
         "-o", str(calls)], stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if not re.search(r"attached", said):
        tracer.wait()
        raise Unavailable(f"a running process cannot be traced: {said.strip()}")
    try:
        yield calls
    finally:
        tracer.terminate()
        tracer.wait()
        tracer.stderr.close()


@contextlib.contextmanager
def limited_files(relay, size_bytes):
    """Until left, the core's files can grow to that size; a write over it comes out short."""
    before = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, before)
