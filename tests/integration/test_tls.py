"""No mail, and no password, by a connection that is not what it was configured to be."""
import subprocess

import pytest
import smtp_server
from deliverer import IN_NAMESPACE, expect
from smtp_server import SmtpServer, garbage, reply


@pytest.fixture
def certificate(tmp_path):
    return smtp_server.make_certificate(tmp_path)


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_tls_with_a_kept_connection(start, certificate, mode):
    with SmtpServer(tls=certificate, implicit=mode == "implicit") as server:
        deliverer = start(server, "curl", tls=mode, verify=False)
        for _ in range(5):
            result = deliverer.send_one()
            expect(result, "sent", "dot", 250)
            assert result["tls"] == "TLSv1.3"
        assert server.connections == 1
        assert server.messages[0].data.startswith(b"From: a@acme.example\r\n")


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
def test_a_certificate_that_nobody_vouches_for(start, certificate, mode):
    with SmtpServer(tls=certificate, implicit=mode == "implicit") as server:
        result = start(server, "curl", tls=mode).send_one()
        expect(result, "session", "starttls", alarm="tls")
        assert "MAIL" not in server.verbs()


@pytest.fixture
def authorities(tmp_path, certificate):
    path = tmp_path / "localhost.pem"
    if subprocess.run([*IN_NAMESPACE, path, "/bin/true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount namespace to be had here: the system's authorities stay")
    return path


@pytest.mark.parametrize("mode", ["starttls", "implicit"])
@pytest.mark.parametrize("host, server_name, believed", [
    ("localhost", None, True), ("127.0.0.1", "localhost", True),
    ("127.0.0.1", None, False), ("localhost", "mail.example.com", False),
])
def test_the_certificate_must_be_for_the_configured_name(start, certificate, authorities, mode,
                                                         host, server_name, believed):
    names = []
    certificate.sni_callback = lambda connection, name, context: names.append(name)
    with SmtpServer(tls=certificate, implicit=mode == "implicit") as server:
        result = start(server, "curl", tls=mode, host=host, server_name=server_name,
                       authorities=authorities).send_one()
        if believed:
            expect(result, "sent", "dot", 250)
            assert names == ["localhost"]
        else:
            expect(result, "session", "starttls", alarm="tls")
            assert "MAIL" not in server.verbs()


def test_starttls_that_was_stripped(server, start):
    result = start(server, "curl", tls="starttls").send_one()
    expect(result, "session", "starttls", alarm="tls")
    assert server.verbs() == ["EHLO", "QUIT"] or server.verbs() == ["EHLO"]


def test_starttls_that_is_refused(start, certificate):
    with SmtpServer(tls=certificate) as server:
        server.on("starttls", reply("454 4.7.0 not now"))
        expect(start(server, "curl", tls="starttls", verify=False).send_one(), "session",
               "starttls", 454, alarm="tls")
        assert "MAIL" not in server.verbs()


def test_bytes_injected_behind_the_answer_to_starttls(start, certificate):
    with SmtpServer(tls=certificate) as server:
        server.on("starttls", garbage(b"220 go ahead\r\n250-injected\r\n250 AUTH PLAIN\r\n"))
        result = start(server, "curl", tls="starttls", verify=False).send_one()
        assert (result["outcome"], result["stage"], result["alarm"]) == \
            ("session", "starttls", "tls"), result
        assert server.messages == [] and "MAIL" not in server.verbs()


def test_a_port_that_speaks_no_tls(server, start):
    result = start(server, "curl", tls="implicit", verify=False, timeout_ms=1500).send_one()
    expect(result, "session", "starttls", alarm="tls")
