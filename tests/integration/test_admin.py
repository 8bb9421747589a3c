"""The admin API: who may do what, what it shows and what never, and what each act does."""
import concurrent.futures
import itertools
import json
import re
import signal
import sqlite3

import admin_api
import filled_queue
import payloads
import pytest
import relay as harness
import sink as sink_module

NO_MESSAGE = "01938c5e-0000-7000-8000-000000000000"
FROM = {"retry": {"queued": "queued", "failed": "queued", "unknown": "queued"},
        "hold": {"queued": "held"},
        "release": {"held": "queued", "parked": "queued"},
        "cancel": {"queued": "cancelled", "held": "cancelled", "parked": "cancelled"}}
STATES = ["queued", "sent", "failed", "expired", "superseded", "cancelled", "unknown", "held",
          "parked"]


@pytest.fixture
def quiet(sink, start_relay):
    """A relay that sends nothing, not even a probe: what it accepts stays `queued`."""
    with start_relay(sink, rate_recipient="off", **admin_api.SETTINGS) as relay:
        silence(relay)
        yield relay


def silence(relay):
    owner = admin_api.AdminApi(relay, by_owner=True)
    for smarthost in owner.get("/admin/smarthosts"):
        owner.post(f"/admin/smarthosts/{harness.quote(smarthost['name'])}/pause")
    # What the start has begun comes to its end; what was about to begin is written before this.
    owner.post(f"/admin/messages/{NO_MESSAGE}/hold", status=404)
    harness.wait_until(lambda: not owner.get("/admin/stats")["states"]["sending"], "quiet")


def silence_ends(relay):
    owner = admin_api.AdminApi(relay, by_owner=True)
    for smarthost in owner.get("/admin/smarthosts"):
        owner.post(f"/admin/smarthosts/{harness.quote(smarthost['name'])}/resume")


def acted(act, messages, arrived=0, **left_out):
    """What an act by a filter is answered."""
    return {"act": act, "messages": messages, "skipped": sum(left_out.values()),
            "left_out": {"expired": 0, "no_body": 0, "wrong_state": 0, **left_out},
            "may_have_arrived": arrived}


def accept_queued(relay, **options):
    message_id = relay.accept(payloads.login_code(**options))
    assert relay.state(message_id)["state"] == "queued"
    return message_id


def edit(relay, sql, *values):
    """While the relay does not run."""
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        database.execute(sql, values)


# ---- who ------------------------------------------------------------------------------------------

ENDPOINTS = [  # method, path, role, what one who may is answered
    ("GET", "/admin/messages", "read", 200), ("HEAD", "/admin/messages", "read", 200),
    ("GET", f"/admin/messages/{NO_MESSAGE}", "read", 404), ("GET", "/admin/stats", "read", 200),
    ("GET", "/admin/smarthosts", "read", 200), ("GET", "/metrics", "read", 200),
    *[("POST", f"/admin/messages/{NO_MESSAGE}/{act}", "operate", 404) for act in FROM],
    *[("POST", f"/admin/messages/{act}?recipient=nobody@example.com", "operate", 200)
      for act in FROM],
    ("POST", "/admin/smarthosts/nowhere/pause", "operate", 404),
    ("POST", "/admin/smarthosts/nowhere/resume", "operate", 404),
    ("POST", "/admin/queue/rekey", "owner", 200), ("POST", "/admin/queue/backup", "owner", 400),
    ("POST", "/admin/queue/check", "owner", 400),
]


