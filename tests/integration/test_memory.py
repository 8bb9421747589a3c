"""Codes and links are wiped from memory when they were used, no core dump is written, and a start
leaves little behind.

Looks at the release build: a sanitizer keeps what was freed.
"""
import os
import pathlib
import re
import resource
import signal

import memory
import payloads
import pytest
import relay as harness

TOKEN = "memorytokenq7x2v9"


def canaries(count):
    """Payloads, and what must not be found of them."""
    made, secrets = [], []
    for number in range(count):
        code, token = f"{83640917 + 1111 * number}", f"{TOKEN}{number:04}"
        made += [payloads.login_code(code=code),
                 payloads.recovery_link(f"0f3c{number:04x}", token=token)]
        secrets += [code.encode(), token.encode()]
    return made, secrets


def look(pids, secrets):
    try:
        return [one for pid in pids for one in memory.find(pid, secrets)]
    except memory.Unavailable as reason:
        pytest.skip(f"nobody but root can look into these processes: {reason}")


def assert_wiped(relay, secrets):
    """Wherever it may still be at work on the last one, it ends soon."""
    names = ("composer", "deliverer")
    assert all(map(relay.children, names))
    harness.wait_until(lambda: not look([relay.process.pid, *(
        pid for name in names for pid in relay.children(name))], secrets),
                       "codes and links to be wiped")


def test_what_was_sent_is_wiped(start_relay, sink):
    made, secrets = canaries(8)
    with start_relay(sink, build=harness.RELEASE_BUILD, connections=1) as relay:
        for one in made:
            relay.accept(one)
        sink.wait_for(len(made))
        # An open connection keeps a part of its last mail in libesmtp; it sees that this one is gone
        # when it is used once more.
        sink.down()
        relay.accept(payloads.login_code())
        relay.wait_for("smarthost_down")
        assert_wiped(relay, secrets)


def test_what_waits_is_sealed_and_wiped(start_relay, sink):
    made, secrets = canaries(4)
    sink.down()
    with start_relay(sink, build=harness.RELEASE_BUILD) as relay:
        ids = [relay.accept(one) for one in made]
        for message_id in ids:
            assert relay.state(message_id)["state"] == "queued"
        # In the queue's folder, and nowhere else, until it is due.
        assert_wiped(relay, secrets)


def test_what_was_parked_is_wiped(start_relay, sink, tmp_path):
    """By a normaliser that failed, after it was tried without one."""
    made, secrets = canaries(3)
    broken = tmp_path / "broken.jsonnet"
    broken.write_text("function(payload) error 'what of ' + std.toString(payload)")
    with start_relay(sink, build=harness.RELEASE_BUILD, normaliser=broken) as relay:
        for one in made:
            del one["recipient"], one["template_data"]["to"]
        for message_id in [relay.accept(one) for one in made]:
            assert relay.state(message_id)["state"] == "parked"
        harness.wait_until(lambda: not look([relay.process.pid, *relay.children("composer")],
                                            secrets), "payloads to be wiped")


def test_what_a_canary_in_use_looks_like(start_relay, sink):
    """Or else the tests above could find nothing whatever was there."""
    with start_relay(sink, build=harness.RELEASE_BUILD, api_key="canary-key-5fb1c7d2e4a6") as relay:
        assert look([relay.process.pid], [b"127.0.0.1"])


def sizes_kb(pid):
    """Of a process: memory of its own, and of files that it has mapped."""
    try:
        text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    except PermissionError as reason:
        pytest.skip(f"nobody but root can look into these processes: {reason}")
    return [int(re.search(rf"^{name}: +(\d+)", text, re.M).group(1))
            for name in ("Pss_Anon", "Pss_File")]


def test_a_start_leaves_little_behind(start_relay, sink):
    """No evaluation of Jsonnet in a composer, and of libraries what messages need."""
    limits = {"core": (4500, 4200), "composer": (3000, 6000), "deliverer": (2500, 2500)}
    with start_relay(sink, build=harness.RELEASE_BUILD, connections=1) as relay:
        [composer] = relay.children("composer")  # on a busy machine it may get help meanwhile
        for number in range(8):
            relay.accept(payloads.login_code(code=f"{471100 + number}"))
        sink.wait_for(8)
        [deliverer] = relay.children("deliverer")
        pids = {"core": relay.process.pid, "composer": composer, "deliverer": deliverer}
        for name, pid in pids.items():
            own_kb, files_kb = sizes_kb(pid)
            assert own_kb <= limits[name][0] and files_kb <= limits[name][1], (
                f"{name}: {own_kb} kB of its own, {files_kb} kB of files")


@pytest.mark.parametrize("victim", ["core", "composer"])
def test_no_core_is_dumped(start_relay, sink, victim):
    """Whatever limit it was started with."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        pytest.skip("cores are forbidden here already")
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        relay = start_relay(sink, build=harness.RELEASE_BUILD).start()
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    relay.accept(payloads.login_code())
    sink.wait_for(1)
    if victim == "composer":
        [pid] = relay.children("composer")
        os.kill(pid, signal.SIGABRT)
        harness.wait_until(lambda: not harness.alive(pid), "the composer to die")
    else:
        relay.process.send_signal(signal.SIGABRT)
        status = os.waitid(os.P_PID, relay.process.pid, os.WEXITED | os.WNOWAIT)
        assert status.si_code == os.CLD_KILLED, "not CLD_DUMPED"
        assert relay.process.wait(harness.WAIT_S) == -signal.SIGABRT
    assert not list(relay.folder.rglob("core*"))
    assert not list(relay.queue_dir.rglob("core*"))
