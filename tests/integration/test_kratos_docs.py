"""What docs/kratos.md and deploy/kratos.yaml give to copy is what is tested, and works."""
import base64
import json
import re
import shutil
import subprocess

import pytest
import relay as harness
import shapes
from child import Child

BODY = harness.ROOT / "jsonnet/kratos_body.jsonnet"
DOCUMENT = (harness.ROOT / "docs/kratos.md").read_text()
DEPLOY = (harness.ROOT / "deploy/kratos.yaml").read_text()
SHARED = harness.ROOT / "../shared/kratos-payloads"
HEADERS = ("Accept-Language", "User-Agent")
RECORDS = ("verifiable_addresses", "recovery_addresses", "schema_url")


def yaml_blocks():
    return re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.M | re.S)


def read_yaml(text):
    """The few forms of YAML that we write: maps by indentation, lists of maps or of texts."""
    lines = [(len(line) - len(line.lstrip()), line.strip()) for line in text.splitlines()
             if line.strip() and not line.lstrip().startswith("#")]
    value, rest = _read_node(lines, lines[0][0])
    assert not rest, f"not understood: {rest[0]}"
    return value


def _read_node(lines, indent):
    is_list = lines[0][1].startswith("- ")
    made = [] if is_list else {}
    while lines and lines[0][0] == indent and lines[0][1].startswith("- ") == is_list:
        text, *lines = lines[0][1], *lines[1:]
        if is_list:
            item = text[2:]
            if re.match(r"\w+:( |$)", item):
                item, lines = _read_node([(indent + 2, item), *lines], indent + 2)
            made.append(item)
            continue
        key, _, value = text.partition(":")
        assert re.fullmatch(r"\w+", key) and key not in made, text
        value = value.strip()
        if not value:
            assert lines and lines[0][0] > indent, f"nothing below {key}"
            value, lines = _read_node(lines, lines[0][0])
        made[key] = value
    return made, lines


def couriers():
    blocks = [read_yaml(text) for text in yaml_blocks()]
    return [block["courier"] for block in blocks if "http" in block.get("courier", {})]


def decoded(uri):
    assert uri.startswith("base64://")
    return base64.b64decode(uri.removeprefix("base64://"), validate=True).decode()


def test_the_documented_command_makes_the_documented_body():
    command, = re.findall(r"^    (grep .*base64.*)$", DOCUMENT, re.M)
    made = subprocess.run(command, shell=True, cwd=harness.ROOT, capture_output=True, text=True,
                          check=True).stdout
    bodies = re.findall(r"base64://(\S+)", DOCUMENT + DEPLOY)
    assert len(bodies) == 3 and set(bodies) == {made}
    assert len(decoded(f"base64://{made}")) < 1024  # it counts against Kratos' 64 KiB


def test_each_section_has_what_its_version_needs():
    newer, oldest = couriers()
    for courier in (newer, oldest):
        request = courier["http"]["request_config"]
        assert courier["delivery_strategy"] == "http" and courier["message_retries"] == "300"
        assert request["url"].endswith("/kratos/webhook") and request["method"] == "POST"
        assert request["auth"] == {"type": "api_key", "config": {
            "name": "X-Api-Key", "value": "THE_SAME_KEY", "in": "header"}}
    assert set(newer) == {"delivery_strategy", "message_retries", "worker", "http"}
    assert set(oldest) == {"delivery_strategy", "message_retries", "smtp", "http"}
    assert re.match(r"smtps?://", oldest["smtp"]["connection_uri"])
    assert int(newer["worker"]["pull_count"]) <= 255
    assert newer == read_yaml(DEPLOY)["courier"]


def test_what_compose_runs_is_what_is_documented():
    folder = harness.ROOT / "deploy/kratos"
    assert (folder / "body.jsonnet").read_text() == BODY.read_text()
    kratos = read_yaml((folder / "kratos.yml").read_text())
    courier, request = kratos["courier"], kratos["courier"]["http"]["request_config"]
    documented = read_yaml(DEPLOY)["courier"]
    assert request["url"] == "http://relay:8080/kratos/webhook"
    assert request["body"] == "file:///etc/config/kratos/body.jsonnet"
    # All else is the same; the key is in a file of its own.
    request |= {name: documented["http"]["request_config"][name] for name in ("url", "body", "auth")}
    assert courier == documented
    schema = json.loads((folder / "identity.schema.json").read_text())
    assert kratos["identity"]["schemas"][0]["url"].endswith("/identity.schema.json")
    assert {"email", "lang", "name"} == set(schema["properties"]["traits"]["properties"])


