"""A small server for one rater: this machine only, behind a secret path, forms with a nonce.

Beside the guards of `raytuner.local_server`, what is sent has to come from the page itself:
`Origin` is checked, and a nonce goes with the form.
"""

from __future__ import annotations

import secrets
import threading
from http import HTTPStatus
from urllib.parse import parse_qs

from raytuner.component import RaytunerError
from raytuner.local_server import LocalHandler, LocalServer
from raytuner.manual.page import POLICY, card_page, end_page
from raytuner.manual.round import Round

_LONGEST = 4096
"""Bytes of a form; it has three short fields."""


class RatingServer(LocalServer):
    """Serves the comparisons of one rater until all are done, or the rater quits.

    Args:
        rating: the rater's comparisons.
        number: how many to judge now; None: all there are.
        port: 0 for any that is free.

    Attributes:
        url: of the page, token and all.
        farewell: set once the rater has been shown that nothing more is asked.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, rating: Round, number: int | None = None, port: int = 0) -> None:
        self.done = 0
        self.farewell = threading.Event()
        self.nonce = secrets.token_urlsafe(32)
        self._rating = rating
        self._number = number
        self._quit = False
        self._one = threading.Lock()
        super().__init__(_Handler, port)

    def page(self) -> tuple[str, bool]:
        """Give what the rater sees now, and whether that is all there is."""
        with self._one:
            if self._quit:
                return end_page(
                    self._rating.rated, "You may close this page, and go on later."
                ), True
            if self._number is not None and self.done >= self._number:
                return end_page(self._rating.rated, "That was all for now."), True
            card = self._rating.card()
            if card is None:
                return end_page(self._rating.rated, "All comparisons are done."), True
            return card_page(card, self._rating.rated + 1, self.nonce), False

    def judge(self, card: str, choice: str) -> None:
        """Take a judgement in; what is late or unknown changes nothing."""
        with self._one:
            if choice == "quit":
                self._quit = True
            elif self._rating.rate(card, choice):
                self.done += choice != "skip"


class _Handler(LocalHandler):
    """Answers GET of the page, and POST of its form."""

    server: RatingServer
    allowed = "GET, HEAD, POST"
    referrer = "same-origin"  # else browsers hide the origin of what they send

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        """Give the page."""
        place = self.asked()
        if place is None:
            return self.refuse(HTTPStatus.FORBIDDEN)
        if place != "":
            return self.refuse(HTTPStatus.NOT_FOUND)
        try:
            body, over = self.server.page()
        except (RaytunerError, OSError) as error:
            return self.send(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                f"{' '.join(str(error).split())}\n".encode(),
            )
        self.send(HTTPStatus.OK, "text/html; charset=utf-8", body.encode(), POLICY)
        if over and self.command == "GET":
            self.server.farewell.set()
        return None

    def do_POST(self) -> None:  # noqa: N802 - named by http.server
        """Take a judgement in, and show the next comparison."""
        if self.asked() != "rate" or not self._ours():
            return self.refuse(HTTPStatus.FORBIDDEN)
        form = self._form()
        if form is None or not secrets.compare_digest(
            form.get("nonce", "").encode(), self.server.nonce.encode()
        ):
            return self.refuse(HTTPStatus.FORBIDDEN)
        try:
            self.server.judge(form.get("card", ""), form.get("choice", ""))
        except (RaytunerError, OSError) as error:
            return self.send(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "text/plain; charset=utf-8",
                f"not kept: {' '.join(str(error).split())}\n".encode(),
            )
        return self.redirect(self.server.url)

    def _ours(self) -> bool:
        """Tell whether a form comes from the page: browsers say where a POST was made."""
        origins = self.headers.get_all("Origin", [])
        return all(origin in {f"http://{host}" for host in self.server.hosts} for origin in origins)

    def _form(self) -> dict[str, str] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LONGEST:
            return None
        try:
            found = parse_qs(self.rfile.read(int(length)).decode(), max_num_fields=8)
        except ValueError:
            return None
        return {name: values[0] for name, values in found.items()}
