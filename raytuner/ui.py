"""A small server for the live report: this machine only, to be read only, behind a secret path."""

from __future__ import annotations

import json
from http import HTTPStatus

from raytuner.live import Live
from raytuner.local_server import HOST as HOST  # noqa: PLC0414 - where the page is served
from raytuner.local_server import LocalHandler, LocalServer


class LiveServer(LocalServer):
    """Serves the page and the state of one run; serves until `shutdown`.

    Args:
        live: the run.
        port: 0 for any that is free.

    Attributes:
        url: of the page, token and all.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, live: Live, port: int = 0) -> None:
        self.live = live
        super().__init__(_Handler, port)


class _Handler(LocalHandler):
    """Answers GET and HEAD of two paths, and nothing else."""

    server: LiveServer

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        """Give page or state."""
        place = self.asked()
        if place is None:
            return self.refuse(HTTPStatus.FORBIDDEN)
        if place == "":
            page = self.server.live.page()
            return self.send(HTTPStatus.OK, "text/html; charset=utf-8", page.body, page.policy)
        if place == "state":
            body = json.dumps(self.server.live.state()).encode()
            return self.send(HTTPStatus.OK, "application/json", body)
        return self.refuse(HTTPStatus.NOT_FOUND)
