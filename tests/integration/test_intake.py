"""What the mail listener answers, and that nothing with a valid key is refused for its content."""
import json
import socket
import threading

import payloads
import pytest
import relay as harness
import sink as sink_module


def test_keys(start_relay, sink):
    with start_relay(sink, api_key="one:first-key-0123456789,two:second-key-0123456789") as relay:
        made = payloads.login_code()
        for key in (None, "", "wrong", "first-key-012345678", "first-key-01234567890", "one"):
            assert relay.post(made, key=key).status == 401, key
        assert not relay.found("accepted")
        assert relay.post(made, key="first-key-0123456789").status == 200
        assert relay.post(payloads.login_code(), key="second-key-0123456789").status == 200
        assert relay.wait_for("accepted", key="two")
        sink.wait_for(2)


def test_an_empty_body_is_refused_and_is_an_alarm(relay):
    with relay:
        assert relay.post(b"").status == 400
        relay.wait_for("empty_payload")


@pytest.mark.parametrize("body", [
    b" \r\n\t ", b"code", b'"text"', b"{", b"[1", b"{}x", b"\xef\xbb\xbf{}", b"{]"])
def test_what_cannot_be_a_payload_is_refused(relay, body):
    with relay:
        answer = relay.post(body)
        assert answer.status == 400 and "error" in json.loads(answer.body)
        assert relay.queue_list() == []


def test_paths_methods_types_and_sizes(start_relay, sink):
    with start_relay(sink, body_limit=20000) as relay:
        assert relay.request("GET", "/nowhere").status == 404
        wrong = relay.request("GET", "/kratos/webhook")
        assert wrong.status == 405 and "POST" in wrong.headers["Allow"]
        assert relay.post(b"{}", **{"Content-Type": "text/plain"}).status == 415
        assert relay.post(b'{"a":"' + b"x" * 20000 + b'"}', ).status == 413
        for path in ("/health/live", "/health/alive", "/health/ready"):
            assert relay.request("GET", path).status == 200
        for name in ("Retry-After", "Location"):
            assert name not in wrong.headers


def test_white_space_around_a_payload_does_not_matter(relay, sink):
    with relay:
        relay.accept(b"\n  " + payloads.as_bytes(payloads.login_code()) + b"\r\n\t ")
        sink.wait_for(1)