def test_each_role_may_what_it_may(quiet):
    doors = {"none": admin_api.AdminApi(quiet, None), "wrong": admin_api.AdminApi(quiet, "wrong"),
             "mail": admin_api.AdminApi(quiet, harness.API_KEY),
             "expired": admin_api.AdminApi(quiet, admin_api.OLD_KEY),
             "read": admin_api.AdminApi(quiet, admin_api.READ_KEY),
             "operate": admin_api.AdminApi(quiet), "owner": admin_api.AdminApi(quiet, by_owner=True)}
    ranks = ["read", "operate", "owner"]
    for (method, path, role, status), (who, door) in itertools.product(ENDPOINTS, doors.items()):
        answer = door.request(method, path)
        if who not in ranks:
            want = 401
        elif ranks.index(who) >= ranks.index(role):
            want = status
        else:
            want = 404 if role == "owner" else 403
        assert answer.status == want, (method, path, who, answer)
        if answer.status >= 400 and method != "HEAD":
            assert set(json.loads(answer.body)) == {"error", "message"}
        for key in (admin_api.READ_KEY, admin_api.OPERATE_KEY, harness.API_KEY):
            assert key.encode() not in answer.body
    refused = quiet.found("unauthorized")
    assert refused and {entry["reason"] for entry in refused} <= {
        "key_missing", "key_unknown", "key_expired", "role_needed"}
    assert len(refused) + sum(entry["kept_back"] for entry in refused) <= len(ENDPOINTS) * 7
    # By the other door nothing of it is served, and by this one no mail taken and no health told.
    assert quiet.request("GET", "/admin/messages").status == 404
    assert doors["operate"].request("GET", "/health/live").status == 404
    assert doors["operate"].request("POST", "/kratos/webhook", b"{}").status == 404


def test_a_bearer_token_is_a_key_too(quiet):
    api = admin_api.AdminApi(quiet, None)
    for value, status in [(f"Bearer {admin_api.READ_KEY}", 200), ("Bearer wrong", 401),
                          (f"Basic {admin_api.READ_KEY}", 401)]:
        assert api.request("GET", "/admin/stats", Authorization=value).status == status


def test_without_keys_nobody_is_let_in_but_the_owner(sink, start_relay):
    with start_relay(sink, admin_listen="127.0.0.1:0") as relay:
        for key in (None, "", harness.API_KEY):
            assert admin_api.AdminApi(relay, key).request("GET", "/admin/stats").status == 401
        assert admin_api.AdminApi(relay, by_owner=True).get("/admin/stats")["states"]["sent"] == 0


def test_an_address_that_is_taken_stops_no_mail(sink, start_relay, quiet):
    taken = quiet.wait_for("listening", listener="admin")["address"]
    with start_relay(sink, folder="other", admin_listen=taken) as relay:
        assert relay.wait_for("admin_absent")["level"] == "error"
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        assert admin_api.AdminApi(relay, by_owner=True).get("/admin/stats")["states"]["sent"] == 1


def test_other_keys_come_into_force_with_a_reload(sink, start_relay, tmp_path):
    keys = tmp_path / "admin-keys"
    keys.write_text("one:read:key-number-one-0123456789")
    with start_relay(sink, admin_listen="127.0.0.1:0", admin_key_file=str(keys)) as relay:
        one = admin_api.AdminApi(relay, "key-number-one-0123456789")
        two = admin_api.AdminApi(relay, "key-number-two-0123456789")
        one.get("/admin/stats")
        two.get("/admin/stats", status=401)
        keys.write_text("two:operate:key-number-two-0123456789")
        relay.process.send_signal(signal.SIGHUP)
        assert relay.wait_for("reloaded")["changed"] == "admin_key"
        one.get("/admin/stats", status=401)
        two.get("/admin/stats")


# ---- what is asked for ----------------------------------------------------------------------------

HOSTILE_QUERIES = [  # and the error, or None: it means nobody
    ("/admin/messages?states=queued", "unknown_parameter"),
    ("/admin/messages?state=waiting", "bad_parameter"),
    ("/admin/messages?state=queued&state=held", "bad_parameter"),
    ("/admin/messages?recipient=a+b@example.com", "bad_parameter"),
    ("/admin/messages?recipient=", "bad_parameter"),
    ("/admin/messages?recipient=%00", "bad_query"),
    ("/admin/messages?recipient=" + "a" * 400, "bad_parameter"),
    ("/admin/messages?template=%27%20OR%201=1", None),
    ("/admin/messages?reason=%25", None),
    ("/admin/messages?older_than=yesterday", "bad_parameter"),
    ("/admin/messages?older_than=2000d", "bad_parameter"),
    ("/admin/messages?since=2026-02-30", "bad_parameter"),
    ("/admin/messages?since=1970-01-01", None),
    ("/admin/messages?before=9999-12-31T23:59:59Z", None),
    ("/admin/messages?limit=0", "bad_parameter"),
    ("/admin/messages?page_size=1001", "bad_parameter"),
    ("/admin/messages?page_size=-1", "bad_parameter"),
    ("/admin/messages?page_token=1", "bad_parameter"),
    ("/admin/messages?page_token=" + "-" * 36, "bad_parameter"),
    ("/admin/messages?page_token=" + NO_MESSAGE, None),
    ("/admin/messages?dry_run=true", "unknown_parameter"),
    ("/admin/messages?" + "&".join(f"p{i}=1" for i in range(40)), "bad_query"),
    ("/admin/messages?state=%", "bad_query"),
    ("/admin/messages?%6eote=x", "unknown_parameter"),
    ("/admin/messages?=", "unknown_parameter"),
    ("/admin/messages?", None),
    (f"/admin/messages/{NO_MESSAGE}?state=queued", "unknown_parameter"),
    ("/admin/messages/%00", "bad_path"),
    ("/admin/messages/..%2F..%2Fetc", "no_message"),
    ("/admin/messages/" + "0" * 4000, "no_message"),
    ("/admin/stats?x=1", "unknown_parameter"),
]


