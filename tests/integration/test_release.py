"""What was parked goes out once what was in its way is mended: `courier-relay queue release`."""
import concurrent.futures
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import time

import payloads
import pytest
import relay as harness
import test_admin

# Knows a recipient nowhere that Kratos' own places know: what it does not find, nothing else does.
BROKEN = "function(payload) error 'the operator is at work'"
MENDED = """
function(payload)
  local data = payload.template_data;
  {
    channel: 'email', template: payload.template_type, to: payload.whom,
    data: { code: data.login_code }, locales: ['en'],
    expires_in_minutes: payload.minutes,
  }
"""
# Three mails of which the second is none.
BROKEN_ARRAY = """
function(payload) [
  { channel: 'email', template: payload.template_type, to: 'a.' + payload.whom,
    data: { code: payload.template_data.login_code }, locales: ['en'] },
  { surprise: true },
  { channel: 'email', template: payload.template_type, to: 'c.' + payload.whom,
    data: { code: payload.template_data.login_code }, locales: ['en'] },
]
"""
MENDED_ARRAY = BROKEN_ARRAY.replace("{ surprise: true }", """
  { channel: 'email', template: payload.template_type, to: 'b.' + payload.whom,
    data: { code: payload.template_data.login_code }, locales: ['en'] }""")
NO_MESSAGE = "01938c5e-0000-7000-8000-000000000000"


def hidden(minutes=15):
    """A payload whose recipient stands where only MENDED looks."""
    made = payloads.login_code()
    made["whom"] = made.pop("recipient")
    del made["template_data"]["to"]
    made["minutes"] = minutes
    return made


def use(relay, text):
    """Gives the relay that normaliser from its next start on."""
    path = relay.folder / "normaliser.jsonnet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    relay.settings["normaliser"] = str(path)
    return relay


def mend(relay, text=MENDED):
    """Starts it anew with a good normaliser."""
    relay.stop()
    return use(relay, text).start()


def parked(relay, made):
    """Posts what cannot be a mail yet. Gives its id."""
    message_id = relay.accept(made)
    assert relay.state(message_id)["state"] == "parked"
    return message_id


def release(relay, *arguments, status=0):
    """What `queue release` says, by id."""
    done = relay.command("queue", "release", "--json", *arguments, status=status)
    return {line["id"]: line for line in map(json.loads, done.stdout.splitlines())}


def release_all(relay, *filter):
    """How many were, of those that the filter names."""
    done = relay.command("queue", "release", "--json", "--yes", *filter)
    return json.loads(done.stdout)["messages"]


def minutes_in(mail):
    return int(re.search(r"(\d+) minutes?", mail.text()).group(1))


@pytest.fixture
def broken(start_relay, sink):
    with use(start_relay(sink), BROKEN) as relay:
        yield relay


def test_a_parked_payload_goes_out_once_its_normaliser_is_mended(broken, sink):
    made = hidden(minutes=1.505)  # two minutes when it was received, one 0.3 s later
    message_id = parked(broken, made)
    posted_s = time.monotonic()
    mend(broken)
    harness.wait_until(lambda: time.monotonic() > posted_s + 0.4, "the minutes to be fewer")
    text = broken.command("queue", "release", message_id).stdout
    assert text == f"{message_id}: released\n"
    broken.wait_for("audit", act="release", id=message_id, by="owner")
    broken.wait_for("sent", id=message_id)
    [mail] = sink.wait_for(1)
    assert mail.recipient == made["whom"]
    assert payloads.code_of(made) in mail.text()
    assert minutes_in(mail) == 1, "counted from when it was received"
    row = broken.state(message_id)
    assert (row["state"], row["reason"]) == ("sent", None)
    # What Kratos posts once more is known, parked or not.
    assert broken.accept(made) == message_id
    assert len(sink.mails) == 1
    says = release(broken, message_id, status=1)[message_id]
    assert says["error"].startswith("it is sent: ") and not says["done"]


