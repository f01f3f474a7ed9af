"""The report of a run that may still be going on: made anew when its journal has grown.

Looking whether there is news reads a file's size and time; only news makes a page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from raytuner.component import RaytunerError, digest
from raytuner.explaining import Explaining, explaining
from raytuner.printable import plain
from raytuner.results import Results

SCRIPT = Path(__file__).parent / "report" / "live.js"
"""Asks for the state and loads the page again; part of every live page."""
_LEAST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_REST = 4.0
"""Pause after a page of a running study, as a multiple of the time that it took to make."""
_TAIL = 1 << 16
_KIND = re.compile(rb'\{"crc":"[0-9a-f]{8}","event":"(\w+)"')
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"\s+content="([^"]*)"')
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1rem}"
)

Render = Callable[[Results, Explaining], str]
"""Makes the page of opened results; what it knows of single questions comes with it."""


class State(TypedDict):
    """What a live page asks for.

    Attributes:
        version: of the page as it would be made now.
        running: whether the study's last session has not been closed.
        event: the kind of the journal's last whole event, or None.
        bytes: size of the journal.
        changed: when it last grew, in seconds since the epoch, or None.
    """

    version: str
    running: bool
    event: str | None
    bytes: int
    changed: float | None


class Page(NamedTuple):
    """A page as it is served.

    Attributes:
        body: UTF-8.
        policy: its Content-Security-Policy.
        version: what it was made of.
    """

    body: bytes
    policy: str
    version: str


class _Seen(NamedTuple):
    """The journal file at one moment; all zero where there is none."""

    inode: int = 0
    size: int = 0
    modified: int = 0


class Live:
    """The page of one run folder. May be used by many threads.

    Args:
        folder: the run folder; need not be there yet.
        render: makes the page; None: the report.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        folder: Path,
        render: Render | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._render = render or report
        self._clock = clock
        self._looking, self._making = threading.Lock(), threading.Lock()
        self._taken: _Seen | None = None
        self._event: str | None = None
        self._next = 0.0
        self._page: Page | None = None
        self._session: list[Any] | None = None
        self._explaining = Explaining(None)

    def state(self) -> State:
        """Look at the journal. A page that was made just now stays the newest for a while."""
        with self._looking:
            seen = _look(self.folder / "journal.jsonl")
            if seen != self._taken:
                event = _last_event(self.folder / "journal.jsonl", seen)
                ended = event == "closed"
                if self._taken is None or ended or self._clock() >= self._next:
                    self._taken, self._event = seen, event
            taken = self._taken or seen
            return State(
                version=digest(list(taken)),
                running=taken.size > 0 and self._event != "closed",
                event=self._event,
                bytes=taken.size,
                changed=taken.modified / 1e9 if taken.inode else None,
            )

    def page(self) -> Page:
        """Give the newest page; it is made once, however many ask."""
        with self._making:
            version = self.state()["version"]
            if self._page is None or self._page.version != version:
                began = self._clock()
                self._page = self._made(version)
                pause = min(max(_LEAST_PAUSE, _REST * (self._clock() - began)), _LONGEST_PAUSE)
                with self._looking:
                    self._next = self._clock() + pause
            return self._page

    def _made(self, version: str) -> Page:
        try:
            text = self._text()
        except (RaytunerError, OSError) as error:
            text = _sentence(f"{_capital(' '.join(str(error).split()))}.")
        except Exception as error:  # noqa: BLE001 - the next page may be fine
            sys.stderr.write(f"the report cannot be made: {error!r}\n")
            text = _sentence("The report of this run cannot be made; the terminal says why.")
        text, policy = _alive(text, version)
        return Page(text.encode("utf-8", "replace"), policy, version)

    def _text(self) -> str:
        if not _begun(self.folder / "journal.jsonl"):
            return _sentence(
                f"Nothing has run in {self.folder} yet; this page fills itself once the study runs."
            )
        results = Results.open(self.folder)
        record = results.record
        session = [record.study, record.scope, record.sessions]
        if session != self._session:  # else what is known of single questions still holds
            self._explaining, self._session = explaining(results), session
        return self._render(results, self._explaining)


def report(results: Results, shown: Explaining) -> str:
    """Make the report as a live page."""
    from raytuner.report import render

    return render(results, explain=shown.explain, unexplained=shown.reason, live=True)


def _look(path: Path) -> _Seen:
    try:
        found = path.stat()
    except OSError:
        return _Seen()
    return _Seen(found.st_ino, found.st_size, found.st_mtime_ns)


def _begun(path: Path) -> bool:
    """Tell whether a journal holds a whole event."""
    try:
        with path.open("rb") as file:
            return file.readline().endswith(b"\n")
    except FileNotFoundError:
        return False


def _last_event(path: Path, seen: _Seen) -> str | None:
    """Name the kind of the last whole event, from the end of the file; None if it is not seen."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, seen.size - _TAIL), os.SEEK_SET)
            tail = file.read(_TAIL)
    except OSError:
        return None
    lines = tail.split(b"\n")[:-1]  # what follows the last line feed is not whole
    found = _KIND.match(lines[-1]) if lines else None
    return found[1].decode() if found else None


def _alive(text: str, version: str) -> tuple[str, str]:
    """Give a page the script that keeps it up to date, and leave to run it.

    Args:
        text: a whole page, with or without a policy of its own.
        version: what it was made of.

    Returns:
        The page, and the policy to send with it.
    """
    script = SCRIPT.read_text(encoding="utf-8")
    found = _POLICY.search(text)
    policy = html.unescape(found[1]) if found else "default-src 'none'; style-src 'unsafe-inline'"
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";") if rule.strip())
    rules["script-src"] = f"{rules.get('script-src', '')} {_hash(script)}".strip()
    rules["connect-src"] = "'self'"
    policy = "; ".join(f"{name} {value}".strip() for name, value in rules.items())
    if found:
        text = text[: found.start(1)] + html.escape(policy, quote=False) + text[found.end(1) :]
    text = text.replace("<html", f'<html data-live="{version}"', 1)
    before, end, after = text.rpartition("</body>")
    return f"{before}<script>{script}</script>{end}{after}", f"{policy}; frame-ancestors 'none'"


def _sentence(text: str) -> str:
    """Make a page of one sentence."""
    policy = f"default-src 'none'; style-src {_hash(_STYLE)}; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>raytuner</title><style>{_STYLE}</style></head>"
        f"<body><main><p>{html.escape(plain(text))}</p></main></body></html>\n"
    )


def _hash(text: str) -> str:
    """Spell a text as a Content-Security-Policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _capital(text: str) -> str:
    return text.rstrip(".") if text[:1] in "/." else text[:1].upper() + text[1:].rstrip(".")
