"""Mail through a real Exim, whose TLS is GnuTLS."""
import threading

import payloads
import pytest
import relay as harness
import wire
from exim import Exim


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_a_mail_is_taken_and_stored_unchanged(start_server, start_relay, certificates, strict_parser,
                                              tls):
    server = start_server(Exim, certificates if tls else None)
    authority = harness.quote(str(certificates / "authority.pem"))
    relay = start_relay(f"smtp://localhost:{server.port}/?" +
                        (f"ca_file={authority}" if tls else "disable_starttls=true"))
    made = payloads.login_code(language="de")
    message_id = relay.accept(made)
    stored, = server.mails(1)
    relay.wait_for("sent", id=message_id)
    assert relay.state(message_id)["attempts"] == 1
    assert relay.wait_for("attempt", id=message_id).get("tls") == ("TLSv1.3" if tls else None)
    assert ("(TLS1.3) tls TLS_" if tls else "with esmtp (Exim") in stored.header("Received")
    assert f"for {made['recipient']}" in stored.header("Received")
    mail = wire.check(stored.data, strict_parser)
    assert payloads.code_of(made) in mail.text


def test_an_unknown_user_ends_and_the_next_mail_goes(start_server, start_relay):
    server = start_server(Exim)
    relay = start_relay(f"smtp://localhost:{server.port}/?disable_starttls=true")
    nobody = relay.accept(payloads.login_code("nobody@example.com"))
    attempt = relay.wait_for("attempt", id=nobody)
    assert (attempt["outcome"], attempt["reply_code"]) == ("permanent", 550)
    relay.wait_for("sent", id=relay.accept(payloads.login_code()))
    server.mails(1)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_too_many_connections_cost_no_mail(start_server, start_relay, certificates, tls):
    """421 in place of a greeting, where Exim takes two connections and the relay would open more."""
    server = start_server(Exim, certificates if tls else None, smtp_accept_max=2)
    authority = harness.quote(str(certificates / "authority.pem"))
    relay = start_relay(f"smtp://localhost:{server.port}/?" +
                        (f"ca_file={authority}" if tls else "disable_starttls=true"),
                        connections=8)
    made = [payloads.login_code() for _ in range(60)]
    ids = []

    def post(part):
        ids.extend([relay.accept(payload) for payload in part])
    threads = [threading.Thread(target=post, args=[made[start::6]]) for start in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in ids:
        relay.wait_for("sent", id=one)
    refused = [entry for entry in relay.found("attempt") if entry["outcome"] != "sent"]
    assert {(entry["outcome"], entry["stage"], entry["reply_code"]) for entry in refused} <= {
        ("session", "greeting", 421)}
    assert {relay.state(one)["attempts"] for one in ids} == {1}
    server.mails(len(made))
    assert server.stored() == len(made)
    assert refused and "too many connections" in server.log()
    assert relay.found("smarthost_limit") and not relay.found("smarthost_down")
