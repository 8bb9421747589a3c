"""What a relay counts, the alerts that ask for it, and the pages that explain both, agree; and
promtool is content with them."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import admin_api
import payloads
import relay as harness
import smtp_server

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ALERTS = ROOT / "docs/alerts.yml"
PARTS = ("_bucket", "_sum", "_count")


def promtool(*arguments, **options):
    """What it says. The Makefile fetches it; a test without it has failed, and is not skipped."""
    program = shutil.which("promtool") or ROOT / "build/tools/promtool"
    assert pathlib.Path(program).exists(), "make build/tools/promtool fetches it"
    done = subprocess.run([program, *arguments], cwd=ROOT, text=True, capture_output=True,
                          timeout=60, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def documented():
    """The names of the families that metrics.md lists, each once."""
    rows = [line.split("|")[1] for line in (ROOT / "docs/metrics.md").read_text().splitlines()
            if line.startswith("| `")]
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert len(names) == len(set(names))
    return set(names)


def without_part(name):
    for part in PARTS:
        name = name.removesuffix(part)
    return name


def test_alerts_are_rules_that_fire_as_they_should():
    assert "SUCCESS" in promtool("check", "rules", str(ALERTS))
    assert "SUCCESS" in promtool("test", "rules", "tests/data/alerts_test.yml")


def test_each_alert_is_explained_where_it_says():
    text = ALERTS.read_text()
    alerts = re.findall(r"- alert: (\w+)", text)
    explained = re.findall(r"^### (CourierRelay\w+)$", (ROOT / "docs/operations.md").read_text(),
                           re.M)
    assert sorted(alerts) == sorted(explained)
    assert re.findall(r"runbook: (\S+)", text) == [
        f"docs/operations.md#{alert.lower()}" for alert in alerts]
    severities = re.findall(r"labels: \{severity: (\w+)\}", text)
    assert len(severities) == len(alerts) and set(severities) == {"critical", "warning"}


def test_alerts_ask_for_metrics_that_there_are():
    asked = {without_part(name.removeprefix("courier_relay_"))
             for name in re.findall(r"courier_relay_\w+", ALERTS.read_text())}
    assert asked and asked <= documented()


# ---- the page -----------------------------------------------------------------------------------

class Page:
    """What GET /metrics says now, with a key that may read."""

    def __init__(self, relay):
        answer = admin_api.AdminApi(relay, admin_api.READ_KEY).request("GET", "/metrics")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = answer.body.decode()
        lines = [line for line in self.text.splitlines() if not line.startswith("#")]
        self.values = dict(line.removeprefix("courier_relay_").rsplit(" ", 1) for line in lines)
        assert len(self.values) == len(lines)
        self.families = set(re.findall(r"^# TYPE courier_relay_(\w+) ", self.text, re.M))

    def __getitem__(self, series):
        return float(self.values[series])


def wait_for(relay, series, value):
    harness.wait_until(lambda: Page(relay)[series] == value, f"{series} {value}")


def test_a_page_tells_what_has_happened(start_relay, sink):
    with start_relay(sink, **admin_api.SETTINGS) as relay:
        login = payloads.login_code(language="de")
        lost = payloads.login_code()
        del lost["recipient"], lost["template_data"]["to"]
        lost["template_data"]["identity"]["traits"] = {}
        ids = [relay.accept(login), relay.accept(lost)]
        assert relay.post(login).status == 200
        assert [relay.post(body).status for body in (b"", b"x")] == [400, 400]
        assert relay.post(login, key="a-stranger-key-0123456789").status == 401
        looker = admin_api.AdminApi(relay, admin_api.READ_KEY)
        assert looker.request("POST", "/admin/messages/cancel?all=true").status == 403
        assert admin_api.AdminApi(relay, "none").request("GET", "/metrics").status == 401
        relay.wait_for("sent", id=ids[0])
        relay.wait_for("parked", id=ids[1])
        admin_api.AdminApi(relay).post(f"/admin/messages/{ids[1]}/cancel")
        wait_for(relay, "ended_messages_total{state=\"sent\",lane=\"code\"}", 1)  # behind its line
        page = Page(relay)

    smarthost = f"smarthost=\"127.0.0.1:{sink.port}\""
    for series, value in {
            "payloads_total{route=\"kratos\",outcome=\"accepted\"}": 2,
            "payloads_total{route=\"kratos\",outcome=\"duplicate\"}": 1,
            "payloads_total{route=\"kratos\",outcome=\"empty\"}": 1,
            "payloads_total{route=\"kratos\",outcome=\"not_json\"}": 1,
            "payloads_total{route=\"kratos\",outcome=\"unavailable\"}": 0,
            "refused_requests_total{listener=\"mail\",reason=\"key_unknown\"}": 1,
            "refused_requests_total{listener=\"admin\",reason=\"key_unknown\"}": 1,
            "refused_requests_total{listener=\"admin\",reason=\"role_needed\"}": 1,
            "admin_acts_total{act=\"cancel\"}": 1,
            "accept_duration_seconds_count": 3,
            "commit_duration_seconds_count": 2,
            "composed_messages_total{locale=\"de\",locale_source=\"payload\"}": 1,
            "ended_messages_total{state=\"sent\",lane=\"code\"}": 1,
            "parked_messages_total{reason=\"no_recipient\"}": 1,
            "ended_messages_total{state=\"expired\",lane=\"code\"}": 0,
            "ended_messages_total{state=\"cancelled\",lane=\"code\"}": 1,
            "ended_messages_by_template_total{state=\"sent\",template=\"login_code_valid\"}": 1,
            f"deliveries_total{{{smarthost},outcome=\"sent\"}}": 1,
            f"smtp_duration_seconds_count{{{smarthost}}}": 1,
            "queue_wait_seconds_count{lane=\"code\"}": 1,
            "code_lifetime_left_seconds_count": 1,
            "code_lifetime_left_seconds_bucket{le=\"600\"}": 0,
            "code_lifetime_left_seconds_bucket{le=\"900\"}": 1,  # of fifteen minutes
            f"smarthost_circuit{{{smarthost},state=\"closed\"}}": 1,
            f"smarthost_transactions{{{smarthost}}}": 0,
            "children{kind=\"deliverer\"}": 1,
            "queue_writable": 1,
            "config_last_reload_successful": 1}.items():
        assert page[series] == value, series
    assert page["compose_duration_seconds_count{task=\"compose\"}"] >= 1
    assert page["children{kind=\"composer\"}"] >= 1
    assert page["queue_database_bytes"] > 0 and page["queue_disk_free_bytes"] > 0
    assert page.families <= documented()
    assert documented() - page.families <= {"smarthost_certificate_not_after_timestamp_seconds"}
    for secret in (login["recipient"], payloads.code_of(login), harness.API_KEY, *ids):
        assert secret not in page.text
    assert promtool("check", "metrics", input=page.text) == ""


def test_a_smarthost_shows_its_circuit_and_its_certificate(start_relay, tmp_path):
    certificate = smtp_server.make_certificate(tmp_path)
    with smtp_server.SmtpServer(tls=certificate, implicit=True) as server:
        uri = f"smtps://127.0.0.1:{server.port}/?skip_ssl_verify=true"
        name = f"smarthost=\"127.0.0.1:{server.port}\""
        with start_relay(None, smtp_uri=uri, **admin_api.SETTINGS) as relay:
            relay.wait_for("sent", id=relay.accept(payloads.login_code()))
            relay.command("smarthosts", "pause", f"127.0.0.1:{server.port}")
            waiting = relay.accept(payloads.login_code())
            harness.wait_until(lambda: relay.state(waiting)["state"] == "queued", "it waits")
            page = Page(relay)
        ends = page[f"smarthost_certificate_not_after_timestamp_seconds{{{name}}}"]
        assert 2 * 86400 - 120 < ends - page["start_time_seconds"] < 2 * 86400 + 120
        assert page[f"smarthost_circuit{{{name},state=\"paused\"}}"] == 1
        assert page[f"smarthost_circuit{{{name},state=\"closed\"}}"] == 0
        assert page["queue_messages{state=\"queued\"}"] == 1
        assert page["queue_waiting_messages{lane=\"code\"}"] == 1
        assert page["queue_oldest_waiting_seconds{lane=\"code\"}"] > 0


def test_a_reload_that_is_refused_shows(start_relay, sink, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(harness.API_KEY)
    with start_relay(sink, api_key=None, api_key_file=keys, **admin_api.SETTINGS) as relay:
        before = Page(relay)["config_last_reload_success_timestamp_seconds"]
        keys.write_text("")
        os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("reload_refused")
        wait_for(relay, "config_last_reload_successful", 0)
        keys.write_text(harness.API_KEY + "x")
        os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("reloaded")
        page = Page(relay)
        assert page["config_last_reload_successful"] == 1
        assert page["config_last_reload_success_timestamp_seconds"] > before
