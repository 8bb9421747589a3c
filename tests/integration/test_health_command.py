"""`courier-relay health`: what a container's health check and scripts ask."""
import http.client
import json

import payloads
import relay as harness


def ask(relay, *arguments, status, **environment):
    done = relay.command("health", *arguments, status=status,
                         **{"RELAY_LISTEN": f"127.0.0.1:{relay.port}", **environment})
    assert done.stdout == "" and bool(done.stderr) == bool(status), done
    return done.stderr


def refused(relay):
    """True where a POST is: not answered, or by 503."""
    try:
        return relay.post(payloads.login_code()).status == 503
    except (OSError, http.client.HTTPException):
        return True


def test_it_says_whether_mail_could_be_taken(start_relay, sink):
    relay = start_relay(sink, listen=f"127.0.0.1:{harness.free_port()}")
    with relay:
        ask(relay, status=0)
        ask(relay, status=0, RELAY_LISTEN=f"0.0.0.0:{relay.port}")
        ask(relay, "--url", f"http://127.0.0.1:{relay.port}/health/live", status=0)
        assert "404" in ask(relay, "--url", f"http://127.0.0.1:{relay.port}/health", status=1)
        away = relay.queue_dir.rename(relay.queue_dir.with_name("away"))
        harness.wait_until(lambda: refused(relay), "the relay to find its queue gone")
        relay.wait_for("started_anew")  # before, and while it does so, there may be no listener
        harness.wait_until(lambda: "503" in relay.command(
            "health", status=None, RELAY_LISTEN=f"127.0.0.1:{relay.port}").stderr, "it to say so")
        ask(relay, "--url", f"http://127.0.0.1:{relay.port}/health/live", status=0)
        away.rename(relay.queue_dir)
        relay.wait_for("ready", count=2)
        ask(relay, status=0)
    assert "connect" in ask(relay, status=1)


def test_it_needs_nothing_but_the_listener(relay, tmp_path):
    config = tmp_path / "relay.jsonnet"
    with relay:
        config.write_text(json.dumps({"listen": f"127.0.0.1:{relay.port}", "mail_fro": 1}))
        ask(relay, "--config", str(config), status=0, RELAY_LISTEN="", RELAY_API_KEY="two words",
            RELAY_SMTP_URI_FILE="/nonexistent")
        assert "--url" in ask(relay, status=1, RELAY_LISTEN="127.0.0.1:0")
        assert "mail_listener is too much" in ask(relay, "mail_listener", status=2)
        assert "unknown option --nonsense" in ask(relay, "--nonsense", status=2)
    assert "/health/ready" in relay.command("health", "--help").stdout
