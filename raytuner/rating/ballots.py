"""The judgements of one rater: a file that only grows, a checksum a line, on disk one by one.

`ratings/<rater>.jsonl` in the run folder has the format of the journal. Lines are numbered and
each has the checksum of the one before, so that one that was changed, taken out or put in by hand
is found; a line torn by a crash can only be the last one, and is dropped.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

from raytuner.component import ConfigError
from raytuner.journal import SCHEMA, decode, encode, make_folder

Choice = Literal["left", "right", "tie", "skip", "same"]
"""What may be on file; `same`: the answers are equal to the letter, so nobody was asked."""
CHOICES: tuple[Choice, ...] = ("left", "right", "tie", "skip")
"""What a rater may choose."""
FOLDER = "ratings"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_START = "00000000"


class Ballot(NamedTuple):
    """One judgement.

    Attributes:
        rater: who.
        unit: the question.
        left, right: keys of the trials, as they were shown.
        choice: which answer is better.
        answers: digests of the two answers, left and right.
        scope: of the trials (see `Record.scope`).
    """

    rater: str
    unit: str
    left: str
    right: str
    choice: Choice
    answers: tuple[str, str]
    scope: str

    @property
    def pair(self) -> tuple[str, str]:
        """The trials, in an order that does not depend on sides."""
        return (self.left, self.right) if self.left < self.right else (self.right, self.left)

    @property
    def outcome(self) -> int | None:
        """1: the first of `pair` is better, -1: the second, 0: a tie, None: nobody judged."""
        if self.choice in {"skip", "same"}:
            return None
        if self.choice == "tie":
            return 0
        better = self.left if self.choice == "left" else self.right
        return 1 if better == self.pair[0] else -1


def checked_rater(name: str) -> str:
    """Check that a name can name a file.

    Raises:
        ConfigError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"rater {name!r:.80} cannot name a file: begin with a letter or digit and go on with "
            "letters, digits, `.`, `_` or `-`, at most 64"
        )
    return name


def read_all(folder: Path) -> list[Ballot]:
    """Read every rater's judgements of a run folder, also while they are given; by rater.

    Raises:
        ConfigError: a file was damaged or edited; names file and line.
    """
    try:
        paths = sorted((folder / FOLDER).glob("*.jsonl"))
    except OSError:
        return []
    return [ballot for path in paths for ballot in _read(path)[0]]


def _read(path: Path) -> tuple[list[Ballot], int, str]:
    """Read a file: judgements, the offset after the last whole line, and that line's checksum."""
    found: list[Ballot] = []
    good, last = 0, _START
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0, last
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        try:
            event = decode(line)
            if event["n"] != number or event["after"] != last:
                raise ValueError("a line is missing")
            ballot = _ballot(path.stem, event)
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                f"{path}, line {number}: this line, or one before it, is not as it was written; "
                "ratings are not edited by hand: restore the file from a copy, or move it away "
                "to rate anew"
            ) from None
        if event.get("schema", SCHEMA) > SCHEMA:
            raise ConfigError(f"{path}, line {number}: written by a newer raytuner; upgrade it")
        last = _checksum(line)
        found.append(ballot)
        good += len(line)
    return found, good, last


def _checksum(line: bytes) -> str:
    return line[8:16].decode()  # {"crc":"xxxxxxxx",


def _ballot(rater: str, event: Mapping[str, Any]) -> Ballot:
    if event["choice"] not in {*CHOICES, "same"} or event["rater"] != rater:
        raise ValueError("no judgement of this rater")
    left, right = event["answers"]
    return Ballot(
        rater, str(event["unit"]), str(event["left"]), str(event["right"]), event["choice"],
        (left, right), str(event["scope"]),
    )  # fmt: skip


class BallotBox:
    """The one writer of a rater's file.

    Args:
        folder: the run folder.
        rater: names the file.

    Attributes:
        ballots: what is in it.

    Raises:
        ConfigError: no name for a file, a file that was edited, or one that is in use.
    """

    def __init__(self, folder: Path, rater: str) -> None:
        self.rater = checked_rater(rater)
        make_folder(folder / FOLDER)
        self.path = folder / FOLDER / f"{rater}.jsonl"
        try:
            self._file: IO[bytes] = self.path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None
        try:
            self._own()
            self.ballots, good, self._last = _read(self.path)
            self._file.truncate(good)
        except BaseException:
            self._file.close()
            raise

    def _own(self) -> None:
        try:
            fcntl.flock(self._file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{self.rater} is rating in another window: end that one, or give another --rater"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"{self.path} is on a file system without locks ({error.strerror}); keep the run "
                "folder on a local disk"
            ) from None

    def add(self, ballot: Ballot, seconds: float = 0.0) -> None:
        """Keep a judgement; it is on disk once this returns.

        Raises:
            OSError: it cannot be kept; nothing of it is.
        """
        event = {
            "event": "rating",
            "schema": SCHEMA,
            "n": len(self.ballots) + 1,
            "after": self._last,
            **ballot._asdict(),
            "seconds": round(seconds, 1),
            "t": round(time.time(), 3),
        }
        line = encode(event)
        size = os.fstat(self._file.fileno()).st_size
        try:
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            raise
        self._last = _checksum(line)
        self.ballots.append(ballot)

    def close(self) -> None:
        """Let the rater go on elsewhere."""
        self._file.close()

    def __enter__(self) -> BallotBox:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Ballot]:
        return iter(self.ballots)
