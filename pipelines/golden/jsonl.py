"""The format of this project: one JSON object per line.

    {"id": "q1", "question": "…", "answer": "…" or null, "evidence": […],
     "group": "…", "tags": ["…"], "judged": […], "meta": {…}}

`id` and `question` are needed. Evidence items are all needed to answer; each is one of
`{"doc", "start", "end"}` (with `"text"`, it must be what stands there), `{"quote"}` with or without
`"doc"`, `{"doc"}` for a whole document, or `{"any_of": [items]}` of which one suffices. An item
may carry a `"grade"` (1 unless given; higher is more relevant). `judged` holds answers that people
have graded, `{"answer": "…", "correctness": 4, "faithfulness": true, "context": ["…"]}`, to
calibrate judges by: a grade is true or false, a whole number on the judge's scale, or a share as
0.75; `context` is what the answer was written from (the evidence unless given). `meta` is never
looked at, `reviewed` by `raytuner golden review` only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.golden.goldenset import Loaded, Sourced, need_corpus, question_of
from pipelines.golden.spans import Locator
from pipelines.records import field_text, json_lines, read_text, shorten
from pipelines.types import Corpus, Graded, Question, Span
from raytuner.component import ConfigError, nearest

_FIELDS = ("id", "question", "answer", "evidence", "group", "tags", "judged", "meta", "reviewed")
_EVIDENCE = ("doc", "start", "end", "text", "quote", "any_of", "grade")


def load_jsonl(path: Path, name: str, corpus: Corpus | None) -> Loaded:
    """Read a golden set of JSON lines."""
    documents = need_corpus(corpus, name)
    locator = Locator(documents)
    questions = [
        Sourced(read_question(record, locator, f"{name}, line {line}"), f"line {line}")
        for line, record in json_lines(read_text(path, name), name)
    ]
    return Loaded(documents, questions, [])


def read_question(record: Mapping[str, Any], locator: Locator, where: str) -> Question:
    """Read one line.

    Raises:
        ConfigError: beginning with `where`: an unknown field, or evidence that is not there.
    """
    _known_fields(record, _FIELDS, where, "keep anything else under `meta`")
    evidence = record.get("evidence")
    if not isinstance(evidence, list | None):
        raise ConfigError(f"{where}: 'evidence' must be a list, got {shorten(repr(evidence))}")
    tags = record.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise ConfigError(f"{where}: 'tags' must be a list of strings, got {shorten(repr(tags))}")
    question = question_of(
        locator.corpus,
        id=field_text(record, "id", where),
        text=field_text(record, "question", where),
        evidence=[
            _group(item, locator, f"{where}, evidence {n}")
            for n, item in enumerate(evidence or [], start=1)
        ],
        answer=_optional(record, "answer", where),
        group=_optional(record, "group", where),
        tags=tags,
    )
    judged = record.get("judged") or []
    if not isinstance(judged, list):
        raise ConfigError(f"{where}: 'judged' must be a list, got {shorten(repr(judged))}")
    graded = tuple(_graded(one, f"{where}, judged {n}") for n, one in enumerate(judged, start=1))
    return dataclasses.replace(question, judged=graded)


def _graded(item: Any, where: str) -> Graded:
    if not isinstance(item, Mapping):
        raise ConfigError(f"{where}: expected an object in braces, got {shorten(repr(item))}")
    context = item.get("context") or []
    if not isinstance(context, list) or not all(isinstance(text, str) for text in context):
        raise ConfigError(f"{where}: 'context' must be a list of strings")
    grades = [(name, grade) for name, grade in item.items() if name not in {"answer", "context"}]
    for name, grade in grades:
        if not isinstance(grade, bool | int | float):
            raise ConfigError(
                f"{where}: the grade {name!r} must be true, false or a number, got "
                f"{shorten(repr(grade))}"
            )
    answer = _optional(item, "answer", where)
    if not grades or (answer is None and not context):
        raise ConfigError(
            f"{where}: needs an 'answer' (or a 'context') and grades by metric, such as "
            '"correctness": 4'
        )
    return Graded(answer or "", tuple(grades), tuple(context))


def _group(item: Any, locator: Locator, where: str) -> tuple[Span, ...]:
    if not isinstance(item, Mapping):
        raise ConfigError(f"{where}: expected an object in braces, got {shorten(repr(item))}")
    if "any_of" not in item:
        return (_span(item, locator, where),)
    alternatives = item["any_of"]
    if len(item) > 1 or not isinstance(alternatives, list) or not alternatives:
        raise ConfigError(f"{where}: 'any_of' must stand alone and hold a list of alternatives")
    places = [f"{where}, alternative {n}" for n in range(1, len(alternatives) + 1)]
    for place, alternative in zip(places, alternatives, strict=True):
        if not isinstance(alternative, Mapping) or "any_of" in alternative:
            raise ConfigError(f"{place}: expected an object with doc, offsets or quote")
    return tuple(
        _span(alternative, locator, place)
        for place, alternative in zip(places, alternatives, strict=True)
    )


def _span(item: Mapping[str, Any], locator: Locator, where: str) -> Span:
    _known_fields(item, _EVIDENCE, where, "these are the fields of evidence")
    grade = _integer(item, "grade", where) if "grade" in item else 1
    if grade < 1:
        raise ConfigError(f"{where}: 'grade' must be 1 or more, got {grade}")
    name = _optional(item, "doc", where)
    doc = None if name is None else locator.number(name, where)
    if "quote" in item:
        if item.keys() & {"start", "end", "text"}:
            raise ConfigError(f"{where}: give either 'quote' or offsets, not both")
        return locator.quote(field_text(item, "quote", where), doc, where, grade)
    if doc is None:
        raise ConfigError(f"{where}: the field 'doc' is missing")
    if not item.keys() & {"start", "end", "text"}:
        return locator.whole(doc, grade)
    start, end = _integer(item, "start", where), _integer(item, "end", where)
    text = _optional(item, "text", where)
    return locator.slice(doc, start, end, where, text=text, grade=grade)


def _known_fields(
    record: Mapping[str, Any], known: tuple[str, ...], where: str, advice: str
) -> None:
    for field in record:
        if field not in known:
            raise ConfigError(
                f"{where}: unknown field {field!r}; known: {', '.join(known)} ({advice})."
                f"{nearest(field, known)}"
            )


def _optional(record: Mapping[str, Any], field: str, where: str) -> str | None:
    value = record.get(field)
    if not isinstance(value, str | None):
        raise ConfigError(f"{where}: {field!r} must be a string, got {shorten(repr(value))}")
    return value


def _integer(record: Mapping[str, Any], field: str, where: str) -> int:
    if field not in record:
        raise ConfigError(f"{where}: the field {field!r} is missing")
    value = record[field]
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{where}: {field!r} must be an integer, got {shorten(repr(value))}")
    return value
