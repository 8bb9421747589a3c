"""Disks that fail, forget, turn read-only and vanish below a running relay."""
import errno
import os
import signal
import time

import ledger
import relay as harness
from disk_scene import assert_same_process, come_back, scenario


@scenario(fails_calls=True)
def after_a_failed_sync_the_next_incarnation_reads_what_is_there(scene):
    """Also of one that fails for want of space, as where blocks are found only then (NFS)."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    during = ledger.secret_payload()
    scene.accept(2)
    scene.sink.wait_for(2)
    with scene.calls.failing("fdatasync", error="EDQUOT", turns=1):
        assert scene.post(during) == 503
    scene.follow(2)
    come_back(scene, core)
    assert scene.post(during) == 200
    assert any(os.strerror(errno.EDQUOT) in event["error"] for event in scene.relay.events
               if event["event"] == "queue_error")


@scenario(fails_calls=True)
def pauses_grow_while_the_disk_goes_on_failing(scene):
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    with scene.calls.failing("fdatasync", error="EIO"):
        assert scene.post() == 503
        scene.relay.wait_for("started_anew")
        # Its queue cannot be opened either, and that is told once, however often it is tried.
        scene.relay.wait_for("queue_error", count=2)
        scene.follow(2)
        time.sleep(1.5)  # several attempts
        scene.assert_refusing()
        assert len(scene.faults()) == 2, scene.faults()
    come_back(scene, core)
    for number in (2, 3):
        with scene.calls.failing("fdatasync", error="EIO", turns=1):
            assert scene.post() == 503
            scene.relay.wait_for("started_anew", count=number)
        scene.follow(number + 1)
        come_back(scene, core, number + 1)
    pauses = [event["pause_ms"] for event in scene.relay.found("started_anew")]
    assert pauses == [100, 200, 400], pauses


@scenario()
def a_page_that_cannot_be_had_starts_the_relay_anew(scene):
    """SIGBUS: as when a disk is gone below a mapped file. Here its blocks are taken away."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    os.truncate(scene.relay.queue_dir / "dots", 0)
    scene.post()  # may be stored or not, and answered or not
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    come_back(scene, core)
    assert any("mapped file" in fault for fault in scene.faults())


def vanish_and_come_back(scene):
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.disk.shut_down()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    scene.assert_refusing()
    scene.disk.detach()  # nothing of it is held open
    harness.wait_until(lambda: any("No such file" in fault for fault in scene.faults()),
                       "an attempt without the disk")
    scene.assert_refusing()
    assert not any(scene.disk.mount.iterdir())  # no new queue where it was
    scene.disk.attach()
    come_back(scene, core)


@scenario()
def a_disk_that_vanishes_and_is_mounted_again(scene):
    vanish_and_come_back(scene)


@scenario(kind="xfs", size_mb=64)
def a_disk_with_xfs_that_vanishes_and_is_mounted_again(scene):
    vanish_and_come_back(scene)


LOOK_S = 1.1  # the writer looks once a second whether its files are still there


def lose_and_find_again(scene, lose, find_again):
    """What is at the queue's path goes without an error, and comes back."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(2)
    scene.sink.wait_for(2)
    scene.wait_ended()
    time.sleep(LOOK_S)
    lose()
    assert scene.post() == 503
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    harness.wait_until(lambda: any("find" in fault and "queue.db: No such file" in fault
                                   for fault in scene.faults()[1:]), "an attempt without it")
    scene.assert_refusing()
    assert not scene.relay.found("smarthost_down")
    find_again()
    come_back(scene, core)


@scenario()
def a_disk_that_is_unmounted_below_the_relay(scene):
    lose_and_find_again(scene, lambda: scene.disk.detach(lazily=True), scene.disk.attach)


@scenario()
def a_folder_that_is_moved_away(scene):
    queue_dir = scene.relay.queue_dir
    elsewhere = queue_dir.with_name("elsewhere")
    lose_and_find_again(scene, lambda: queue_dir.rename(elsewhere),
                        lambda: elsewhere.rename(queue_dir))


@scenario(size_mb=64)
def files_that_are_removed(scene):
    """They come back from a copy, as from a backup: what waits is not in it, but nothing did."""
    queue_dir = scene.relay.queue_dir
    copy = queue_dir.with_name("copy")

    def lose():
        scene.relay.command("queue", "backup", str(copy))
        for path in queue_dir.glob("queue.db*"):
            path.unlink()
    lose_and_find_again(scene, lose, lambda: copy.rename(queue_dir / "queue.db"))


@scenario()
def a_relay_that_waits_for_its_disk_ends_when_told_to(scene):
    scene.unknown_outcomes_possible = True
    scene.accept(1)
    scene.sink.wait_for(1)
    scene.wait_ended()
    scene.disk.shut_down()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.relay.wait_for("queue_error", count=2)
    scene.relay.process.send_signal(signal.SIGTERM)
    assert scene.relay.process.wait(harness.WAIT_S) == 0
    scene.disk.detach()
    scene.disk.attach()
    scene.relay.start()
    scene.accept(1)


@scenario()
def a_disk_that_turns_read_only_is_let_go(scene):
    """ext4 stays so until it is mounted anew, so the relay must not hold it."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(2)
    scene.sink.wait_for(2)
    scene.wait_ended()
    scene.disk.remount_ro()
    assert scene.post() != 200
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    scene.assert_refusing()
    scene.disk.remount_rw()
    come_back(scene, core)


@scenario(fails_calls=True)
def a_disk_that_is_read_only_for_a_moment(scene):
    core = scene.relay.process.pid
    scene.accept(2)
    scene.wait_ended()
    with scene.calls.failing("pwrite64", error="EROFS"):
        scene.assert_refusing()
    scene.wait_well()
    assert_same_process(scene, core)


@scenario(on_tmpfs=True)
def a_disk_whose_own_disk_is_full_fails_its_syncs(scene):
    """A sparse image on a full tmpfs: ext4 has room, and the device behind it has none. The pages
    are gone when the sync has failed, and the next sync would say that all is well."""
    core = scene.relay.process.pid
    scene.unknown_outcomes_possible = True
    scene.accept(3)
    scene.sink.wait_for(3)
    scene.wait_ended()
    scene.disk.starve()
    try:
        for _ in range(200):
            if scene.post(filler_bytes=100_000) != 200:
                break
        else:
            raise AssertionError("the device has no room, and everything is accepted")
    finally:
        scene.disk.feed()
    scene.relay.wait_for("started_anew")
    scene.follow(2)
    if scene.disk.is_read_only():  # where the journal was met as well, ext4 gives up
        scene.disk.remount_rw()
    come_back(scene, core)
