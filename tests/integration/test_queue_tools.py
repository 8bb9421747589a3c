"""What operators do with a whole queue: `courier-relay queue backup`, `check` and `export`."""
import concurrent.futures
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import stat
import subprocess
import threading
import time

import machine
import payloads
import pytest
import relay as harness
import sink as sink_module
import test_admin

DOWN = "smtp://127.0.0.1:9/?disable_starttls=true"  # nobody listens on it


@pytest.fixture
def waiting(start_relay):
    """A relay with three mails that wait for a smarthost which is down."""
    with start_relay(None, smtp_uri=DOWN) as relay:
        relay.made = [payloads.login_code() for _ in range(3)]
        relay.ids = [relay.accept(made) for made in relay.made]
        test_admin.silence(relay)  # a stop that meets a probe leaves it its lease
        for one in relay.ids:
            assert relay.state(one)["state"] == "queued"
        yield relay


def restore(relay, backup, folder, **settings):
    """A relay on a folder of its own that has that backup as its queue."""
    restored = harness.Relay(folder, **relay.settings | {"queue_dir": str(folder / "queue")} | settings)
    restored.queue_dir.mkdir(parents=True, mode=0o700)
    shutil.copy(backup, restored.queue_dir / "queue.db")
    shutil.copy(relay.queue_dir / "queue.key", restored.queue_dir / "queue.key")
    return restored


def sound(path):
    """What SQLite says of a file."""
    with sqlite3.connect(f"file:{path}?immutable=1", uri=True) as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0]


# ---- backup -----------------------------------------------------------------------------------

def test_a_restored_backup_sends_what_waited(waiting, sink, tmp_path):
    backup = tmp_path / "queue.backup"
    text = waiting.command("queue", "backup", str(backup)).stdout
    assert text.startswith(f"{backup}\n") and "queue.key" in text
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sound(backup) == "ok"
    waiting.wait_for("backed_up", file=str(backup))
    assert waiting.accept(payloads.login_code()), "the relay goes on"
    waiting.stop()

    with restore(waiting, backup, tmp_path / "restored", smtp_uri=harness.smtp_uri(sink)) as restored:
        mails = sink.wait_for(3)
        assert {mail.recipient for mail in mails} == {made["recipient"] for made in waiting.made}
        for made in waiting.made:
            [mail] = [mail for mail in mails if mail.recipient == made["recipient"]]
            assert payloads.code_of(made) in mail.text()
        # What was accepted before the backup is known in the restored queue.
        for made, message_id in zip(waiting.made, waiting.ids):
            assert restored.accept(made) == message_id
    assert len(sink.mails) == 3


def test_a_relative_name_is_the_commands(waiting, tmp_path):
    """The daemon's working directory is another one."""
    done = waiting.command("queue", "backup", "here.backup", "--json")
    assert json.loads(done.stdout) == {"file": str(waiting.folder / "here.backup")}
    assert sound(waiting.folder / "here.backup") == "ok"


def test_a_backup_without_a_daemon(waiting, tmp_path):
    backup = tmp_path / "backup"
    waiting.kill()
    waiting.command("queue", "backup", str(backup))
    with sqlite3.connect(f"file:{backup}?immutable=1", uri=True) as database:
        assert database.execute("SELECT count(*) FROM message").fetchone() == (3,)
    assert sound(backup) == "ok"
    assert waiting.start().queue_list()


@pytest.mark.parametrize("name, says", [
    ("there", "is there already"),
    ("nowhere/backup", "No such file or directory"),
])
def test_what_cannot_be_a_backups_name(waiting, tmp_path, name, says):
    (tmp_path / "there").write_text("precious")
    for _ in range(2):  # by the daemon, and without one
        done = waiting.command("queue", "backup", str(tmp_path / name), status=1)
        assert says in done.stderr and done.stdout == ""
        assert "name one in" not in done.stderr or "No such file" in done.stderr
        waiting.stop()
    assert (tmp_path / "there").read_text() == "precious"
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []


