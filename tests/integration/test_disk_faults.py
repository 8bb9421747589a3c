"""A disk whose sync fails while the relay runs."""
import contextlib
import os
import re
import shutil
import signal
import subprocess

import payloads
import pytest


@contextlib.contextmanager
def failing(relay, what):
    """Until left, what (strace's words) is injected into the running core."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed: no fault can be injected")
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(relay.process.pid), "-e", f"inject={what}",
         "-o", str(relay.folder / "strace")], stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if not re.search(r"attached", said):
        tracer.wait()
        pytest.skip(f"a running process cannot be traced here: {said.strip()}")
    try:
        yield
    finally:
        tracer.terminate()
        tracer.wait()
        tracer.stderr.close()


def test_after_a_failed_sync_nothing_is_acknowledged_and_the_relay_starts_anew(relay, sink):
    """The kernel has dropped what it could not write, and the next sync would say that all is
    well: so the next one is another incarnation's, which has read what is really there."""
    before, during = payloads.login_code(), payloads.login_code()
    with relay:
        core = relay.process.pid
        relay.wait_for("sent", id=relay.accept(before))
        with failing(relay, "fdatasync:error=EIO:when=1"):
            assert relay.post(during).status == 503
            relay.wait_for("queue_error")
        relay.wait_for("starting_anew")
        relay.wait_for("ready", count=2)
        address = relay.wait_for("listening", count=2, listener="mail")["address"]
        relay.port = int(address.rsplit(":", 1)[1])
        assert relay.process.pid == core and relay.process.poll() is None
        message_id = relay.accept(during)  # as Kratos does, or has the first one survived?
        relay.accept(payloads.login_code())
        mails = sink.wait_for(3)
        assert relay.accept(during) == message_id
    assert sorted(mail.recipient for mail in mails).count(during["recipient"]) == 1
    assert len(sink.mails) == 3


def test_a_reload_asked_for_between_two_incarnations_is_done_by_the_second(relay):
    with relay:
        with failing(relay, "fdatasync:error=EIO:when=1"):
            assert relay.post(payloads.login_code()).status == 503
            relay.wait_for("starting_anew")
            os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("ready", count=2)
        relay.wait_for("reloaded")
        assert relay.process.poll() is None
