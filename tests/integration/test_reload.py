"""SIGHUP: what is good of a changed configuration comes into force, what is not changes nothing."""
import concurrent.futures
import json
import os
import pathlib
import re
import signal

import payloads
import relay as harness

OLD_KEY, NEW_KEY = "old-key-0123456789abcdef", "new-key-0123456789abcdef"

# A normaliser that marks what it made, of every sample.
MARKED = """
local text = std.native('text');
function(payload) {{
  template: text('template_type|TemplateType'),
  to: text('recipient|Recipient|to'),
  data: {{}},
  fallback: {{ subject: '{mark}', text: '{mark}' }},
}}
"""


def reload(relay, event="reloaded", count=None):
    """Sends SIGHUP and waits for one more event of that name."""
    count = count or len(relay.found(event)) + 1
    os.kill(relay.process.pid, signal.SIGHUP)
    return relay.wait_for(event, count=count)


def mark(path, text):
    path.write_text(MARKED.format(mark=text))


def subject_of_next(relay, sink):
    made = payloads.login_code()
    made["template_type"] = "a_type_to_come"  # so that the normaliser's own text is used
    # All that was logged before has been read, too, once this line is.
    relay.wait_for("sent", id=relay.accept(made))
    return sink.wait_for(1, recipient=made["recipient"])[0].subject


def test_keys_change_without_a_connection_dropped(start_relay, sink, tmp_path):
    secret = tmp_path / "keys"
    secret.write_text(f"kratos:{OLD_KEY}\n")
    with start_relay(sink, api_key=None, api_key_file=secret) as relay:
        assert relay.post(payloads.login_code(), key=OLD_KEY).status == 200
        connection = relay._local.connection.sock

        secret.write_text(f"kratos:{OLD_KEY},kratos-2027:{NEW_KEY}\n")
        assert reload(relay)["changed"] == "api_key"
        for key in (OLD_KEY, NEW_KEY):
            assert relay.post(payloads.login_code(), key=key).status == 200
        relay.wait_for("accepted", key="kratos-2027")

        secret.write_text(f"kratos-2027:{NEW_KEY}\n")
        reload(relay)
        assert relay.post(payloads.login_code(), key=NEW_KEY).status == 200
        assert relay._local.connection.sock is connection
        assert relay.post(payloads.login_code(), key=OLD_KEY).status == 401
        sink.wait_for(4)


def test_a_withdrawn_key_is_refused_even_where_the_rest_is_at_fault(start_relay, sink, tmp_path):
    secret, normaliser = tmp_path / "keys", tmp_path / "own.jsonnet"
    secret.write_text(f"kratos:{OLD_KEY},other:{NEW_KEY}")
    mark(normaliser, "first")
    with start_relay(sink, api_key=None, api_key_file=secret, normaliser=normaliser) as relay:
        secret.write_text(f"other:{NEW_KEY}")
        normaliser.write_text("function(payload) {")
        refused = reload(relay, "reload_refused")
        assert refused["where"].startswith(f"{normaliser}:"), refused
        assert relay.post(payloads.login_code(), key=OLD_KEY).status == 401
        assert relay.post(payloads.login_code(), key=NEW_KEY).status == 200
        assert not relay.found("reloaded")


def test_a_key_is_withdrawn_while_an_earlier_reload_is_still_tried(start_relay, sink, tmp_path):
    secret, normaliser = tmp_path / "keys", tmp_path / "own.jsonnet"
    secret.write_text(f"kratos:{OLD_KEY},other:{NEW_KEY}")
    mark(normaliser, "first")
    with start_relay(sink, api_key=None, api_key_file=secret, normaliser=normaliser) as relay:
        # Samples on which the new normaliser takes its time.
        normaliser.write_text(MARKED.format(mark="slow").replace(
            "data: {}", "data: { waits: std.foldl(function(sum, i) sum + i, "
            "std.range(1, 1000), 0) }"))
        os.kill(relay.process.pid, signal.SIGHUP)
        secret.write_text(f"other:{NEW_KEY}")
        os.kill(relay.process.pid, signal.SIGHUP)
        harness.wait_until(
            lambda: relay.post(payloads.login_code(), key=OLD_KEY).status == 401, "the withdrawal")
        assert relay.post(payloads.login_code(), key=NEW_KEY).status == 200
        relay.wait_for("reloaded", count=1)
        # What was tried meanwhile was read with the old key in force, and does not bring it back.
        assert relay.post(payloads.login_code(), key=OLD_KEY).status == 401