def test_a_folder_that_is_no_queue(waiting, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir(mode=0o700)
    done = waiting.command("queue", "backup", str(tmp_path / "b"), status=1, RELAY_QUEUE_DIR=str(empty))
    assert "queue.db" in done.stderr
    assert list(empty.iterdir()) == []


def test_a_backup_under_load_has_all_that_was_acknowledged_before(start_relay, sink, tmp_path):
    """32 clients post while it is made; every row of it is one that can be."""
    backup = tmp_path / "backup"
    with start_relay(sink) as relay, concurrent.futures.ThreadPoolExecutor(32) as pool:
        before = list(pool.map(lambda _: relay.accept(payloads.login_code()), range(200)))
        enough = threading.Event()

        def post(_):
            for count in itertools.count():
                if count and enough.is_set():
                    return count
                relay.accept(payloads.login_code())
        posting = [pool.submit(post, number) for number in range(31)]
        try:
            relay.command("queue", "backup", str(backup))
        finally:
            enough.set()
        assert all(client.result() for client in posting)
    assert sound(backup) == "ok"
    with sqlite3.connect(f"file:{backup}?immutable=1", uri=True) as database:
        rows = dict(database.execute("SELECT id, state FROM message"))
    assert set(before) <= set(rows)


@pytest.mark.parametrize("runs", [True, False])
def test_a_backup_beside_another_is_one_to_try_again(waiting, tmp_path, runs):
    backup = tmp_path / "backup"
    if not runs:
        waiting.stop()
    with open(f"{backup}.part", "wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        done = waiting.command("queue", "backup", str(backup), status=75)
        assert "another backup goes there" in done.stderr
    waiting.command("queue", "backup", str(backup))


@pytest.mark.parametrize("ended", ["stop", "kill"])
def test_a_queue_on_a_read_only_disk_is_checked_and_copied(waiting, tmp_path, ended):
    backup = tmp_path / "backup"
    getattr(waiting, ended)()

    def command(*arguments):
        script = 'mount --bind -o ro "$0" "$0" && exec "$@"'
        return subprocess.run(
            [*machine.NAMESPACE, "sh", "-c", script, str(waiting.queue_dir),
             str(harness.program()), "queue", *arguments], cwd=waiting.folder, text=True,
            env=waiting.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    probe = command("--help")
    if probe.returncode != 0:
        pytest.skip(f"nothing can be mounted read-only: {probe.stderr}")
    done = command("check")
    assert done.returncode == 0 and "3 messages, 3 bodies" in done.stdout, done
    assert command("backup", str(backup)).returncode == 0
    assert sound(backup) == "ok"


# ---- check ------------------------------------------------------------------------------------

def check(relay, status=0):
    """What `queue check --json` finds: {id: [what, ...]}, and the summary."""
    lines = [json.loads(line) for line in
             relay.command("queue", "check", "--json", status=status).stdout.splitlines()]
    found = {}
    for line in lines[:-1]:
        found.setdefault(line["id"], []).append(line["finding"])
    assert lines[-1]["findings"] == sum(map(len, found.values()))
    return found, lines[-1]


def test_a_queue_in_use_is_sound(start_relay, sink):
    """With messages in every state that a test brings about easily; beside the daemon and without."""
    with start_relay(sink) as relay:
        sent = [relay.accept(payloads.login_code()) for _ in range(3)]
        for one in sent:
            assert relay.state(one)["state"] == "sent"
        parked = relay.accept({"nothing": "of use"})
        assert relay.state(parked)["state"] == "parked"
        assert check(relay) == ({}, {"messages": 4, "bodies": 1, "tried_bodies": True, "damaged": 0,
                                     "unknown_key": 0, "findings": 0})
        assert not (relay.queue_dir / "queue.check").exists()
        relay.wait_for("audit", act="check", by="owner")
        assert not relay.found("audit", act="backup") and not relay.found("backed_up")
        relay.kill()
        assert check(relay)[1]["messages"] == 4
        assert "4 messages, 1 bodies (each was opened), 0 findings" in \
            relay.command("queue", "check").stdout


def test_bodies_whose_key_is_lost_are_not_said_to_have_been_opened(waiting):
    waiting.stop()
    key = waiting.queue_dir / "queue.key"
    key.write_text("ab" * 32 + "\n")
    count = len(waiting.ids)
    told = waiting.command("queue", "check", status=1).stdout
    assert f"(0 were opened, {count} are sealed with an unknown key, 0 are damaged)" in told


IMPOSSIBLE = [
    ("state = 'asleep'", "state is none"),
    ("lane = 'fast'", "lane is none"),
    ("body_form = 9", "form of its body is none"),
    ("body = NULL", "not what the row says"),
    ("state = 'sent'", "has ended, and has its body still"),
    ("body_form = 1", "without a canonical mail"),
    ("state = 'received'", "without its payload"),
    ("lane = NULL", "without what composing finds out"),
    ("state = 'sending'", "without a lease"),
    ("lease_owner = 'somebody'", "a lease without being sent"),
    ("state = 'failed', not_before = 7", "is to be tried again"),
    ("deadline = 1", "before it came"),
    ("attempts = -1", "less than nothing"),
    ("payload_hash = x'00'", "no digest"),
    ("id = 'not-an-id'", "no UUIDv7"),
    ("seq = seq + 1", "another id belongs"),
    ("recipient = 'mallory@example.com'", "does not open"),
    ("body = zeroblob(length(body))", "does not open"),
    ("body = x'01' || x'00000000' || substr(body, 6)", "not in queue.key"),
]


def test_what_cannot_be_in_a_queue_is_found(waiting):
    waiting.stop()
    path = waiting.queue_dir / "queue.db"
    original = path.read_bytes()
    for change, says in IMPOSSIBLE:
        with sqlite3.connect(path) as database:
            database.execute(f"UPDATE message SET {change} WHERE id = ?", [waiting.ids[1]])
        database.close()
        found, _ = check(waiting, status=1)
        assert set(found) - {None} in ({waiting.ids[1]}, {"not-an-id"}), (change, found)
        assert any(says in what for [*whats] in found.values() for what in whats), (change, found)
        for beside in (".db-wal", ".db-shm"):
            path.with_name("queue" + beside).unlink(missing_ok=True)
        path.write_bytes(original)
    assert check(waiting)[0] == {}


def test_what_cannot_be_in_a_queues_file_is_found(waiting):
    waiting.stop()
    path = waiting.queue_dir / "queue.db"
    with sqlite3.connect(path) as database:
        database.execute("INSERT INTO attempt (message, number, started, ended, outcome)"
                         " VALUES (1, 1, 1, 1, 'sent')")
        database.execute("DELETE FROM meta WHERE name = 'boot_id'")
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_schema SET sql = replace(sql, '(deadline)', '(created)')"
                         " WHERE name = 'message_deadline'")
    database.close()
    found, _ = check(waiting, status=1)
    assert list(found) == [None]
    for says in ("attempts have no message", "meta does not say boot_id", "message_deadline"):
        assert any(says in what for what in found[None]), found


def test_without_the_key_the_rest_is_checked(waiting):
    waiting.stop()
    (waiting.queue_dir / "queue.key").rename(waiting.folder / "away")
    found, summary = check(waiting)
    assert found == {} and summary["bodies"] == 3 and not summary["tried_bodies"]
    assert not (waiting.queue_dir / "queue.key").exists(), "a check makes no key"


@pytest.mark.parametrize("text, mode, says", [
    (None, 0o644, "may be read by others"),
    ("S3CRET\n", 0o600, "does not hold keys of 64 hexadecimal digits"),
    ("", 0o600, "holds no key"),
])
def test_a_key_file_that_a_relay_refuses_is_found(waiting, text, mode, says):
    path = waiting.queue_dir / "queue.key"
    if text is not None:
        path.write_text(text)
    path.chmod(mode)
    for _ in range(2):  # beside a daemon, and without one
        found, summary = check(waiting, status=1)
        assert list(found) == [None] and len(found[None]) == 1
        assert says in found[None][0] and "S3CRET" not in found[None][0]
        assert summary["bodies"] == 3 and not summary["tried_bodies"]
        waiting.stop()
    assert path.stat().st_mode & 0o777 == mode, "a check mends nothing"


# ---- export, and what nobody reads ---------------------------------------------------------------

def test_export_has_every_message_with_its_history(start_relay, sink):
    with start_relay(sink) as relay:
        ids = [relay.accept(payloads.login_code()) for _ in range(3)]
        for one in ids:
            assert relay.state(one)["state"] == "sent"
        text = relay.command("queue", "export", "--json").stdout
        rows = [json.loads(line) for line in text.splitlines()]
        assert [row["id"] for row in rows] == ids[::-1]
        for row in rows:
            shown = json.loads(relay.command("queue", "show", "--json", row["id"]).stdout)
            assert list(row) == list(shown) and len(row["history"]) == 1
            for name in row:  # each process turns the queue's time into the wall clock's itself
                if name not in ("history", "created_at", "updated_at", "not_before", "deadline"):
                    assert row[name] == shown[name]
            assert row["history"][0].keys() == shown["history"][0].keys()
            assert row["history"][0]["outcome"] == "sent"
            assert row["history"][0]["address"] == f"127.0.0.1:{sink.port}"
            assert row["history"][0]["tls"] is None
        assert relay.command("queue", "export", "--json", "--state", "queued").stdout == ""
        relay.command("queue", "export", status=2)


def test_a_history_that_cannot_be_read_ends_an_export(waiting):
    waiting.stop()
    with contextlib.closing(sqlite3.connect(waiting.queue_dir / "queue.db")) as database, database:
        database.execute("DROP TABLE attempt")
    done = waiting.command("queue", "export", "--json", status=1)
    assert "queue.db" in done.stderr and done.stderr.count("\n") == 1, done.stderr


def multiply(path, message_id, count):
    """Puts count copies of that row into the table, as messages of their own."""
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(message)")
                   if row[1] not in ("seq", "id")]
        database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            f" INSERT INTO message (seq, id, {', '.join(columns)}) SELECT i << 12,"
            f" printf('00000000-%04x-7000-8000-000000000000', i), {', '.join(columns)}"
            f" FROM n, message WHERE message.id = ?", [count, message_id])


