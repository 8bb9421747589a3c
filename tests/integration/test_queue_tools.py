"""What operators do with a whole queue: `courier-relay queue backup`."""
import concurrent.futures
import json
import os
import pathlib
import shutil
import sqlite3
import stat
import threading

import payloads
import pytest
import relay as harness
import sink as sink_module

DOWN = "smtp://127.0.0.1:9/?disable_starttls=true"  # nobody listens on it


@pytest.fixture
def waiting(start_relay):
    """A relay with three mails that wait for a smarthost which is down."""
    with start_relay(None, smtp_uri=DOWN) as relay:
        relay.made = [payloads.login_code() for _ in range(3)]
        relay.ids = [relay.accept(made) for made in relay.made]
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
            count = 0
            while not enough.is_set():
                relay.accept(payloads.login_code())
                count += 1
            return count
        posting = [pool.submit(post, number) for number in range(31)]
        try:
            relay.command("queue", "backup", str(backup))
        finally:
            enough.set()
        assert sum(client.result() for client in posting) > 0
    assert sound(backup) == "ok"
    with sqlite3.connect(f"file:{backup}?immutable=1", uri=True) as database:
        rows = dict(database.execute("SELECT id, state FROM message"))
    assert set(before) <= set(rows)
