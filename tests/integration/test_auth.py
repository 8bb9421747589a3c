"""Where there are credentials, nothing is sent that was not let in by them."""
import base64
import json
import os

import payloads
import pytest
import smtp_server
from deliverer import expect
from smtp_server import SmtpServer, reply

DRIVERS = ["esmtp", "curl"]  # libesmtp is not used with AUTH, whatever is asked
MECHANISMS = ["plain", "login", "xoauth2", "oauthbearer"]
PASSWORD, TOKEN = "Sup3rS3cret", "ya29.a0Sup3rT0ken-_~+/=="


@pytest.fixture
def certificate(tmp_path):
    return smtp_server.make_certificate(tmp_path)


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def credentials(token_file):
    """What init has for a mechanism."""
    def make(mechanism):
        if mechanism in ("plain", "login"):
            return {"user": "relay", "password": PASSWORD, "auth": mechanism}
        return {"user": "relay", "password": "", "auth": mechanism, "token_file": str(token_file)}
    return make


def make_server(auth, **options):
    return SmtpServer(auth=[mechanism.upper() for mechanism in auth], password=PASSWORD,
                      token=TOKEN, **options)


def expect_nothing_sent(server, result, code=None):
    expect(result, "session", "auth", code, alarm="auth")
    assert PASSWORD not in str(result) and TOKEN not in str(result)
    server.wait_until(lambda: server.open_connections == 0)
    assert "MAIL" not in server.verbs()


def mechanisms_used(server):
    return [line.split(" ")[1].lower() for _, line in server.commands if line.startswith("AUTH ")]


# ---- let in --------------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_without_a_mechanism_it_is_plain_or_login(start, driver, mechanism):
    with SmtpServer(auth=["XOAUTH2", "CRAM-MD5", mechanism]) as server:
        deliverer = start(server, driver, user="relay", password="secret")
        expect(deliverer.send_one(), "sent", "dot", 250)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert mechanisms_used(server) == [mechanism.lower()] and server.connections == 1


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("tls", ["starttls", "none"])
def test_a_mechanism_of_ones_choice_out_of_all_that_are_offered(start, certificate, credentials,
                                                                tls, mechanism):
    with make_server(MECHANISMS, tls=certificate if tls == "starttls" else None) as server:
        deliverer = start(server, "curl", tls=tls, verify=False, **credentials(mechanism))
        expect(deliverer.send_one(), "sent", "dot", 250)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert mechanisms_used(server) == [mechanism]
        if tls == "starttls":
            verbs = server.verbs()
            assert verbs.index("STARTTLS") < verbs.index("AUTH") < verbs.index("MAIL")


# ---- not let in ----------------------------------------------------------------------------------

@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_no_other_mechanism_takes_the_place_of_the_configured_one(start, credentials, mechanism):
    with make_server([other for other in MECHANISMS if other != mechanism]) as server:
        expect_nothing_sent(server, start(server, "curl", **credentials(mechanism)).send_one())
        assert "AUTH" not in server.verbs()


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_what_was_offered_in_the_clear_is_forgotten_once_encrypted(start, certificate, credentials,
                                                                   mechanism):
    with make_server([], tls=certificate) as server:
        server.on("ehlo", reply(f"250 test\n250 STARTTLS\n250 AUTH {mechanism.upper()}"), times=1)
        expect_nothing_sent(server, start(server, "curl", tls="starttls", verify=False,
                                          **credentials(mechanism)).send_one())
        assert "STARTTLS" in server.verbs() and "AUTH" not in server.verbs()


@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_a_wrong_password(start, credentials, mechanism):
    with make_server(MECHANISMS) as server:
        server.password = "another"
        expect_nothing_sent(server, start(server, "curl", **credentials(mechanism)).send_one(), 535)


@pytest.mark.parametrize("mechanism, code", [("xoauth2", None), ("oauthbearer", 535)])
def test_what_a_smarthost_has_against_a_token_is_told(start, credentials, mechanism, code):
    with make_server(MECHANISMS) as server:
        server.token = "another"
        result = start(server, "curl", **credentials(mechanism)).send_one()
        expect_nothing_sent(server, result, code)
        # libcurl leaves where XOAUTH2 has an empty answer and a 535 follow.
        assert "401" in result["reply_text"] or code