def test_a_pipe_that_nobody_reads_holds_no_look_open(waiting):
    """The log can be begun anew while `queue list` and `export` wait for their reader."""
    waiting.stop()
    path = waiting.queue_dir / "queue.db"
    multiply(path, waiting.ids[0], 3000)
    database = sqlite3.connect(path)
    for command in (["list", "--limit", "3000"], ["export"]):
        reading = subprocess.Popen(
            [str(harness.program()), "queue", *command, "--json"], cwd=waiting.folder,
            env=waiting.environment(), stdout=subprocess.PIPE)
        assert reading.stdout.read(1) == b"{"  # the pipe is full, or soon will be
        for _ in range(5):
            with database:
                database.execute("UPDATE message SET attempts = attempts + 1 WHERE id = ?",
                                 [waiting.ids[0]])

            def truncated():
                return database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            harness.wait_until(truncated, "the log to be given back")
        assert reading.poll() is None, "it still waits for its reader"
        rest = b"{" + reading.communicate()[0]
        assert reading.returncode == 0 and rest.count(b"\n") >= 3000
    database.close()


def test_a_command_that_the_terminal_has_stopped_holds_no_look_open(waiting):
    """Ctrl-Z at any moment: the log can be begun anew for as long as the command is stopped."""
    waiting.stop()
    path = waiting.queue_dir / "queue.db"
    multiply(path, waiting.ids[0], 30000)
    database = sqlite3.connect(path, timeout=0)
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for command in (["list", "--recipient", "nobody@example.org"], ["stats"]):
        began, stops = time.monotonic(), 0
        while stops < 20:  # on a busy machine one command is over before it is stopped as often
            stops += stop_often(waiting, command, database)
            assert time.monotonic() < began + 10 * harness.WAIT_S, f"{stops} stops"
    database.close()


def stop_often(relay, command, database):
    """Stops a command again and again, each time at another place, until it has ended. Gives how
    often, and finds out each time whether a look is open."""
    environment = relay.environment()
    # Whoever looks for leaks traces the process at its end, and waits for ever where it is stopped.
    environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    reading = subprocess.Popen(
        [str(harness.program()), "queue", *command, "--json"], cwd=relay.folder,
        env=environment, stdout=subprocess.PIPE, process_group=0)
    stops, pause_s, status = 0, 0.001, None
    try:
        while True:
            time.sleep(pause_s)
            pause_s *= 1.2  # or else it takes minutes where a commit takes long
            os.kill(reading.pid, signal.SIGTSTP)  # send_signal() would reap it
            _, status = os.waitpid(reading.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            stops += 1
            with database:
                database.execute("UPDATE message SET attempts = attempts + 1 WHERE seq = 4096")
            assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0, \
                f"stop {stops} of {command} pins the log"
            os.kill(reading.pid, signal.SIGCONT)
        reading.returncode = os.waitstatus_to_exitcode(status)
        assert reading.returncode == 0
        return stops
    finally:
        if reading.returncode is None:
            reading.kill()
        reading.communicate()
