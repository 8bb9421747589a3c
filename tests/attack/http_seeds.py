"""Requests that mutations begin with: good ones, and one of each kind of bad one.

Each seed is a function of a fresh payload's bytes and gives the request's bytes. Beside it stand
the statuses that it has when nobody has touched it, in the order of its answers. CANARY stands
wherever a stranger's text could be echoed.
"""
import relay as harness

KEY = harness.API_KEY.encode()
CANARY = b"Canary7f3a"
PATH = b"/kratos/webhook"
HOST, AUTH = b"Host: relay", b"X-Api-Key: " + KEY
JSON, AGENT = b"Content-Type: application/json", b"User-Agent: " + CANARY
GOOD = [HOST, AGENT, AUTH, JSON]


def request(body=b"", headers=(), method=b"POST", path=PATH, version=b"HTTP/1.1", length=True):
    lines = [b" ".join([method, path, version]), *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def chunked(body, headers=GOOD, size=700, extension=b"", trailers=b"", coding=b"chunked"):
    pieces = [body[at:at + size] for at in range(0, len(body), size)]
    encoded = b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extension, piece) for piece in pieces)
    head = request(headers=[*headers, b"Transfer-Encoding: " + coding], length=False)
    return head + encoded + b"0\r\n" + trailers + b"\r\n"


def without(*gone):
    return [line for line in GOOD if line not in gone]


def good(body, *more, gone=(), **options):
    return request(body, [*without(*gone), *more], **options)


# name: (function of a payload, statuses of its answers). A seed without statuses may be answered
# in more than one way.
SEEDS = {
    # Good ones.
    "post": (good, [200]),
    "chunked": (chunked, [200]),
    "small chunks": (lambda body: chunked(body, size=16), [200]),
    "chunk extensions": (lambda body: chunked(body, extension=b";a=" + CANARY), [200]),
    "trailers": (lambda body: chunked(body, trailers=b"X-Trailer: " + CANARY + b"\r\n"), [200]),
    "two in a row": (lambda body: good(body) + good(body), [200, 200]),
    "http/1.0": (lambda body: good(body, version=b"HTTP/1.0"), [200]),
    "closing": (lambda body: good(body, b"Connection: close"), [200]),
    "charset": (lambda body: good(body, b"Content-Type: application/json; charset=utf-8",
                                  gone=[JSON]), [200]),
    "lower case": (lambda body: good(body, b"x-api-key: " + KEY, gone=[AUTH]), [200]),
    "white space": (lambda body: good(b" \n" + body + b"\r\n "), [200]),
    "long header": (lambda body: good(body, b"X-Long: " + CANARY * 400), [200]),
    "many headers": (lambda body: good(body, *[b"X-%d: %d" % (i, i) for i in range(100)]), [200]),
    "health": (lambda body: request(method=b"GET", path=b"/health/live", headers=[HOST],
                                    length=False), [200]),
    "ready": (lambda body: request(method=b"HEAD", path=b"/health/ready", headers=[HOST],
                                   length=False), [200]),
    # No key, or none that counts.
    "no key": (lambda body: good(body, gone=[AUTH]), [401]),
    "wrong key": (lambda body: good(body, b"X-Api-Key: " + CANARY, gone=[AUTH]), [401]),
    "empty key": (lambda body: good(body, b"X-Api-Key:", gone=[AUTH]), [401]),
    "half a key": (lambda body: good(body, AUTH[:-5], gone=[AUTH]), [401]),
    "key in a cookie": (lambda body: good(body, b"Cookie: X-Api-Key=" + KEY, gone=[AUTH]), [401]),
    "key in the query": (lambda body: good(body, gone=[AUTH], path=PATH + b"?X-Api-Key=" + KEY),
                         None),
    "bearer": (lambda body: good(body, b"Authorization: Bearer " + KEY, gone=[AUTH]), [401]),
    "no key, much body": (lambda body: good(b"[" + CANARY * 6000 + b"]", gone=[AUTH]), None),
    # What could be read in two ways.
    "two keys": (lambda body: good(body, b"X-Api-Key: " + CANARY), [400]),
    "two lengths": (lambda body: good(body, b"Content-Length: 5"), [400]),
    "length and chunked": (lambda body: good(body, b"Transfer-Encoding: chunked"), None),
    "two hosts": (lambda body: good(body, b"Host: " + CANARY), [400]),
    "no host": (lambda body: good(body, gone=[HOST]), [400]),
    "odd coding": (lambda body: chunked(body, coding=b"gzip, chunked"), None),
    # The library refuses this one itself, and writes the head of its answer twice.
    "signed length": (lambda body: good(body, b"Content-Length: +5", length=False), [400, 400]),
    "hidden by NUL": (lambda body: good(body, AUTH + b"\0" + CANARY, gone=[AUTH]), [400]),
    # Other places, methods, types, sizes.
    "no such path": (lambda body: good(body, path=b"/" + CANARY), [404]),
    "encoded path": (lambda body: good(body, path=b"/kratos%2Fwebhook"), [404]),
    "double slash": (lambda body: good(body, path=b"//kratos/webhook"), [404]),
    "NUL in the path": (lambda body: good(body, path=PATH + b"%00"), [404]),
    "get": (lambda body: request(headers=GOOD, method=b"GET", length=False), [405]),
    "put": (lambda body: good(body, method=b"PUT"), [405]),
    "text": (lambda body: good(body, b"Content-Type: text/plain", gone=[JSON]), [415]),
    "compressed": (lambda body: good(body, b"Content-Encoding: gzip"), [415]),
    "too large by its word": (lambda body: good(b"", b"Content-Length: 99999999", length=False),
                              [413]),
    "too large, chunked": (lambda body: chunked(b"[" + b"9" * 40000 + b"]", size=4000), [413]),
    # Bodies.
    "empty body": (lambda body: good(b""), [400]),
    "no JSON": (lambda body: good(CANARY), [400]),
    "braces only": (lambda body: good(b"{" + CANARY + b"}"), [200]),
    "expect": (lambda body: good(body, b"Expect: 100-continue"), [100, 200]),
    "no key, expect": (lambda body: good(body, b"Expect: 100-continue", gone=[AUTH]), [401]),
    "no http": (lambda body: b"EHLO " + CANARY + b"\r\nMAIL FROM:<>\r\n\r\n", None),
    "tls": (lambda body: bytes.fromhex("16030100c8010000c40303") + body, None),
    "http/2": (lambda body: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
}
