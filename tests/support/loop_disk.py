"""A small disk of its own, made of a file: can be filled, made read-only, and lose its power.

Real file systems on a loop device, since what a full or a dying disk does is decided in them. Where
there is no root, no loop device or no mkfs, opening one raises Unavailable, which says why.
"""
import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

_GOING_DOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN: _IOR('X', 125, uint32)
_NO_LOG_FLUSH = 2         # what the journal has not written yet is lost, as it is with the power
_UNMOUNT_S = 60
_DETACH = 2               # MNT_DETACH
_BALLAST = "ballast"


class Unavailable(Exception):
    """There is no such disk to be had here; the text says why."""


class LoopDisk:
    """A file system of that kind ("ext4" or "xfs") in folder/disk.img, mounted at .mount.

    inodes: how many files it can hold at all (ext4); block_bytes: its block size; on_tmpfs: the
    image is in memory, where it can be starved; mount_options: as `mount -o` has them. A context
    manager.
    """

    def __init__(self, folder, kind="ext4", size_mb=64, inodes=None, block_bytes=None,
                 on_tmpfs=False, mount_options=""):
        self.folder = pathlib.Path(folder)
        self.kind = kind
        self.size_mb = size_mb
        self.inodes = inodes
        self.block_bytes = block_bytes
        self.mount_options = mount_options
        self.on_tmpfs = on_tmpfs
        self._store = self.folder / "tmpfs"
        self.image = (self._store if on_tmpfs else self.folder) / "disk.img"
        self.mount = self.folder / "disk"
        self._device = None
        self._is_mounted = False

    # ---- being there --------------------------------------------------------------------------

    def __enter__(self):
        if os.geteuid() != 0:
            raise Unavailable("no root: nothing can be mounted")
        for tool in (f"mkfs.{self.kind}", "losetup", "mount"):
            if not _find(tool):
                raise Unavailable(f"{tool} is not installed")
        self.mount.mkdir(parents=True)
        # What is mounted and unmounted below a shared folder is so in every mount namespace that was
        # made meanwhile (as a slave, see machine.py): else those would hold what is gone here.
        _run("mount", "--bind", "--make-shared", self.folder, self.folder)
        try:
            if self.on_tmpfs:
                self._store.mkdir()
                _run("mount", "-t", "tmpfs", "-o", f"size={self.size_mb}m", "tmpfs", self._store)
            self._format()
            self._device = _run("losetup", "--find", "--show", self.image).strip()
            self.attach()
        except subprocess.CalledProcessError as failure:
            self.__exit__(None, None, None)
            raise Unavailable(f"no loop device to mount: {failure.stderr.strip()}") from failure
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.mount.chmod(0o700)
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.detach()
        if self._device:
            _run("losetup", "--detach", self._device)
            self._device = None
        self.image.unlink(missing_ok=True)
        if self.on_tmpfs:
            self.feed()
            with contextlib.suppress(OSError):
                _unmount(self._store, _DETACH)
        _unmount(self.folder, _DETACH)

    def _format(self):
        with open(self.image, "xb") as image:
            image.truncate(self.size_mb << 20)
        if self.kind == "ext4":
            # No blocks set aside for root: full is full, for us as well.
            options = ["-q", "-F", "-m", "0", "-E", "lazy_itable_init=0"]
            options += ["-N", str(self.inodes)] if self.inodes else []
            options += ["-b", str(self.block_bytes)] if self.block_bytes else []
        else:
            options = ["-q", "-f"]
            options += ["-b", f"size={self.block_bytes}"] if self.block_bytes else []
        # mkfs.xfs makes nothing under 300 MB but for its own tests, which it knows by these.
        _run(f"mkfs.{self.kind}", *options, self.image,
             environment={"TEST_DIR": "none", "TEST_DEV": "none", "QA_CHECK_FS": "1"})

    def attach(self):
        """Mounts it; what its journal holds is replayed."""
        options = ["errors=remount-ro"] if self.kind == "ext4" else []
        options += [self.mount_options] if self.mount_options else []
        _run("mount", "-t", self.kind, *(["-o", ",".join(options)] if options else []),
             self._device, self.mount)
        self._is_mounted = True

    def detach(self, lazily=False):
        """Unmounts it: waits for those that still use it, or (lazily) takes it from their paths
        alone, as an operator's `umount -l` does."""
        if not self._is_mounted:
            return
        until = time.monotonic() + _UNMOUNT_S
        while not _unmount(self.mount, _DETACH if lazily else 0):
            self._wait_a_little(until)
        self._is_mounted = False
        # Another mount namespace that is just ending may hold the file system a moment longer, and
        # whoever mounted the device meanwhile would be given that same one, shut down as it is.
        while not lazily and not _is_free(self._device):
            self._wait_a_little(until)

    def _wait_a_little(self, until):
        if time.monotonic() > until:
            raise OSError(errno.EBUSY, f"{self.mount} is still in use")
        time.sleep(0.005)

    # ---- what happens to disks ----------------------------------------------------------------

    def shut_down(self):
        """From here on every call ends in EIO; what was not synced is lost."""
        folder = os.open(self.mount, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, _GOING_DOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def cut(self):
        """The power fails, and comes back. Whoever used the disk has to have been killed."""
        self.shut_down()
        self.detach()
        self.attach()

    def remount_ro(self):
        """As ext4 makes itself read-only on an error, under whoever has files open; an
        administrator's own remount would be refused (EBUSY) then. Ends with remount_rw()."""
        trigger = pathlib.Path("/sys/fs/ext4", pathlib.Path(self._device).name, "trigger_fs_error")
        if self.kind != "ext4" or not trigger.exists():
            raise Unavailable("no file system that can be told of an error")
        trigger.write_text("as if its disk had one\n")

    def remount_rw(self):
        """Such a file system comes back by being mounted anew: waits until nobody uses it."""
        self.detach()
        self.attach()

    def is_read_only(self):
        try:
            (self.mount / "probe").touch()
        except OSError as failure:
            return failure.errno == errno.EROFS
        (self.mount / "probe").unlink()
        return False

    def free_bytes(self):
        status = os.statvfs(self.mount)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes=0):
        """Takes all space but so much (to the block; what the file system sets aside as well)."""
        ballast = os.open(self.mount / _BALLAST, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            step = 1 << 20
            while step >= 512 and (spare := self.free_bytes() - leave_bytes) > 0:
                size = os.fstat(ballast).st_size
                try:
                    os.posix_fallocate(ballast, size, min(step, spare))
                except OSError as failure:
                    if failure.errno != errno.ENOSPC:
                        raise
                    step //= 2
        finally:
            os.close(ballast)

    def fill_inodes(self):
        """Takes every file there can be."""
        folder = self.mount / f"{_BALLAST}s"
        with contextlib.suppress(OSError):
            folder.mkdir(exist_ok=True)
            for number in range(1 << 20):
                (folder / str(number)).touch(exist_ok=False)

    def starve(self):
        """The device below has no room for blocks that were never written: the file system takes
        writes of them, and their sync fails (a disk on_tmpfs)."""
        with contextlib.suppress(OSError), open(self._store / _BALLAST, "wb") as ballast:
            while True:
                os.posix_fallocate(ballast.fileno(), os.fstat(ballast.fileno()).st_size, 65536)

    def feed(self):
        (self._store / _BALLAST).unlink(missing_ok=True)

    def free(self):
        """Gives back what was taken."""
        (self.mount / _BALLAST).unlink(missing_ok=True)
        shutil.rmtree(self.mount / f"{_BALLAST}s", ignore_errors=True)


def _find(tool):
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _run(tool, *arguments, environment=()):
    return subprocess.run([_find(tool), *map(str, arguments)], check=True, text=True,
                          env={**os.environ, **dict(environment)},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout


def _is_free(device):
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as failure:
        if failure.errno != errno.EBUSY:
            raise
        return False
    return True


_libc = ctypes.CDLL(None, use_errno=True)


def _unmount(path, flags):
    if _libc.umount2(os.fsencode(path), flags) == 0:
        return True
    if ctypes.get_errno() == errno.EBUSY:
        return False
    raise OSError(ctypes.get_errno(), f"unmount {path}")
