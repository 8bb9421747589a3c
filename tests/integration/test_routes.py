"""Further routes, each with its own path, normaliser and defaults, and who may post where."""
import datetime
import json
import os
import signal

import canaries
import payloads
import pytest
import relay as harness

CRM_KEY = "crm-key-0123456789abcdef"
KEYS = f"kratos:{harness.API_KEY},crm:{CRM_KEY}"
CRM = """
    function(payload) {
      to: payload.email,
      data: { login_code: payload.code, code: payload.code },
    }
"""


@pytest.fixture
def crm(tmp_path):
    """The members of a route with a normaliser of its own."""
    path = tmp_path / "crm.jsonnet"
    path.write_text(CRM)
    return {"path": "/crm/events", "normaliser": str(path), "keys": ["crm"],
            "defaults": {"template": "login_code_valid", "locale": "de",
                         "timezone": "Europe/Berlin", "expires_in_minutes": 60}}


def event():
    return {"email": payloads.unique_recipient("buyer"), "code": canaries.code()}


def shown(relay, message_id):
    relay.state(message_id)
    return json.loads(relay.command("queue", "show", message_id, "--json").stdout.splitlines()[0])


def milliseconds(row, name):
    return datetime.datetime.fromisoformat(row[name].replace("Z", "+00:00")).timestamp() * 1000


def test_a_route_makes_mails_with_its_own_normaliser_and_defaults(start_relay, sink, crm):
    with start_relay(sink, api_key=KEYS, routes=json.dumps({"crm": crm})) as relay:
        made = event()
        answer = relay.post(made, key=CRM_KEY, path="/crm/events")
        assert answer.status == 200, relay.tail()
        mail = sink.wait_for(1)[0]
        assert mail.recipient == made["email"]
        assert mail.language == "de" and made["code"] in mail.text()
        row = shown(relay, answer.headers["X-Message-Id"])
        assert row["route"] == "crm" and row["key"] == "crm" and row["state"] == "sent"
        assert row["template"] == "login_code_valid" and row["locale"] == "de"
        # An hour, less the margin.
        left_ms = milliseconds(row, "deadline") - milliseconds(row, "created_at")
        assert left_ms == pytest.approx(3600_000, abs=20_000)

        # Kratos' own route is what it was: its normaliser, and no defaults.
        usual = payloads.login_code(language="hu")
        relay.accept(usual)
        mail = sink.wait_for(1, recipient=usual["recipient"])[0]
        assert mail.language == "hu"


def test_a_route_is_for_its_keys_alone(start_relay, sink, crm):
    with start_relay(sink, api_key=KEYS, routes=json.dumps({"crm": crm})) as relay:
        for path, key, status in (("/crm/events", harness.API_KEY, 401),
                                  ("/crm/events", None, 401),
                                  ("/crm/events", "wrong-key-0123456789ab", 401),
                                  ("/crm/events", CRM_KEY, 200),
                                  ("/kratos/webhook", CRM_KEY, 200)):
            answer = relay.post(event() if "crm" in path else payloads.login_code(), key=key,
                                path=path)
            assert answer.status == status, (path, key)
        refused = relay.wait_for("unauthorized")  # the first; one a second is logged
        assert refused["reason"] == "key_not_allowed" and refused["key"] == "kratos"
        sink.wait_for(2)
        assert len(relay.queue_list()) == 2


def test_kratos_route_can_be_kept_to_its_key_and_moved(start_relay, sink, crm):
    routes = {"crm": crm, "kratos": {"path": "/mail", "keys": ["kratos"]}}
    with start_relay(sink, api_key=KEYS, routes=json.dumps(routes)) as relay:
        assert relay.post(payloads.login_code(), key=CRM_KEY, path="/mail").status == 401
        assert relay.post(payloads.login_code(), path="/kratos/webhook").status == 404
        assert relay.post(payloads.login_code(), path="/mail").status == 200
        sink.wait_for(1)


def test_the_key_that_was_used_is_in_the_log_and_in_the_row(start_relay, sink):
    keys = f"kratos-old:{harness.API_KEY},kratos-new:{CRM_KEY}"
    with start_relay(sink, api_key=keys) as relay:
        for key, name in ((harness.API_KEY, "kratos-old"), (CRM_KEY, "kratos-new")):
            answer = relay.post(payloads.login_code(), key=key)
            assert answer.status == 200
            one = answer.headers["X-Message-Id"]
            assert relay.wait_for("accepted", id=one)["key"] == name
            assert shown(relay, one)["key"] == name
        assert {row["key"] for row in relay.queue_list()} == {"kratos-old", "kratos-new"}


def test_a_key_past_its_end_is_refused_and_named_at_every_start(start_relay, sink):
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=3)
    keys = (f"old:{CRM_KEY};not_after=2020-12-31,"
            f"now:{harness.API_KEY};not_after={soon:%Y-%m-%dT%H:%M:%SZ}")
    relay = start_relay(sink, api_key=keys)
    for _ in range(2):
        with relay:
            assert relay.post(payloads.login_code(), key=CRM_KEY).status == 401
            relay.wait_for("unauthorized", reason="key_expired", key="old")
            relay.accept(payloads.login_code())
            warnings = [event["what"] for event in relay.found("setting")]
            assert warnings == ["the key old has ended at 2020-12-31T23:59:59.999Z: it is refused",
                                f"the key now ends soon, at {soon:%Y-%m-%dT%H:%M:%S}.000Z"]
    done = relay.command("check")
    assert "warning: RELAY_API_KEY: the key old has ended at 2020-12-31" in done.stderr
    assert CRM_KEY not in done.stderr + "\n".join(relay.lines)


