"""Golden sets in CSV files: a plain one for spreadsheets, and that of chunking-evaluation.

Plain: `question`, and where known `answer`, `evidence_doc`, `evidence_quote`, `id`, `group`, `tags`
(separated by semicolons). chunking-evaluation (Smith and Troynikov 2024, "Evaluating Chunking
Strategies for Retrieval"): `question`, `references` (a JSON list of `{content, start_index,
end_index}`, all needed) and `corpus_id` (the document).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.golden.goldenset import Loaded, Sourced, content_id, need_corpus, question_of
from pipelines.golden.spans import Locator
from pipelines.records import field_text, parse_json, read_text, shorten, table_rows
from pipelines.types import Corpus, Span
from raytuner.component import ConfigError, nearest

CHUNKING_COLUMNS = ("question", "references", "corpus_id")
_PLAIN_COLUMNS = ("question", "answer", "evidence_doc", "evidence_quote", "id", "group", "tags")


def load_csv(path: Path, name: str, corpus: Corpus | None) -> Loaded:
    """Read a plain CSV: one question a row, with at most one place of evidence."""
    documents = need_corpus(corpus, name)
    locator = Locator(documents)
    questions = []
    unused: dict[str, None] = {}
    for line, row in table_rows(read_text(path, name), name, ["question"]):
        where = f"{name}, line {line}"
        unused |= dict.fromkeys(column for column in row if column not in _PLAIN_COLUMNS)
        text = field_text(row, "question", where)
        evidence = _plain_evidence(row, locator, where)
        tags = [tag.strip() for tag in row.get("tags", "").split(";") if tag.strip()]
        question = question_of(
            documents,
            id=row.get("id", "").strip() or content_id(text),
            text=text,
            evidence=evidence,
            answer=row.get("answer"),
            group=row.get("group") or None,
            tags=tags,
        )
        questions.append(Sourced(question, f"line {line}"))
    return Loaded(documents, questions, _unused_columns(list(unused)))


def _plain_evidence(row: Mapping[str, str], locator: Locator, where: str) -> list[tuple[Span, ...]]:
    name, quote = row.get("evidence_doc", "").strip(), row.get("evidence_quote", "")
    doc = locator.number(name, where) if name else None
    if quote.strip():
        return [(locator.quote(quote, doc, where),)]
    return [] if doc is None else [(locator.whole(doc),)]


def _unused_columns(names: list[str]) -> list[str]:
    if not names:
        return []
    guess = next((hint for name in names if (hint := nearest(name, _PLAIN_COLUMNS))), "")
    return [f"columns that are not used: {', '.join(names)}.{guess}"]


def load_chunking_evaluation(path: Path, name: str, corpus: Corpus | None) -> Loaded:
    """Read a CSV of chunking-evaluation."""
    documents = need_corpus(corpus, name)
    locator = Locator(documents)
    questions = []
    for line, row in table_rows(read_text(path, name), name, CHUNKING_COLUMNS):
        where = f"{name}, line {line}"
        text = field_text(row, "question", where)
        doc = _document(locator, row["corpus_id"], where)
        references = parse_json(row["references"], name, line=line)
        if not isinstance(references, list):
            raise ConfigError(f"{where}: 'references' must be a JSON list")
        evidence = [
            (_reference(reference, locator, doc, f"{where}, reference {n}"),)
            for n, reference in enumerate(references, start=1)
        ]
        id_ = content_id(row["corpus_id"], text)
        question = question_of(documents, id=id_, text=text, evidence=evidence)
        questions.append(Sourced(question, f"line {line}"))
    return Loaded(documents, questions, [])


def _document(locator: Locator, corpus_id: str, where: str) -> int:
    """Find a document by name, else by file name, else by file name without extension."""
    if corpus_id in locator.corpus.positions:
        return locator.corpus.positions[corpus_id]
    wanted = PurePosixPath(corpus_id)
    names = [PurePosixPath(name) for name in locator.corpus.positions]
    same_file = [name for name in names if name.name == wanted.name]
    same_stem = [name for name in names if name.stem in {wanted.name, wanted.stem}]
    found = same_file or same_stem
    if len(found) > 1:
        raise ConfigError(
            f"{where}: corpus_id {corpus_id!r} may mean {str(found[0])!r} or {str(found[1])!r}; "
            "write the full name of the document"
        )
    return locator.number(str(found[0]) if found else corpus_id, where)


def _reference(reference: Any, locator: Locator, doc: int, where: str) -> Span:
    if not isinstance(reference, Mapping):
        raise ConfigError(f"{where}: expected an object, got {shorten(repr(reference))}")
    content = field_text(reference, "content", where)
    offsets = [reference.get(field) for field in ("start_index", "end_index")]
    if offsets == [None, None]:
        return locator.quote(content, doc, where)
    start, end = offsets
    if type(start) is not int or type(end) is not int:
        raise ConfigError(f"{where}: 'start_index' and 'end_index' must be integers, got {offsets}")
    return locator.slice(doc, start, end, where, text=content)
