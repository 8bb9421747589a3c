"""kill -9 of the core or a child before its n-th system call, at every one that there is.

With no writable mapping of what must last, what is on disk changes at system calls alone: so these
are all the moments at which the death of a process can be told apart. (The one mapping, `dots`, is
written between two calls of a deliverer, and of the core, and not relied on in between.)
"""
import trials
from result import Result, Unavailable

# Waiting for a lock leads nowhere by itself; and those that end a process or a thread.
NOT_TRIED = {"futex", "exit", "exit_group"}
SCENARIOS = ("sent", "refused", "down", "backlog", "rekeyed", "backed-up")
LOADING_EVERY = 12


def enumerate_points(build):
    """Every call of every scenario, those of programs that still load thinned out. What becomes of
    a new child, which still holds all that the core had, if the core dies under it?"""
    for name in SCENARIOS:
        for where, syscall, nth in trials.at_work(build, name, LOADING_EVERY):
            if syscall not in NOT_TRIED:
                yield trials.Point(name, where, syscall, nth, "kill")
    for where, syscall, nth in trials.record(build, SCENARIOS[0]).recorded():
        if where.startswith("spawn"):
            yield trials.Point(SCENARIOS[0], where, syscall, nth, "kill-program")


def run(options):
    name = "kill points"
    try:
        trials.check_available(options.build)
    except Unavailable as reason:
        return Result(name, skipped_reason=str(reason))
    points = trials.choose(list(enumerate_points(options.build)), options.points, options.seed)
    return trials.run_points(name, options.build, points, options.jobs)
