"""The trace that a request is part of is in each line of its message, and in its row."""
import json

import payloads
import relay as harness

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def row_of(relay, message_id):
    return json.loads(relay.command("queue", "show", message_id, "--json").stdout)


def post(relay, payload, **headers):
    answer = relay.post(payload, **headers)
    assert answer.status == 200, answer
    return answer.headers["X-Message-Id"]


def test_a_messages_lines_and_its_row_have_its_trace(relay, sink):
    with relay:
        message_id = post(relay, payloads.login_code(), traceparent=PARENT)
        relay.wait_for("sent", id=message_id)
        lines = [event for event in relay.events if event.get("id") == message_id]
        assert {line["event"] for line in lines} >= {"accepted", "attempt", "sent"}
        assert [line.get("trace_id") for line in lines] == [TRACE] * len(lines)
        row = row_of(relay, message_id)
        assert row["trace_id"] == TRACE and row["locale_source"]


def test_who_sends_none_or_a_malformed_one_is_served_all_the_same(relay, sink):
    headers = [{}, {"traceparent": ""}, {"traceparent": "00-zz-00f067aa0ba902b7-01"},
               {"traceparent": PARENT.upper()}, {"traceparent": PARENT + "-more"},
               {"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"},
               {"traceparent": "x" * 4000},
               {"traceparent": PARENT, "Traceparent": PARENT}]  # two are none
    with relay:
        for each in headers:
            message_id = post(relay, payloads.login_code(), **each)
            assert "trace_id" not in relay.wait_for("sent", id=message_id), each
            assert row_of(relay, message_id)["trace_id"] is None


def test_a_message_that_waits_keeps_its_trace_over_a_restart(start_relay, sink):
    relay = start_relay(None, smtp_uri="smtp://127.0.0.1:1/?disable_starttls=true")
    with relay:
        message_id = post(relay, payloads.login_code(), traceparent=PARENT)
        assert relay.wait_for("attempt", id=message_id)["trace_id"] == TRACE
        harness.wait_until(lambda: relay.state(message_id)["state"] == "queued", "it waits")
    relay.settings["smtp_uri"] = harness.smtp_uri(sink)
    with relay:
        assert relay.wait_for("sent", id=message_id)["trace_id"] == TRACE