def test_a_query_is_taken_as_it_is_meant_or_not_at_all(quiet):
    api = admin_api.AdminApi(quiet)
    for path, error in HOSTILE_QUERIES:
        answer = api.request("GET", path)
        want = 200 if error is None else 404 if error == "no_message" else 400
        assert answer.status == want, (path, answer)
        said = json.loads(answer.body)
        assert said == [] if error is None else said["error"] == error, (path, said)


UNCLEAR_ACTS = [
    ("/admin/messages/cancel", 400, "filter_needed"),
    ("/admin/messages/cancel?limit=5", 400, "filter_needed"),
    ("/admin/messages/cancel?all=false", 400, "filter_needed"),
    ("/admin/messages/cancel?all=yes", 400, "bad_parameter"),
    ("/admin/messages/cancel?dry_run=1", 400, "bad_parameter"),
    ("/admin/messages/cancel?state=sent", 409, "wrong_state"),
    ("/admin/messages/hold?state=held,sent", 409, "wrong_state"),
    ("/admin/messages/cancel?all=true&page_size=5", 400, "unknown_parameter"),
    ("/admin/messages/cancel?all=true&note=" + "x" * 201, 400, "bad_parameter"),
    (f"/admin/messages/{NO_MESSAGE}/cancel?all=true", 400, "unknown_parameter"),
    (f"/admin/messages/{NO_MESSAGE}/cancel?dry_run=true", 400, "unknown_parameter"),
    ("/admin/messages/nonsense/cancel", 404, "no_message"),
    ("/admin/messages", 405, "method_not_allowed"),
    ("/admin/messages/cancels", 405, "method_not_allowed"),
    ("/admin/messages/cancel/all", 404, "not_found"),
    ("/admin", 404, "not_found"), ("/", 404, "not_found"),
]


def test_an_act_that_is_not_clear_is_not_done(quiet):
    api = admin_api.AdminApi(quiet)
    message_id = accept_queued(quiet)
    for path, status, error in UNCLEAR_ACTS:
        assert api.post(path, status=status)["error"] == error, path
    for path in ("/admin/messages/cancel?all=true", f"/admin/messages/{message_id}/cancel"):
        assert api.post(path, status=400, body="dry_run=true")["error"] == "bad_order", path
    assert quiet.state(message_id)["state"] == "queued"
    assert not quiet.found("audit", by="hand")


# ---- looking --------------------------------------------------------------------------------------

def test_lists_pages_and_one_message(quiet):
    api = admin_api.AdminApi(quiet, admin_api.READ_KEY)
    ids = [accept_queued(quiet) for _ in range(7)]
    rows, following = api.page("/admin/messages")
    assert [row["id"] for row in rows] == ids[::-1] and following is None
    assert list(rows[0]) == json_fields(quiet)
    pages = list(api.pages("/admin/messages?page_size=3&state=queued,held"))
    assert [row["id"] for page in pages for row in page] == ids[::-1]
    assert [len(page) for page in pages] == [3, 3, 1]
    pages = list(api.pages("/admin/messages?page_size=3&limit=5"))
    assert [len(page) for page in pages] == [3, 2]
    recipient = rows[2]["recipient"]
    found = api.get("/admin/messages?recipient=" + harness.quote(recipient.upper()))
    assert [row["id"] for row in found] == [rows[2]["id"]]
    assert api.get("/admin/messages?state=sent") == []
    assert len(api.get("/admin/messages?newer_than=1h&lane=code&template=login_code_valid")) == 7
    assert api.get("/admin/messages?older_than=1h") == []
    one = api.get(f"/admin/messages/{ids[0]}")
    assert one.pop("history") == [] and one.pop("advice") is None
    assert list(one) == json_fields(quiet)
    assert api.get("/admin/stats")["lanes"]["code"]["waiting"] == 7


