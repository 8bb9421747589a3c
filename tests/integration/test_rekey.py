"""The installation's key changes while mail comes in, is lost, is wrong, and comes back."""
import concurrent.futures
import contextlib
import json
import random
import subprocess
import threading

import payloads
import pytest
import relay as harness

KEYS = [f"{i:02x}" * 32 for i in range(1, 4)]


def key_lines(relay):
    return (relay.queue_dir / "queue.key").read_text().split()


def rekey(relay, status=0):
    done = relay.command("queue", "rekey", "--json", status=status)
    return json.loads(done.stdout) if status in (0, 1) else done.stderr


def states(relay):
    return {(row["state"], row["reason"]) for row in relay.queue_list("--limit", "10000")}


def wait_for_old_keys_to_go(relay):
    harness.wait_until(lambda: len(key_lines(relay)) == 1, "the old keys to go")


def post_all(relay, made):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(relay.accept, made))


def test_a_rekey_under_load_loses_and_parks_nothing(start_relay, sink):
    made = [payloads.login_code() for _ in range(160)]
    sink.down()
    with start_relay(sink) as relay:
        waiting = post_all(relay, made[:40])
        for message_id in waiting:
            assert relay.state(message_id)["state"] == "queued"
        first = key_lines(relay)
        sink.up()
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            posted = pool.submit(post_all, relay, made[40:])
            for _ in range(3):
                assert rekey(relay)["rekeyed"]
            ids = waiting + posted.result()
        relay.wait_for("audit", count=3, by="owner", act="rekey")
        wait_for_old_keys_to_go(relay)
        assert key_lines(relay) != first
        sink.wait_for(len(made))
        # What was accepted before is known under the new key, too.
        assert [relay.accept(one) for one in made] == ids
        relay.stop()
        assert states(relay) == {("sent", None)}
    assert sorted(mail.recipient for mail in sink.mails) == sorted(one["recipient"] for one in made)
    text = "\n".join(relay.lines) + relay.stderr()
    assert first[0] not in text and key_lines(relay)[0] not in text


