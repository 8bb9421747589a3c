"""Mail through a real Postfix: what it asks for, refuses and puts off, as Debian configures nothing."""
import re
import socketserver
import threading

import payloads
import pytest
import relay as harness
import wire
from postfix import Postfix
from tap import Tap

PASSWORD = "correct horse"


def plain(server):
    return f"smtp://127.0.0.1:{server.port}/?disable_starttls=true"


def secure(server, scheme="smtp", login="", more=""):
    authority = harness.quote(str(server.certificates / "authority.pem"))
    return f"{scheme}://{login}localhost:{server.port}/?ca_file={authority}{more}"


def expect_sent(relay, message_id, attempts=1):
    relay.wait_for("sent", id=message_id)
    row = relay.state(message_id)
    assert (row["state"], row["attempts"]) == ("sent", attempts)


def expect_faultless(server):
    """Nothing that a client does wrong, in Postfix's own opinion, but to open too many connections."""
    assert [line for line in server.log().splitlines()
            if re.search(r"improper command|non-SMTP|SSL_accept error|warning:|fatal:|panic:", line)
            and "Connection concurrency limit exceeded" not in line] == []


def post_all(relay, made, clients):
    """Posts from so many threads, and returns the ids."""
    ids = []

    def post(part):
        ids.extend([relay.accept(payload) for payload in part])
    threads = [threading.Thread(target=post, args=[made[start::clients]])
               for start in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == len(made)
    return ids


# ---- TLS -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_required_tls_is_verified_and_spoken(start_server, start_relay, certificates, strict_parser,
                                             scheme):
    """STARTTLS where smtpd_tls_security_level is encrypt, and smtpd_tls_wrappermode."""
    server = start_server(Postfix, certificates, smtps=scheme == "smtps")
    relay = start_relay(secure(server, scheme))
    made = payloads.login_code(language="hu")
    message_id = relay.accept(made)
    stored, = server.mails(1)
    expect_sent(relay, message_id)
    attempt = relay.wait_for("attempt", id=message_id)
    assert (attempt["tls"], attempt["reply_code"]) == ("TLSv1.3", 250)
    assert "using TLSv1.3" in stored.header("Received")
    assert stored.header("Delivered-To") == made["recipient"]
    assert stored.header("Return-Path") == "<no-reply@acme.example>"
    mail = wire.check(stored.data, strict_parser)
    assert payloads.code_of(made) in mail.text and payloads.code_of(made) in mail.html
    relay.stop()
    expect_faultless(server)


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize("uri", [
    "{scheme}://localhost:{port}/", "{scheme}://127.0.0.1:{port}/?ca_file={authority}",
    "{scheme}://localhost:{port}/?ca_file={authority}&server_name=mail.test"],
    ids=["unknown authority", "no name for an address", "another name"])
def test_no_mail_where_the_certificate_is_not_to_be_believed(start_server, start_relay,
                                                             certificates, scheme, uri):
    server = start_server(Postfix, certificates, smtps=scheme == "smtps")
    relay = start_relay(uri.format(scheme=scheme, port=server.port,
                                   authority=harness.quote(str(certificates / "authority.pem"))))
    message_id = relay.accept(payloads.login_code())
    attempt = relay.wait_for("attempt", id=message_id)
    assert (attempt["outcome"], attempt["alarm"]) == ("session", "tls")
    relay.wait_for("smarthost_down")
    row = relay.state(message_id)
    assert (row["state"], row["attempts"]) == ("queued", 0)
    relay.stop()
    assert not any("mail" in session for session in server.sessions()) and server.stored() == 0


def test_no_mail_in_the_clear_where_postfix_offers_no_starttls(start_server, start_relay):
    server = start_server(Postfix)
    relay = start_relay(f"smtp://localhost:{server.port}/")
    message_id = relay.accept(payloads.login_code())
    attempt = relay.wait_for("attempt", id=message_id)
    assert (attempt["outcome"], attempt["alarm"]) == ("session", "tls")
    relay.stop()
    assert not any("mail" in session for session in server.sessions())


def test_postfix_that_wants_tls_of_a_relay_that_is_told_to_do_without(start_server, start_relay,
                                                                      certificates):
    """530 5.7.0 at MAIL is the operator's fault: nothing is charged."""
    server = start_server(Postfix, certificates)
    relay = start_relay(plain(server))
    message_id = relay.accept(payloads.login_code())
    attempt = relay.wait_for("attempt", id=message_id)
    assert (attempt["outcome"], attempt["stage"], attempt["reply_code"]) == ("session", "mail", 530)
    row = relay.state(message_id)
    assert (row["state"], row["attempts"]) == ("queued", 0)


