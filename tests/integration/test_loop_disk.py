"""The disks that other tests break: do they do what they say?"""
import errno
import os

import pytest


def write(path, data=b"x" * 4096, sync=True):
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        if sync:
            os.fsync(file.fileno())


def failure_of(*arguments, **words):
    with pytest.raises(OSError) as caught:
        write(*arguments, **words)
    return caught.value.errno


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_cut_loses_what_was_not_synced_and_nothing_else(loop_disk, kind):
    disk = loop_disk(kind)
    write(disk.mount / "synced")
    folder = os.open(disk.mount, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    write(disk.mount / "not", sync=False)
    disk.cut()
    assert (disk.mount / "synced").read_bytes() == b"x" * 4096
    assert not (disk.mount / "not").exists() or (disk.mount / "not").stat().st_size == 0


@pytest.mark.parametrize("kind", ["ext4", "xfs"])
def test_a_full_disk_takes_nothing_until_it_is_freed(loop_disk, kind):
    disk = loop_disk(kind)
    write(disk.mount / "before")
    disk.fill()
    assert failure_of(disk.mount / "during", b"x" * 65536) == errno.ENOSPC
    disk.free()
    write(disk.mount / "after")


def test_a_disk_can_be_left_a_little(loop_disk):
    disk = loop_disk()
    disk.fill(leave_bytes=1 << 20)
    assert abs(disk.free_bytes() - (1 << 20)) <= 16384


def test_a_disk_without_inodes_makes_no_file_but_grows_those_it_has(loop_disk):
    disk = loop_disk(inodes=32)
    write(disk.mount / "there")
    disk.fill_inodes()
    assert failure_of(disk.mount / "new") == errno.ENOSPC
    write(disk.mount / "there", b"x" * 65536)
    disk.free()
    write(disk.mount / "new")


def test_a_read_only_disk_can_be_read_until_it_comes_back(loop_disk):
    disk = loop_disk()
    write(disk.mount / "file")
    with open(disk.mount / "file", "r+b", buffering=0) as held:
        disk.remount_ro()
        with pytest.raises(OSError) as caught:
            held.write(b"y")
        assert caught.value.errno == errno.EROFS
        assert failure_of(disk.mount / "other") == errno.EROFS
        assert (disk.mount / "file").read_bytes() == b"x" * 4096
    disk.remount_rw()
    write(disk.mount / "other")


def test_a_vanished_disk_fails_in_everything_until_it_is_mounted_again(loop_disk):
    disk = loop_disk()
    write(disk.mount / "file")
    disk.shut_down()
    assert failure_of(disk.mount / "file") == errno.EIO
    disk.detach(lazily=True)
    assert not (disk.mount / "file").exists()
    disk.attach()
    write(disk.mount / "file")
