"""The deliverer's look at a smarthost: as far as a mail would come, without one."""
import re

import frames
import pytest
import smtp_server
from smtp_server import SmtpServer, drop, garbage, hang, reply

MODES = ["starttls", "implicit"]
CREDENTIALS = {"user": "relay", "password": "secret"}


def probe(deliverer, **members):
    deliverer.send({"op": "probe", **members})
    header, blobs = frames.read_frame(deliverer.socket)
    assert header["op"] == "probed" and not blobs
    return header


def expect(answer, stage, code=None, alarm=None):
    got = {key: answer[key] for key in ("passed", "stage", "reply_code", "alarm")}
    assert got == {"passed": stage is None, "stage": stage, "reply_code": code, "alarm": alarm}, \
        answer


@pytest.mark.parametrize("driver", ["esmtp", "curl"])
def test_in_the_clear_it_says_what_is_offered_and_quits(start, server, driver):
    answer = probe(start(server, driver))
    expect(answer, None)
    assert answer["offers"] == ["PIPELINING", "SIZE 10000000", "ENHANCEDSTATUSCODES", "8BITMIME"]
    assert answer["address"] == f"127.0.0.1:{server.port}"
    assert answer["tls"] is None and answer["certificates"] == []
    server.wait_until(lambda: server.verbs() == ["EHLO", "NOOP", "QUIT"])
    assert not server.messages


@pytest.mark.parametrize("sender, verb", [("relay@example.com", "MAIL"), ("relay@ex ample.com", "NOOP"),
                                          ("relay@x>\r\nRCPT TO:<zoe@example.com", "NOOP")])
def test_with_a_sender_it_begins_a_mail_and_no_more(start, server, sender, verb):
    expect(probe(start(server, "curl"), sender=sender), None)
    server.wait_until(lambda: server.verbs() == ["EHLO", verb, "QUIT"])
    assert not server.messages


@pytest.mark.parametrize("behaviour, code", [(reply("530 5.7.0 Authentication required"), 530),
                                             (reply("451 4.7.1 later"), 451), (drop(), None)])
def test_a_sender_that_is_refused(start, server, behaviour, code):
    server.on("mail", behaviour)
    expect(probe(start(server, "curl"), sender="relay@example.com"), "mail", code)


@pytest.mark.parametrize("mode", MODES)
def test_tls_and_auth_are_tried(start, tmp_path, mode):
    smtp_server.make_certificate(tmp_path, "authority")
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority")
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        answer = probe(start(server, "curl", tls=mode, host="localhost", **CREDENTIALS,
                             ca_file=str(tmp_path / "authority.pem")))
        expect(answer, None)
        assert answer["authenticated"] and answer["tls"] == "TLSv1.3"
        assert "AUTH PLAIN" in answer["offers"]
        assert ("STARTTLS" in answer["offers"]) == (mode == "starttls")
        own, authority = answer["certificates"]
        assert own["subject"] == "/CN=localhost" and own["issuer"] == "/CN=authority"
        assert authority["subject"] == "/CN=authority"
        assert own["fault"] is None and authority["fault"] is None
        assert own["not_after_ms"] - own["not_before_ms"] == 2 * 24 * 3600 * 1000
        server.wait_until(lambda: server.verbs()[-1:] == ["QUIT"])
        assert "MAIL" not in server.verbs() and not server.messages


@pytest.mark.parametrize("mode", MODES)
def test_a_certificate_that_is_not_trusted(start, tmp_path, mode):
    certificate = smtp_server.make_certificate(tmp_path)
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        answer = probe(start(server, "curl", tls=mode, host="localhost", **CREDENTIALS))
        expect(answer, "starttls", alarm="tls")
        assert answer["certificates"][0]["fault"].startswith("self")
        assert "AUTH" not in server.verbs()
        # Where it is not checked all the same is told.
        answer = probe(start(server, "curl", tls=mode, host="localhost", verify=False))
        expect(answer, None)
        assert answer["certificates"][0]["subject"] == "/CN=localhost"


