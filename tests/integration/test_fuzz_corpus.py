"""Every input of the fuzzers' corpus, those that once broke something among them, run once."""
import pathlib
import subprocess

import pytest
import relay as harness

FUZZ = harness.ROOT / "tests/fuzz"
TARGETS = sorted(path.stem for path in FUZZ.glob("fuzz_*.c"))


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_breaks_no_promise(target):
    folder = FUZZ / "corpus" / target
    program = harness.BUILD / "fuzz" / target
    if not program.exists():
        pytest.skip(f"{program} is not built; make unit SANITIZE=1 builds it")
    done = subprocess.run([str(program), str(folder)], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout == f"{len(list(pathlib.Path(folder).iterdir()))} inputs\n"