# ---- AUTH ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("chosen", [False, True], ids=["offered", "chosen"])
def test_a_user_is_let_in(start_server, start_relay, certificates, mechanism, chosen):
    """Where one mechanism is offered, and where both are and one is asked for."""
    server = start_server(Postfix, certificates,
                          sasl=["PLAIN", "LOGIN"] if chosen else [mechanism])
    server.set_password("relay", PASSWORD)
    login = f"{harness.quote('relay@mail.test')}:{harness.quote(PASSWORD)}@"
    relay = start_relay(secure(server, login=login,
                               more=f"&auth={mechanism.lower()}" if chosen else ""))
    expect_sent(relay, relay.accept(payloads.login_code()))
    assert f"sasl_method={mechanism}, sasl_username=relay@mail.test" in server.log()
    stored, = server.mails(1)
    assert "(Authenticated sender: relay@mail.test)" in stored.header("Received")
    relay.stop()
    expect_faultless(server)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_wrong_password_opens_the_circuit_and_charges_nothing(start_server, start_relay,
                                                                certificates, mechanism):
    server = start_server(Postfix, certificates, sasl=[mechanism])
    server.set_password("relay", "another")
    login = f"{harness.quote('relay@mail.test')}:{harness.quote(PASSWORD)}@"
    relay = start_relay(secure(server, login=login))
    ids = [relay.accept(payloads.login_code()) for _ in range(3)]
    attempt = relay.wait_for("attempt")
    assert (attempt["outcome"], attempt["alarm"], attempt["stage"], attempt["reply_code"]) == (
        "session", "auth", "auth", 535)
    relay.wait_for("smarthost_down")
    for one in ids:
        row = relay.state(one)
        assert (row["state"], row["attempts"]) == ("queued", 0)
    assert not any("mail" in session for session in server.sessions())
    server.set_password("relay", PASSWORD)
    relay.wait_for("smarthost_up")
    for one in ids:
        expect_sent(relay, one)
    assert len({mail.header("Delivered-To") for mail in server.mails(3)}) == 3
    relay.stop()
    assert PASSWORD not in "\n".join(relay.lines) + relay.stderr()


# ---- refused and put off -------------------------------------------------------------------------

