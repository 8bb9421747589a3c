"""A real Kratos, of an image that is on this machine, beside the relay of docker_check.py: a person logs
in, verifies an address and recovers the account, each time by the code that the mail brought.
"""
import json
import re
import urllib.error
import urllib.request
import uuid

from commands import run, wait_until

OVERRIDE = """
  kratos-migrate:
    image: {image}
  kratos:
    image: {image}
"""
PUBLIC, ADMIN = 4433, 4434
FLOWS = {  # what a person sends first, and what shows that the code was right
    "verification": ("email", lambda answer: answer.get("state") == "passed_challenge"),
    "recovery": ("email", lambda answer: "redirect_browser_to" in answer or "continue_with" in answer),
    "login": ("identifier", lambda answer: "session_token" in answer),
}


class RealKratos:
    def __init__(self, relay):
        relay.compose("up", "-d", "--no-build", "kratos")
        container = relay.compose("ps", "-q", "kratos")
        self.address = run("docker", "inspect", "-f",
                           "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)
        wait_until(self.is_ready, "Kratos to be ready")

    def call(self, port, path, body=None):
        """Whatever the status is: a flow that goes on is a 400."""
        request = urllib.request.Request(f"http://{self.address}:{port}{path}",
                                         body and json.dumps(body).encode(),
                                         {"Content-Type": "application/json",
                                          "Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            return json.load(refusal)

    def is_ready(self):
        try:
            return self.call(ADMIN, "/health/ready") == {"status": "ok"}
        except OSError:
            return False

    def ask(self, flow, code_of):
        """One person, one flow: from the request to the code that is accepted."""
        field, is_passed = FLOWS[flow]
        address = f"{flow}-{uuid.uuid4().hex[:8]}@example.com"
        traits = {"email": address, "name": "Ödön", "lang": "hu"}
        self.call(ADMIN, "/admin/identities", {"schema_id": "person", "traits": traits})
        begun = self.call(PUBLIC, f"/self-service/{flow}/api")
        path = f"/self-service/{flow}?flow={begun['id']}"
        self.call(PUBLIC, path, {"method": "code", field: address})
        answer = self.call(PUBLIC, path, {"method": "code", "code": code_of(address),
                                          **({field: address} if flow == "login" else {})})
        assert is_passed(answer), f"{flow}: {json.dumps(answer)[:600]}"


def find_code(sink, address):
    def mails():
        return [mail for mail in list(sink.accepted) if mail.recipient == address]
    wait_until(mails, f"the mail to {address}")
    text = mails()[0].text()
    assert "Ödön" in text, text
    return re.search(r"\b\d{6}\b", text)[0]


def check(relay, sink):
    kratos = RealKratos(relay)
    for flow in FLOWS:
        kratos.ask(flow, lambda address: find_code(sink, address))
    found = relay.shell("courier-relay doctor --json --kratos http://kratos:4434 || true").splitlines()
    found = [one for one in map(json.loads, found) if one["subject"].startswith("kratos")]
    assert len(found) == 5 and all(one["severity"] == "fine" for one in found), found
    print(f"Kratos {kratos.call(ADMIN, '/version')['version']}: {', '.join(FLOWS)} by the code of the mail; "
          "doctor has looked at it")
