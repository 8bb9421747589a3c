"""Mail servers as Debian has them, unpacked below a folder and not installed.

Nothing of them runs but what a test starts, and nothing outside the folder is written.
"""
import contextlib
import fcntl
import os
import pathlib
import subprocess

# The servers, then what they need and a small Debian lacks.
PACKAGES = ["postfix", "sasl2-bin", "libsasl2-modules", "libsasl2-modules-db",
            "exim4-daemon-light", "opensmtpd",
            "libgnutls-dane0", "libunbound8", "libevent-2.1-7", "libidn12"]
SERVERS = ["postfix", "exim4-daemon-light", "opensmtpd"]
PROGRAMS = ["usr/lib/postfix/sbin/master", "usr/lib/postfix/sbin/smtpd", "usr/sbin/saslpasswd2",
            "usr/sbin/exim4", "usr/sbin/smtpd"]


class Unavailable(Exception):
    """There are no servers to be had here, and why."""


class Packages:
    """root: where the packages are unpacked. versions: of the servers, as Debian counts."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "root"
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # test processes run beside each other
            self._unpack()
        self.versions = {name: next(self.folder.glob(f"{name}_*.deb")).name.split("_")[1]
                         .replace("%3a", ":") for name in SERVERS}

    def _unpack(self):
        done = self.folder / "unpacked"
        with contextlib.suppress(OSError):
            if done.read_text().split() == PACKAGES:
                return
        self._run(["apt-get", "download", "-q", *PACKAGES])
        for package in sorted(self.folder.glob("*.deb")):
            self._run(["dpkg-deb", "-x", str(package), str(self.root)])
        for program in PROGRAMS:
            missing = [line.split()[0] for line in self._run(
                ["ldd", str(self.root / program)]).splitlines() if "not found" in line]
            if missing:
                raise Unavailable(f"{program} needs {', '.join(missing)}")
        done.write_text("\n".join(PACKAGES))

    def _run(self, command):
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise Unavailable(f"{' '.join(command[:2])}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def environment(self):
        """What a program of theirs finds its libraries and plugins with."""
        libraries = [*self.root.glob("usr/lib/*-linux-gnu*"), self.root / "usr/lib/postfix"]
        plugins = [folder / "sasl2" for folder in libraries[:-1]]
        return {"PATH": os.environ["PATH"], "LC_ALL": "C",
                "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
                "SASL_PATH": ":".join(map(str, plugins))}
