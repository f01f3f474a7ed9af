"""A golden set that grows: what is wanted, what is there, what became of every draft."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.golden import filters
from pipelines.golden.files import Record, append_records, dropped_file, read_records
from pipelines.golden.filters import Asked
from raytuner.objective import Failure


@dataclass(frozen=True)
class Wanted:
    """What to write.

    Attributes:
        questions: that the file holds in the end.
        seed: of the order of passages.
        per_document: most questions about one document, or None.
        keep_known: whether questions that the model answers without the documents are kept, with
            a tag, instead of dropped.
    """

    questions: int
    seed: int = 0
    per_document: int | None = None
    keep_known: bool = False


@dataclass
class Progress:
    """How far the writing is.

    Attributes:
        asked: passages asked about.
        kept: questions added to the file.
        there: questions that the file held already.
        dropped: drafts by the reason they were dropped for.
        failures: messages of calls that failed, each once.
        stopped: why it ended early: the budget, or an endpoint that answers nothing.
    """

    asked: int = 0
    kept: int = 0
    there: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    stopped: str | None = None

    @property
    def held(self) -> int:
        """Questions in the file."""
        return self.there + self.kept

    def drop(self, verdict: str | Failure) -> None:
        """Note a draft that is not kept, and why."""
        if isinstance(verdict, Failure):
            self.dropped[filters.FAILED] += 1
            if verdict.message not in self.failures:
                self.failures.append(verdict.message)
        else:
            self.dropped[verdict] += 1


class GoldenFile:
    """The file that grows, and what must not come into it twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        records = read_records(path)
        refused = read_records(dropped_file(path))
        self.ids = {record["id"] for record in records}
        self.asked = Asked(record["question"] for record in (*records, *refused))
        self.groups = Counter(str(record.get("group") or "") for record in records)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, records: Sequence[Record]) -> None:
        """Put questions into the file; it is whole at any time."""
        append_records(self.path, records)
        for record in records:
            self.note(record)

    def note(self, record: Record) -> None:
        """Count a question that will be added, or has been."""
        self.ids.add(record["id"])
        self.asked.add(record["question"])
        self.groups[record["group"]] += 1

    def full(self, group: str, most: int | None) -> bool:
        """Tell whether there are as many questions about a document as are wanted."""
        return most is not None and self.groups[group] >= most
