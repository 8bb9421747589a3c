"""Who may touch the write-ahead log: the daemon's writer, and nobody else."""
import re
import shutil
import sqlite3
import subprocess

import payloads
import pytest
import relay as harness

WRITES = "pwrite64,write,ftruncate,truncate,fallocate,unlink,unlinkat,rename,renameat2,fdatasync,fsync"
# Those that read. Some are younger than this test, and are tried as soon as the help names them.
COMMANDS = [["queue", "list", "--json"], ["queue", "stats"], ["queue", "check"],
            ["queue", "export", "--json"]]


def reading_commands(relay):
    known = relay.command("queue", "--help").stdout
    return [command for command in COMMANDS if " ".join(command[:2]) in known]


def touched(relay, command):
    """What of the database and its log a command has written to, cut or removed."""
    trace = relay.folder / "trace"
    done = subprocess.run(
        ["strace", "-f", "-y", "-e", f"trace={WRITES}", "-o", trace,
         harness.program(build=relay.build), *command], cwd=relay.folder, text=True,
        env=relay.environment() | {"ASAN_OPTIONS": "detect_leaks=0"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=harness.WAIT_S)
    assert done.returncode == 0, done.stderr
    return [line for line in trace.read_text().splitlines()
            if re.search(r"queue\.db(-wal)?[>\"]", line)]


@pytest.mark.parametrize("is_running", [True, False])
def test_commands_never_checkpoint(relay, sink, is_running):
    """SQLite would have the last connection that closes checkpoint, and before 3.51.3 that can
    corrupt the file where another one commits meanwhile."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    relay.start()
    for _ in range(3):
        relay.accept(payloads.login_code())
    sink.wait_for(3)
    if not is_running:
        relay.kill()  # and leaves a log behind, which is not empty
    log = relay.queue_dir / "queue.db-wal"
    assert log.stat().st_size > 0
    commands = reading_commands(relay)
    assert len(commands) >= 2
    for command in commands:
        assert not touched(relay, command), command
    assert log.stat().st_size > 0


def test_a_start_appends_to_no_log_that_it_cannot_begin_anew(relay, sink):
    """A foreign process in the middle of a transaction: the log may have a hole behind what is on
    disk, so the start fails until it has left."""
    relay.start()
    relay.accept(payloads.login_code())
    sink.wait_for(1)
    with sqlite3.connect(f"file:{relay.queue_dir}/queue.db?mode=ro", uri=True,
                         isolation_level=None) as shell:
        shell.execute("BEGIN")
        assert shell.execute("SELECT count(*) FROM message").fetchone() == (1,)
        relay.accept(payloads.login_code())  # a log that is longer than what the reader sees
        relay.kill()
        relay.spawn()
        assert relay.process.wait(harness.WAIT_S) == 75
        assert "held by another process that reads it" in relay.wait_for("queue_error")["error"]
        shell.execute("COMMIT")
    shell.close()
    relay.start()
    rows = relay.queue_list()
    assert len(rows) == 2
    assert relay.stop() == 0