SENT = {"plain": f"\0relay\0{PASSWORD}", "login": PASSWORD,
        "xoauth2": f"user=relay\1auth=Bearer {TOKEN}\1\1",
        "oauthbearer": f"n,a=relay,\1host=127.0.0.1\1port=25\1auth=Bearer {TOKEN}\1\1"}


@pytest.mark.parametrize("stage", ["auth", "mail"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_credentials_that_a_smarthost_repeats_are_not_shown(start, credentials, mechanism, stage):
    shapes = [PASSWORD if mechanism in ("plain", "login") else TOKEN,
              base64.b64encode(SENT[mechanism].encode()).decode()]
    with make_server(MECHANISMS) as server:
        server.on(stage, reply(f"535 5.7.8 bad {' '.join(shapes)}, says x"))
        result = start(server, "curl", **credentials(mechanism)).send_one()
        expect(result, "session", stage, 535, alarm="auth")
        shown = result["reply_text"]
        assert shown.startswith("bad ****") and shown.endswith(", says x")
        assert not [shape for shape in shapes if shape[:8] in shown or shape[-10:-2] in shown]


@pytest.mark.parametrize("mechanism", ["xoauth2", "oauthbearer"])
def test_a_token_in_what_a_smarthost_has_against_it_is_not_shown(start, credentials, mechanism,
                                                                 monkeypatch):
    monkeypatch.setattr(smtp_server, "TOKEN_FAULT", f'{{"bad":"{TOKEN}"}}'.encode())
    with make_server(MECHANISMS) as server:
        server.token = "another"
        result = start(server, "curl", **credentials(mechanism)).send_one()
        expect_nothing_sent(server, result, None if mechanism == "xoauth2" else 535)
        assert TOKEN[:8] not in result["reply_text"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_challenges_without_an_end(start, credentials, mechanism):
    def ask_on(connection, ordinary):
        while True:
            connection.say("334 QWdhaW4=")
            connection._line()
    with make_server(MECHANISMS) as server:
        server.on("auth", ask_on)
        expect_nothing_sent(server, start(server, "curl", **credentials(mechanism)).send_one())


# ---- tokens --------------------------------------------------------------------------------------

def test_a_token_is_read_again_at_a_new_connection_once_it_has_changed(start, credentials,
                                                                       token_file):
    with make_server(MECHANISMS) as server:
        deliverer = start(server, "curl", **credentials("xoauth2"))
        expect(deliverer.send_one(), "sent", "dot", 250)
        server.token = "second-token"
        token_file.write_text("second-token")
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert server.connections == 1, "a connection that was let in is kept"
        server.drop_connections()
        expect(deliverer.send_one(), "sent", "dot", 250)
        # As secrets are renewed by Kubernetes and by hand: by another file in its place.
        server.token = "third-token"
        (token_file.parent / "new").write_text("third-token")
        os.replace(token_file.parent / "new", token_file)
        server.drop_connections()
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert len(server.messages) == 4


def test_a_token_is_read_again_whatever_its_time_says(start, credentials, token_file):
    with make_server(MECHANISMS) as server:
        deliverer = start(server, "curl", **credentials("xoauth2"))
        expect(deliverer.send_one(), "sent", "dot", 250)
        was, server.token = token_file.stat(), TOKEN[::-1]
        token_file.write_text(f"{server.token}\n")
        os.utime(token_file, ns=(was.st_atime_ns, was.st_mtime_ns))
        server.drop_connections()
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert server.connections == 2


def test_a_token_that_is_renewed_while_the_old_one_is_refused_is_no_failure(start, credentials,
                                                                            token_file):
    def renew_and_refuse(connection, ordinary):
        token_file.write_text("second-token")
        connection.server.token = "second-token"
        connection.say("535 5.7.8 expired")
    with make_server(MECHANISMS) as server:
        server.on("auth", renew_and_refuse, times=1)
        deliverer = start(server, "curl", **credentials("oauthbearer"))
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert server.connections == 2
        server.on("auth", reply("535 5.7.8 no"))
        server.drop_connections()
        expect(deliverer.send_one(), "session", "auth", 535, alarm="auth")
        assert server.connections == 3, "the same token is not tried twice"


@pytest.mark.parametrize("content", [
    None, b"", b" \r\n", b"two words", b"T0KEN\x07", b"T0KEN\0", "T0KËN".encode(), b"T" * 8193,
    "folder", "pipe"], ids=str)
def test_a_token_file_of_no_use_is_named_and_not_shown(start, credentials, token_file, content):
    token_file.unlink()
    if content == "folder":
        token_file.mkdir()
    elif content == "pipe":
        os.mkfifo(token_file)
    elif content is not None:
        token_file.write_bytes(content)
    with make_server(MECHANISMS) as server:
        deliverer = start(server, "curl", **credentials("xoauth2"))
        result = deliverer.send_one()
        expect(result, "session", "auth", alarm="auth")
        assert str(token_file) in result["reply_text"] and "T0K" not in result["reply_text"]
        assert server.connections == 0
        if content != "folder":
            token_file.unlink(missing_ok=True)
            token_file.write_text(TOKEN)
            expect(deliverer.send_one(), "sent", "dot", 250)


def test_a_token_file_that_was_taken_away_is_not_remembered(start, credentials, token_file):
    with make_server(MECHANISMS) as server:
        deliverer = start(server, "curl", **credentials("xoauth2"))
        expect(deliverer.send_one(), "sent", "dot", 250)
        token_file.unlink()
        server.drop_connections()
        expect(deliverer.send_one(), "session", "auth", alarm="auth")
        assert len(server.messages) == 1


# ---- the whole relay -----------------------------------------------------------------------------

def test_what_the_uri_names_is_found_beside_the_configuration_file(tmp_path, start_relay):
    """The authority and the token of a smarthost, by names relative to the folder of the file."""
    folder = tmp_path / "etc"
    folder.mkdir()
    smtp_server.make_certificate(folder, "authority")
    certificate = smtp_server.make_certificate(folder, issuer="authority")
    (folder / "token").write_text(TOKEN)
    with make_server(MECHANISMS, tls=certificate) as server:
        (folder / "relay.json").write_text(json.dumps({
            "smtp_uri": f"smtp://relay@localhost:{server.port}/?ca_file=authority.pem&auth=xoauth2"
                        f"&token_file=token"}))
        relay = start_relay(None, config=str(folder / "relay.json"))
        with relay:
            message_id = relay.accept(payloads.login_code())
            assert relay.state(message_id)["state"] == "sent"
            assert mechanisms_used(server) == ["xoauth2"]
            text = relay.command("queue", "show", message_id).stdout
            assert "TLSv1.3" in text and f"127.0.0.1:{server.port}" in text
            [attempt] = json.loads(relay.command("queue", "export", "--json").stdout)["history"]
            assert (attempt["tls"], attempt["address"]) == \
                ("TLSv1.3", f"127.0.0.1:{server.port}")
            relay.command("check")
        (folder / "token").unlink()
        assert f"{folder}/token: No such file" in relay.command("check", status=1).stderr


def test_a_token_that_is_missing_is_the_smarthosts_matter_and_told(tmp_path, start_relay):
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with make_server(MECHANISMS) as server:
        uri = (f"smtp://relay@127.0.0.1:{server.port}/?disable_starttls=true&auth=xoauth2"
               f"&token_file={token}")
        with start_relay(None, smtp_uri=uri) as relay:
            token.unlink()
            message_id = relay.accept(payloads.login_code())
            attempt = relay.wait_for("attempt", id=message_id)
            assert (attempt["outcome"], attempt["alarm"]) == ("session", "auth")
            assert str(token) in relay.wait_for("smarthost_down")["error"]
            token.write_text(TOKEN)
            assert relay.wait_for("sent", id=message_id)["attempts"] == 1