def test_send_finds_kratos_route_and_a_key_that_is_still_good(start_relay, sink, tmp_path):
    made = payloads.login_code()
    path = tmp_path / "payload.json"
    path.write_bytes(payloads.as_bytes(made))
    keys = f"old:{CRM_KEY};not_after=2020-12-31,now:{harness.API_KEY}"
    with start_relay(sink, api_key=keys, routes='{"kratos": {"path": "/mail"}}') as relay:
        relay.command("send", str(path), RELAY_LISTEN=f"127.0.0.1:{relay.port}")
        assert sink.wait_for(1)[0].recipient == made["recipient"]


def test_routes_of_a_file_in_jsonnet(start_relay, sink, crm, tmp_path):
    (tmp_path / "relay.jsonnet").write_text(f"""
        local crm = {json.dumps(crm)};
        {{ api_key: {{ kratos: '{harness.API_KEY}', crm: '{CRM_KEY};not_after=2999-12-31' }},
           routes: {{ crm: crm, shop: crm {{ path: '/shop', defaults+: {{ locale: 'hu' }} }} }} }}
    """)
    relay = start_relay(sink, api_key=None)
    relay.start("--config", str(tmp_path / "relay.jsonnet"))
    for path, language in (("/crm/events", "de"), ("/shop", "hu")):
        made = event()
        assert relay.post(made, key=CRM_KEY, path=path).status == 200
        assert sink.wait_for(1, recipient=made["email"])[0].language == language
    assert {row["route"] for row in relay.queue_list()} == {"crm", "shop"}
    assert relay.stop() == 0


@pytest.mark.parametrize("change, named", [
    ({"path": "/health/mine"}, "crm.path is below /health or /admin"),
    ({"keys": ["nobody"]}, "crm.keys names at place 1 what is no key's name in api_key"),
    ({"defaults": {"local": "de"}}, "crm.defaults.local is not known; did you mean locale?"),
    ({"normaliser": "/nonexistent/n.jsonnet"}, "/nonexistent/n.jsonnet"),
])
def test_check_names_what_is_wrong_with_a_route(start_relay, sink, crm, tmp_path, change, named):
    (tmp_path / "relay.jsonnet").write_text(f"{{ routes: {json.dumps({'crm': crm | change})} }}")
    relay = start_relay(sink, api_key=KEYS)
    relay.folder.mkdir()
    done = relay.command("check", "--config", str(tmp_path / "relay.jsonnet"), status=1)
    assert named in done.stderr
    if not change.get("normaliser"):
        assert f"{tmp_path}/relay.jsonnet: routes: {named}\n" in done.stderr
    served = relay.command("serve", "--config", str(tmp_path / "relay.jsonnet"), status=None)
    assert served.returncode not in (0, 75)


@pytest.mark.parametrize("change, named", [
    ({"template": "welcom"}, 'template: no catalog has texts for "welcom"'),
    ({"brand": "nobrand"}, 'brand: there is no brand and no client named "nobrand"'),
    ({"locale": "fr"}, "locale: there is no catalog locales/fr.json"),
    ({"locale": "hu-x-formal"}, "locale: hu-x-formal is for a brand's address to choose; name hu"),
    ({"timezone": "Europe/Berlinn"}, 'timezone: there is no time zone named "Europe/Berlinn"'),
])
def test_a_default_of_what_is_not_there_is_a_fault_of_its_route(start_relay, sink, crm, change,
                                                                named):
    crm["defaults"] |= change
    relay = start_relay(sink, api_key=KEYS, routes=json.dumps({"crm": crm}))
    relay.folder.mkdir()
    done = relay.command("check", status=1)
    assert f"RELAY_ROUTES: crm.defaults.{named}\n" in done.stderr
    served = relay.command("serve", status=None)
    assert served.returncode not in (0, 75)
    events = [json.loads(line) for line in served.stdout.splitlines()]
    assert [event for event in events if event["event"] == "fault" and
            event["what"] == f"crm.defaults.{named}"], events


def test_a_reload_compares_defaults_with_the_texts_it_brings(start_relay, sink, crm, tmp_path):
    config = tmp_path / "relay.jsonnet"

    def write(**defaults):
        config.write_text(json.dumps({"routes": {"crm": crm | {"defaults": defaults}}}))
    write(template="login_code_valid", brand="default")
    relay = start_relay(sink, api_key=KEYS).start("--config", str(config))
    write(template="login_code_valid", brand="nobrand")
    os.kill(relay.process.pid, signal.SIGHUP)
    refused = relay.wait_for("reload_refused")
    assert (refused["where"], refused["what"]) == (
        f"{config}: routes", 'crm.defaults.brand: there is no brand and no client named "nobrand"')
    made = event()
    assert relay.post(made, key=CRM_KEY, path="/crm/events").status == 200
    assert made["code"] in sink.wait_for(1)[0].text()
    assert relay.stop() == 0
