"""Every system call fails once, in every way that it can: EIO, ENOSPC, EMFILE, ENOMEM ... and short
reads and writes, which the kernel really makes (inject.c).

The first life may refuse, start anew, or end; it may not acknowledge and lose, hang, or crash. The
life after must be as if nothing had been.
"""
import errno

import trials
from result import Result, Unavailable

DISK = ("EIO", "ENOSPC")
STREAM = ("ENOMEM", "short")
HANDLE = ("EMFILE", "ENOMEM")
# What each call is made to say: what the kernel can. So EINTR stands where a SIGCONT brings it alone,
# since no signal is handled anywhere; and fcntl(), by which SQLite locks parts of a local file and
# gives them back, is left out: giving back cannot fail, and SQLite would hold such a lock for ever.
WAYS = {
    # files
    "openat": ("EMFILE", "ENOMEM", "EIO", "ENOSPC"), "pwrite64": (*DISK, "EDQUOT", "short"),
    "pread64": ("EIO", "short"), "fdatasync": (*DISK, "EDQUOT"), "fsync": (*DISK, "EDQUOT"),
    "ftruncate": DISK, "fallocate": DISK, "rename": DISK, "renameat": DISK, "renameat2": DISK,
    "unlink": ("EIO",), "unlinkat": ("EIO",), "mkdir": DISK, "mkdirat": DISK, "fchown": ("EIO",),
    "fchmod": ("EIO",), "newfstatat": ("EIO", "ENOMEM"), "fstatfs": ("EIO",), "statfs": ("EIO",),
    "lseek": ("EIO",), "flock": ("ENOLCK",),
    "faccessat2": ("EIO",), "access": ("EIO",), "getdents64": ("EIO",), "readlink": ("EIO",),
    # streams
    "read": (*STREAM, "EIO", "ECONNRESET"), "write": (*STREAM, *DISK, "EPIPE"),
    "recvfrom": (*STREAM, "ECONNRESET"),
    "sendto": (*STREAM, "ECONNRESET", "EPIPE"), "recvmsg": ("ENOMEM", "ECONNRESET"),
    "sendmsg": ("ENOMEM", "EPIPE"), "writev": ("ENOMEM", "EIO"),
    # new handles
    "socket": HANDLE, "socketpair": HANDLE, "accept4": ("EMFILE", "ENOMEM", "ECONNABORTED"),
    "eventfd2": HANDLE, "signalfd4": HANDLE, "epoll_create1": HANDLE, "pipe2": HANDLE,
    "dup2": ("EMFILE",), "bind": ("EADDRINUSE", "ENOMEM"), "listen": ("EADDRINUSE",),
    "connect": ("ECONNREFUSED", "ENOMEM"), "getsockname": ("ENOMEM",),
    "setsockopt": ("ENOMEM",), "getsockopt": ("ENOMEM",), "shutdown": ("ENOTCONN",),
    # memory, processes, waiting
    "mmap": ("ENOMEM",), "mprotect": ("ENOMEM",), "mlock": ("ENOMEM",),
    "clone3": ("EAGAIN", "ENOMEM"), "clone": ("EAGAIN",), "vfork": ("EAGAIN",),
    "execve": ("ENOMEM", "EIO"),
    "prlimit64": ("EPERM",), "prctl": ("EINVAL",), "epoll_ctl": ("ENOMEM", "ENOSPC"),
    "epoll_wait": ("EINTR",),
    "madvise": ("ENOMEM",),
}
SCENARIOS = ("sent", "refused", "down", "backlog", "rekeyed", "backed-up")
LOADING_EVERY = 12


def enumerate_points(build):
    """Every call of every scenario in every way; those of programs that still load, thinned out."""
    points = []
    for name in SCENARIOS:
        for where, syscall, nth in trials.at_work(build, name, LOADING_EVERY):
            for way in WAYS.get(syscall, ()):
                action = way if way == "short" else getattr(errno, way)
                points.append(trials.Point(name, where, syscall, nth, action))
    return points


def run(options):
    name = "errno points"
    try:
        trials.check_available(options.build)
    except Unavailable as reason:
        return Result(name, skipped_reason=str(reason))
    points = trials.choose(enumerate_points(options.build), options.points, options.seed)
    return trials.run_points(name, options.build, points, options.jobs)
