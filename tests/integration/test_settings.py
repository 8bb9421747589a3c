"""What an operator is told of settings, by the programs that read them."""
import json
import os
import re
import signal
import subprocess

import machine
import payloads
import pytest
import relay as harness
import sink as sink_module


def test_a_folder_of_others_is_named_whole_and_not_to_be_changed(relay):
    """The default is below the working directory: at / that is the system's own /var."""
    (relay.folder / "var").mkdir(parents=True, mode=0o755)
    relay.settings["queue_dir"] = None
    for command in ("serve", "check"):
        done = relay.command(command, status=1)
        for word in (f"RELAY_QUEUE_DIR: {relay.folder.resolve()}/var has mode 0755", "0700",
                     "$STATE_DIRECTORY", "StateDirectoryMode=0700"):
            assert word in done.stderr
        assert "chmod" not in done.stderr
        assert not list((relay.folder / "var").iterdir())


def test_check_looks_at_the_queues_folder_and_makes_none(relay):
    relay.folder.mkdir()
    plain = relay.folder / "plain"
    plain.write_text("")
    for folder in ("/proc/x", plain, relay.folder / "missing/queue"):
        done = relay.command("check", status=1, RELAY_QUEUE_DIR=str(folder))
        assert re.fullmatch(r"courier-relay: RELAY_QUEUE_DIR: .+\n", done.stderr), done.stderr
        assert str(folder) in done.stderr
    relay.command("check")
    assert not relay.queue_dir.exists()


def test_a_normaliser_that_is_not_there_is_named_with_its_setting(relay):
    relay.folder.mkdir()
    config = relay.folder / "conf/relay.jsonnet"
    config.parent.mkdir()
    route = {"crm": {"path": "/crm", "normaliser": "crm.jsonnet"}}
    config.write_text(json.dumps({"normaliser": "own.jsonnet", "routes": route}))
    for command in ("check", "serve"):
        done = relay.command(command, "--config", str(config), status=1)
        assert done.stderr.splitlines() == [
            f"courier-relay: {config}: normaliser: {config.parent}/own.jsonnet: "
            "No such file or directory",
            f"courier-relay: {config}: routes: crm.normaliser: {config.parent}/crm.jsonnet: "
            "No such file or directory"]
        done = relay.command(command, status=1, RELAY_NORMALISER="own.jsonnet",
                             RELAY_ROUTES=json.dumps(route))
        assert done.stderr.splitlines() == [
            "courier-relay: RELAY_NORMALISER: own.jsonnet: No such file or directory",
            "courier-relay: RELAY_ROUTES: crm.normaliser: crm.jsonnet: No such file or directory"]


def test_files_are_found_from_the_folder_of_the_file_that_names_them(relay, sink):
    """The relay runs in another folder than its configuration is in, and reloads from there."""
    folder = relay.folder / "conf"
    folder.mkdir(parents=True)
    normaliser = """local text = std.native('text');
        function(payload) { to: text('recipient'), template: 'x', data: {},
                            fallback: { subject: '%s', text: 't' } }"""
    (folder / "key").write_text(harness.API_KEY)
    (folder / "crm.jsonnet").write_text(normaliser % "first")
    config = folder / "relay.jsonnet"
    config.write_text(json.dumps({
        "api_key_file": "key", "queue_dir": "queue",
        "routes": {"crm": {"path": "/crm", "normaliser": "crm.jsonnet"}}}))
    relay.settings |= {"api_key": None, "queue_dir": None}
    relay.start("--config", "conf/relay.jsonnet")

    def subject():
        made = payloads.login_code()
        assert relay.post(made, path="/crm").status == 200
        return sink.wait_for(1, recipient=made["recipient"])[0].subject

    assert subject() == "first"
    (folder / "crm.jsonnet").write_text(normaliser % "second")
    relay.process.send_signal(signal.SIGHUP)
    assert "changed" not in relay.wait_for("reloaded")
    assert subject() == "second"
    assert relay.stop() == 0
    assert (folder / "queue/queue.db").exists()
    listed = relay.command("queue", "list", "--json", "--config", "conf/relay.jsonnet")
    assert len(listed.stdout.splitlines()) == 2


