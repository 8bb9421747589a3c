#!/usr/bin/python3
"""Plants one bug after the other in a copy of the tree; each must turn its tests red.

A mutant is a patch, tests/mutants/NN-name.patch. Its head says what it breaks, and which tests must
notice, each of which alone has to:

    unit queue/test_writer what_queues_up_shares_a_commit
    pytest tests/integration/test_delivery.py::test_nothing_is_sent_after_its_deadline

The copy has the objects of --build, so little is compiled for each. Every test that is named has to
be green without a mutant first: one that cannot run would seem to catch everything.
"""
import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATCHES = ROOT / "tests/mutants"
PYTHON = "/usr/bin/python3"  # Debian's: it has pytest and aiosmtpd
TEST_LIMIT_S = 120           # what hangs has noticed, too
BUILD_LIMIT_S = 600
TEST = re.compile(r"^(unit|pytest) (\S+)(?: (\w+))?$", re.M)


@dataclasses.dataclass(frozen=True)
class Test:
    kind: str  # unit, pytest
    where: str
    name: str

    def __str__(self):
        return " ".join(filter(None, (self.kind, self.where, self.name)))

    def target(self, build):
        """What make has to make for it."""
        return f"{build}/tests/{self.where}" if self.kind == "unit" else "all"


class Mutant:
    def __init__(self, path):
        self.path = path
        self.name = path.stem
        text = path.read_text()
        head, mark, _ = text.partition("\n--- ")
        self.tests = [Test(*found) for found in TEST.findall(head)]
        self.files = re.findall(r"^\+\+\+ b/(\S+)$", text, re.M)
        if not (mark and self.tests and self.files):
            raise ValueError(f"{path.name}: no patch, or no test that must notice")


def all_mutants():
    return [Mutant(path) for path in sorted(PATCHES.glob("*.patch"))]


class Misfit(Exception):
    """A mutant that cannot be tried: it has to be written anew."""


class Copy:
    """The tree, where it may be broken. build: the folder of its sanitizer build."""

    def __init__(self, folder, build):
        self.folder = pathlib.Path(folder)
        self.build = build
        shutil.copytree(  # with the files' times: make goes by them
            ROOT, self.folder, symlinks=True, dirs_exist_ok=True,
            ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
        shutil.copytree(ROOT / build, self.folder / build, symlinks=True)

    def plant(self, mutant):
        with open(mutant.path, "rb") as patch:
            done = subprocess.run(
                ["patch", "-p1", "-s", "--no-backup-if-mismatch", "--reject-file=-"],
                cwd=self.folder, stdin=patch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise Misfit(f"it no longer applies\n{done.stdout.decode(errors='replace')}")

    def mend(self, mutant):
        for name in mutant.files:
            shutil.copyfile(ROOT / name, self.folder / name)  # new, so that it is compiled again

    def make(self, tests):
        targets = sorted({test.target(self.build) for test in tests})
        done = subprocess.run(
            ["make", "-s", f"-j{os.cpu_count()}", "SANITIZE=1", f"BUILD={self.build}", *targets],
            cwd=self.folder, timeout=BUILD_LIMIT_S, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"})
        if done.returncode != 0:
            raise Misfit(f"it cannot be built\n{done.stdout.decode(errors='replace')[-4000:]}")

    def is_green(self, test):
        if test.kind == "unit":
            command = [str(self.folder / self.build / "tests" / test.where)]
            passed = re.compile(rf"^ok \d+ - {test.name}$", re.M)
        else:
            command = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--rootdir=tests",
                       f"--basetemp={self.folder / 'build/pytest'}", test.where]
            passed = re.compile(r"^\d+ passed in ", re.M)
        # What a mutant makes a sanitizer say is nobody else's business.
        keep = {name: value for name, value in os.environ.items()
                if not name.endswith("SAN_OPTIONS") and name != "RELAY_TEST_REPORTS"}
        environment = dict(keep, CMOCKA_MESSAGE_OUTPUT="TAP", RELAY_BUILD=self.build,
                           RELAY_RELEASE_BUILD=self.build, PYTHONDONTWRITEBYTECODE="1")
        try:
            done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=TEST_LIMIT_S, env=environment)
        except subprocess.TimeoutExpired:
            return False
        return bool(passed.search(done.stdout.decode(errors="replace")))


def check_tests(copy, mutants):
    """The tests that do not pass although nothing is broken."""
    tests = sorted({test for mutant in mutants for test in mutant.tests}, key=str)
    copy.make(tests)
    return [test for test in tests if not copy.is_green(test)]


def try_mutant(copy, mutant):
    """The tests that did not notice it."""
    copy.plant(mutant)
    try:
        copy.make(mutant.tests)
        return [test for test in mutant.tests if copy.is_green(test)]
    finally:
        copy.mend(mutant)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/sanitize", help="folder of the sanitizer build")
    parser.add_argument("names", nargs="*", help="only these, by the beginning of their names")
    options = parser.parse_args()
    mutants = [mutant for mutant in all_mutants()
               if not options.names or mutant.name.startswith(tuple(options.names))]
    if not mutants:
        parser.error("no mutant of that name")

    caught = 0
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=ROOT / "build") as folder:
        copy = Copy(folder, options.build)
        red = check_tests(copy, mutants)
        for test in red:
            print(f"NOT GREEN without any mutant: {test}")
        for mutant in [] if red else mutants:
            since = time.monotonic()
            try:
                blind = try_mutant(copy, mutant)
            except Misfit as misfit:
                print(f"MISFIT   {mutant.name}: {misfit}")
                continue
            caught += not blind
            print(f"{'SURVIVED' if blind else 'caught  '} {mutant.name} "
                  f"({time.monotonic() - since:.1f} s)", flush=True)
            for test in blind:
                print(f"         did not notice: {test}")
    print(f"{caught} of {len(mutants)} mutants caught")
    return 0 if caught == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
