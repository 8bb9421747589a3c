"""No mail, and no password, by a connection that is not what it was configured to be."""
import os
import shutil
import smtplib
import ssl
import subprocess
import time
import warnings

import pytest
import smtp_server
from deliverer import IN_NAMESPACE, expect
from smtp_server import SmtpServer

MODES = ["starttls", "implicit"]
CREDENTIALS = {"user": "relay", "password": "secret"}


@pytest.fixture
def certificate(tmp_path):
    return smtp_server.make_certificate(tmp_path)


@pytest.mark.parametrize("mode", MODES)
def test_tls_with_a_kept_connection(start, certificate, mode):
    with SmtpServer(tls=certificate, implicit=mode == "implicit") as server:
        deliverer = start(server, "curl", tls=mode, verify=False)
        for _ in range(5):
            result = deliverer.send_one()
            expect(result, "sent", "dot", 250)
            assert result["tls"] == "TLSv1.3"
            left_s = result["certificate_ends_ms"] / 1000 - time.time()
            assert 2 * 86400 - 120 < left_s <= 2 * 86400
        assert server.connections == 1
        assert server.messages[0].data.startswith(b"From: a@acme.example\r\n")


# ---- certificates --------------------------------------------------------------------------------

def expect_nothing_told(server, result):
    """No mail, and no password either, which was there to be told."""
    expect(result, "session", "starttls", alarm="tls")
    server.wait_until(lambda: server.open_connections == 0)
    assert not {"AUTH", "MAIL"} & set(server.verbs()) and not server.messages


@pytest.fixture
def authority(tmp_path):
    """The certificate of one that vouches for others: "authority"."""
    smtp_server.make_certificate(tmp_path, "authority")
    return tmp_path / "authority.pem"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("host, server_name", [("localhost", None), ("127.0.0.1", "localhost")])
def test_a_certificate_that_the_own_authority_vouches_for(start, tmp_path, authority, mode, host,
                                                          server_name):
    names = []
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority")
    certificate.sni_callback = lambda connection, name, context: names.append(name)
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        result = start(server, "curl", tls=mode, ca_file=str(authority), host=host,
                       server_name=server_name, **CREDENTIALS).send_one()
        expect(result, "sent", "dot", 250)
        assert names == ["localhost"]


@pytest.mark.parametrize("mode", MODES)
def test_an_address_is_no_name_of_a_certificate(start, tmp_path, authority, mode):
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority")
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        expect_nothing_told(server, start(server, "curl", tls=mode, ca_file=str(authority),
                                          **CREDENTIALS).send_one())


@pytest.fixture
def system_authorities(tmp_path, authority):
    """A folder in place of /etc/ssl/certs, which trusts "authority" in both ways that it can."""
    folder = tmp_path / "certs"
    folder.mkdir()
    digest = subprocess.run(["openssl", "x509", "-noout", "-subject_hash", "-in", authority],
                            check=True, capture_output=True, text=True).stdout.strip()
    for name in ("ca-certificates.crt", f"{digest}.0"):
        shutil.copy(authority, folder / name)
    if subprocess.run([*IN_NAMESPACE, folder, "/bin/true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no mount namespace to be had here: the system's authorities stay")
    return folder


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["bundle", "folder"])
def test_the_systems_authorities_count_unless_there_are_own_ones(start, tmp_path, mode, way,
                                                                 system_authorities):
    smtp_server.make_certificate(tmp_path, "other")
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority")
    if way == "folder":
        shutil.copy(tmp_path / "other.pem", system_authorities / "ca-certificates.crt")
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        init = {"tls": mode, "host": "localhost", "authorities": system_authorities, **CREDENTIALS}
        expect(start(server, "curl", **init).send_one(), "sent", "dot", 250)
        server.drop_connections()
        server.commands.clear()
        server.messages.clear()
        expect_nothing_told(server, start(server, "curl", ca_file=str(tmp_path / "other.pem"),
                                          **init).send_one())


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("own", [True, False])
def test_who_is_trusted_no_longer_is_not_by_a_session_of_before_either(start, tmp_path, authority,
                                                                       system_authorities, mode,
                                                                       own):
    """TLS 1.3 resumes a session without a certificate, and libcurl remembers the system's."""
    smtp_server.make_certificate(tmp_path, "other")
    certificate = smtp_server.make_certificate(tmp_path, issuer="authority")
    trust = {"ca_file": str(authority)} if own else {"authorities": system_authorities}
    with SmtpServer(tls=certificate, implicit=mode == "implicit", auth=["PLAIN"]) as server:
        deliverer = start(server, "curl", tls=mode, host="localhost", **trust, **CREDENTIALS)
        expect(deliverer.send_one(), "sent", "dot", 250)
        for file in [authority] if own else system_authorities.iterdir():
            shutil.copy(tmp_path / "other.pem", file)
        server.drop_connections()
        server.commands.clear()
        server.messages.clear()
        expect_nothing_told(server, deliverer.send_one())


@pytest.mark.parametrize("kind", ["pipe", "folder", "device"])
def test_authorities_that_are_no_file_are_not_waited_for(start, tmp_path, kind, certificate):
    path = tmp_path / "ca"
    {"pipe": lambda: os.mkfifo(path), "folder": path.mkdir,
     "device": lambda: path.symlink_to("/dev/zero")}[kind]()
    with SmtpServer(tls=certificate, auth=["PLAIN"]) as server:
        result = start(server, "curl", tls="starttls", ca_file=str(path), host="localhost",
                       **CREDENTIALS).send_one()
        expect_nothing_told(server, result)
        assert "ca_file is no regular file" in result["reply_text"] and server.connections == 0


def test_the_file_of_authorities_is_read_at_each_connection(start, tmp_path, authority):
    smtp_server.make_certificate(tmp_path, "other")
    certificate = smtp_server.make_certificate(tmp_path, issuer="other")
    with SmtpServer(tls=certificate, auth=["PLAIN"]) as server:
        deliverer = start(server, "curl", tls="starttls", ca_file=str(authority), host="localhost",
                          **CREDENTIALS)
        expect_nothing_told(server, deliverer.send_one())
        shutil.copy(tmp_path / "other.pem", authority)
        expect(deliverer.send_one(), "sent", "dot", 250)
        server.drop_connections()
        authority.unlink()
        result = deliverer.send_one()
        expect(result, "session", "starttls", alarm="tls")
        assert authority.name in result["reply_text"] and len(server.messages) == 1


def only_tls_1_1(context):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("mode", MODES)
def test_tls_older_than_1_2_is_none(start, certificate, mode):
    with SmtpServer(tls=only_tls_1_1(certificate), implicit=mode == "implicit") as server:
        own = only_tls_1_1(ssl._create_unverified_context())
        with smtplib.SMTP_SSL("127.0.0.1", server.port, context=own) if mode == "implicit" else \
                smtplib.SMTP("127.0.0.1", server.port) as other:
            if mode == "starttls":
                other.starttls(context=own)
            assert other.sock.version() == "TLSv1.1", "it is spoken here, by whoever lets it"
        server.auth = ["PLAIN"]
        expect_nothing_told(server, start(server, "curl", tls=mode, verify=False,
                                          **CREDENTIALS).send_one())
