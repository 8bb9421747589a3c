"""The deliberate bugs of tests/mutants still fit the tree, and the first ones are caught.

All of them are tried by make mutants.
"""
import pathlib
import shutil
import subprocess
import sys

import pytest
import relay as harness

sys.path.insert(0, str(harness.ROOT / "tests/mutants"))

import run as mutants  # noqa: E402

TRIED = ["01", "06"]


@pytest.mark.parametrize("mutant", mutants.all_mutants(), ids=lambda mutant: mutant.name)
def test_it_fits_and_its_tests_are_there(mutant):
    done = subprocess.run(
        ["patch", "-p1", "--dry-run", "-s"], cwd=harness.ROOT, stdin=open(mutant.path, "rb"),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    for test in mutant.tests:
        if test.kind == "unit":
            source, name = harness.ROOT / f"tests/unit/{test.where}.c", test.name
        else:
            where, _, name = test.where.partition("::")
            source, name = harness.ROOT / where, name.partition("[")[0]
        assert name and name in source.read_text(), f"{test} is not there"


@pytest.mark.skipif(not shutil.which("make"), reason="nothing can be built here")
def test_the_first_ones_are_built_and_caught():
    build = harness.BUILD.relative_to(harness.ROOT)
    done = subprocess.run(
        [mutants.PYTHON, str(pathlib.Path(mutants.__file__)), "--build", str(build), *TRIED],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    assert f"{len(TRIED)} of {len(TRIED)} mutants caught" in done.stdout