def json_fields(relay):
    return list(relay.queue_list("--limit", "1")[0])


def test_no_answer_has_what_is_secret(sink, start_relay):
    """Codes, links, bodies and keys, of what waits, was sent and was parked."""
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        api = admin_api.AdminApi(relay)
        secret = payloads.login_code(code="739184")
        link = payloads.recovery_link("flow-secret-1", token="tokentokentoken1")
        for made in (secret, link):
            relay.wait_for("sent", id=relay.accept(made))
        relay.post(b'{"secret-of-the-parked": "739184"')  # no JSON: refused
        parked = relay.accept({"secret": "secret-of-the-parked", "code": "739184"})
        assert relay.state(parked)["state"] == "parked"
        texts = []
        for path in ["/admin/messages", f"/admin/messages/{parked}", "/admin/stats",
                     "/admin/smarthosts", "/metrics"]:
            texts.append(api.request("GET", path).body)
        texts.append(api.request("POST", f"/admin/messages/{parked}/release").body)
        texts.append("\n".join(relay.lines).encode())
        for word in ("739184", "tokentokentoken1", "secret-of-the-parked", "Use code", "subject",
                     admin_api.READ_KEY, admin_api.OPERATE_KEY, harness.API_KEY):
            assert not any(word.encode() in text for text in texts), word


# ---- acting ---------------------------------------------------------------------------------------

def test_each_act_in_each_state(quiet, sink):
    """Against the running relay, what queue/test_act.c has in the small."""
    wanted = list(itertools.product(FROM, STATES))
    api = admin_api.AdminApi(quiet)
    ids = [quiet.accept(payloads.login_code()) for _ in wanted]
    harness.wait_until(lambda: api.get("/admin/stats")["states"]["queued"] == len(ids), "them")
    quiet.stop()
    sink.down()
    for message_id, (_, state) in zip(ids, wanted):
        edit(quiet, "UPDATE message SET state = ?, reason = NULL WHERE id = ?", state, message_id)
    quiet.start()
    silence(quiet)
    for message_id, (act, state) in zip(ids, wanted):
        goes_to = FROM[act].get(state)
        says = api.post(f"/admin/messages/{message_id}/{act}", status=200 if goes_to else 409)
        if goes_to:
            assert says == {"id": message_id, "act": act, "state": goes_to, "unknown_outcomes": 0}
        else:
            assert says["error"] == "wrong_state" and f"it is {state}" in says["message"]
        assert api.get(f"/admin/messages/{message_id}")["state"] == goes_to or state
    done = [(entry["act"], entry["id"]) for entry in quiet.found("audit", by="hand")]
    assert done == [(act, message_id) for message_id, (act, state) in zip(ids, wanted)
                    if state in FROM[act]]


def test_what_is_under_way_is_left_alone(sink, quiet):
    api = admin_api.AdminApi(quiet)
    message_id = accept_queued(quiet)
    sink.data_reply = held = sink_module.Held("")
    silence_ends(quiet)
    assert held.arrived.wait(harness.WAIT_S)
    for act in FROM:
        says = api.post(f"/admin/messages/{message_id}/{act}", status=409)
        assert says["message"].startswith("it is sending")
    assert api.post("/admin/messages/cancel?all=true") == acted("cancel", 0)
    held.tell(None)
    quiet.wait_for("sent", id=message_id)


