from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipelines.golden import load_golden
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

PASSAGES = [
    {"doc_id": "p2", "contents": "Gamma delta.", "metadata": {"n": 1}},
    {"doc_id": "p1", "contents": "Alpha beta.", "metadata": {"n": 2}},
    {"doc_id": "p3", "contents": " ", "metadata": {"n": 3}},
]


def row(**fields: Any) -> dict[str, Any]:
    plain = {"qid": "q1", "query": "?", "retrieval_gt": [["p1"]], "generation_gt": ["yes"]}
    return {**plain, **fields}


def write(folder: Path, rows: list[dict[str, Any]], passages: list[dict[str, Any]]) -> None:
    parquet.write_table(pa.Table.from_pylist(rows), folder / "qa.parquet")
    parquet.write_table(pa.Table.from_pylist(passages), folder / "corpus.parquet")


def test_groups_are_needed_and_their_members_are_alternatives(tmp_path: Path) -> None:
    rows = [row(retrieval_gt=[["p1", "p2"], ["p2"], []]), row(qid="q2", retrieval_gt=[[""]])]
    write(tmp_path, rows, PASSAGES)
    corpus, golden = load_golden(tmp_path, None, tmp_path)
    assert [(d.name, d.text) for d in corpus] == [("p1", "Alpha beta."), ("p2", "Gamma delta.")]
    first, second = golden.questions
    assert first.evidence == ((Span(0, 0, 11), Span(1, 0, 12)), (Span(1, 0, 12),))
    assert (first.answer, first.group) == ("yes", "p1")
    assert (second.evidence, second.group) == ((), "")
    assert golden.warnings == ()


def test_flat_lists_and_single_strings_are_read(tmp_path: Path) -> None:
    write(tmp_path, [row(retrieval_gt=["p1", "p2"], generation_gt=["", "b", "c"])], PASSAGES)
    _, golden = load_golden(tmp_path, None, tmp_path)
    assert golden.questions[0].evidence == ((Span(0, 0, 11),), (Span(1, 0, 12),))
    assert golden.questions[0].answer == "b"
    assert [w.split(",")[0] for w in golden.warnings] == [
        "1 question(s) have several reference answers",
        "1 question(s) have a flat list in retrieval_gt",
    ]
    write(tmp_path, [row(retrieval_gt="p2", generation_gt="yes")], PASSAGES)
    _, golden = load_golden(tmp_path, None, tmp_path)
    assert (golden.questions[0].evidence, golden.questions[0].answer) == (
        ((Span(1, 0, 12),),),
        "yes",
    )


def test_passages_are_found_in_the_documents_of_the_study(tmp_path: Path) -> None:
    write(tmp_path, [row(retrieval_gt=[["p1"], ["p2"]])], PASSAGES)
    documents = Corpus((Document("d", "Alpha\nbeta. Gamma delta. Gamma delta."),))
    corpus, golden = load_golden(tmp_path, documents, tmp_path)
    assert corpus is documents
    assert golden.questions[0].evidence == (
        (Span(0, 0, 11),),
        (Span(0, 12, 24), Span(0, 25, 37)),
    )
    assert "1 passage(s) occur in several places" in golden.warnings[0]
    with pytest.raises(ConfigError, match=r"corpus\.parquet row 2: the quote 'Alpha beta\.' is in"):
        load_golden(tmp_path, Corpus((Document("d", "else"),)), tmp_path)


def test_mistakes_are_located(tmp_path: Path) -> None:
    cases = [
        ([row(retrieval_gt=[["p9"]])], PASSAGES, r"qa\.parquet row 1: there is no passage 'p9'"),
        ([row(retrieval_gt=[["p3"]])], PASSAGES, "row 3: the passage 'p3' has no text"),
        ([row(), row()], PASSAGES, r"'q1' occurs twice, at qa\.parquet row 1 and at .*row 2"),
        ([row(query=" ")], PASSAGES, r"qa\.parquet row 1: 'query' is empty"),
        ([row(retrieval_gt=[[1]])], PASSAGES, "'retrieval_gt' must hold ids as strings, got 1"),
        ([row(retrieval_gt=3)], PASSAGES, "'retrieval_gt' must hold ids as strings, got 3"),
        ([row(generation_gt=[1])], PASSAGES, "'generation_gt' must hold strings"),
        ([row()], PASSAGES + PASSAGES, "'p2' occurs twice, at corpus.parquet row 1 and at .*row 4"),
        ([{"qid": "1", "query": "?"}], PASSAGES, r"qa\.parquet has no column 'retrieval_gt'"),
    ]
    for rows, passages, message in cases:
        write(tmp_path, rows, passages)
        with pytest.raises(ConfigError, match=message):
            load_golden(tmp_path, None, tmp_path)
    (tmp_path / "qa.parquet").write_text("no")
    with pytest.raises(ConfigError, match=r"qa\.parquet cannot be read as parquet"):
        load_golden(tmp_path, None, tmp_path)