def test_a_reload_asked_for_at_any_moment_of_the_start_ends_nothing(start_relay, sink):
    relay = start_relay(sink, build=harness.RELEASE_BUILD)
    for _ in range(10):
        relay.spawn()
        status = pathlib.Path(f"/proc/{relay.process.pid}/status")
        # From the first moment that the daemon itself can do something about it.
        harness.wait_until(lambda: int(re.search(r"SigBlk:\s*(\w+)", status.read_text())[1], 16) &
                           1 << (signal.SIGHUP - 1), "SIGHUP to be blocked")
        os.kill(relay.process.pid, signal.SIGHUP)
        relay.wait_for("ready")
        relay.wait_for("reloaded")
        assert relay.stop() == 0


def test_a_normaliser_is_taken_over_only_if_it_does_well_on_the_samples(
        start_relay, sink, tmp_path):
    normaliser = tmp_path / "own.jsonnet"
    mark(normaliser, "first")
    with start_relay(sink, normaliser=normaliser) as relay:
        assert subject_of_next(relay, sink) == "first"
        faults = {
            "not Jsonnet": "function(payload) {",
            "no function": "{}",
            "throws": "function(payload) error 'no'",
            "no mail": "function(payload) { to: payload.recipient }",
            "no recipient": "function(payload) { data: {} }",
            "nothing of any": "function(payload) null",
            "endless": "local f(x) = f(x + 1) tailstrict; function(payload) f(0)",
        }
        for name, text in faults.items():
            normaliser.write_text(text)
            reload(relay, "reload_refused")
            # One line a fault: the last has been written when the composer on trial is gone.
            harness.wait_until(lambda: len(relay.children("composer")) == 1, "the trial's end")
            assert not relay.found("reloaded"), name
            assert subject_of_next(relay, sink) == "first", name
        mark(normaliser, "second")
        reload(relay)
        assert subject_of_next(relay, sink) == "second"


def test_a_template_and_a_catalog_are_taken_over(start_relay, sink, tmp_path):
    templates = tmp_path / "templates"
    for source in (harness.ROOT / "templates").rglob("*"):
        if source.suffix in (".json", ".mustache"):
            target = templates / source.relative_to(harness.ROOT / "templates")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    catalog = templates / "locales/en.json"
    good = catalog.read_text()
    with start_relay(sink, templates_dir=templates) as relay:
        catalog.write_text(good[:-10])
        refused = reload(relay, "reload_refused")
        assert "en.json" in refused["where"]
        relay.accept(payloads.login_code())
        assert "Changed while running" not in sink.wait_for(1)[0].text()

        catalog.write_text(good.replace('"Your code"', '"Changed while running"', 1))
        reload(relay)
        made = payloads.login_code()
        relay.accept(made)
        assert "Changed while running" in sink.wait_for(1, recipient=made["recipient"])[0].text()


def test_a_configuration_with_a_fault_changes_nothing(start_relay, sink, tmp_path):
    config = tmp_path / "relay.jsonnet"
    config.write_text(json.dumps({"api_key": OLD_KEY}))
    relay = start_relay(sink, api_key=None).start("--config", str(config))
    with_faults = [
        ({"api_key": NEW_KEY, "lokale": "de"}, "lokale"),
        ({"api_key": "two words"}, "api_key"),
        ({}, "RELAY_API_KEY"),
    ]
    for settings, place in with_faults:
        config.write_text(json.dumps(settings))
        refused = reload(relay, "reload_refused")
        assert place in refused["where"]
        assert NEW_KEY not in json.dumps(refused)
        assert relay.post(payloads.login_code(), key=NEW_KEY).status == 401
        assert relay.post(payloads.login_code(), key=OLD_KEY).status == 200
    config.unlink()
    reload(relay, "reload_refused")
    assert relay.post(payloads.login_code(), key=OLD_KEY).status == 200
    assert not relay.found("reloaded")