def test_a_reload_names_the_setting_of_a_missing_file_and_takes_the_keys(start_relay, sink, tmp_path):
    old, new = "old-key-0123456789abcdef", "new-key-0123456789abcdef"
    secret, normaliser = tmp_path / "keys", tmp_path / "own.jsonnet"
    secret.write_text(f"kratos:{old},other:{new}")
    shipped = (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text()
    normaliser.write_text(shipped)
    with start_relay(sink, api_key=None, api_key_file=secret, normaliser=normaliser) as relay:
        normaliser.unlink()
        secret.write_text(f"other:{new}")
        relay.process.send_signal(signal.SIGHUP)
        refused = relay.wait_for("reload_refused")
        assert refused["where"] == "RELAY_NORMALISER"
        assert refused["what"] == f"{normaliser}: No such file or directory"
        assert len(relay.found("reload_refused")) == 1
        assert relay.post(payloads.login_code(), key=old).status == 401
        assert relay.post(payloads.login_code(), key=new).status == 200
        normaliser.write_text(shipped)
        relay.process.send_signal(signal.SIGHUP)
        relay.wait_for("reloaded")


def test_a_containers_secret_may_be_read_by_all_who_are_in_it(relay, tmp_path):
    """Docker mounts it 0444; with 0600 the container's user could not read it."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a folder over /run")
    relay.folder.mkdir()
    secret = tmp_path / "api-key"
    secret.write_text(harness.API_KEY)
    secret.chmod(0o444)
    script = ('mount -t tmpfs tmpfs /run && mkdir /run/secrets && cp -p "$0" /run/secrets/ &&'
              ' cp -p "$0" /run/ && exec "$@"')

    def warnings(path, command):
        environment = relay.environment() | {"RELAY_API_KEY_FILE": path}
        environment.pop("RELAY_API_KEY", None)
        done = subprocess.run([*machine.NAMESPACE, "sh", "-c", script, str(secret),
                               str(harness.program()), command], cwd=relay.folder, text=True,
                              env=environment, capture_output=True, timeout=harness.WAIT_S)
        if "mount:" in done.stderr:
            pytest.skip(f"nothing can be mounted: {done.stderr}")
        return (done.stdout + done.stderr).count("is open to every user (mode 0444)")

    for command in ("check", "doctor"):
        assert warnings("/run/secrets/api-key", command) == 0
        assert warnings("/run/api-key", command) == 1
        assert warnings("/run/secrets/../api-key", command) == 1


def test_the_queue_is_shown_whatever_is_wrong_with_other_settings(relay, sink):
    with relay:
        message_id = relay.accept(payloads.login_code())
        sink.wait_for(1)
    settings = {"RELAY_API_KEY": "two words", "RELAY_SMTP_URI_FILE": "/nonexistent/uri",
                "RELAY_LISTEN": "nowhere", "RELAY_MAIL_FORM": "x"}
    done = relay.command("queue", "list", **settings)
    assert message_id in done.stdout
    assert done.stderr == ("courier-relay: warning: RELAY_MAIL_FORM: is not known; "
                           "did you mean RELAY_MAIL_FROM?\n")

    config = relay.folder / "relay.jsonnet"
    config.write_text(json.dumps({"queue_dir": "queue", "lisen": 1, "listen": {},
                                  "api_key_file": "/nonexistent/key"}))
    relay.settings["queue_dir"] = None
    done = relay.command("queue", "show", message_id, "--config", str(config))
    assert message_id in done.stdout
    assert done.stderr == (f"courier-relay: warning: {config}: lisen: is not known; "
                           "did you mean listen?\n")


def test_help_has_its_columns(relay):
    relay.folder.mkdir()
    rows = [line for line in relay.command("check", "--help").stdout.splitlines()
            if line.startswith(("VARIABLE", "RELAY_"))]
    assert len(rows) > 20
    column = rows[0].index("IS", 28 + 42)
    for row in rows[1:]:
        assert row[column - 1] == " " and row[column] != " ", row


def test_a_margin_that_leaves_nothing_is_told_at_every_start(start_relay):
    with sink_module.Sink() as sink, \
            start_relay(sink, deadline_margin="15m", lifetime="login_code_valid=10m") as relay:
        told = [one["what"] for one in relay.found("setting", where="RELAY_DEADLINE_MARGIN")]
        assert len(told) == 2 and "login_code_valid" in told[1]
        relay.wait_for("expired", id=relay.accept(payloads.login_code(minutes=10)),
                       level="warning")
