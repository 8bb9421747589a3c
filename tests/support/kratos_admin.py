"""A stand-in for Kratos' admin API, as far as one who only looks needs it.

Pages, and names the next one in Link, by an address that nobody else can reach, as Kratos does
behind a proxy. Redirects what is not below /admin, as its newer versions do.
"""
import contextlib
import datetime
import http.server
import json
import threading
import urllib.parse
import uuid


def ago(**duration):
    """A moment in the past as Kratos writes it."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(**duration)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"


def message(status, created, updated=None, tries=1, recipient="zoe.ohara@example.com"):
    return {"id": str(uuid.uuid4()), "status": status, "type": "email", "recipient": recipient,
            "body": "<redacted-unless-dev-mode>", "subject": "Your code", "channel": "email",
            "template_type": "login_code_valid", "send_count": tries, "created_at": created,
            "updated_at": updated or created}


def identity(size=0, **more):
    return {"id": str(uuid.uuid4()), "schema_id": "default", "state": "active",
            "traits": {"email": "zoe.ohara@example.com", "picture": "x" * size}, **more}


class KratosAdmin:
    def __init__(self, version="v26.2.0"):
        self.version = version
        self.messages, self.identities = [], []
        self.paths = []
        stand_in = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                stand_in.answer(self)

            def log_message(self, *_):
                pass
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request):
        address = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        self.paths.append(request.path)
        if not address.path.startswith("/admin"):
            self._send(request, 307, None, Location="/admin" + request.path)
        elif address.path == "/admin/version":
            self._send(request, 200, {"version": self.version})
        elif address.path == "/admin/courier/messages":
            rows = [row for row in self.messages if row["status"] == query.get("status")]
            self._send_page(request, address.path, query, rows)
        elif address.path == "/admin/identities":
            self._send_page(request, address.path, query, self.identities)
        else:
            self._send(request, 404, {"error": {"code": 404}})

    def _send_page(self, request, path, query, rows):
        size, start = int(query.get("page_size", 10)), int(query.get("page_token", 0))
        links = f'<https://id.example.com{path}?page_size={size}&page_token=0>; rel="first"'
        if start + size < len(rows):
            rest = {**query, "page_token": start + size}
            links = (f'<https://id.example.com{path}?{urllib.parse.urlencode(rest)}>; rel="next",'
                     + links)
        self._send(request, 200, rows[start:start + size], Link=links)

    def _send(self, request, status, body, **headers):
        text = b"" if body is None else json.dumps(body).encode()
        request.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        with contextlib.suppress(ConnectionError):
            request.wfile.write(text)

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=[0.02], daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
