"""Fixtures that every integration test may use."""
import contextlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import deliverer as deliverer_module  # noqa: E402
import loop_disk as loop_disk_module  # noqa: E402
import mails  # noqa: E402
import relay as relay_module  # noqa: E402
import sink as sink_module  # noqa: E402
import smtp_server as smtp_server_module  # noqa: E402
import strict_mime  # noqa: E402


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    import schedule  # which needs xdist
    return schedule.LongestFirst(config, log)


@pytest.fixture
def sink():
    with sink_module.Sink() as made:
        yield made


@pytest.fixture
def start_relay(tmp_path):
    """Makes relays, which their `with` starts: with start_relay(sink, lifetime="1m") as relay."""
    made = []

    def make(target, folder="relay", **settings):
        if target is not None:
            settings.setdefault("smtp_uri", relay_module.smtp_uri(target))
        made.append(relay_module.Relay(tmp_path / folder, **settings))
        return made[-1]
    yield make
    for relay in made:  # those that a test started without `with`
        relay.stop()


@pytest.fixture
def relay(sink, start_relay):
    return start_relay(sink)


@pytest.fixture
def loop_disk(tmp_path):
    """Makes disks that can be filled and broken: loop_disk("xfs", size_mb=64).mount. Skips the
    test, with the reason, where there are none to be had."""
    with contextlib.ExitStack() as disks:
        def make(kind="ext4", folder="loop", **options):
            try:
                return disks.enter_context(
                    loop_disk_module.LoopDisk(tmp_path / folder, kind, **options))
            except loop_disk_module.Unavailable as reason:
                pytest.skip(f"no disk to break: {reason}")
        yield make


@pytest.fixture(scope="session")
def composer():
    """One composer a worker, for tests that only make mails."""
    with mails.Composer() as made:
        yield made


@pytest.fixture(scope="session")
def sample_composer(tmp_path_factory):
    """The same with the brands and overrides of tests/data/templates-sample."""
    folder = mails.sample_templates(tmp_path_factory.mktemp("sample") / "templates")
    with mails.Composer(templates_dir=str(folder)) as made:
        yield made


@pytest.fixture(scope="session")
def strict_parser():
    with strict_mime.StrictParser() as parser:
        yield parser


@pytest.fixture
def start(tmp_path):
    """Starts deliverers for a scripted server: start(server, "curl", tls="starttls")."""
    with contextlib.ExitStack() as stack:
        def begin(server, driver="esmtp", port=None, **init):
            made = deliverer_module.Deliverer(tmp_path, port or (server.port if server else 1),
                                              driver=driver, **init)
            assert made.first == {"op": "ready"}, made.first
            return stack.enter_context(contextlib.closing(made))
        yield begin


@pytest.fixture
def server():
    """A scripted SMTP server, as good as any until it is told otherwise."""
    with smtp_server_module.SmtpServer() as made:
        yield made
