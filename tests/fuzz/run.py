#!/usr/bin/python3
"""Runs fuzz targets on the tree's corpus and says how far each came.

Two at a time, with low priority. Inputs that reach something new are kept in the build folder
(new/), findings in findings/. Exit status 1 where any promise was broken or a sanitizer reported.
With --adopt nothing is run: the tree's corpus takes what is new, as little of it as will do.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CORPUS = HERE / "corpus"
AT_A_TIME = 2
INPUT_MAX = 4096
UNIT_LIMIT_S = 5         # one input that takes longer is a hang
START_LIMIT_S = 120
FINDING = re.compile(r"(: broken: .*|ERROR: .*|.*runtime error: .*|SUMMARY: .*)")
DICTIONARY = {"fuzz_scrub": "json.dict", "fuzz_mail": "json.dict", "fuzz_envelope": "json.dict"}


def environment():
    return dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=1",
                UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")


def dictionary(target):
    path = HERE / DICTIONARY.get(target, f"{target}.dict")
    return [f"-dict={path}"] if path.exists() else []


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def fuzz(build, target, seconds):
    """Runs one target. Returns its row: name, executions, coverage, features, corpus, findings."""
    new, findings = build / "new" / target, build / "findings"
    new.mkdir(parents=True, exist_ok=True)
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.glob(f"{target}-*"))
    log = findings.parent / f"{target}.log"
    command = ["nice", "-n", "10", str(build / "fuzz" / target), f"-max_total_time={seconds}",
               f"-max_len={INPUT_MAX}", f"-timeout={UNIT_LIMIT_S}", "-print_final_stats=1",
               "-rss_limit_mb=2048", f"-artifact_prefix={findings}/{target}-",
               *dictionary(target), str(new), str(CORPUS / target)]
    with open(log, "wb") as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output,
                              stderr=subprocess.STDOUT, env=environment(),
                              timeout=seconds + START_LIMIT_S)
    text = log.read_text(errors="replace")
    found = sorted(str(path) for path in set(findings.glob(f"{target}-*")) - before)
    if done.returncode and not found:
        found = [f"exit status {done.returncode}, see {log}"]
    if found:
        found += FINDING.findall(text)[:3]
    return {"target": target, "runs": last_number(r"number_of_executed_units: (\d+)", text),
            "coverage": last_number(r"cov: (\d+)", text),
            "features": last_number(r"ft: (\d+)", text),
            "corpus": last_number(r"corp: (\d+)", text), "findings": found}


def merge(build, target, how, *folders):
    # By edges alone: how often each is taken would keep three times as many.
    subprocess.run([str(build / "fuzz" / target), how, "-use_counters=0", f"-max_len={INPUT_MAX}",
                    *map(str, folders)], check=True, env=environment(), stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def adopt(build, target):
    """Keeps the inputs that have a name, and beside them few that cover the rest."""
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="corpus-") as before, \
            tempfile.TemporaryDirectory(prefix="corpus-") as fewest:
        for path in folder.iterdir():
            if re.fullmatch(r"[0-9a-f]{40}", path.name):  # libFuzzer's own
                shutil.move(path, before)
        merge(build, target, "-set_cover_merge=1", fewest, before, build / "new" / target)
        merge(build, target, "-merge=1", folder, fewest)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/fuzz")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--adopt", action="store_true", help="do not run: renew the tree's corpus")
    parser.add_argument("targets", nargs="*", help="fuzz_scrub ...; all, unless named")
    options = parser.parse_args()
    build = (ROOT / options.build).resolve()
    targets = options.targets or sorted(path.stem for path in HERE.glob("fuzz_*.c"))
    if options.adopt:
        for target in targets:
            adopt(build, target)
        return 0

    failed = False
    print(f"{'target':16} {'executions':>12} {'coverage':>9} {'features':>9} {'corpus':>7}",
          " findings")
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for row in pool.map(lambda target: fuzz(build, target, options.seconds), targets):
            print(f"{row['target']:16} {row['runs']:12,} {row['coverage']:9,} "
                  f"{row['features']:9,} {row['corpus']:7,}  "
                  + ("; ".join(row["findings"]) or "none"), flush=True)
            failed = failed or bool(row["findings"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
