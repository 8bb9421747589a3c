"""A machine that is started anew, as far as a relay can see: the kernel's boot id is another one.

    machine = Machine(tmp_path)
    relay.prefix = machine.prefix
    relay.start()
    ...
    machine.reboot()  # what is started from now on is started in another boot

The relay runs in a mount namespace of its own, in which a file of ours lies over the kernel's. What
a real reboot also takes, such as whatever was never synced, is the test's to take.
"""
import os
import pathlib
import shutil
import subprocess
import uuid

BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Mounts made and taken away outside are seen inside: else a disk could not be taken from a relay.
NAMESPACE = ["unshare", "--mount", "--propagation", "slave"]


class Unavailable(Exception):
    """Why no machine can be made up here."""


def require():
    """Raises Unavailable where a file cannot be laid over the kernel's boot id."""
    if os.geteuid() != 0:
        raise Unavailable("only root can mount a file over the boot id")
    if not shutil.which("unshare"):
        raise Unavailable("unshare (util-linux) is missing")
    done = subprocess.run([*NAMESPACE, "mount", "--bind", BOOT_ID, BOOT_ID], capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise Unavailable(f"no file can be mounted over the boot id: {done.stderr.strip()}")


class Machine:
    """What relays are started through. folder: where it keeps its boot id."""

    def __init__(self, folder):
        self._folder = pathlib.Path(folder)
        self.boots = 0
        self.boot_id = None
        self.reboot()

    def reboot(self):
        # A file of its own each time: one that is mounted somewhere is left as it is.
        self.boots += 1
        self.boot_id = str(uuid.uuid4())
        self._path().write_text(f"{self.boot_id}\n")

    def _path(self):
        return self._folder / f"boot_id.{self.boots}"

    @property
    def prefix(self):
        """The command that a program is started behind, with the same process id."""
        return [*NAMESPACE, "sh", "-c", f'mount --bind "$0" {BOOT_ID} && exec "$@"',
                str(self._path())]
