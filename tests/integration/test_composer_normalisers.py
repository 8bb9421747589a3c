"""Normalisers in a composer by itself: what they may return, and what is done where they fail."""
import json
import re

import pytest
import relay as harness
from child import Child
from composer import (COMPOSER, bare, compose, compose_one, init, make, parse, start,  # noqa: F401
                      texts)


def test_fallback_needs_no_normaliser(start, tmp_path):
    broken = tmp_path / "broken.jsonnet"
    broken.write_text("function(payload) error 'the code is ' + payload.template_data.login_code")
    child = start(normaliser=str(broken))
    made = make("login_code_valid")
    header, _ = compose(child, made)
    assert (header["op"], header["reason"]) == ("failed", "normaliser_failed")
    assert "750046" not in json.dumps(header) and "broken.jsonnet" in header["detail"]

    mail, blobs = compose_one(child, made, fallback=True)
    assert (mail["park"], mail["template"]) == (None, "login_code_valid")
    assert mail["lifetime_ms"] == 900_000
    assert "Kratos' own text of login_code_valid." in texts(parse(blobs[mail["mime"]]))[0]
    shouting = {"Recipient": "a@example.com", "TemplateType": "recovery_valid", "Subject": "Hello",
                "Body": "World\n", "TemplateData": {"To": "a@example.com"}}
    mail, blobs = compose_one(child, shouting, fallback=True)
    assert (mail["template"], mail["recipient"]) == ("recovery_valid", "a@example.com")
    assert parse(blobs[mail["mime"]])["Subject"] == "Hello"
    header, _ = compose(child, made)  # and it is alive
    assert header["op"] == "failed"


def test_what_a_normaliser_may_return(start, tmp_path):
    path = tmp_path / "normaliser.jsonnet"
    path.write_text("function(payload) payload.result")
    child = start(normaliser=str(path))
    good = {"channel": "email", "template": "login_code_valid", "to": "a@example.com",
            "data": {"code": "123456"}, "request_headers": {"Cookie": ["COOKIE"]}}

    def results(result):
        header, blobs = compose(child, {"result": result})
        assert header["op"] == "composed", header
        return header["mails"], blobs
    assert results(None)[0] == [] and results([])[0] == []

    mails, blobs = results([good, {**good, "to": "b@example.com"}, {"to": 5}])
    assert [mail["park"] for mail in mails] == [None, None, "not_canonical"]
    assert [mail["detail"] for mail in mails] == [None, None, "to is no text"]
    assert [mail["recipient"] for mail in mails] == ["a@example.com", "b@example.com", None]
    ids = {parse(blobs[mail["mime"]])["Message-ID"] for mail in mails[:2]}
    assert len(ids) == 2
    assert len({mail["content_digest"] for mail in mails}) == 1
    assert b"COOKIE" not in b"".join(blobs)

    for wrong in ("x", 5, True, {}, {**good, "channel": "fax"}, {**good, "data": []}):
        mails, blobs = results(wrong)
        assert [mail["park"] for mail in mails] == ["not_canonical"] and not blobs
    assert len(results([good] * 16)[0]) == 16
    header, _ = compose(child, {"result": [good] * 17})
    assert (header["op"], header["reason"]) == ("failed", "compose_failed")
    assert compose(child, {"result": good})[0]["mails"][0]["park"] is None


@pytest.mark.parametrize("result, reason, detail", [
    ("double('0123456789', 18)", "normaliser_failed", ": the result is larger than 2 MiB"),
    ("payload { data: double('0123456789', 18) }", "normaliser_failed",
     ": the result is larger than 2 MiB"),
    ("std.makeArray(1000, function(i) payload)", "compose_failed", "more than 16 mails"),
    ("local nest(n) = [nest(n - 1)]; nest(1000)", "normaliser_failed",
     "max stack frames exceeded"),
])
def test_too_large_a_result_costs_that_payload_alone(start, tmp_path, result, reason, detail):
    path = tmp_path / "normaliser.jsonnet"
    path.write_text("local double(s, n) = if n == 0 then s else double(s + s, n - 1);\n"
                    f"function(payload) if payload.large then {result} else payload")
    child = start(normaliser=path)
    good = {"template": "login_code_valid", "to": "a@example.com", "data": {"code": "123456"}}
    for _ in range(2):
        header, _ = compose(child, {**good, "large": True})
        assert (header["op"], header["reason"]) == ("failed", reason)
        assert detail in header["detail"]
        assert compose_one(child, {**good, "large": False})[0]["park"] is None


def test_the_example_of_the_documentation(start, tmp_path):
    text = (harness.ROOT / "docs/normaliser.md").read_text()
    path = tmp_path / "example.jsonnet"
    path.write_text(re.search(r"```jsonnet\n(.*?)```", text, re.S).group(1))
    mail, blobs = compose_one(start(normaliser=str(path)), {
        "user": {"email": "zoe@example.com", "first": "Zoé", "last": "O", "locale": "hu-HU"},
        "otp": 750046, "ttl_minutes": 7})
    assert (mail["park"], mail["recipient"]) == (None, "zoe@example.com")
    assert (mail["template"], mail["locale"]) == ("login_code_valid", "hu")
    assert mail["lifetime_ms"] == 7 * 60_000
    canonical = json.loads(blobs[mail["canonical"]])
    assert canonical["data"] == {"code": "750046", "name": "Zoé O"}


