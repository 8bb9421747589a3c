"""Mail through a real OpenSMTPD. In the clear: the TLS of Debian's (6.8.0p2 with OpenSSL 3) fails in
each handshake on its side, "error:0A080006:SSL routines::EVP lib", whatever kind its key is of."""
import payloads
import wire
from opensmtpd import OpenSmtpd


def test_mail_is_taken_and_stored_unchanged_but_for_an_unknown_user(start_server, start_relay,
                                                                    strict_parser):
    server = start_server(OpenSmtpd)
    relay = start_relay(f"smtp://localhost:{server.port}/?disable_starttls=true")
    made = payloads.login_code(language="de")
    message_id = relay.accept(made)
    stored, = server.mails(1)
    relay.wait_for("sent", id=message_id)
    assert relay.state(message_id)["attempts"] == 1
    assert "by mail.test (OpenSMTPD) with ESMTP" in stored.header("Received")
    assert f"for <{made['recipient']}>" in stored.header("Received")
    mail = wire.check(stored.data, strict_parser)
    assert payloads.code_of(made) in mail.text

    nobody = relay.accept(payloads.login_code("nobody@example.com"))
    attempt = relay.wait_for("attempt", id=nobody)
    assert (attempt["outcome"], attempt["reply_code"]) == ("permanent", 550)
    ids = [relay.accept(payloads.login_code()) for _ in range(20)]
    for one in ids:
        relay.wait_for("sent", id=one)
    server.mails(21)
    assert server.stored() == 21 and not relay.found("smarthost_down")
