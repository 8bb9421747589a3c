"""What a body is sealed to, and that nothing of it lies open in the queue's folder."""
import pathlib
import sqlite3

import payloads
import pytest
import relay as harness


def flip(data, at, bit=0):
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def flip_text(text, at):
    """Another digit of an id, so that it still has the shape of one."""
    return text[:at] + format(int(text[at], 16) ^ 1, "x") + text[at + 1:]


# Where in a record: version, key id, nonce, ciphertext, tag (queue/seal.h).
BODY_FLIPS = {"version": 0, "key id": 1, "nonce": 5, "nonce's end": 28, "first byte": 29,
              "middle": 200, "tag": -16, "last byte": -1}
FLIPS = {
    **{f"body: {name}": ("body", lambda old, at=at: flip(old, at)) for name, at in
       BODY_FLIPS.items()},
    "body: cut": ("body", lambda old: old[:-1]),
    "body: longer": ("body", lambda old: old + b"\0"),
    "body: gone": ("body", lambda old: None),
    "id: time": ("id", lambda old: flip_text(old, 0)),
    "id: counter": ("id", lambda old: flip_text(old, 17)),
    "id: random": ("id", lambda old: flip_text(old, 35)),
    "created": ("created", lambda old: old ^ 1),
    "created, by an hour": ("created", lambda old: old - 3600000),
    "recipient": ("recipient", lambda old: chr(ord(old[0]) ^ 1) + old[1:]),
    "recipient: another": ("recipient", lambda old: "eve@example.com"),
    "deadline: later": ("deadline", lambda old: old + (1 << 20)),
    "deadline: by a bit": ("deadline", lambda old: old ^ 1),
    "deadline: passed": ("deadline", lambda old: old - (1 << 40)),
    "form": ("body_form", lambda old: 1),
}
# A payload is bound to what is known of it: what is in other columns is composed anew.
PAYLOAD_FLIPS = [name for name in FLIPS
                 if name.split(":")[0] in ("body", "id", "created", "created, by an hour")]


def tamper(relay, row_id, column, change):
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        [[old]] = database.execute(f"SELECT {column} FROM message WHERE id = ?", [row_id])
        database.execute(f"UPDATE message SET {column} = ? WHERE id = ?", [change(old), row_id])
    database.close()


def rows(relay):
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        found = database.execute("SELECT seq, state, reason, recipient, body FROM message").fetchall()
    database.close()
    return found


def check_parked(relay, sink, names, good_ids):
    """All that was tampered with is parked with the bytes it had; the others have gone out."""
    before = {seq: body for seq, _, _, _, body in rows(relay)}
    sink.up()
    relay.start()
    for message_id in good_ids:
        relay.wait_for("sent", id=message_id)
    harness.wait_until(lambda: sum(row[1] == "parked" for row in rows(relay)) == len(names),
                       "the tampered rows to be parked")
    relay.wait_for("sent", id=relay.accept(payloads.login_code()))
    relay.stop()
    after = rows(relay)
    assert len(after) == len(before) + 1, "nothing is deleted"
    parked = {row[0]: row for row in after if row[1] == "parked"}
    assert {row[2] for row in parked.values()} <= {"damaged", "unknown_key"}
    assert sum(row[2] == "unknown_key" for row in parked.values()) == 1, "by a flip in a key's id"
    assert all(row[4] == before[seq] for seq, row in parked.items())
    assert len(sink.mails) == len(good_ids) + 1


def test_a_flip_in_a_waiting_mail_is_found(start_relay, sink):
    sink.down()
    relay = start_relay(sink, build=harness.RELEASE_BUILD).start()
    ids = [relay.accept(payloads.login_code()) for _ in range(len(FLIPS) + 3)]
    for message_id in ids:
        assert relay.state(message_id)["state"] == "queued"
    relay.stop()
    for row_id, (column, change) in zip(ids[3:], FLIPS.values()):
        tamper(relay, row_id, column, change)
    check_parked(relay, sink, FLIPS, ids[:3])


