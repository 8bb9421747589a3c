"""Disks that fill up below a running relay, and what is like it: no inodes, quota, short write."""
import os

import injection
import ledger
import relay as harness
from disk_scene import assert_same_process, scenario


def fill_up(scene):
    """Ends with a full disk and messages whose outcome the smarthost still owes."""
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.gate.clear()
    scene.accept(3)
    scene.disk.fill(leave_bytes=50_000)
    scene.post_until_refused()
    scene.assert_refusing()


def end_by_the_reserve(scene):
    """What was accepted is sent, and that is written down, though the disk is full."""
    scene.gate.set()
    scene.wait_ended()
    assert all(row["state"] == "sent" for row in scene.rows())
    scene.assert_refusing()


def full_disk(scene):
    core = scene.relay.process.pid
    fill_up(scene)
    end_by_the_reserve(scene)
    for _ in range(50):
        assert scene.post() == 503
    scene.free_room()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_full_disk_takes_outcomes_and_nothing_else(scene):
    full_disk(scene)


@scenario(block_bytes=1024)
def a_full_disk_of_small_blocks(scene):
    full_disk(scene)


@scenario(kind="xfs", size_mb=64)
def a_full_disk_with_xfs(scene):
    full_disk(scene)


@scenario()
def a_start_on_a_full_disk_sends_what_is_there(scene):
    fill_up(scene)
    scene.deaths.append(ledger.boot_s())
    scene.relay.kill()
    scene.gate.set()
    scene.relay.start()
    scene.wait_ended()
    scene.assert_refusing()
    assert len(scene.faults()) == 1, scene.faults()
    scene.free_room()
    scene.wait_well()


@scenario(size_mb=20)
def a_disk_that_the_queue_has_filled_empties_by_itself(scene):
    """Nobody frees anything: what was sent gives its body's space back, and that is enough. The
    database has left what the reserve needs, with the log's blocks."""
    own_bytes = scene.disk.free_bytes()
    scene.gate.clear()
    assert scene.post_until_refused(filler_bytes=200_000) > 5
    scene.gate.set()
    scene.wait_well()
    database_bytes = (scene.relay.queue_dir / "queue.db").stat().st_size
    assert database_bytes < own_bytes - (2 << 20), (database_bytes, own_bytes)
    assert not scene.relay.found("starting_anew")


def key_count(scene):
    return len((scene.relay.queue_dir / "queue.key").read_text().split())


@scenario()
def a_rekey_on_a_full_disk_holds_nothing_up(scene):
    """What waits is sent, and that is written down; the rest is sealed anew when there is room.
    The log is so short that with its blocks, too, there are too few to take the reserve again."""
    scene.gate.clear()
    scene.accept(30)
    scene.disk.fill(leave_bytes=50_000)
    scene.relay.command("queue", "rekey")
    scene.relay.wait_for("queue_error")
    scene.unknown_outcomes_possible = True  # of those whose dot is under way, since when ever
    scene.relay.kill()
    scene.relay.start()
    scene.gate.set()
    scene.wait_ended()
    assert all(row["state"] == "sent" for row in scene.rows())
    scene.assert_refusing()
    assert len(scene.faults()) == 1 and key_count(scene) == 2, scene.faults()
    scene.free_room()
    scene.wait_well()
    scene.relay.wait_for("resealed", older_keys_needed=0)
    assert key_count(scene) == 1


@scenario(inodes=64)
def a_disk_without_inodes_is_no_full_disk(scene):
    """All files that the queue needs are there from the start on, also after a crash."""
    scene.accept(2)
    scene.disk.fill_inodes()
    scene.accept(2)
    scene.sink.wait_for(4)
    scene.wait_ended()
    scene.relay.kill()
    scene.relay.start()
    scene.accept(1)
    scene.free_room()


@scenario(fails_calls=True)
def a_quota_is_a_full_disk(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    with scene.calls.failing("pwrite64", "fallocate", error="EDQUOT"):
        scene.assert_refusing()
        # What the reserve was given up for is tried at once, and then a second later.
        harness.wait_until(lambda: scene.calls.failed("pwrite64") >= 2, "the second try")
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_write_that_comes_out_short_is_none(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    size_bytes = (scene.relay.queue_dir / "queue.db-wal").stat().st_size
    with injection.limited_files(scene.relay, size_bytes + 1000):
        # The log may begin anew in front; it is over the limit soon.
        scene.post_until_refused(filler_bytes=20_000)
        scene.assert_refusing()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario()
def a_start_on_a_disk_without_a_block_waits_for_space(scene):
    """Not even the reserve is left: somebody else has taken what it gave up."""
    fill_up(scene)
    scene.deaths.append(ledger.boot_s())
    scene.relay.kill()
    for name in ("queue.db-shm", "reserve"):  # SQLite makes the one small, to let it grow anew
        os.truncate(scene.relay.queue_dir / name, 0)
    scene.disk.fill()
    scene.gate.set()
    scene.relay.spawn()
    scene.follow(1)
    scene.relay.wait_for("queue_error")
    scene.assert_refusing()
    assert all("full" in fault for fault in scene.faults()), scene.faults()
    core = scene.relay.process.pid
    scene.free_room()
    scene.relay.wait_for("ready")
    scene.wait_well()
    assert scene.relay.process.pid == core
