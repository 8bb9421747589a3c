"""Payloads as Kratos v26.2 POSTs them, for tests: small, and each one's own.

What is secret in them is of canaries.py. What Kratos really sends, whole, is in jsonnet/samples.
"""
import json
import random

import canaries


def unique_recipient(prefix="reader"):
    return canaries.recipient(prefix)


def payload(template="login_code_valid", recipient=None, *, data=None, language="en", minutes=15,
            headers=None, **fields):
    """A payload without a code; the functions below add what their type has."""
    recipient = recipient or unique_recipient()
    template_data = {
        "to": recipient, "request_url": "https://auth.example.org/self-service/login/browser",
        "identity": {"id": f"7c0f0011-4b6e-4b0a-9a52-{random.getrandbits(48):012x}",
                     "traits": {"email": recipient, "lang": language}},
        "transient_payload": {}, **(data or {})}
    if minutes is not None:
        template_data["expires_in_minutes"] = minutes
    return {
        "recipient": recipient, "subject": f"Kratos' own subject of {template}",
        "body": f"Kratos' own text of {template}.\n", "template_type": template,
        "message_type": "email", "template_data": template_data,
        "request_headers": headers if headers is not None else {}, **fields}


def login_code(recipient=None, code=None, **options):
    code = code or canaries.code()
    made = payload("login_code_valid", recipient, **options)
    made["template_data"]["login_code"] = code
    made["subject"] = f"Use code {code} to log in"
    made["body"] = f"Login to your account with the following code:\n\n{code}\n"
    return made


def recovery_link(flow, recipient=None, token=None, **options):
    made = payload("recovery_valid", recipient, **options)
    made["template_data"]["recovery_url"] = (
        "https://auth.example.org/self-service/recovery"
        f"?flow={flow}&token={token or canaries.token()}")
    return made


def code_of(made):
    return made["template_data"]["login_code"]


def as_bytes(made):
    return json.dumps(made).encode()