def two_routes(folder, first, second, **changes):
    """An `init` with kratos and crm, of texts or, where they are None, the shipped one."""
    routes = []
    for name, text in (("kratos", first), ("crm", second)):
        path = folder / f"{name}.jsonnet"
        path.write_text(text or (harness.ROOT / "jsonnet/kratos_courier.jsonnet").read_text())
        routes.append({"name": name, "normaliser": str(path), "defaults": None})
    return {"routes": routes, **changes}


def test_each_route_has_its_normaliser_and_defaults(start, tmp_path):
    changes = two_routes(tmp_path, None,
                         "function(event) { to: event.who, data: { code: event.pin } }")
    changes["routes"][1]["defaults"] = {
        "template": "login_code_valid", "locales": ["hu"], "expires_in_minutes": 7}
    child = start(**changes)
    event = {"who": "zoe@example.com", "pin": "123456"}
    for _ in range(2):
        mail, _ = compose_one(child, event, route="crm")
        assert (mail["park"], mail["recipient"]) == (None, "zoe@example.com")
        assert (mail["template"], mail["locale"]) == ("login_code_valid", "hu")
        assert mail["lifetime_ms"] == 7 * 60_000
        mail, _ = compose_one(child, make("recovery_valid"), route="kratos")
        assert (mail["park"], mail["template"], mail["locale"]) == (None, "recovery_valid", "en")
        assert compose_one(child, make("recovery_valid"))[0]["template"] == "recovery_valid"

    # The fallback has them as well.
    made = {"recipient": "zoe@example.com", "subject": "Hello", "body": "World\n"}
    assert compose_one(child, made, route="crm", fallback=True)[0]["locale"] == "hu"


def test_an_unknown_route_is_told_and_has_a_fallback(start):
    child = start()
    header, _ = compose(child, make("login_code_valid"), route="gone")
    assert (header["op"], header["reason"]) == ("failed", "unknown_route")
    mail, _ = compose_one(child, make("login_code_valid"), route="gone", fallback=True)
    assert (mail["park"], mail["template"]) == (None, "login_code_valid")
    assert compose_one(child, make("login_code_valid"), route="kratos")[0]["park"] is None


def test_routes_that_fail_leave_the_others_alone(start, tmp_path):
    child = start(**two_routes(tmp_path, None, "function(event)\n  event.nothing"))
    for _ in range(3):
        header, _ = compose(child, {"code": "750046"}, route="crm")
        assert (header["op"], header["reason"]) == ("failed", "normaliser_failed")
        assert header["detail"] == f"{tmp_path}/crm.jsonnet:2:3: field does not exist"
        assert compose_one(child, make("login_code_valid"), route="kratos")[0]["park"] is None


@pytest.mark.parametrize("first, second, places", [
    ("function(p) {\n", "function(p) 'open", ["kratos.jsonnet:2:1", "crm.jsonnet:1:13"]),
    ("function(p) 1 /* open", "/* closed */ function(p) 1", ["kratos.jsonnet:1:15"]),
    (None, "function(p)\n  nowhere", ["crm.jsonnet:2:3"]),
    (None, "{}", ["crm.jsonnet"]),
    (None, "function(p) import 'x'\n +", ["crm.jsonnet:2:3"]),
])
def test_every_file_at_fault_is_named(bare, tmp_path, first, second, places):
    child = bare()
    header, _ = child.ask(init(**two_routes(tmp_path, first, second)))
    assert header["op"] == "faults", header
    assert [fault["where"] for fault in header["faults"]] == [
        f"{tmp_path}/{place}" for place in places], header
    assert child.wait() != 0


def test_a_normaliser_that_loops_can_be_killed(start, tmp_path):
    path = tmp_path / "endless.jsonnet"
    path.write_text("local endless(n) = endless(n + 1) tailstrict;\n"
                    "function(payload) if std.objectHas(payload, 'loop') then endless(0)")
    child = Child(COMPOSER)
    assert child.ask(init(normaliser=str(path)))[0]["op"] == "ready"
    child.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        compose(child, {"loop": True})
    child.process.kill()
    assert child.close() == -9


def test_a_normaliser_that_does_not_compile_is_a_fault(bare, tmp_path):
    path = tmp_path / "typo.jsonnet"
    for text, place in (("function(payload) {\n  a: b,\n}", ":2:"), ("{\n", ""),
                        ("import 'x'", ":1:"), ("function(payload) 1\0", "")):
        path.write_text(text)
        child = bare()
        header, _ = child.ask(init(normaliser=str(path)))
        assert header["op"] == "faults", text
        assert header["faults"][0]["where"].startswith(f"{path}{place}"), header
        assert child.wait() != 0


def test_evaluate(bare, tmp_path):
    child = bare()
    (tmp_path / "part.libsonnet").write_text("{ b: 2 }")
    ask = {"op": "evaluate", "file": "relay.jsonnet", "dir": str(tmp_path)}
    header, blobs = child.ask(ask, b"{ a: 1 } + import 'part.libsonnet'")
    assert header["op"] == "evaluated" and json.loads(blobs[0]) == {"a": 1, "b": 2}
    assert child.ask(ask, b"{}\0{}")[0]["op"] == "failed"
    header, _ = child.ask(ask, b"{\n  a: nowhere\n}")
    assert header["op"] == "failed" and "relay.jsonnet:2" in header["detail"]
