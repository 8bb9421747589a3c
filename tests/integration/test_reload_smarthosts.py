"""SIGHUP: smarthosts come, go and change while messages are under way to them."""
import contextlib
import os
import signal

import payloads
import pytest
import relay as harness
import sink as sink_module
from smtp_server import SmtpServer, hang

PASSWORD, NEW_PASSWORD = "canary-old-93bd", "canary-new-71fe"


@pytest.fixture
def other_sink():
    with sink_module.Sink() as made:
        yield made


@pytest.fixture
def start_with_uri(start_relay, tmp_path):
    """A relay whose URI is in a file, and what writes that file anew and tells the relay so."""
    path = tmp_path / "smtp-uri"

    def start(uri, **settings):
        path.write_text(uri)
        return start_relay(None, smtp_uri_file=path, **settings)

    def change(relay, uri, event="reloaded"):
        path.write_text(uri)
        count = len(relay.found(event)) + 1
        os.kill(relay.process.pid, signal.SIGHUP)
        return relay.wait_for(event, count=count)
    start.change = change
    return start


def test_what_is_under_way_ends_where_it_is_and_the_rest_goes_by_the_new_one(
        start_with_uri, sink, other_sink):
    first, second = payloads.login_code(), payloads.login_code()
    sink.data_reply = held = sink_module.Held(first["template_data"]["login_code"])
    with start_with_uri(harness.smtp_uri(sink)) as relay:
        old_id = relay.accept(first)
        assert held.arrived.wait(harness.WAIT_S)
        reloaded = start_with_uri.change(relay, harness.smtp_uri(other_sink))
        assert reloaded["changed"] == "smtp_uri" and "waits_for_restart" not in reloaded
        new_id = relay.accept(second)
        relay.wait_for("sent", id=new_id)
        assert not relay.found("sent", id=old_id)
        held.tell(None)
        relay.wait_for("sent", id=old_id)
        assert relay.found("attempt", id=old_id)[0]["smarthost"].endswith(f":{sink.port}")
        assert [mail.recipient for mail in sink.mails] == [first["recipient"]]
        assert [mail.recipient for mail in other_sink.mails] == [second["recipient"]]
        relay.wait_for("smarthost_in_use", smarthost=f"127.0.0.1:{other_sink.port}")
        harness.wait_until(lambda: len(relay.children("deliverer")) == 1, "the old deliverer's end")
        assert not relay.found("deliverer_died")


def test_a_smarthost_that_stays_keeps_its_connections(start_with_uri, sink, other_sink):
    uri = harness.smtp_uri(sink)
    with start_with_uri(uri) as relay:
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        deliverers = relay.children("deliverer")
        start_with_uri.change(relay, f"{uri}, {harness.smtp_uri(other_sink)}")
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        assert relay.children("deliverer") == deliverers
        assert sink.mails[0].session is sink.mails[1].session and not other_sink.mails


def test_another_limit_holds_for_what_comes_next(start_relay, tmp_path):
    config = tmp_path / "relay.jsonnet"
    config.write_text("{}")
    with SmtpServer() as server:
        relay = start_relay(server).start("--config", str(config))
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        config.write_text("{transaction_timeout: '5s'}")
        os.kill(relay.process.pid, signal.SIGHUP)
        reloaded = relay.wait_for("reloaded")
        assert reloaded["changed"] == "transaction_timeout" and "waits_for_restart" not in reloaded
        server.on("dot", hang(), times=1)
        attempt = relay.wait_for("attempt", id=relay.accept(payloads.login_code()))
        assert (attempt["outcome"], attempt["reply"]) == ("unknown", "timed out")
        assert 5000 <= attempt["took_ms"] < 60000  # ten minutes it was
        relay.stop()


def test_a_mended_password_is_tried_at_once(start_with_uri):
    def uri(password):
        return f"smtp://relay:{password}@127.0.0.1:{server.port}/?disable_starttls=true"
    with SmtpServer(auth=["PLAIN"], password=NEW_PASSWORD) as server, \
            start_with_uri(uri(PASSWORD), log_level="debug") as relay:
        message_id = relay.accept(payloads.login_code())
        assert relay.wait_for("attempt", id=message_id)["alarm"] == "auth"
        relay.wait_for("smarthost_down")
        assert not server.messages
        start_with_uri.change(relay, uri(NEW_PASSWORD))
        relay.wait_for("smarthost_up")
        assert relay.wait_for("sent", id=message_id)["attempts"] == 1
        assert len(server.messages) == 1
        for pid in (relay.process.pid, *relay.children()):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                        open(f"/proc/{pid}/{name}", "rb") as file:  # the old deliverer ends
                    assert b"canary-" not in file.read()
    assert "canary-" not in "\n".join(relay.lines) + relay.stderr()


@pytest.mark.parametrize("bad", ["gopher://user:canary-old-93bd@example.com", "",
                                 "smtp://127.0.0.1:25/?ca_file=/nonexistent",
                                 "smtp://127.0.0.1:25/?ca_file=/dev/null"])
def test_a_uri_that_is_none_leaves_the_old_ones_in_force(start_with_uri, sink, bad):
    with start_with_uri(harness.smtp_uri(sink)) as relay:
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        refused = start_with_uri.change(relay, bad, "reload_refused")
        assert "SMTP_URI" in refused["where"] and "canary" not in refused["what"]
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        assert len(sink.mails) == 2 and not relay.found("reloaded")


def test_reloads_under_load_lose_nothing_and_send_nothing_twice(start_with_uri, sink, other_sink):
    uris = [harness.smtp_uri(sink), harness.smtp_uri(other_sink),
            f"{harness.smtp_uri(other_sink)},{harness.smtp_uri(sink)}",
            f"{harness.smtp_uri(sink)}&idle=1s"]
    made = []
    with start_with_uri(uris[0], rate_recipient="off") as relay:
        for turn in range(8):
            for _ in range(10):
                made.append(payloads.login_code())
                last = relay.accept(made[-1])
            if turn < 2:  # so that both have had some
                relay.wait_for("sent", id=last)
            start_with_uri.change(relay, uris[(turn + 1) % len(uris)])
        relay.wait_for("sent", count=len(made))
        assert not relay.found("smarthost_down") and not relay.found("deliverer_died")
    received = sorted(mail.recipient for mail in sink.mails + other_sink.mails)
    assert received == sorted(payload["recipient"] for payload in made)
    assert sink.mails and other_sink.mails


def test_a_pause_outlives_a_reload(start_with_uri, sink, other_sink):
    uri = f"{harness.smtp_uri(sink)},{harness.smtp_uri(other_sink)}"
    with start_with_uri(uri) as relay:
        relay.command("smarthosts", "pause", f"127.0.0.1:{sink.port}")
        start_with_uri.change(relay, f"{harness.smtp_uri(sink)}&idle=1s,{harness.smtp_uri(other_sink)}")
        relay.wait_for("sent", id=relay.accept(payloads.login_code()))
        assert not sink.mails and len(other_sink.mails) == 1
