"""The n-th allocation of our own code fails: in the core, in a composer, in a deliverer.

A program may abort over it, and the relay end; what was acknowledged is there in the life after. The
programs are linked once more for this (failing_allocations.c): calls of ours, not of libraries.
"""
import fault
import trials
from result import Result

SCENARIOS = ("sent", "refused", "down", "backlog", "rekeyed", "backed-up")
# A composer compiles its templates before anything comes: hundreds of allocations that are all alike.
COMPOSER_MAX = 150


def enumerate_points(build):
    for name in SCENARIOS:
        counted = trials.record(build, name, fault.Allocation).recorded()
        for program, count in counted.items():
            numbers = range(1, count + 1)
            if program == "composer":
                numbers = trials.choose(numbers, COMPOSER_MAX, seed=count)
            for nth in numbers:
                yield trials.Point(name, program, fault.ALLOCATION, nth, "fails")


def run(options):
    points = trials.choose(list(enumerate_points(options.build)), options.points, options.seed)
    return trials.run_points("failing allocations", options.build, points, options.jobs)