class Greylist(socketserver.ThreadingTCPServer):
    """A policy service (Postfix's SMTPD_POLICY_README): puts off whom it sees for the first time."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.seen = []
        super().__init__(("127.0.0.1", 0), _GreylistConnection)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def restriction(self):
        return f"check_policy_service inet:127.0.0.1:{self.server_address[1]}"

    def __exit__(self, *arguments):
        self.shutdown()
        super().__exit__(*arguments)


class _GreylistConnection(socketserver.StreamRequestHandler):
    def handle(self):
        asked = {}
        for line in self.rfile:
            name, equals, value = line.decode().rstrip("\n").partition("=")
            if equals:
                asked[name] = value
                continue
            who = (asked["client_address"], asked["sender"], asked["recipient"])
            known = who in self.server.seen
            self.server.seen.append(who)
            self.wfile.write(b"action=dunno\n\n" if known else
                             b"action=defer_if_permit 4.2.0 Greylisted, come again\n\n")
            asked = {}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_greylisting_costs_one_attempt(start_server, start_relay, certificates, tls):
    with Greylist() as greylist:
        server = start_server(
            Postfix, certificates if tls else None,
            smtpd_recipient_restrictions=f"reject_unauth_destination, {greylist.restriction}")
        relay = start_relay(secure(server) if tls else plain(server))
        made = payloads.login_code()
        message_id = relay.accept(made)
        attempt = relay.wait_for("attempt", id=message_id, outcome="temporary")
        assert (attempt["stage"], attempt["reply_code"], attempt["enhanced_code"]) == (
            "rcpt", 450, "4.2.0")
        expect_sent(relay, message_id, attempts=2)
        stored, = server.mails(1)
        assert stored.header("Delivered-To") == made["recipient"]
        assert len(greylist.seen) == 2 and len(set(greylist.seen)) == 1
        assert not relay.found("smarthost_down")
        relay.stop()
        expect_faultless(server)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_what_is_deferred_waits_and_what_is_unknown_ends(start_server, start_relay, certificates,
                                                         tls):
    """Two that are refused between two that are not, over kept connections."""
    server = start_server(
        Postfix, certificates if tls else None,
        smtpd_recipient_restrictions="reject_unauth_destination, check_recipient_access "
                                     "inline:{later@example.com=defer}")
    relay = start_relay(secure(server) if tls else plain(server))
    first = relay.accept(payloads.login_code())
    later = relay.accept(payloads.login_code("later@example.com"))
    nobody = relay.accept(payloads.login_code("nobody@example.com"))
    last = relay.accept(payloads.login_code())

    attempt = relay.wait_for("attempt", id=later, outcome="temporary")
    assert (attempt["reply_code"], attempt["stage"]) == (450, "rcpt")
    row = relay.state(later)
    assert (row["state"], row["attempts"]) == ("queued", 1)

    attempt = relay.wait_for("attempt", id=nobody, outcome="permanent")
    assert (attempt["reply_code"], attempt["enhanced_code"]) == (550, "5.1.1")
    relay.wait_for("failed", id=nobody)
    row = relay.state(nobody)
    assert (row["state"], row["reason"], row["attempts"]) == ("failed", "rejected", 1)
    assert "nobody" not in row["last_reply"]
    for one in (first, last):
        expect_sent(relay, one)
    assert not relay.found("smarthost_down")
    server.stop()
    server.settings.clear()
    server.start()
    relay.wait_for("sent", id=later)
    put_off = len(relay.found("attempt", id=later, outcome="temporary"))
    assert relay.state(later)["attempts"] == put_off + 1
    assert server.stored() == len(server.mails(3)) == 3


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_a_mail_over_the_size_limit_ends_before_its_body(start_server, start_relay, certificates,
                                                         tls):
    server = start_server(Postfix, certificates if tls else None, message_size_limit=2000)
    relay = start_relay(secure(server) if tls else plain(server))
    message_id = relay.accept(payloads.login_code())
    attempt = relay.wait_for("attempt", id=message_id)
    assert attempt["outcome"] == "permanent", attempt
    relay.wait_for("failed", id=message_id)
    assert not relay.found("smarthost_down")
    relay.stop()
    assert not any({"data", "bdat"} & session.keys() for session in server.sessions())


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_an_address_in_another_script(start_server, start_relay, certificates, tls):
    server = start_server(Postfix, certificates if tls else None)
    relay = start_relay(secure(server) if tls else plain(server))
    made = payloads.login_code("pelé.用户@example.com")
    expect_sent(relay, relay.accept(made))
    stored, = server.mails(1)
    assert stored.header("Delivered-To") == made["recipient"]
    assert payloads.code_of(made).encode() in stored.data
    assert "UTF8SMTP" in stored.header("Received")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_an_address_in_another_script_where_postfix_knows_none(start_server, start_relay,
                                                               certificates, tls):
    server = start_server(Postfix, certificates if tls else None, smtputf8_enable="no")
    relay = start_relay(secure(server) if tls else plain(server))
    ids = [relay.accept(payloads.login_code("pelé@example.com")),
           relay.accept(payloads.login_code())]
    attempt = relay.wait_for("attempt", id=ids[0])
    assert attempt["outcome"] == "permanent" and "SMTPUTF8" in attempt["reply"]
    relay.wait_for("failed", id=ids[0])
    expect_sent(relay, ids[1])
    assert not relay.found("smarthost_down")


# ---- extensions and bytes ------------------------------------------------------------------------

def test_commands_are_pipelined_and_chunks_are_left_alone(start_server, start_relay):
    """On the plain port: what answers BDAT libesmtp would not let the relay hear."""
    server = start_server(Postfix)
    with Tap(server.port) as tap:
        relay = start_relay(f"smtp://127.0.0.1:{tap.port}/?disable_starttls=true")
        for _ in range(3):
            expect_sent(relay, relay.accept(payloads.login_code()))
        stored = server.mails(3)
        relay.stop()
        server.wait_log("disconnect from")
        session, = server.sessions()
        assert (session["ehlo"], session["mail"], session["rcpt"]) == ("1", "3", "3")
        assert session["data"] == "3" and "bdat" not in session
        assert sorted(mail.data for mail in stored) == sorted(tap.mails())
        said = bytes(tap.said[-1])
        assert re.search(rb"MAIL FROM:<[^>]*>[^\r]* SIZE=\d+\b[^\r]*\r\n", said)
        assert len(re.findall(rb"\r\nRCPT TO:<[^>]*>\r\nDATA\r\n", said)) == 3
        expect_faultless(server)


def test_a_postfix_without_extensions_is_served(start_server, start_relay):
    server = start_server(Postfix, smtpd_discard_ehlo_keywords="chunking, pipelining, size")
    with Tap(server.port) as tap:
        relay = start_relay(f"smtp://127.0.0.1:{tap.port}/?disable_starttls=true")
        for _ in range(3):
            expect_sent(relay, relay.accept(payloads.login_code()))
        stored = server.mails(3)
        relay.stop()
        assert sorted(mail.data for mail in stored) == sorted(tap.mails())
        assert sum(int(session["data"]) for session in server.sessions()) == 3
        assert b"SIZE=" not in b"".join(map(bytes, tap.said))


@pytest.mark.parametrize("way", ["plain", "starttls"])
def test_two_hundred_mails_of_eight_clients_arrive_once_and_unchanged(
        start_server, start_relay, certificates, strict_parser, way):
    """Byte for byte as they were said, signatures such as DKIM's would hold: Postfix, which mends
    what it finds amiss in a mail, finds nothing. With TLS the parsers vouch for the bytes."""
    server = start_server(Postfix, certificates if way == "starttls" else None)
    made = [payloads.login_code(language=("en", "hu", "de", "ar")[number % 4])
            for number in range(200)]
    with Tap(server.port) as tap:
        relay = start_relay(secure(server) if way == "starttls" else
                            f"smtp://127.0.0.1:{tap.port}/?disable_starttls=true")
        ids = post_all(relay, made, clients=8)
        for one in ids:
            relay.wait_for("sent", id=one)
        stored = server.mails(len(made))
        relay.stop()
        assert server.stored() == len(stored) == len(made)
        by_recipient = {mail.header("Delivered-To"): mail for mail in stored}
        assert len(by_recipient) == len(made)
        for payload in made:
            mail = wire.check(by_recipient[payload["recipient"]].data, strict_parser)
            assert payloads.code_of(payload) in mail.text
        # Postfix takes 50 connections of one client, and the relay would open more.
        assert {(entry["outcome"], entry["stage"], entry["reply_code"])
                for entry in relay.found("attempt") if entry["outcome"] != "sent"} <= {
                    ("session", "greeting", 421)}
        assert {row["attempts"] for row in relay.queue_list("--limit", "1000")} == {1}
        assert not relay.found("smarthost_down")
        if way == "plain":
            assert sorted(mail.data for mail in stored) == sorted(tap.mails())
        expect_faultless(server)


# ---- stopped, started, reloaded ------------------------------------------------------------------

@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_a_postfix_that_is_stopped_and_started_charges_nothing(start_server, start_relay,
                                                               certificates, tls):
    server = start_server(Postfix, certificates if tls else None)
    relay = start_relay(secure(server) if tls else plain(server))
    expect_sent(relay, relay.accept(payloads.login_code()))  # its connection is kept
    server.stop()
    ids = [relay.accept(payloads.login_code()) for _ in range(5)]
    relay.wait_for("smarthost_down")
    assert {relay.state(one)["attempts"] for one in ids} == {0}
    server.start()
    relay.wait_for("smarthost_up")
    for one in ids:
        expect_sent(relay, one)
    assert server.stored() == len(server.mails(6)) == 6


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "starttls"])
def test_a_reload_in_mid_traffic_loses_and_repeats_nothing(start_server, start_relay, certificates,
                                                       tls):
    """Postfix stalls for some seconds then, and its processes of before are replaced."""
    server = start_server(Postfix, certificates if tls else None)
    relay = start_relay(secure(server) if tls else plain(server))
    made = [payloads.login_code() for _ in range(120)]
    ids = []
    poster = threading.Thread(target=lambda: ids.extend(post_all(relay, made, clients=4)))
    poster.start()
    relay.wait_for("sent", count=20)
    server.reload()
    server.wait_log("reload -- version")
    poster.join()
    for one in ids:
        relay.wait_for("sent", timeout=90, id=one)
    assert {row["attempts"] for row in relay.queue_list("--limit", "1000")} == {1}
    stored = server.mails(len(made))
    assert {mail.header("Delivered-To") for mail in stored} == {
        payload["recipient"] for payload in made}
    assert server.stored() == len(made)