def test_a_route_comes_and_goes(start_relay, sink, tmp_path):
    config, normaliser = tmp_path / "relay.jsonnet", tmp_path / "crm.jsonnet"
    mark(normaliser, "from the crm")
    config.write_text("{}")
    relay = start_relay(sink).start("--config", str(config))
    made = payloads.payload("a_type_to_come")
    made["template_data"]["login_code"] = "123456"
    assert relay.post(made, path="/crm").status == 404

    config.write_text(json.dumps({"routes": {"crm": {"path": "/crm", "normaliser": str(normaliser)}}}))
    assert reload(relay)["changed"] == "routes"
    assert relay.post(made, path="/crm").status == 200
    assert sink.wait_for(1, recipient=made["recipient"])[0].subject == "from the crm"

    config.write_text("{}")
    reload(relay)
    assert relay.post(made, path="/crm").status == 404
    relay.accept(payloads.login_code())


def test_what_needs_a_restart_is_named(start_relay, sink, tmp_path):
    config = tmp_path / "relay.jsonnet"
    config.write_text("{}")
    relay = start_relay(sink).start("--config", str(config))
    config.write_text("{body_limit: 4096, locale: 'hu', log_level: 'debug'}")
    reloaded = reload(relay)
    assert reloaded["waits_for_restart"] == "body_limit"
    assert set(reloaded["changed"].split()) == {"locale", "log_level"}
    made = payloads.login_code(language=None)
    relay.accept(made)
    assert sink.wait_for(1, recipient=made["recipient"])[0].language == "hu"
    # What was taken over is no change any more, what was not still waits.
    reloaded = reload(relay)
    assert "changed" not in reloaded
    assert reloaded["waits_for_restart"] == "body_limit"


def test_every_post_is_answered_while_reloads_come_faster_than_they_are_done(
        start_relay, sink, tmp_path):
    normaliser = tmp_path / "own.jsonnet"
    mark(normaliser, "good")
    with start_relay(sink, normaliser=normaliser, build=harness.RELEASE_BUILD) as relay:
        made = [payloads.login_code() for _ in range(200)]
        with concurrent.futures.ThreadPoolExecutor(8) as posters:
            answers = [posters.submit(relay.post, payload) for payload in made]
            for number in range(20):
                if number % 2:
                    normaliser.write_text("function(payload) {")
                else:
                    mark(normaliser, "good")
                os.kill(relay.process.pid, signal.SIGHUP)
                answers[10 * number].result()
            assert all(answer.result().status == 200 for answer in answers)
        mark(normaliser, "last")
        os.kill(relay.process.pid, signal.SIGHUP)
        sink.wait_for(len(made))
        harness.wait_until(lambda: subject_of_next(relay, sink) == "last", "the last reload")
        assert len({mail.recipient for mail in sink.mails[:len(made)]}) == len(made)


def test_a_file_that_keeps_its_reader_waiting_holds_up_nothing(start_relay, sink, tmp_path):
    """A named pipe that nobody writes to, as a secret, as the configuration, as a sample."""
    config, secret = tmp_path / "relay.jsonnet", tmp_path / "keys"
    samples = tmp_path / "samples"
    samples.mkdir()
    (samples / "one.json").write_text(json.dumps(payloads.login_code()))
    config.write_text(json.dumps({
        "api_key_file": str(secret), "routes": {"kratos": {"samples": str(samples)}}}))
    secret.write_text(f"kratos:{OLD_KEY}")
    relay = start_relay(sink, api_key=None).start("--config", str(config))
    for path in (secret, config, samples / "two.json"):
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        refused = reload(relay, "reload_refused")
        assert "no regular file" in refused["what"], refused
        made = payloads.login_code()
        assert relay.post(made, key=OLD_KEY).status == 200
        sink.wait_for(1, recipient=made["recipient"])
        path.unlink()
        if before is not None:
            path.write_bytes(before)
    reload(relay)
    assert relay.stop() == 0


def test_a_configuration_that_does_not_end_is_given_up(start_relay, sink, tmp_path):
    config = tmp_path / "relay.jsonnet"
    config.write_text("{}")
    relay = start_relay(sink).start("--config", str(config))
    config.write_text("local f(x) = f(x + 1) tailstrict; f(0)")
    assert "does not answer" in reload(relay, "reload_refused")["what"]
    relay.wait_for("sent", id=relay.accept(payloads.login_code()))
