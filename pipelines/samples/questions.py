"""The golden questions of the demo corpus: JSON lines whose evidence is named by its words.

A line is `{"id", "question", "evidence", "answer", "tags"}`. `evidence` lists the places that the
answer needs, each `{"object", "anchor"}` with an optional `"until"`; where several places give
the same answer, a list of them stands for one place. `anchors.resolve` has the rule for spans.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines.samples.anchors import resolve
from pipelines.samples.python_api import Section, versions
from pipelines.types import Corpus, Question, Span
from raytuner.component import ConfigError, nearest


class Place(BaseModel):
    """Where evidence is: in the section of `object`, from the words `anchor` on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: str = Field(description="qualified name, as in the header of its section")
    anchor: str = Field(min_length=1, description="words that occur once in that section")
    until: str | None = Field(default=None, description="last words; None: end of the entry")


class Entry(BaseModel):
    """One line of a question file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=1)
    question: str = Field(min_length=1)
    evidence: tuple[Place | tuple[Place, ...], ...] = Field(min_length=1)
    answer: str = Field(min_length=1)
    tags: tuple[str, ...] = ()


def read(folder: Path, corpus: Corpus, sections: Mapping[str, Section]) -> tuple[Question, ...]:
    """Read `questions-*.jsonl` of a folder, in the order of their names and lines.

    Raises:
        ConfigError: no such file, a line that is no question, an id used twice, or evidence that
            is not where its line says.
    """
    found: dict[str, Question] = {}
    for where, entry in _entries(folder):
        if entry.id in found:
            raise ConfigError(f"{where}: id {entry.id!r} is used twice; ids must be unique")
        found[entry.id] = _question(where, entry, corpus, sections)
    return tuple(found.values())


def _entries(folder: Path) -> Iterator[tuple[str, Entry]]:
    paths = sorted(folder.glob("questions-*.jsonl"))
    if not paths:
        raise ConfigError(f"there is no file questions-*.jsonl in {folder}")
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            where = f"{path.name}, line {number}"
            try:
                yield where, Entry.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"])
                raise ConfigError(f"{where}, field {field!r}: {first['msg']}") from None


def _question(
    where: str, entry: Entry, corpus: Corpus, sections: Mapping[str, Section]
) -> Question:
    groups = [(place,) if isinstance(place, Place) else place for place in entry.evidence]
    spans = tuple(
        tuple(_span(f"{where}, question {entry.id!r}", place, corpus, sections) for place in group)
        for group in groups
    )
    page = corpus.documents[spans[0][0].doc].name
    return Question(entry.id, entry.question, spans, entry.answer, group=page, tags=entry.tags)


def _span(where: str, place: Place, corpus: Corpus, sections: Mapping[str, Section]) -> Span:
    if place.object not in sections:
        raise ConfigError(
            f"{where}: the corpus has no section {place.object!r}.{nearest(place.object, sections)}"
        )
    doc, start, end = sections[place.object]
    text = corpus.documents[doc].text
    try:
        return Span(doc, *resolve(text, start, end, place.anchor, place.until))
    except ValueError as error:
        raise ConfigError(
            f"{where}: in the section {place.object}, {error}; {versions(place.object)}"
        ) from None
