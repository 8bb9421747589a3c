"""Where there are credentials, nothing is sent that was not let in by them."""
import pytest
import smtp_server
from deliverer import expect
from smtp_server import SmtpServer, reply

DRIVERS = ["esmtp", "curl"]  # libesmtp is not used with AUTH, whatever is asked


@pytest.fixture
def certificate(tmp_path):
    return smtp_server.make_certificate(tmp_path)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_auth(start, driver, mechanism):
    with SmtpServer(auth=[mechanism]) as server:
        deliverer = start(server, driver, user="relay", password="secret")
        expect(deliverer.send_one(), "sent", "dot", 250)
        expect(deliverer.send_one(), "sent", "dot", 250)
        assert server.verbs().count("AUTH") == 1 and server.connections == 1


def test_auth_within_tls(start, certificate):
    with SmtpServer(tls=certificate, auth=["PLAIN", "LOGIN"]) as server:
        deliverer = start(server, "curl", tls="starttls", verify=False, user="relay",
                          password="secret")
        expect(deliverer.send_one(), "sent", "dot", 250)
        verbs = server.verbs()
        assert verbs.index("STARTTLS") < verbs.index("AUTH") < verbs.index("MAIL")


@pytest.mark.parametrize("auth, reason", [((), "no AUTH"), (("XOAUTH2", "CRAM-MD5"), "others")])
def test_nothing_is_sent_where_auth_is_not_offered(start, auth, reason):
    with SmtpServer(auth=auth) as server:
        result = start(server, "curl", user="relay", password="secret").send_one()
        expect(result, "session", "auth", alarm="auth")
        server.wait_until(lambda: server.open_connections == 0)
        assert "MAIL" not in server.verbs() and "AUTH" not in server.verbs()


def test_nothing_is_sent_where_ehlo_is_refused_and_there_are_credentials(start):
    with SmtpServer(auth=["PLAIN"]) as server:
        server.on("ehlo", reply("502 5.5.1 what"))
        result = start(server, "curl", user="relay", password="secret").send_one()
        expect(result, "session", "auth", alarm="auth")
        assert "MAIL" not in server.verbs()


@pytest.mark.parametrize("answer", ["535 5.7.8 no", "454 4.7.0 later", "534 5.7.9 weak"])
def test_auth_that_fails(start, answer):
    with SmtpServer(auth=["PLAIN", "LOGIN"]) as server:
        server.on("auth", reply(answer))
        result = start(server, "curl", user="relay", password="Sup3rS3cret").send_one()
        expect(result, "session", "auth", int(answer[:3]), alarm="auth")
        assert "MAIL" not in server.verbs() and "Sup3rS3cret" not in str(result)