# What a stranger may have put into transient_payload.
HOSTILE = {
    "nul": b'{"name":"a\\u0000b"}',
    "lone surrogate": b'{"name":"a\\ud800b"}',
    "bad utf-8": b'{"name":"a\xff\xfeb"}',
    "huge integer": b'{"n":123456789012345678901234567890123456789012345678901234567890}',
    "huge exponent": b'{"n":1e400}',
    "depth 1,000": b'{"n":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "depth 100,000": b'{"n":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "duplicate keys": b'{"n":1,"n":2}',
    "not an object": b'"text"',
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_transient_payloads_do_no_harm(relay, sink, kind):
    made = payloads.login_code()
    made["template_data"]["transient_payload"] = "HOSTILE"
    body = payloads.as_bytes(made).replace(b'"HOSTILE"', HOSTILE[kind])
    with relay:
        relay.accept(body)
        mail, = sink.wait_for(1)
    assert mail.recipient == made["recipient"] and payloads.code_of(made) in mail.text()


def test_valid_braces_around_nonsense_are_parked(relay):
    with relay:
        message_id = relay.accept(b'{"recipient" "a@example.com"}')
        parked = relay.wait_for("parked", id=message_id)
        row = relay.state(message_id)
    assert (row["state"], row["reason"]) == ("parked", "unparseable") == (
        "parked", parked["reason"])


@pytest.mark.parametrize("recipient", [
    "", "nobody", "a@b.example>\r\nRCPT TO:<x@y.example", "a@example.com,b@example.com",
    "a@[127.0.0.1]", f"{'a' * 400}@example.com"])
def test_a_recipient_that_is_none_is_parked(relay, sink, recipient):
    made = payloads.login_code()
    made["recipient"] = made["template_data"]["to"] = recipient
    made["template_data"]["identity"]["traits"]["email"] = recipient
    with relay:
        message_id = relay.accept(made)
        relay.wait_for("parked", id=message_id)
        assert relay.state(message_id)["state"] == "parked"
    assert not sink.mails


def test_an_unknown_type_goes_out_with_kratos_own_text(relay, sink):
    made = payloads.payload("brand_new_type_valid", body="Your new thing is 4711 wide.\n")
    with relay:
        relay.accept(made)
        mail, = sink.wait_for(1)
    assert "Your new thing is 4711 wide." in mail.text()
    assert "Your new thing is 4711 wide." in mail.text("html")
    assert mail.subject == made["subject"]


def test_an_unknown_type_without_a_text_is_parked(relay):
    made = payloads.payload("brand_new_type_valid")
    del made["body"], made["subject"]
    with relay:
        message_id = relay.accept(made)
        relay.wait_for("parked", id=message_id)
        assert relay.state(message_id)["reason"] == "no_content"


def test_the_same_post_again_is_one_mail(relay, sink):
    made = payloads.login_code()
    with relay:
        first = relay.accept(made)
        relay.wait_for("sent", id=first)
        assert relay.accept(made) == first
        relay.wait_for("duplicate", id=first)
        assert len(relay.queue_list()) == 1
    with relay:  # and after a restart
        assert relay.accept(made) == first
        other = relay.accept(payloads.login_code())
        relay.wait_for("sent", id=other)
    assert len(sink.mails) == 2


def test_the_same_post_twice_at_once_is_one_mail(relay, sink):
    """Two couriers, two connections: the last bytes go out together."""
    rounds = 10
    with relay:
        for _ in range(rounds):
            body = payloads.as_bytes(payloads.login_code())
            head = (f"POST /kratos/webhook HTTP/1.1\r\nHost: relay\r\nX-Api-Key: {harness.API_KEY}\r\n"
                    f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
            sockets = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(2)]
            for one in sockets:
                one.sendall(head + body[:-1])
            gate = threading.Barrier(2)
            answers = []

            def finish(one):
                gate.wait()
                one.sendall(body[-1:])
                answers.append(one.recv(4096).decode())
                one.close()
            threads = [threading.Thread(target=finish, args=[one]) for one in sockets]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(answer.startswith("HTTP/1.1 200 ") for answer in answers)
            ids = {line for answer in answers for line in answer.splitlines()
                   if line.lower().startswith("x-message-id")}
            assert len(ids) == 1
        relay.wait_for("sent", count=rounds)
        assert len(relay.queue_list()) == rounds
    assert len(sink.mails) == rounds


def test_the_same_message_with_newly_rendered_html_is_one_mail(relay, sink):
    """Kratos renders html_body anew for each try, so an upgrade in between changes the bytes."""
    made = payloads.login_code(html_body="<p>old</p>")
    with relay:
        first = relay.accept(made)
        relay.wait_for("sent", id=first)
        second = relay.accept(dict(made, html_body="<p>new</p>"))
        row = relay.state(second)
    assert first != second and (row["state"], row["reason"]) == ("superseded", "duplicate")
    assert len(sink.mails) == 1


BROWSER = {"User-Agent": ["Firefox/140"], "Accept-Language": ["en"]}


def test_a_newer_code_for_the_same_browser_replaces_the_waiting_one(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        recipient = payloads.unique_recipient()
        old, new = (payloads.login_code(recipient, headers=BROWSER) for _ in range(2))
        old_id = relay.accept(old)
        relay.wait_for("smarthost_down")
        new_id = relay.accept(new)
        wait_queued(relay, [new_id, old_id])  # composed, and no probe on its way with the older
        sink.up()
        mail, = sink.wait_for(1)
        relay.wait_for("sent", id=new_id)
        relay.wait_for("superseded", id=old_id)
    assert payloads.code_of(new) in mail.text()
    assert len(sink.mails) == 1


def test_a_newer_link_of_the_same_flow_replaces_the_waiting_one(start_relay):
    with sink_module.Sink(listening=False) as sink, start_relay(sink) as relay:
        recipient = payloads.unique_recipient()
        flow = "0f3c0011-4b6e-4b0a-9a52-3f1d0c9b0011"
        old_id = relay.accept(payloads.recovery_link(flow, recipient))
        relay.wait_for("smarthost_down")
        new_id = relay.accept(payloads.recovery_link(flow, recipient))
        wait_queued(relay, [new_id, old_id])
        sink.up()
        relay.wait_for("sent", id=new_id)
        relay.wait_for("superseded", id=old_id)
    assert len(sink.mails) == 1


def test_another_browsers_code_replaces_nothing_and_the_newest_goes_first(start_relay):
    """A stranger can start a flow in anybody's name, so it must not drop the person's own code."""
    with sink_module.Sink(listening=False) as sink, start_relay(sink, connections=1) as relay:
        recipient = payloads.unique_recipient()
        made = [payloads.login_code(recipient, headers=dict(BROWSER, **{"User-Agent": [agent]}))
                for agent in ("Firefox/140", "Chromium/141", "Safari/19")]
        ids = [relay.accept(payload) for payload in made]
        relay.wait_for("smarthost_down")
        wait_queued(relay, ids)
        sink.up()
        mails = sink.wait_for(3)
    assert {code for mail in mails for code in map(payloads.code_of, made)
            if code in mail.text()} == set(map(payloads.code_of, made))


def wait_queued(relay, ids):
    for one in ids:
        assert relay.state(one)["state"] == "queued"


def test_refused_payloads_do_not_fill_the_log(relay):
    """As a full disk's 503, which Kratos brings about a hundred times a minute."""
    with relay:
        for posted in range(1, 2000):
            assert relay.post(b"no JSON").status == 400
            lines = relay.found("refused", reason="not_json")
            if any(line["kept_back"] > 0 for line in lines):
                break
        assert lines[0]["kept_back"] == 0 and lines[0]["route"] == "kratos"
        assert len(lines) + sum(line["kept_back"] for line in lines) <= posted
        assert len(lines) < posted