def test_a_certificate_that_has_ended(start, tmp_path):
    smtp_server.make_certificate(tmp_path, "authority")
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority", made="2020-01-01")
    with SmtpServer(tls=certificate) as server:
        answer = probe(start(server, "curl", tls="starttls", host="localhost",
                             ca_file=str(tmp_path / "authority.pem")))
        expect(answer, "starttls", alarm="tls")
        assert answer["certificates"][0]["fault"] == "certificate has expired"
        assert answer["certificates"][0]["not_after_ms"] < 1.6e12


def test_a_certificate_of_another_name(start, tmp_path):
    certificate = smtp_server.make_certificate(tmp_path, "other.example")
    with SmtpServer(tls=certificate) as server:
        answer = probe(start(server, "curl", tls="starttls", host="localhost",
                             ca_file=str(tmp_path / "other.example.pem")))
        expect(answer, "starttls", alarm="tls")
        assert "localhost" in answer["reply_text"]
        assert answer["certificates"][0]["fault"] is None


HANG = hang()


@pytest.mark.parametrize("stage, behaviour, ended, code", [
    ("greeting", reply("554 5.7.1 not you"), "greeting", 554),
    ("greeting", drop(), "greeting", None),
    ("greeting", garbage(), "greeting", None),
    ("greeting", HANG, "greeting", None),
    ("ehlo", drop(), "ehlo", None),
])
def test_where_it_ends(start, server, stage, behaviour, ended, code):
    server.on(stage, behaviour)
    limit = {"connect_timeout_ms": 1500} if behaviour is HANG else {}
    answer = probe(start(server, "curl", **limit))
    expect(answer, ended, code)
    assert code is None or answer["reply_text"] == "not you"
    # libcurl's own numbers are no codes of anybody's.
    assert behaviour is not HANG or re.search(r" \d{3,4} milliseconds", answer["reply_text"])


def test_no_starttls_where_it_is_needed(start, server):
    expect(probe(start(server, "curl", tls="starttls")), "starttls", alarm="tls")


def test_a_password_that_is_refused_is_in_no_text(start):
    with SmtpServer(auth=["PLAIN"]) as server:
        server.on("auth", reply("535 5.7.8 no, secret is wrong for relay"))
        answer = probe(start(server, "curl", **CREDENTIALS))
        expect(answer, "auth", 535, "auth")
        assert "secret" not in answer["reply_text"] and answer["enhanced_code"] == "5.7.8"
        server.wait_until(lambda: server.open_connections == 0)
    with SmtpServer() as server:
        answer = probe(start(server, "curl", **CREDENTIALS))
        expect(answer, "auth", alarm="auth")


def test_nobody_is_there(start, tmp_path):
    with SmtpServer(door="shut") as server:
        expect(probe(start(server, "curl")), "connect")
    answer = probe(start(None, "curl", host="nowhere.invalid"))
    expect(answer, "resolve")


def test_a_token_is_used_and_one_that_is_missing_is_told(start, tmp_path):
    (tmp_path / "token").write_text("bearer-token\n")
    init = {"user": "relay", "password": "", "auth": "xoauth2"}
    with SmtpServer(auth=["XOAUTH2"]) as server:
        answer = probe(start(server, "curl", token_file=str(tmp_path / "token"), **init))
        expect(answer, None)
        assert answer["authenticated"]
        answer = probe(start(server, "curl", token_file=str(tmp_path / "none"), **init))
        expect(answer, "auth", alarm="auth")
        assert str(tmp_path / "none") in answer["reply_text"]


def test_who_does_not_answer_quit_holds_nobody_up_for_long(start, server):
    server.on("quit", hang())
    expect(probe(start(server, "curl")), None)


def test_mail_goes_on_behind_it(start, server):
    deliverer = start(server, "curl")
    expect(probe(deliverer), None)
    assert deliverer.send_one()["outcome"] == "sent"