def test_what_was_held_and_what_failed_goes_out_in_the_end(sink, start_relay):
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        api = admin_api.AdminApi(relay)
        silence(relay)
        held = accept_queued(relay)
        assert api.post(f"/admin/messages/{held}/hold?note=wait%20for%20it")["state"] == "held"
        silence_ends(relay)
        other = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=other)
        assert relay.state(held)["state"] == "held"
        assert api.post(f"/admin/messages/{held}/release")["state"] == "queued"
        relay.wait_for("sent", id=held)
        assert relay.found("audit", act="hold", id=held)[0]["note"] == "wait for it"
        assert len(sink.accepted) == 2
        sink.data_reply = lambda *_: "550 5.7.1 not today"
        failed = relay.accept(payloads.login_code())
        relay.wait_for("failed", id=failed)
        sink.data_reply = lambda *_: None
        api.post(f"/admin/messages/{failed}/retry")
        relay.wait_for("sent", id=failed)
        row = relay.state(failed)
        assert (row["state"], row["reason"], row["attempts"]) == ("sent", None, 2)
        assert len(api.get(f"/admin/messages/{failed}")["history"]) == 2


def test_a_cancelled_message_is_gone_and_stays_known(sink, start_relay, tmp_path):
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        api = admin_api.AdminApi(relay)
        silence(relay)
        made = payloads.login_code()
        message_id = relay.accept(made)
        assert relay.state(message_id)["state"] == "queued"
        api.post(f"/admin/messages/{message_id}/cancel")
        silence_ends(relay)
        assert relay.accept(made) == message_id
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        row = relay.state(message_id)
        assert (row["state"], row["reason"]) == ("cancelled", "by_operator")
        assert len(sink.mails) == 1
        with sqlite3.connect(f"file:{relay.queue_dir}/queue.db?mode=ro", uri=True) as database:
            assert database.execute("SELECT body FROM message WHERE id = ?",
                                    [message_id]).fetchone() == (None,)


def test_a_dry_run_counts_and_changes_nothing(quiet):
    api = admin_api.AdminApi(quiet)
    ids = [accept_queued(quiet) for _ in range(5)]
    api.post(f"/admin/messages/{ids[0]}/hold")
    for query, count in [("all=true", 5), ("state=queued", 4), ("state=held,sent", 1),
                         ("older_than=1h", 0), ("all=true&limit=2", 2)]:
        says = api.post(f"/admin/messages/cancel?dry_run=true&{query}")
        assert says == {**acted("cancel", count), "dry_run": True}
    assert api.get("/admin/stats")["states"]["queued"] == 4
    assert [entry["act"] for entry in quiet.found("audit", by="hand")] == ["hold"]


def test_a_filter_acts_on_what_it_names_and_is_in_the_audit_log(quiet):
    api = admin_api.AdminApi(quiet)
    mine = "person+tag@example.com"
    ids = [accept_queued(quiet, recipient=mine) for _ in range(3)]
    other = accept_queued(quiet)
    says = api.post("/admin/messages/hold?note=asked%20for&recipient=" + harness.quote(mine))
    assert says == acted("hold", 3)
    assert {quiet.state(one)["state"] for one in ids} == {"held"}
    assert quiet.state(other)["state"] == "queued"
    entry = quiet.wait_for("audit", act="hold")
    assert re.fullmatch(r"recipient=[0-9a-f]{8}@example\.com", entry["filter"]), entry
    assert (entry["by"], entry["note"], entry["messages"], entry["skipped"]) == \
        ("hand", "asked for", 3, 0)
    assert mine not in "\n".join(quiet.lines)
    # What is not there any more is skipped.
    quiet.stop()
    edit(quiet, "UPDATE message SET body = NULL, body_form = 0 WHERE id = ?", ids[0])
    edit(quiet, "UPDATE message SET deadline = 1 WHERE id = ?", ids[1])
    quiet.start()
    silence(quiet)
    assert api.post(f"/admin/messages/{ids[0]}/release", status=409)["error"] == "no_body"
    assert api.post(f"/admin/messages/{ids[1]}/release", status=409)["error"] == "expired"
    want = acted("release", 1, expired=1, no_body=1)
    assert api.post("/admin/messages/release?state=held&dry_run=true") == {**want, "dry_run": True}
    assert api.post("/admin/messages/release?state=held") == want
    assert "cannot be released any more" in quiet.command("queue", "explain", ids[1]).stdout


def test_the_audit_log_is_written_at_every_level(sink, start_relay):
    with start_relay(sink, log_level="info", **admin_api.SETTINGS) as relay:
        silence(relay)
        message_id = accept_queued(relay)
        admin_api.AdminApi(relay).post(f"/admin/messages/{message_id}/hold")
        relay.stop()
        relay.settings["log_level"] = "error"
        relay.spawn()
        owner = admin_api.AdminApi(relay, by_owner=True)
        harness.wait_until(lambda: answers(owner), "the relay to answer")
        owner.post(f"/admin/messages/{message_id}/cancel")
        entry = relay.wait_for("audit", act="cancel", by="owner", id=message_id)
        assert entry["level"] == "info"


