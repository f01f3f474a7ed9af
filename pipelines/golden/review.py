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
KEPT, EDITED, DROPPED, SKIPPED = "kept", "edited", "dropped", "skipped"


class _Done(NamedTuple):
    """A decision, and what takes it back: the record as it was."""

    place: int
    record: Record
    how: str


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
        self.counts = dict.fromkeys((KEPT, EDITED, DROPPED, SKIPPED), 0)

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
        self._note(place, record, DROPPED)
        self._dropped.append({**record, REVIEWED: DROPPED})
        write_records(dropped_file(self.path), self._dropped)  # in both files rather than in none
        write_records(self.path, self._records)

    def skip(self) -> None:
        """Leave the current question for another time."""
        place = self._decided()
        self._skipped.add(self._records[place]["id"])
        self._note(place, self._records[place], SKIPPED)

    def undo(self) -> bool:
        """Take the last decision back; tells whether there was one."""
        if not self._done:
            return False
        place, record, how = self._done.pop()
        self.counts[how] -= 1
        if how == SKIPPED:
            self._skipped.discard(record["id"])
        elif how == DROPPED:
            self._records.insert(place, record)
            self._dropped.pop()
            write_records(self.path, self._records)  # in both files rather than in none
            write_records(dropped_file(self.path), self._dropped)
        else:
            self._records[place] = record
            write_records(self.path, self._records)
        return True

    @property
    def decided(self) -> bool:
        """Whether there is a decision to take back."""
        return bool(self._done)

    def _note(self, place: int, record: Record, how: str) -> None:
        self._done.append(_Done(place, record, how))
        self.counts[how] += 1

    def _mark(self, how: str, changes: Record) -> None:
        place = self._decided()
        record = self._records[place]
        self._note(place, record, how)
        self._records[place] = {**record, **changes, REVIEWED: how}
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
