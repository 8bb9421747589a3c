"""Queues that hold many messages already: made by bench/fill.c, with mails of a composer."""
import contextlib
import json
import subprocess

import child
import relay

SAMPLE = relay.ROOT / "jsonnet/samples/v26-login_code_valid.json"
RECIPIENT, CODE = "b91827364.r55@bench.test", "918273"


def write_payload_pattern(path):
    """The shipped sample, with another recipient and code each time (bench/payload.h)."""
    return _write_pattern(path, _payload())


def write_mail_pattern(path, build=None):
    """The same as the canonical mail that a composer makes of it."""
    init = {"op": "init", "templates_dir": str(relay.ROOT / "templates"),
            "routes": [{"name": "kratos", "defaults": None,
                        "normaliser": str(relay.ROOT / "jsonnet/kratos_courier.jsonnet")}],
            "default_locale": "en", "timezone": "UTC", "mail_from": relay.MAIL_FROM,
            "reply_to": None, "lifetimes": {}}
    request = {"op": "compose", "id": "01939c1e-0000-7000-8000-000000000000", "elapsed_ms": 1,
               "wall_ms": 1763688000000, "fallback": False}
    composer = child.Child(relay.program("composer", build))
    with contextlib.ExitStack() as at_end:
        at_end.callback(composer.close)
        header, _ = composer.ask(init)
        assert header["op"] == "ready", header
        header, blobs = composer.ask(request, _payload().encode())
        assert header["op"] == "composed", header
    return _write_pattern(path, blobs[header["mails"][0]["canonical"]].decode())


def _payload():
    text = SAMPLE.read_text()
    payload = json.loads(text)
    return text.replace(payload["recipient"], RECIPIENT).replace(
        payload["template_data"]["login_code"], CODE)


def _write_pattern(path, text):
    assert RECIPIENT in text and CODE in text, text
    path.write_text(text.replace(RECIPIENT, "@ID@.r@RUN@@bench.test").replace(CODE, "@CODE@"))
    return path


def fill(queue_dir, pattern, rows, *options, build=None):
    """Puts rows messages into the folder, which no daemon may have. Gives what fill prints."""
    queue_dir.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str((build or relay.RELEASE_BUILD) / "bench/fill"), "--dir", str(queue_dir), "--body",
         str(pattern), "--rows", str(rows), *map(str, options)],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