def answers(api):
    try:
        return api.request("GET", "/admin/stats").status == 200
    except OSError:
        return False


def test_smarthosts_are_paused_by_name(quiet):
    api = admin_api.AdminApi(quiet)
    silence_ends(quiet)
    [one] = api.get("/admin/smarthosts")
    path = f"/admin/smarthosts/{harness.quote(one['name'])}"
    [paused] = api.post(path + "/pause?note=maintenance")
    assert paused["state"] == "paused"
    assert quiet.wait_for("audit", act="pause", by="hand")["smarthost"] == one["name"]
    [resumed] = api.post(path + "/resume")
    assert resumed["state"] != "paused"
    assert admin_api.AdminApi(quiet, admin_api.READ_KEY).post(path + "/pause", status=403)


# ---- many -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    return filled_queue.write_mail_pattern(tmp_path_factory.mktemp("pattern") / "mail")


def test_a_large_queue_is_paged_and_acted_on_while_mail_is_accepted(sink, start_relay, pattern):
    """20,000 rows; `make bench-million` measures the same with a million."""
    rows = 20000
    sink.down()
    relay = start_relay(sink, build=harness.RELEASE_BUILD, rate_recipient="off",
                        **admin_api.SETTINGS)
    filled_queue.fill(relay.queue_dir, pattern, rows, "--mixed-lanes")
    with relay:
        api = admin_api.AdminApi(relay)
        seen = [row["id"] for page in api.pages("/admin/messages?page_size=1000") for row in page]
        assert len(seen) == len(set(seen)) == rows and seen == sorted(seen, reverse=True)
        assert api.post("/admin/messages/cancel?lane=bulk&dry_run=true")["messages"] == rows / 10
        with concurrent.futures.ThreadPoolExecutor(1) as threads:
            during = 0
            for name in itertools.cycle(("hold", "release")):
                act = threads.submit(api.post, f"/admin/messages/{name}?lane=bulk&limit=800")
                while not act.done():
                    relay.accept(payloads.login_code())
                    api.get("/admin/messages?page_size=5")  # a long act holds up no list
                    during += not act.done()
                assert act.result() == acted(name, 800)
                if during > 1:  # or else this thread had no time
                    break
        assert api.post("/admin/messages/cancel?lane=bulk") == acted("cancel", rows // 10)
        assert api.get("/admin/stats")["states"]["cancelled"] == rows // 10


def test_a_long_act_ends_with_its_client_and_with_the_relay(sink, start_relay, pattern):
    rows = 20000  # which take ten seconds
    sink.down()
    relay = start_relay(sink, build=harness.RELEASE_BUILD, shutdown_grace="100ms",
                        **admin_api.SETTINGS)
    filled_queue.fill(relay.queue_dir, pattern, rows)
    with relay, concurrent.futures.ThreadPoolExecutor(1) as threads:
        api = admin_api.AdminApi(relay)
        with api.asking("POST", "/admin/messages/hold?all=true&note=given%20up"):
            harness.wait_until(lambda: held(api) > 0, "the first")
            for _ in range(5):  # none of these is begun at all
                with api.asking("POST", "/admin/messages/cancel?all=true"):
                    pass
        given_up = relay.wait_for("audit", act="hold", note="given up")["messages"]
        assert 0 < given_up < rows
        act = threads.submit(api.post, "/admin/messages/hold?all=true", status=503)
        harness.wait_until(lambda: held(api) > given_up, "the first of the others")
        relay.stop()
        says = act.result()
        done = int(re.fullmatch(r"the relay is stopping: (\d+) messages were held until then",
                                says["message"])[1])
        audits = [audit["messages"] for audit in relay.found("audit")]
        assert audits == [given_up, done] and given_up + done < rows
    with sqlite3.connect(relay.queue_dir / "queue.db") as database:
        assert database.execute("SELECT count(*) FROM message WHERE state = 'held'").fetchone() \
            == (given_up + done,)


def held(api):
    return api.get("/admin/stats")["states"]["held"]
