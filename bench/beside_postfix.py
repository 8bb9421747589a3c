#!/usr/bin/env python3
"""This relay and Postfix in turn, by the harness of ../shared/bench: what docs/performance.md has of
the two. As root, on a quiet machine, with Postfix installed and not started.

    bench/beside_postfix.py --work WORK     # all cells, 15 minutes
    bench/beside_postfix.py --work WORK --cells g20 --rounds 3

Cells of the harness: t1 and t32, 1 and 32 clients; low, one each 100 ms; d50, 32 clients and a smarthost
that answers the dot after 50 ms. And g20: 32 clients, 5000 mails to each, and a smarthost that puts
every fifth off once, by 451. By default Postfix looks at such a mail again after five minutes, which
would measure that number; so in g20 it is told what this relay does for a code by itself: again after
two seconds.
"""
import argparse
import copy
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GREYLISTED = "g20"
RETRIES = """minimal_backoff_time = 2s
maximal_backoff_time = 5m
queue_run_delay = 2s
"""
SETTINGS = """{
  listen: '127.0.0.1:{port}', admin_listen: 'off', queue_dir: '{work}/queue',
  api_key: 'bench:bench-key-0123456789', mail_from: 'Bench <no-reply@bench.test>',
  smtp_uri: 'smtp://127.0.0.1:{sink}/?disable_starttls=true', log_level: 'warning',
  rate_recipient: 'off',
}
"""


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=pathlib.Path, default=ROOT.parent / "shared/bench")
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path("work"))
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--cells", default=f"t1,t32,low,d50,{GREYLISTED}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("-n", type=int, default=5000, help="mails to Postfix, and to each in g20")
    parser.add_argument("--noise", type=float, default=20, help="CPU of others in percent of a core, over which a run does not count; "
                        "from 100 on nobody waits for quiet")
    return parser.parse_args()


def add_greylisting(bench, peers):
    """One more cell, in which Postfix has other settings, and both are given as many mails."""
    bench.CELLS[GREYLISTED] = (32, 1, ["-F", "20"], 1)
    cell_of_now = []
    one, put = bench.one, peers.put

    def one_with_cell(options, exe, relays, name, cell, rnd):
        cell_of_now[:] = [cell]
        options = copy.copy(options)
        if cell == GREYLISTED:
            options.relay_n = options.n
        return one(options, exe, relays, name, cell, rnd)

    def put_with_retries(path, text, mode=0o644):
        retries = RETRIES if path.endswith("/main.cf") and cell_of_now == [GREYLISTED] else ""
        put(path, text + retries, mode)
    bench.one, peers.put = one_with_cell, put_with_retries


def main():
    arguments = parse_arguments()
    sys.path.insert(0, str(arguments.harness))
    import bench
    import peers
    add_greylisting(bench, peers)
    if arguments.noise >= 100:
        bench.wait_quiet = lambda: None
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "relay.jsonnet.in").write_text(SETTINGS)
    program = arguments.build.resolve() / "bin/courier-relay"
    sys.argv = [
        "bench.py", "--peers", "postfix", "--cells", arguments.cells, "-n", str(arguments.n),
        "--rounds", str(arguments.rounds), "--noise", str(arguments.noise), "--work", str(work),
        "--out", str(work / "results.jsonl"),
        "--relay", f"relay={program} serve --config {{work}}/relay.conf",
        "--relay-conf", str(work / "relay.jsonnet.in"), "--relay-path", "/kratos/webhook",
        "--relay-body", str(arguments.harness / "body.json"),
        "--relay-header", "X-Api-Key: bench-key-0123456789", "--relay-clean", "rm -rf {work}/queue"]
    bench.main()


if __name__ == "__main__":
    main()