def test_a_flip_in_a_payload_is_found(start_relay, sink, tmp_path):
    """Payloads that are not composed yet: of a route that parks them all, released by hand."""
    broken = tmp_path / "broken.jsonnet"
    broken.write_text("function(payload) error 'not now'")
    relay = start_relay(sink, build=harness.RELEASE_BUILD, normaliser=str(broken))
    relay.start()
    made = [payloads.login_code() for _ in range(len(PAYLOAD_FLIPS) + 3)]
    for one in made:  # where no known place has them
        one["whom"] = one.pop("recipient")
        del one["template_data"]["to"]
    ids = [relay.accept(one) for one in made]
    for message_id in ids:
        assert relay.state(message_id)["state"] == "parked"
    relay.stop()
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        database.execute("UPDATE message SET state = 'received', reason = NULL, lane = NULL")
    database.close()
    for row_id, name in zip(ids[3:], PAYLOAD_FLIPS):
        tamper(relay, row_id, *FLIPS[name])
    shipped = (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text()
    mended = tmp_path / "mended.jsonnet"
    mended.write_text(shipped.replace("'recipient|", "'whom|recipient|"))
    relay.settings["normaliser"] = str(mended)
    sink.down()
    check_parked(relay, sink, PAYLOAD_FLIPS, ids[:3])


# ---- what lies open -----------------------------------------------------------------------------

CODE, TOKEN, NAME = "83640917", "canarytokenq7x2v9", "Canarina Vogelweide"
BODY, KEY, PASSWORD = "canary-own-words-77", "canary-key-5fb1c7d2e4a6", "canary-password-93bd"
LINK = f"https://auth.example.org/self-service/recovery?flow=0f3c0011&token={TOKEN}"
SECRETS = [one.encode() for one in (CODE, TOKEN, NAME, BODY, KEY, PASSWORD)]


def assert_none_in_files(relay):
    for path in relay.queue_dir.iterdir():
        if path.is_file():
            data = path.read_bytes()
            for secret in SECRETS:
                assert secret not in data, (secret, path)
    dump = []
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        for line in database.iterdump():
            dump.append(line)
    database.close()
    for secret in SECRETS:
        assert secret.decode() not in "\n".join(dump)
        assert secret.hex() not in "\n".join(dump).lower()


def canaries():
    for made in (payloads.login_code(code=CODE), payloads.recovery_link("0f3c0011", token=TOKEN),
                 payloads.login_code(code=CODE)):
        made["template_data"]["identity"]["traits"]["name"] = {"first": NAME}
        made["body"] += BODY
        yield made


# What the smarthost says, and the state that a mail is in by then.
STATES = {
    "sent": ("sent", None),
    "failed": ("failed", f"554 5.7.1 spam: {CODE} or {LINK}"),
    "queued": ("queued", f"451 4.7.1 not yet: {CODE} or {LINK}"),
}


@pytest.mark.parametrize("case", [*STATES, "waiting", "parked", "expired"])
def test_nothing_lies_open_in_the_queues_folder(start_relay, sink, tmp_path, case):
    state, reply = STATES.get(case, ({"waiting": "queued"}.get(case, case), None))
    sink.data_reply = lambda envelope, mail: reply
    settings = {}
    made = list(canaries())
    if case in ("waiting", "expired"):
        sink.down()
    if case == "parked":
        settings["normaliser"] = tmp_path / "broken.jsonnet"
        settings["normaliser"].write_text("function(payload) error 'not now'")
        for one in made:
            del one["recipient"], one["template_data"]["to"]
    if case == "expired":
        for one in made:
            one["template_data"]["expires_in_minutes"] = 0.26  # 0.6 s behind the margin
    uri = harness.smtp_uri(sink)
    with start_relay(None, smtp_uri=uri, api_key=KEY, **settings) as relay:
        ids = []
        for one in made:
            answer = relay.post(one, key=KEY)
            assert answer.status == 200
            ids.append(answer.headers["X-Message-Id"])
        for message_id in ids:
            harness.wait_until(lambda one=message_id: relay.state(one)["state"] == state, state)
        assert (relay.queue_dir / "queue.db-wal").stat().st_size > 0
        assert_none_in_files(relay)
    assert_none_in_files(relay)
    assert not pathlib.Path(relay.queue_dir / "queue.db-wal").exists() or \
        (relay.queue_dir / "queue.db-wal").stat().st_size == 0
