"""A small server for this machine only, behind a secret path.

Other users of the machine and pages of other sites can reach a port of it too. So the path holds a
token, and the `Host` header has to name this machine: a site whose name suddenly leads here (DNS
rebinding) is refused.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

HOST = "127.0.0.1"
_SECONDS = 30.0
"""A caller that says nothing for so long is cut off."""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


class LocalServer(ThreadingHTTPServer):
    """Serves until `shutdown`.

    Args:
        handler: answers requests.
        port: 0 for any that is free.

    Attributes:
        url: of the page, token and all.
        hosts: what a `Host` header may say.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[LocalHandler], port: int = 0) -> None:
        self._token = secrets.token_urlsafe(32)
        super().__init__((HOST, port), handler)
        number = self.server_address[1]
        self.hosts = {f"{name}:{number}" for name in (HOST, "localhost")}
        if number == 80:
            self.hosts |= {HOST, "localhost"}
        self.url = f"http://{HOST}:{number}/{self._token}/"

    def place(self, path: str) -> str | None:
        """Give what a path asks for below the secret; None without it."""
        token, _, rest = path.removeprefix("/").partition("/")
        known = secrets.compare_digest(token.encode("utf-8", "replace"), self._token.encode())
        return rest if known else None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: callers come and go as they like."""


class LocalHandler(BaseHTTPRequestHandler):
    """Answers what a subclass has methods for, and refuses the rest."""

    server: LocalServer
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS
    allowed: ClassVar[str] = "GET, HEAD"
    referrer: ClassVar[str] = "no-referrer"

    def asked(self) -> str | None:
        """Give what is asked for below the secret path; None: the caller is to be refused."""
        if self.headers.get_all("Host", []) not in [[host] for host in self.server.hosts]:
            return None
        return self.server.place(self.path)

    def do_GET(self) -> None:
        """Give whatever there is."""
        self.refuse(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        """Give the headers of that."""
        self.do_GET()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what http.server cannot read, without saying more than the status."""
        del message, explain
        known = {HTTPStatus.NOT_IMPLEMENTED: HTTPStatus.METHOD_NOT_ALLOWED}
        self.refuse(known.get(HTTPStatus(code), HTTPStatus(code)))

    def refuse(self, status: HTTPStatus) -> None:
        """Answer with a status and its name."""
        self.send(status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode())

    def redirect(self, url: str) -> None:
        """Have the caller get a page after what it has sent."""
        self.send(HTTPStatus.SEE_OTHER, "text/plain; charset=utf-8", b"", location=url)

    def send(
        self,
        status: HTTPStatus,
        kind: str,
        body: bytes,
        policy: str = _NOTHING,
        location: str | None = None,
    ) -> None:
        """Answer, and end the connection.

        Args:
            status: of HTTP.
            kind: the Content-Type.
            body: of the answer.
            policy: its Content-Security-Policy.
            location: where to go on.
        """
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Referrer-Policy", self.referrer)
        self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if location is not None:
            self.send_header("Location", location)
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", self.allowed)
        self.send_header("Connection", "close")  # which ends the connection here too
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        """Name the server, not what it runs on."""
        return "raytuner"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base
        """Keep the token out of logs: there are none."""