def test_the_secrets_of_compose_are_made_once_and_agree(tmp_path):
    script = shutil.copy(harness.ROOT / "deploy/make_secrets.sh", tmp_path)
    made = []
    for _ in range(2):
        subprocess.run([script], check=True)
        made.append({path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1] and len(made[0]) == 3
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    kratos = read_yaml(made[0]["kratos-secrets.yml"])
    name, key = made[0]["relay-api-key"].strip().split(":")
    assert name == "kratos" and len(key) == 48
    assert kratos["courier"]["http"]["request_config"]["auth"] == {
        "type": "api_key", "config": {"name": "X-Api-Key", "value": key, "in": "header"}}
    assert [len(one) for one in kratos["secrets"]["cipher"]] == [32]  # Kratos takes no other
    assert made[0]["relay-admin-key"].split(":")[:2] == ["me", "operate"]
    # And the relay takes them.
    relay = harness.Relay(tmp_path / "relay", api_key=None, smtp_uri="smtp://localhost/",
                          api_key_file=tmp_path / "secrets/relay-api-key",
                          admin_key_file=tmp_path / "secrets/relay-admin-key")
    relay.folder.mkdir()
    assert "0 faults" in relay.command("check").stdout


def test_a_channel_has_what_kratos_gives_it_no_default_for():
    channel, = (channel for text in yaml_blocks()
                for channel in read_yaml(text).get("courier", {}).get("channels", []))
    assert channel["id"] == "sms" and channel["type"] == "http"
    assert {"url", "method", "body"} <= set(channel["request_config"])


def test_the_reader_of_yaml_agrees_with_a_real_one():
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

    def texts(value):
        if isinstance(value, dict):
            return {key: texts(one) for key, one in value.items()}
        if isinstance(value, list):
            return [texts(one) for one in value]
        return str(value).lower() if isinstance(value, bool) else str(value)
    for text in (*yaml_blocks(), DEPLOY):
        assert read_yaml(text) == texts(yaml.safe_load(text))


# ---- the body itself -----------------------------------------------------------------------------

def reduced(payload):
    """What the body is to leave of a payload."""
    made = json.loads(json.dumps(payload))
    if not isinstance(made, dict):
        return made
    headers, data = made.get("request_headers"), made.get("template_data")
    if isinstance(headers, dict):
        made["request_headers"] = {key: headers[key] for key in HEADERS if key in headers}
    if isinstance(data, dict) and isinstance(data.get("identity"), dict):
        for record in RECORDS:
            data["identity"].pop(record, None)
    return made


def files():
    folders = [harness.ROOT / "jsonnet/samples", *([SHARED] if SHARED.exists() else [])]
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            yield str(path), json.loads(path.read_text())


def odd():
    # 60 kB and depth are the evaluator's business, not the body's.
    for template in ("login_code_valid", "verification_valid"):
        for row in (*shapes.odd_values(template), *shapes.odd_keys(template)):
            if "60 kB" not in row.name and "deep" not in row.name and "NUL" not in row.name:
                yield row.name, row.payload
    yield from ((f"the whole is {value!r}", value)
                for value in (None, True, 7, "text", "", [], [[]], {}, [{"request_headers": {}}]))


def evaluate(text):
    child = Child(str(harness.program("composer")))
    try:
        header, blobs = child.ask({"op": "evaluate", "file": "body.jsonnet", "dir": "/"},
                                  text.encode())
        assert header["op"] == "evaluated", header
        return json.loads(blobs[0])
    finally:
        child.close()


@pytest.mark.parametrize("payloads", [files, odd])
def test_the_body_never_fails_and_drops_nothing_else(payloads):
    rows = dict(payloads())
    body = decoded(couriers()[0]["http"]["request_config"]["body"])
    for text in (BODY.read_text(), body):
        values = json.dumps(list(rows.values()))
        made = evaluate(f"local body = (\n{text}\n);\nstd.map(body, {values})")
        for (name, payload), got in zip(rows.items(), made, strict=True):
            assert got == reduced(payload), name
