#!/usr/bin/python3
"""Runs the fault suites and prints what was counted. Exit status 1 where a promise was broken.

    crash.py                      everything
    crash.py --only kill_points   one suite
    crash.py --point sent courier-relay.0.1 pwrite64 12 kill
                                  one trial, as a violation names it, with the relay's log
"""
import argparse
import importlib
import os
import pathlib
import random
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from result import Result  # noqa: E402

# How many points each tries where nothing else is said; None: all there are. One in five of the errno
# points is not reached, or cannot fail in that way.
SUITES = {"kill_points": 1200, "errno_points": 2800, "allocations": 1200, "disk_faults": None,
          "power_cuts": 400, "smtp_scripts": 400}


def run_suite(name, options):
    began = time.monotonic()
    limits = [limit for limit in (SUITES[name], options.points) if limit is not None]
    suite_options = argparse.Namespace(**{**vars(options), "points": min(limits, default=None)})
    try:
        result = importlib.import_module(name).run(suite_options)
    except AssertionError as failure:  # not even without a fault is all well
        result = Result(name, violations=[str(failure)])
    result.notes.append(f"{time.monotonic() - began:.0f} s")
    print("\n".join(result.report()), flush=True)
    return result


def try_one(options):
    import scenario
    import trials
    name, where, syscall, nth, action = options.point
    point = trials.Point(name, where, syscall, int(nth), action)
    scenario.SHOW_LOG = True
    trial = trials.try_point(options.build, point)
    print(f"fired: {trial.fired}; the first life ended with {trial.status}")
    print("\n".join(trial.violations) or "no violation")
    return 1 if trial.violations else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--only", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--points", type=int, help="at most so many a suite")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument("--point", nargs=5, metavar=("SCENARIO", "WHERE", "SYSCALL", "N", "DO"))
    options = parser.parse_args()
    options.build = (ROOT / options.build).resolve()
    if options.point:
        return try_one(options)
    print(f"seed {options.seed}", flush=True)
    results = [run_suite(name, options) for name in options.only]
    print(f"{sum(result.points for result in results)} points, "
          f"{sum(len(result.violations) for result in results)} violations, "
          f"{sum(bool(result.skipped_reason) for result in results)} suites skipped")
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
