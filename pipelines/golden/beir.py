"""The BEIR layout: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv` in one folder.

Source: Thakur et al. 2021, "BEIR: A Heterogenous Benchmark for Zero-shot Evaluation of Information
Retrieval Models". Every judged passage of a query is a group of its own, so that recall is the
share of relevant passages found; the judgement is the grade of its span.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.golden.goldenset import Loaded, Sourced, question_of
from pipelines.golden.passages import Judged, Passage, resolve_passages
from pipelines.records import field_text, json_lines, read_text, table_rows
from pipelines.types import Corpus
from raytuner.component import ConfigError, nearest


def load_beir(path: Path, name: str, corpus: Corpus | None, *, split: str | None = None) -> Loaded:
    """Read a BEIR folder: the queries that are judged in one split."""
    qrels = _split_file(path / "qrels", name, split)
    passages = [
        Passage(
            field_text(row, "_id", f"{name}, corpus.jsonl line {line}"),
            str(row.get("text") or ""),
            f"corpus.jsonl line {line}",
            str(row.get("title") or "").strip(),
        )
        for line, row in _lines(path / "corpus.jsonl", name)
    ]
    queries = _queries(path, name)
    judged = _judgements(qrels, f"{name}/qrels/{qrels.name}")
    for query, (place, _) in judged.items():
        if query not in queries:
            raise ConfigError(
                f"{name}, {place}: there is no query {query!r}.{nearest(query, queries)}"
            )
    asked = [(id_, place, text) for id_, (place, text) in queries.items() if id_ in judged]
    wanted = [
        (judged[id_][0], tuple((passage,) for passage in judged[id_][1])) for id_, _, _ in asked
    ]
    judgements = resolve_passages(passages, wanted, corpus, name)
    questions = [
        Sourced(question_of(judgements.corpus, id=id_, text=text, evidence=evidence), place)
        for (id_, place, text), evidence in zip(asked, judgements.evidence, strict=True)
    ]
    return Loaded(judgements.corpus, questions, judgements.warnings)


def _split_file(folder: Path, name: str, split: str | None) -> Path:
    """Find the judgements: the split asked for, else `test`, else the only one."""
    found = {file.stem: file for file in sorted(folder.glob("*.tsv"))}
    chosen = split or ("test" if "test" in found else next(iter(found), "test"))
    if chosen not in found or (split is None and chosen != "test" and len(found) > 1):
        raise ConfigError(
            f"{name}: set `split:` to one of {', '.join(found) or '(there is no qrels/*.tsv)'}, "
            f"got {split!r}.{nearest(chosen, found)}"
        )
    return found[chosen]


def _lines(path: Path, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    label = f"{name}/{path.name}"
    return json_lines(read_text(path, label), label)


def _queries(path: Path, name: str) -> dict[str, tuple[str, str]]:
    """Give (place, text) by query id."""
    queries: dict[str, tuple[str, str]] = {}
    for line, row in _lines(path / "queries.jsonl", name):
        place = f"queries.jsonl line {line}"
        id_ = field_text(row, "_id", f"{name}, {place}")
        if id_ in queries:
            raise ConfigError(
                f"{name}: the query id {id_!r} occurs twice, at {queries[id_][0]} and at {place}"
            )
        queries[id_] = (place, field_text(row, "text", f"{name}, {place}"))
    return queries


def _judgements(path: Path, label: str) -> dict[str, tuple[str, list[Judged]]]:
    """Give (place, relevant passages) by query id; a score of 0 means not relevant."""
    judged: dict[str, tuple[str, list[Judged]]] = {}
    columns = ("query-id", "corpus-id", "score")
    for line, row in table_rows(read_text(path, label), label, columns):
        place = f"qrels/{path.name} line {line}"
        try:
            grade = int(row["score"])
        except ValueError as error:
            raise ConfigError(
                f"{label}, line {line}: the score must be an integer, got {row['score']!r}"
            ) from error
        relevant = judged.setdefault(row["query-id"], (place, []))[1]
        if grade > 0:
            relevant.append(Judged(row["corpus-id"], grade))
    return judged