def test_a_normaliser_that_was_mended_by_a_reload_is_asked_again(broken, sink):
    """Also where it had failed so often that nobody asked it any more."""
    made = [hidden() for _ in range(6)]
    ids = [parked(broken, one) for one in made]
    broken.wait_for("normaliser_down")
    # A reload takes what composes every sample.
    shipped = (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text()
    assert "'recipient|" in shipped
    use(broken, shipped.replace("'recipient|", "'whom|recipient|"))
    broken.process.send_signal(signal.SIGHUP)
    broken.wait_for("reloaded")
    assert release_all(broken, "--state", "parked") == len(ids)
    assert {mail.recipient for mail in sink.wait_for(6)} == {one["whom"] for one in made}


def test_what_nothing_was_mended_for_is_parked_again(broken, sink):
    message_id = parked(broken, hidden())
    for count in (2, 3):
        assert release(broken, message_id)[message_id]["done"]
        broken.wait_for("parked", count=count, id=message_id)
        assert broken.state(message_id)["state"] == "parked"
    mend(broken)
    release(broken, message_id)
    sink.wait_for(1)
    assert len(sink.mails) == 1


def test_releases_at_the_same_time_send_one_mail(broken, sink):
    message_id = parked(broken, hidden())
    mend(broken)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        says = list(pool.map(lambda _: release(broken, message_id, status=None)[message_id],
                             range(4)))
    assert sum(one["done"] for one in says) == 1, says
    broken.wait_for("sent", id=message_id)
    broken.stop()
    assert len(sink.mails) == 1


def test_it_expires_where_its_deadline_has_passed(broken, sink):
    message_id = parked(broken, hidden(minutes=0.255))  # less the margin of 15 s: 0.3 s
    posted_s = time.monotonic()
    mend(broken)
    harness.wait_until(lambda: time.monotonic() > posted_s + 0.4, "its deadline")
    release(broken, message_id)
    broken.wait_for("expired", id=message_id)
    assert broken.state(message_id)["state"] == "expired"
    assert not sink.mails


def test_a_mail_that_lost_its_texts_goes_on_when_they_are_back(start_relay, sink):
    """It waits as a canonical mail, so it is rendered anew, not composed."""
    relay = use(start_relay(sink), MENDED)
    templates = relay.folder / "templates"
    shutil.copytree(harness.ROOT / "templates", templates)
    whole = {path: path.read_text() for path in (templates / "locales").glob("*.json")}
    relay.settings["templates_dir"] = str(templates)

    def know_welcome(known):
        for path, text in whole.items():
            catalog = json.loads(text)
            if known:
                catalog["types"]["welcome"] = catalog["types"]["recovery_code_invalid"]
            path.write_text(json.dumps(catalog))

    know_welcome(True)
    sink.down()
    relay.start()
    made = hidden()
    made["template_type"] = "welcome"
    message_id = relay.accept(made)
    assert relay.state(message_id)["state"] == "queued"
    relay.stop()
    know_welcome(False)
    sink.up()
    relay.start()
    relay.wait_for("parked", id=message_id, reason="no_content")
    relay.stop()
    know_welcome(True)
    relay.start()
    assert release(relay, message_id)[message_id]["done"]
    relay.wait_for("sent", id=message_id)
    relay.stop()
    [mail] = sink.mails
    assert mail.recipient == made["whom"]


def test_kill_9_after_a_release_loses_and_repeats_nothing(broken, sink):
    mend(broken, BROKEN)
    made = [hidden() for _ in range(3)]
    ids = [parked(broken, one) for one in made]
    sink.down()
    mend(broken)
    assert all(line["done"] for line in release(broken, *ids).values())
    broken.kill()
    sink.up()
    broken.start()
    for message_id in ids:
        broken.wait_for("sent", id=message_id)
    assert sorted(mail.recipient for mail in sink.mails) == sorted(one["whom"] for one in made)


# ---- several mails of one payload ---------------------------------------------------------------

def rows_of(relay):
    return {(row["recipient"] or "").split(".")[0]: row for row in relay.queue_list()}


def test_of_several_mails_only_the_one_that_was_none_waits_for_the_normaliser(start_relay, sink):
    with use(start_relay(sink), BROKEN_ARRAY) as relay:
        made = hidden()
        relay.accept(made)
        assert {mail.recipient[0] for mail in sink.wait_for(2)} == {"a", "c"}
        relay.wait_for("parked", reason="not_canonical", index=1)
        [row] = relay.queue_list("--state", "parked")
        # Still none: it is parked anew, and Kratos' own text, which is for all three, is not sent.
        release(relay, row["id"])
        relay.wait_for("parked", id=row["id"])
        mend(relay, MENDED_ARRAY)
        assert release_all(relay, "--reason", "not_canonical") == 1
        relay.wait_for("sent", id=row["id"])
        relay.stop()
        assert not relay.queue_list("--state", "parked")
    assert [mail.recipient[0] for mail in sink.mails].count("b") == 1
    assert len(sink.mails) == 3, "the good ones go out once"
    assert all(payloads.code_of(made) in mail.text() for mail in sink.mails)
    assert len({mail.message_id for mail in sink.mails}) == 3


def test_where_none_of_several_mails_can_go_kratos_own_text_does(start_relay, sink):
    with use(start_relay(sink), "function(payload) [{ a: 1 }, { b: 2 }]") as relay:
        made = payloads.login_code()
        message_id = relay.accept(made)
        relay.wait_for("sent", id=message_id)
    [mail] = sink.mails
    assert mail.recipient == made["recipient"] and "with the following code" in mail.text()


def test_several_mails_of_a_payload_that_was_parked_whole_all_go_out(broken, sink):
    message_id = parked(broken, hidden())
    mend(broken, MENDED_ARRAY)
    release(broken, message_id)
    assert {mail.recipient[0] for mail in sink.wait_for(3)} == {"a", "b", "c"}
    broken.stop()
    assert len(sink.mails) == 3


def test_a_part_that_the_normaliser_no_longer_makes_keeps_its_payload(start_relay, sink):
    with use(start_relay(sink), BROKEN_ARRAY) as relay:
        relay.accept(hidden())
        sink.wait_for(2)
        relay.wait_for("parked", reason="not_canonical", index=1)
        [row] = relay.queue_list("--state", "parked")
        without_it = BROKEN_ARRAY.replace("{ surprise: true },", "")  # at its place is another
        for none in (MENDED, "function(payload) []", without_it):
            mend(relay, none)
            release(relay, row["id"])
            relay.wait_for("parked", id=row["id"], reason="no_such_part")
            assert relay.state(row["id"])["reason"] == "no_such_part"
        advice = relay.command("queue", "show", row["id"]).stdout
        assert "as many mails of its payload as before" in advice
        mend(relay, MENDED_ARRAY)
        release(relay, row["id"])
        relay.wait_for("sent", id=row["id"])
    assert sorted(mail.recipient[0] for mail in sink.mails) == ["a", "b", "c"]


# ---- what is known by its content ---------------------------------------------------------------

def alike(made):
    """The same mail in two payloads: Kratos renders the HTML anew for each try."""
    return [{**made, "html_body": html} for html in ("<p>one</p>", "<p>two</p>")]


def ends(relay, ids):
    return sorted((row["state"], row["reason"]) for row in map(relay.state, ids))


ONE_WENT = [("sent", None), ("superseded", "duplicate")]


def test_of_two_alike_that_are_released_at_once_exactly_one_goes(broken, sink):
    pairs = [[parked(broken, one) for one in alike(hidden())] for _ in range(3)]
    ids = [message_id for pair in pairs for message_id in pair]
    mend(broken)
    assert set(release(broken, *ids)) == set(ids)
    sink.wait_for(3)
    for pair in pairs:
        harness.wait_until(lambda: ends(broken, pair) == ONE_WENT, f"one of {pair} to go")
    broken.stop()
    assert len(sink.mails) == 3


def test_of_two_alike_one_that_is_released_alone_goes(broken, sink):
    first, second = [parked(broken, one) for one in alike(hidden())]
    mend(broken)
    release(broken, second)
    broken.wait_for("sent", id=second)
    release(broken, first)
    broken.wait_for("superseded", id=first, reason="duplicate")
    broken.stop()
    assert len(sink.mails) == 1


def test_a_good_post_goes_though_its_like_is_parked(broken, sink):
    """And when that one is released, it is the second."""
    bad, good = alike(hidden())
    first = parked(broken, bad)
    mend(broken)
    second = broken.accept(good)
    broken.wait_for("sent", id=second)
    release(broken, first)
    broken.wait_for("superseded", id=first, reason="duplicate")
    broken.stop()
    assert len(sink.mails) == 1


def test_parts_of_two_alike_go_once(start_relay, sink):
    with use(start_relay(sink), BROKEN_ARRAY) as relay:
        for made in alike(hidden()):
            relay.accept(made)
        relay.wait_for("parked", count=2, reason="not_canonical", index=1)
        mend(relay, MENDED_ARRAY)
        ids = [row["id"] for row in relay.queue_list("--state", "parked")]
        assert release_all(relay, "--state", "parked") == len(ids) == 2
        harness.wait_until(lambda: ends(relay, ids) == ONE_WENT, "one of the parts to go")
    assert sorted(mail.recipient[0] for mail in sink.mails) == ["a", "b", "c"]


# ---- too large ----------------------------------------------------------------------------------

LARGE = """
function(payload)
  local one(to, text) = { to: to, template: 'odd', data: {}, fallback: { subject: 's', text: text } };
  local doubled(text, times) = if times == 0 then text else doubled(text + text, times - 1);
  local huge = doubled('&&&&&&&&&&&&&&', 15);
  if payload.template_type == 'login_code_valid'
  then [one('a@example.com', 'small'), one('b@example.com', huge), one('c@example.com', 'small')]
  else one('d@example.com', huge)
"""


def test_a_mail_that_is_too_large_is_parked_alone(start_relay, sink):
    with use(start_relay(sink), LARGE) as relay:
        relay.accept(payloads.login_code())
        assert {mail.recipient[0] for mail in sink.wait_for(2)} == {"a", "c"}
        relay.wait_for("parked", reason="too_large", index=1)
        # A single one: what Kratos wrote goes in its place, and where that is nothing it is parked.
        made = hidden()
        made["template_type"] = "brand_new"
        del made["template_data"], made["body"]
        message_id = relay.accept(made)
        relay.wait_for("parked", id=message_id, reason="too_large")
        relay.stop()
        assert len(sink.mails) == 2


# ---- the command and the socket -----------------------------------------------------------------

def test_what_a_filter_names_is_released_when_the_operator_says_yes(broken, sink):
    ids = [parked(broken, hidden()) for _ in range(3)]
    mend(broken)
    assert "3 messages are meant" in broken.command("queue", "release", "--state", "parked",
                                                    status=1).stderr
    assert broken.command("queue", "release", "--reason", "damaged").stdout == \
        "nothing to release\n"
    assert broken.command("queue", "release", "--all", "--limit", "1").stdout == \
        "1 message released\n", "one needs no yes"
    broken.wait_for("sent", id=ids[-1])
    done = broken.command("queue", "release", "--template", "login_code_valid", "--yes", "--json")
    assert json.loads(done.stdout) == test_admin.acted("release", 2)
    assert len(sink.wait_for(3)) == 3


def test_a_row_that_nobody_can_read_keeps_no_other_from_being_released(broken, sink):
    ids = [parked(broken, hidden()) for _ in range(4)]
    broken.stop()
    with contextlib.closing(sqlite3.connect(broken.queue_dir / "queue.db")) as database, database:
        database.execute("UPDATE message SET lane = 'CODE' WHERE id IN (?, ?)", ids[1:3])
    mend(broken)
    done = broken.command("queue", "release", "--state", "parked", "--yes")
    assert done.stdout == "2 messages released\n"
    broken.wait_log(lambda: ids[2] in str(broken.found("queue_error")))
    assert "2 rows have an unknown state or lane" in str(broken.found("queue_error"))
    assert len(sink.wait_for(2)) == 2


def test_it_says_of_each_message_what_became_of_it(broken):
    message_id = parked(broken, hidden())
    done = broken.command("queue", "release", NO_MESSAGE, "../../etc", message_id, status=1)
    assert done.stdout.splitlines() == [
        f"{NO_MESSAGE}: there is no such message", "../../etc: is no id", f"{message_id}: released"]
    for wrong in ([], ["--state", "sent"], [message_id, "--state", "parked"]):
        broken.command("queue", "release", *wrong, status=2)


def test_operators_are_told_what_to_do_about_a_parked_message(broken):
    message_id = parked(broken, hidden())
    hint = f"mend the normaliser, then: courier-relay queue release {message_id}"
    assert hint in broken.command("queue", "show", message_id).stdout
    reason = broken.state(message_id)["reason"]
    assert [row["id"] for row in broken.queue_list("--reason", reason)] == [message_id]
    assert broken.queue_list("--reason", "damaged") == []


@pytest.mark.parametrize("recipient, says", [
    ("nobody", "mend the address of its identity in Kratos, for the next mail; this one"),
    ("+36301234567", "leave the channel sms of Kratos' configuration to your gateway, or let the")])
def test_what_is_mended_in_kratos_is_said_to_be_so(relay, recipient, says):
    """As docs/kratos.md has it."""
    made = payloads.login_code()
    made["recipient"] = made["template_data"]["to"] = recipient
    with relay:
        message_id = parked(relay, made)
        shown = relay.command("queue", "show", message_id).stdout
        assert f"what to do: {says}" in shown, shown


def test_what_has_lost_its_body_to_time_is_not_released(broken):
    message_id = parked(broken, hidden())
    broken.stop()
    with contextlib.closing(sqlite3.connect(broken.queue_dir / "queue.db")) as database, database:
        database.execute("UPDATE message SET body = NULL, body_form = 0")  # as the sweep does
    broken.start()
    shown = broken.command("queue", "show", message_id).stdout
    assert "what to do: nothing, its body was dropped" in shown
    says = release(broken, message_id, status=1)[message_id]
    assert "its body was dropped" in says["error"]
    assert broken.state(message_id)["state"] == "parked"


def test_without_a_daemon_it_says_so_and_75(broken):
    message_id = parked(broken, hidden())
    path = broken.queue_dir / "control.sock"
    assert path.exists()
    broken.kill()
    assert path.exists(), "a killed daemon cannot remove it"
    done = broken.command("queue", "release", message_id, status=75)
    assert done.stdout == "" and "no relay runs" in done.stderr
    broken.start()
    release(broken, message_id)
    broken.stop()
    assert not path.exists()
    broken.command("queue", "release", message_id, status=75)


def test_the_folder_may_have_a_long_path(start_relay, sink, tmp_path):
    long = tmp_path / ("long" * 20) / ("path" * 20) / "queue"
    long.parent.mkdir(parents=True)
    assert len(str(long)) > 150
    with use(start_relay(sink, queue_dir=str(long)), BROKEN) as relay:
        message_id = parked(relay, hidden())
        mend(relay)
        assert release(relay, message_id)[message_id]["done"]
        sink.wait_for(1)


def test_nobody_else_can_open_the_socket(start_relay, sink):
    with tempfile.TemporaryDirectory(prefix="release-") as folder, \
            start_relay(sink, folder=folder) as relay:
        path = relay.queue_dir / "control.sock"
        assert stat.S_ISSOCK(path.stat().st_mode) and stat.S_IMODE(path.stat().st_mode) == 0o600
        if os.geteuid() != 0:
            pytest.skip("needs root to be somebody else")
        for way in (relay.folder, relay.queue_dir):  # even where the folders let him in
            way.chmod(0o755)
        code = ("import os, socket, sys; os.stat(sys.argv[1]); print('seen', flush=True);"
                "socket.socket(socket.AF_UNIX).connect(sys.argv[1])")
        run = ["/usr/bin/python3", "-c", code, str(path)]
        ours = subprocess.run(run, timeout=harness.WAIT_S)
        theirs = subprocess.run(run, user="nobody", group="nogroup", extra_groups=[], cwd="/",
                                text=True, capture_output=True, timeout=harness.WAIT_S)
        relay.queue_dir.chmod(0o700)
    assert ours.returncode == 0
    assert theirs.stdout == "seen\n" and "PermissionError" in theirs.stderr, theirs


def test_the_socket_serves_nothing_else(broken):
    message_id = parked(broken, hidden())
    for method, path, want in [
            ("GET", f"/admin/messages/{message_id}/release", 405),
            ("POST", "/kratos/webhook", 404), ("GET", "/health/live", 404),
            ("POST", f"/admin/messages/{message_id}/cancels", 404),
            ("POST", "/admin/messages//release", 404)]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(broken.queue_dir / "control.sock"))
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Content-Length: 0\r\n\r\n".encode())
            answer = connection.makefile("rb").read()
        assert answer.startswith(f"HTTP/1.1 {want} ".encode()), (method, path, answer)
    assert broken.request("POST", f"/admin/messages/{message_id}/release").status == 404
