"""AutoRAG's pair of tables: a folder with `qa.parquet` and `corpus.parquet`.

Columns as in its documentation of the data format: `qid`, `query`, `retrieval_gt` (a list of groups
of passage ids: one of each group is needed), `generation_gt` (reference answers); `doc_id` and
`contents`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.golden.goldenset import Loaded, Sourced, question_of
from pipelines.golden.passages import Judged, Passage, Wanted, resolve_passages
from pipelines.records import field_text, shorten
from pipelines.types import Corpus
from raytuner.component import ConfigError, nearest


def load_autorag(path: Path, name: str, corpus: Corpus | None) -> Loaded:
    """Read an AutoRAG data folder."""
    rows = _rows(path / "qa.parquet", name, ("qid", "query", "retrieval_gt", "generation_gt"))
    passages = [
        Passage(_cell(row, "doc_id", place, name), str(row["contents"] or ""), place)
        for place, row in _rows(path / "corpus.parquet", name, ("doc_id", "contents"))
    ]
    wanted = [(place, _wanted(row["retrieval_gt"], f"{name}, {place}")) for place, row in rows]
    judgements = resolve_passages(passages, wanted, corpus, name)
    questions = []
    for (place, row), evidence in zip(rows, judgements.evidence, strict=True):
        question = question_of(
            judgements.corpus,
            id=_cell(row, "qid", place, name),
            text=_cell(row, "query", place, name),
            evidence=evidence,
            answer=next(iter(_answers(row["generation_gt"], f"{name}, {place}")), None),
        )
        questions.append(Sourced(question, place))
    return Loaded(judgements.corpus, questions, judgements.warnings + _warnings(rows))


def _rows(path: Path, name: str, columns: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Give (place, row) of a parquet file, only the columns needed."""
    from pyarrow import ArrowException, parquet

    try:
        present = parquet.read_schema(path).names
        for column in columns:
            if column not in present:
                raise ConfigError(
                    f"{name}: {path.name} has no column {column!r}; it has: {', '.join(present)}."
                    f"{nearest(column, present)}"
                )
        rows = parquet.read_table(path, columns=list(columns)).to_pylist()
    except (OSError, ArrowException) as error:
        raise ConfigError(f"{name}: {path.name} cannot be read as parquet: {error}") from error
    return [(f"{path.name} row {n}", row) for n, row in enumerate(rows, start=1)]


def _cell(row: Mapping[str, Any], column: str, place: str, name: str) -> str:
    return field_text(row, column, f"{name}, {place}")


def _wanted(value: Any, where: str) -> Wanted:
    """Read a string, a flat list (all needed) or a list of groups (one of each needed)."""
    groups = [_list(item) for item in _list(value)]
    for id_ in (id_ for group in groups for id_ in group):
        if not isinstance(id_, str):
            shown = shorten(repr(id_))
            raise ConfigError(f"{where}: 'retrieval_gt' must hold ids as strings, got {shown}")
    named = [tuple(Judged(id_) for id_ in group if id_.strip()) for group in groups]
    return tuple(group for group in named if group)


def _answers(value: Any, where: str) -> list[str]:
    answers = _list(value)
    if not all(isinstance(answer, str) for answer in answers):
        raise ConfigError(f"{where}: 'generation_gt' must hold strings")
    return [answer for answer in answers if answer.strip()]


def _list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _warnings(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    found = []
    several = sum(len(_answers(row["generation_gt"], place)) > 1 for place, row in rows)
    if several:
        found.append(
            f"{several} question(s) have several reference answers, of which the first is used"
        )
    flat = sum(
        isinstance(gt, list) and len(gt) > 1 and isinstance(gt[0], str)
        for gt in (row["retrieval_gt"] for _, row in rows)
    )
    if flat:
        found.append(
            f"{flat} question(s) have a flat list in retrieval_gt, read as passages that are all "
            "needed (AutoRAG's documentation says so)"
        )
    return found
