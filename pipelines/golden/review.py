"""A review of a golden set: one decision a question, each on disk before the next one."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipelines.golden.files import (
    Record,
    dropped_file,
    numbered_records,
    read_records,
    write_records,
)
from raytuner.component import ConfigError

REVIEWED = "reviewed"
KEPT, EDITED = "kept", "edited"


class _Done(NamedTuple):
    """A decision, and what takes it back."""

    place: int
    record: Record
    dropped: bool


class Review:
    """Decisions about the questions of a file that nobody has reviewed yet.

    What is dropped goes to a file of its own beside it (`golden.dropped.jsonl`), so that a later
    `generate` does not bring it back.

    Args:
        path: JSON lines.

    Raises:
        ConfigError: there is no such file, or it is none of questions.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() != ".jsonl":
            raise ConfigError(f"{path} cannot be reviewed: only JSON lines (.jsonl) can")
        self.path = path
        self._records = [record for _, record in numbered_records(path)]
        self._dropped = read_records(dropped_file(path))
        self._done: list[_Done] = []
        self._skipped: set[str] = set()
        self.counts = {KEPT: 0, EDITED: 0, "dropped": 0, "skipped": 0}

    @property
    def current(self) -> Record | None:
        """The question to decide about; None: there is none left."""
        place = self._place()
        return None if place is None else self._records[place]

    @property
    def left(self) -> int:
        """Questions that wait for a decision, the current one included."""
        return sum(map(self._waits, self._records))

    def keep(self) -> None:
        """Mark the current question as good."""
        self._mark(KEPT, {})

    def edit(self, question: str, answer: str | None) -> None:
        """Put another question and answer in the place of the current ones; its id stays.

        Raises:
            ConfigError: the question is blank.
        """
        if not question.strip():
            raise ConfigError("a question cannot be blank; use drop to remove it")
        given = answer.strip() if answer and answer.strip() else None
        self._mark(EDITED, {"question": question.strip(), "answer": given})

    def drop(self) -> None:
        """Move the current question to the file of dropped ones."""
        place = self._decided()
        record = self._records.pop(place)
        self._done.append(_Done(place, record, dropped=True))
        self._dropped.append({**record, REVIEWED: "dropped"})
        self.counts["dropped"] += 1
        write_records(dropped_file(self.path), self._dropped)  # in both files rather than in none
        write_records(self.path, self._records)

    def skip(self) -> None:
        """Leave the current question for another time."""
        record = self._records[self._decided()]
        self._skipped.add(record["id"])
        self.counts["skipped"] += 1

    def undo(self) -> bool:
        """Take the last decision back; tells whether there was one. Skipped ones come back too."""
        self._skipped.clear()
        self.counts["skipped"] = 0
        if not self._done:
            return False
        place, record, dropped = self._done.pop()
        if dropped:
            self._records.insert(place, record)
            self._dropped.pop()
            self.counts["dropped"] -= 1
            write_records(self.path, self._records)
            write_records(dropped_file(self.path), self._dropped)
        else:
            self.counts[self._records[place][REVIEWED]] -= 1
            self._records[place] = record
            write_records(self.path, self._records)
        return True

    def _mark(self, how: str, changes: Record) -> None:
        place = self._decided()
        record = self._records[place]
        self._done.append(_Done(place, record, dropped=False))
        self._records[place] = {**record, **changes, REVIEWED: how}
        self.counts[how] += 1
        write_records(self.path, self._records)

    def _place(self) -> int | None:
        return next((n for n, record in enumerate(self._records) if self._waits(record)), None)

    def _decided(self) -> int:
        place = self._place()
        if place is None:
            raise LookupError("no question is left")
        return place

    def _waits(self, record: Record) -> bool:
        return not record.get(REVIEWED) and record["id"] not in self._skipped
