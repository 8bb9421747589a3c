"""kill -9 of the core at every stage between the answer to Kratos and the end of a delivery."""
import fcntl
import os
import random
import signal
import sys
import threading
import time

import payloads
import pytest
import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/faults"))

import ledger  # noqa: E402

ROUNDS = 100
# A verdict older than this, when the core is killed, has long been committed (20 ms at most, but
# on a machine that is busy with other tests, and its disk with it).
SETTLED_S = 20
MARGIN_S = 50


def killer(relay, sink, stage):
    """Makes the sink kill the core when it sees that stage of a transaction, once."""
    pid = relay.process.pid

    def kill(*_):
        clear(sink)
        os.kill(pid, signal.SIGKILL)
        return None
    setattr(sink, f"{stage}_reply", kill)


def clear(sink):
    sink.mail_reply = sink.rcpt_reply = sink.data_reply = lambda *_: None


# When the core is killed, in turn.
MOMENTS = ("answered", "mail", "rcpt", "data", "soon", "later", "sent")


def live_and_die(relay, sink, moment, made):
    """One life: start, accept, die. Gives what was acknowledged and when the kill was."""
    acknowledged = []
    clear(sink)
    relay.start()
    if moment in ("mail", "rcpt", "data"):
        killer(relay, sink, moment)
    for payload in made:
        try:
            message_id = relay.accept(payload)
        except OSError:  # killed by the sink while this one was under way: not acknowledged
            break
        acknowledged.append((message_id, payload, time.clock_gettime(time.CLOCK_BOOTTIME)))
    if moment in ("mail", "rcpt", "data"):
        relay.process.wait(harness.WAIT_S)
    elif moment == "soon":
        time.sleep(random.uniform(0, 0.004))
    elif moment == "later":
        time.sleep(random.uniform(0, 0.05))
    elif moment == "sent":
        relay.wait_for("sent", id=acknowledged[-1][0])
    relay.kill()
    return acknowledged, time.clock_gettime(time.CLOCK_BOOTTIME)


def waiting(relay):
    return [row for row in relay.queue_list("--limit", "10000")
            if row["state"] not in ("sent", "expired", "unknown")]


def test_kill_9_loses_nothing_and_repeats_nothing_needlessly(sink, tmp_path):
    relay = harness.Relay(tmp_path / "relay", build=harness.RELEASE_BUILD,
                          smtp_uri=harness.smtp_uri(sink), deadline_margin=f"{MARGIN_S}s")
    acknowledged, kills = [], []
    for number in range(ROUNDS):
        moment = MOMENTS[number % len(MOMENTS)]
        made = [payloads.login_code(minutes=1 if number % 3 == 0 else 15)
                for _ in range(random.choice((1, 1, 3)))]
        got, killed = live_and_die(relay, sink, moment, made)
        acknowledged += got
        kills.append(killed)

    clear(sink)
    relay.start()
    try:
        harness.wait_until(lambda: not waiting(relay), "the backlog to drain")
    except AssertionError as failure:
        raise AssertionError(f"{failure}: {waiting(relay)}\n{relay.tail()}")
    states = {row["id"]: row["state"] for row in relay.queue_list("--limit", "10000")}
    assert relay.stop() == 0

    told = ledger.told_sent(relay.events)
    assert len(acknowledged) >= ROUNDS / 2
    for message_id, payload, answered in acknowledged:
        copies = [mail for mail in sink.mails if mail.recipient == payload["recipient"]]
        assert all(payloads.code_of(payload) in mail.text() for mail in copies)
        assert len(copies) <= 3
        assert len({mail.message_id for mail in copies}) <= 1
        life_s = payload["template_data"]["expires_in_minutes"] * 60 - MARGIN_S
        if life_s > ROUNDS:
            assert copies, f"{message_id} was acknowledged and never arrived"
        else:
            assert copies or states[message_id] == "expired"
        assert all(mail.boot_s <= answered + life_s for mail in copies)
        # No copy of what the log has told as sent.
        assert all(mail.wall_s <= told.get(message_id, mail.wall_s) + ledger.TELLING_S
                   for mail in copies)
        # Every copy but the last was answered to a deliverer that had gone, or followed by a kill
        # before its outcome can have been kept. What was heard is in the mark, come what may.
        for mail in copies[:-1]:
            assert not mail.heard
            assert mail.left or any(
                mail.boot_s <= killed <= mail.boot_s + SETTLED_S for killed in kills)


@pytest.mark.parametrize("name", ["composer", "deliverer"])
def test_a_killed_child_is_started_anew(relay, sink, name):
    with relay:
        relay.accept(payloads.login_code())
        sink.wait_for(1)
        for count in (2, 3):
            for pid in relay.children(name):
                os.kill(pid, signal.SIGKILL)
                harness.wait_until(lambda: not harness.alive(pid), f"the end of {name} {pid}")
            message_id = relay.accept(payloads.login_code())
            relay.wait_for("sent", id=message_id)
            sink.wait_for(count)


def test_children_die_with_the_core(relay, sink):
    relay.start()
    relay.accept(payloads.login_code())
    sink.wait_for(1)
    children = relay.children()
    assert {name for _, _, name in harness.processes()} >= {"composer", "deliverer"}
    assert len(children) >= 2
    relay.kill()
    for pid in children:
        harness.wait_until(lambda: not harness.alive(pid), f"the end of child {pid}")


def test_no_child_inherits_a_descriptor(start_relay, sink):
    # As it is shipped: a sanitized composer keeps a descriptor more for its reports.
    relay = start_relay(sink, build=harness.RELEASE_BUILD)

    def descriptors(pid):
        folder = f"/proc/{pid}/fd"
        try:
            return {int(fd): os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder)}
        except PermissionError:
            pytest.skip("only root with CAP_SYS_PTRACE may look into a process that forbids dumps")

    with relay:
        relay.accept(payloads.login_code())
        sink.wait_for(1)
        core = descriptors(relay.process.pid)
        ours = {target for target in core.values() if target.startswith("socket:")}
        assert ours
        for name in ("composer", "deliverer"):
            for pid in relay.children(name):
                fds = descriptors(pid)
                assert fds[0] == "/dev/null"
                assert fds[3].startswith("socket:")
                assert not ours & set(fds.values())
                in_queue = {os.path.basename(target) for target in fds.values()
                            if target.startswith(str(relay.queue_dir))}
                assert in_queue <= ({"dots"} if name == "deliverer" else set())
                if name == "composer":
                    assert not [fd for fd, target in fds.items()
                                if fd > 3 and target.startswith("/") and
                                not target.startswith("/dev/null")]


def test_a_lock_that_dies_a_moment_after_its_daemon_holds_up_no_start(relay):
    """A child that was being started when the core was killed has the core's descriptors until it
    has closed them."""
    relay.queue_dir.mkdir(parents=True, mode=0o700)
    with open(relay.queue_dir / "queue.lock", "w", opener=lambda path, flags: os.open(
            path, flags, 0o600)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        release = threading.Timer(0.3, fcntl.flock, [lock, fcntl.LOCK_UN])
        release.start()
        with relay:
            pass
        release.join()


def test_a_second_daemon_on_the_same_folder_is_refused(relay):
    with relay:
        second = harness.Relay(relay.folder, **relay.settings).spawn()
        assert second.process.wait(harness.WAIT_S) == 75
        assert not second.found("listening")
        assert relay.request("GET", "/health/ready").status == 200
