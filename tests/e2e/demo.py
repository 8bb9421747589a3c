#!/usr/bin/python3
"""Four real payloads of Kratos become four localized mails, before your eyes.

Starts a local SMTP server that stores what it gets as .eml, starts the relay with an embedded
queue in a temporary folder, POSTs, and prints what arrived. Exit status 0 only where all four
arrived, each in the right language with the right code.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

# Sample, language it must arrive in, and why.
SAMPLES = [
    ("v26-login_code_valid", "de", "Kratos v26.2, the browser's Accept-Language"),
    ("homassy-login_code_valid", "hu", "a reduced body, default_language: hu"),
    ("v1.2-registration_code_valid", "en", "Kratos v1.2, lang: en-GB among the traits"),
    ("v1.0-verification_code_valid", "en", "Kratos v1.0, PascalCase"),
]
CODE_KEYS = ("login_code", "registration_code", "verification_code", "VerificationCode")


def find(value, keys):
    """The first value below any of those keys."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key in keys and isinstance(below, (str, int)):
                return str(below)
            found = find(below, keys)
            if found:
                return found
    return None


def show(number, mail, expected, code):
    """Prints one mail; true where language and code are right."""
    language = (mail.language or "").split("-")[0]
    right = language == expected and code is not None and code in mail.text()
    print(f"--- mail {number}, to {mail.recipient}")
    print(f"Subject:  {mail.subject}")
    print(f"Language: {mail.language}" + ("" if language == expected else f", not {expected}"))
    print(f"Code:     {code}" + ("" if right else "  WRONG"))
    print()
    print("\n".join("    " + line for line in mail.text().splitlines()))
    print()
    return right


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/release", help="folder of the built programs")
    os.environ["RELAY_BUILD"] = parser.parse_args().build
    import relay as harness
    import sink as sink_module

    folder = pathlib.Path(tempfile.mkdtemp(prefix="courier-relay-demo-"))
    mails_folder = folder / "mails"
    mails_folder.mkdir()
    right = 0
    with sink_module.Sink(mails_folder) as sink, \
            harness.Relay(folder / "relay", smtp_uri=harness.smtp_uri(sink)) as relay:
        print(f"courier-relay listens on port {relay.port}, the SMTP server on {sink.port}\n")
        payloads = []
        for name, language, why in SAMPLES:
            payload = json.loads((ROOT / "jsonnet/samples" / f"{name}.json").read_text())
            answer = relay.post(payload)
            print(f"POST {name}.json: {answer.status}   ({why})")
            payloads.append((payload, language))
        print()
        mails = {mail.recipient: mail for mail in sink.wait_for(len(SAMPLES))}
        for number, (payload, language) in enumerate(payloads, 1):
            recipient = find(payload, ("recipient", "Recipient")) or find(payload, ("to",))
            right += show(number, mails[recipient], language, find(payload, CODE_KEYS))
        relay.wait_for("sent", count=len(SAMPLES))
        harness.wait_until(
            lambda: {row["state"] for row in relay.queue_list()} == {"sent"}, "the outcomes")
        print("$ courier-relay queue list")
        print(relay.command("queue", "list").stdout)
    print(f"{right} of {len(SAMPLES)} mails arrived, in the right language with the right code.")
    print(f"They are in {mails_folder}")
    return 0 if right == len(SAMPLES) else 1


if __name__ == "__main__":
    sys.exit(main())