def test_kill_9_at_any_moment_of_a_rekey(start_relay, sink):
    """Every body stays readable and every payload known, whatever queue.key holds by then."""
    made, ids = [], []
    sink.down()
    relay = start_relay(sink, build=harness.RELEASE_BUILD)
    for _ in range(12):
        relay.start()
        fresh = [payloads.login_code() for _ in range(6)]
        ids += post_all(relay, fresh)
        made += fresh
        command = subprocess.Popen(
            [str(harness.program(build=relay.build)), "queue", "rekey"], cwd=relay.folder,
            env=relay.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Within the few milliseconds that the command and the resealing take; which moment, and
        # whether it is before or behind them, may be any.
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(random.uniform(0, 0.04))
        relay.kill()
        command.wait(harness.WAIT_S)
        assert 1 <= len(key_lines(relay)) <= 13
    relay.start()
    assert not relay.found("queue_error")
    assert [relay.accept(one) for one in made] == ids
    wait_for_old_keys_to_go(relay)
    sink.up()
    sink.wait_for(len(made))
    relay.stop()
    assert states(relay) == {("sent", None)}
    assert sorted(mail.recipient for mail in sink.mails) == sorted(one["recipient"] for one in made)


def waits(relay, count=2):
    """Payloads that wait for a smarthost, and their ids."""
    made = [payloads.login_code() for _ in range(count)]
    ids = post_all(relay, made)
    for message_id in ids:
        assert relay.state(message_id)["state"] == "queued"
    return made, ids


def test_a_lost_key_parks_until_it_is_found_again(start_relay, sink):
    sink.down()
    relay = start_relay(sink).start()
    made, ids = waits(relay)
    relay.stop()
    lost = key_lines(relay)
    (relay.queue_dir / "queue.key").unlink()
    sink.up()
    relay.start()
    assert "queue.key holds none of the keys" in relay.wait_for("queue_error")["error"]
    for message_id in ids:
        relay.wait_for("parked", id=message_id, reason="unknown_key")
    new = payloads.login_code()
    relay.wait_for("sent", id=relay.accept(new))
    shown = relay.command("queue", "show", ids[0]).stdout
    assert "unknown_key" in shown and "add the key that it was sealed with" in shown
    # Released without its key it is parked again, and has lost nothing.
    relay.command("queue", "release", ids[0])
    relay.wait_for("parked", count=2, id=ids[0], reason="unknown_key")
    relay.stop()
    with open(relay.queue_dir / "queue.key", "a") as file:
        file.write(lost[0] + "\n")
    relay.start()
    assert not relay.found("queue_error")
    relay.command("queue", "release", "--reason", "unknown_key", "--yes")
    for message_id in ids:
        relay.wait_for("sent", id=message_id)
    wait_for_old_keys_to_go(relay)
    assert key_lines(relay) != lost
    relay.stop()
    assert states(relay) == {("sent", None)}
    assert {mail.recipient for mail in sink.mails} == {one["recipient"] for one in [*made, new]}
    assert len(sink.mails) == 3


def test_a_wrong_setting_parks_until_it_is_right_again(start_relay, sink):
    sink.down()
    relay = start_relay(sink, queue_key=KEYS[0]).start()
    made, ids = waits(relay)
    relay.stop()
    assert not (relay.queue_dir / "queue.key").exists()
    relay.settings["queue_key"] = KEYS[1]
    sink.up()
    relay.start()
    assert "RELAY_QUEUE_KEY holds none of the keys" in relay.wait_for("queue_error")["error"]
    for message_id in ids:
        relay.wait_for("parked", id=message_id, reason="unknown_key")
    relay.stop()
    assert not sink.mails
    relay.settings["queue_key"] = KEYS[0]
    relay.start()
    assert [relay.accept(one) for one in made] == ids, "what was known is known again"
    relay.command("queue", "release", "--reason", "unknown_key", "--yes")
    for message_id in ids:
        relay.wait_for("sent", id=message_id)
    relay.stop()
    assert len(sink.mails) == 2


def test_keys_of_a_setting_are_changed_by_whoever_sets_it(start_relay, sink, tmp_path):
    sink.down()
    relay = start_relay(sink, queue_key=KEYS[0]).start()
    made, ids = waits(relay)
    relay.stop()
    keys = tmp_path / "keys"
    keys.write_text(f"{KEYS[1]}\n{KEYS[0]}\n")
    del relay.settings["queue_key"]
    relay.settings["queue_key_file"] = keys
    relay.start()
    relay.wait_for("resealed", bodies=2)
    assert "the first key of RELAY_QUEUE_KEY" in rekey(relay)["message"]
    relay.wait_for("resealed", bodies=0)
    relay.stop()
    keys.write_text(KEYS[1])
    sink.up()
    relay.start()
    for message_id in ids:
        relay.wait_for("sent", id=message_id)
    assert [relay.accept(one) for one in made] == ids
    assert not relay.found("queue_error")


def test_a_rekey_needs_the_daemon_and_the_keys_in_use(relay, sink):
    with relay:
        key = relay.queue_dir / "queue.key"
        kept = key.read_text()
        key.write_text(KEYS[0] + "\n")
        assert "does not hold the keys in use" in rekey(relay, status=1)["error"]
        assert key.read_text() == KEYS[0] + "\n"
        key.write_text(kept)
        assert rekey(relay)["rekeyed"]
        assert key.stat().st_mode & 0o777 == 0o600
        relay.wait_for("resealed")
    assert "no relay runs" in rekey(relay, status=75)


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_may_read_is_refused(relay, mode):
    relay.start()
    relay.stop()
    key = relay.queue_dir / "queue.key"
    key.chmod(mode)
    relay.spawn()
    assert "may be read by others" in relay.wait_for("queue_error")["error"]
    assert relay.stop() == 1
    key.chmod(0o600)


def test_posts_are_answered_while_bodies_are_sealed_anew(start_relay, sink):
    """Batches end between posts: a post that comes while bodies are sealed anew is committed."""
    sink.down()
    with start_relay(sink, build=harness.RELEASE_BUILD) as relay:
        waits(relay, 150)
        stop = threading.Event()

        def post():
            while not stop.is_set():
                relay.accept(payloads.login_code())
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            posting = pool.submit(post)
            rekey(relay)
            resealed = relay.wait_for("resealed")
            stop.set()
            posting.result()
        assert resealed["bodies"] >= 150
        wait_for_old_keys_to_go(relay)
