"""Fixtures for real servers. Each skips where there are none, and says why."""
import contextlib
import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
sys.path[:0] = [str(HERE), str(ROOT / "tests/support")]

import exim as exim_module  # noqa: E402
import packages as packages_module  # noqa: E402
import postfix as postfix_module  # noqa: E402
import relay as relay_module  # noqa: E402
import smtp_server  # noqa: E402
import strict_mime  # noqa: E402


@pytest.fixture(scope="session")
def packages():
    if os.geteuid() != 0:
        pytest.skip("a mail server has to be started by root")
    try:
        return packages_module.Packages(ROOT / "build/real-servers")
    except packages_module.Unavailable as reason:
        pytest.skip(f"no servers to be had: {reason}")


@pytest.fixture
def certificates(tmp_path):
    """A folder with authority.pem, and a certificate for localhost that it vouches for."""
    smtp_server.make_certificate(tmp_path, "authority")
    smtp_server.make_certificate(tmp_path, issuer="authority")
    return tmp_path


@pytest.fixture
def start_server(packages):
    """Starts servers: start_server(Postfix, certificates=..., ...)."""
    with contextlib.ExitStack() as stack:
        yield lambda kind, *arguments, **options: stack.enter_context(
            kind(packages, *arguments, **options))


@pytest.fixture
def start_relay(tmp_path):
    """Starts a relay for smarthosts: start_relay("smtp://...", lifetime="1m")."""
    with contextlib.ExitStack() as stack:
        yield lambda uri, **settings: stack.enter_context(
            relay_module.Relay(tmp_path / "relay", smtp_uri=uri, **settings))


@pytest.fixture(scope="session")
def strict_parser():
    with strict_mime.StrictParser() as parser:
        yield parser
