import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.documents import load_documents
from pipelines.golden import FORMATS, load_golden
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

CORPUS = Corpus((Document("a.txt", "Alpha."),))
SHARED = Path(os.environ.get("RAYTUNER_SHARED") or Path(__file__).parents[4] / "shared" / "data")


def test_formats_are_told_by_structure_or_forced(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "?"}')
    (tmp_path / "q.data").write_text('{"id": "1", "question": "?"}')
    paths: list[Any] = ["q.jsonl", tmp_path / "q.jsonl", {"path": "q.data", "format": "jsonl"}]
    for path in paths:
        _, golden = load_golden(path, CORPUS, tmp_path)
        assert [q.id for q in golden.questions] == ["1"]
    assert golden.name == "q.data"
    with pytest.raises(ConfigError, match="cannot be told from its name; set `format:` to one of"):
        load_golden("q.data", CORPUS, tmp_path)


def test_bad_requests_are_explained(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "?"}')
    (tmp_path / "empty").mkdir()
    cases: list[tuple[Any, str]] = [
        ("gone.jsonl", r"golden set 'gone\.jsonl' not found: there is no .*gone\.jsonl"),
        ("empty", r"the folder empty is no golden set: expected qa\.parquet and corpus\.parquet"),
        ("../q.jsonl", "leads out of the folder of the study"),
        ({"path": "q.jsonl", "format": "jsnl"}, "unknown golden format 'jsnl'.*mean 'jsonl'"),
        ({"path": "q.jsonl", "format": "beir"}, "is a file, which the format beir does not read"),
        ({"path": "empty", "format": "csv"}, "is a folder, which the format csv does not read"),
        ({"path": "q.jsonl", "split": "test"}, "`split` belongs to the format beir, not to jsonl"),
        ({"path": "q.jsonl", "fromat": "csv"}, "unknown field 'fromat'.*Did you mean 'format'"),
        ({"format": "csv"}, "golden: the field 'path' is missing"),
    ]
    for path, message in cases:
        with pytest.raises(ConfigError, match=message):
            load_golden(path, CORPUS, tmp_path)


def test_every_format_needs_documents_or_brings_them() -> None:
    assert set(FORMATS) == {"jsonl", "csv", "chunking-evaluation", "llamaindex", "autorag", "beir"}


@pytest.mark.needs_shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no golden sets at {SHARED}")
@pytest.mark.parametrize(
    ("name", "questions", "with_evidence"),
    [
        ("chunking", 220, 220),
        ("squad-en", 1190, 1190),
        ("product-docs", 100, 100),
        ("clapnq", 600, 299),
    ],
)
def test_real_golden_sets_resolve(name: str, questions: int, with_evidence: int) -> None:
    corpus = load_documents("docs", SHARED / name)
    _, golden = load_golden("questions.jsonl", corpus, SHARED / name)
    assert len(golden.questions) == questions
    assert sum(bool(q.evidence) for q in golden.questions) == with_evidence
    assert golden.warnings == ()


@pytest.mark.needs_shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no golden sets at {SHARED}")
def test_the_real_autorag_sample_brings_its_corpus() -> None:
    corpus, golden = load_golden(SHARED / "autorag-format", None, SHARED)
    assert (len(corpus), len(golden.questions)) == (30, 10)
    assert all(q.evidence and q.answer for q in golden.questions)
    again, same = load_golden(SHARED / "autorag-format", corpus, SHARED)
    assert again is corpus
    assert [q.evidence for q in same.questions] == [q.evidence for q in golden.questions]


@pytest.mark.needs_shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"no golden sets at {SHARED}")
def test_a_real_set_means_the_same_in_every_format(tmp_path: Path) -> None:
    corpus = load_documents("docs", SHARED / "chunking")
    _, golden = load_golden("questions.jsonl", corpus, SHARED / "chunking")
    lines, rows = [], []
    for question in golden.questions:
        spans = [group[0] for group in question.evidence]
        texts = [corpus.documents[s.doc].text[s.start : s.end] for s in spans]
        quotes = [{"quote": text.replace(" ", "\n")} for text in texts]
        lines.append({"id": question.id, "question": question.text, "evidence": quotes})
        references = [
            {"content": text, "start_index": s.start, "end_index": s.end}
            for s, text in zip(spans, texts, strict=True)
        ]
        stem = Path(corpus.documents[spans[0].doc].name).stem
        rows.append((question.text, json.dumps(references), stem))
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, lines)))
    frame = pd.DataFrame(rows, columns=["question", "references", "corpus_id"])
    frame.to_csv(tmp_path / "q.csv", index=False)
    exact = [question.evidence for question in golden.questions]
    _, from_table = load_golden("q.csv", corpus, tmp_path)
    assert [question.evidence for question in from_table.questions] == exact
    _, from_quotes = load_golden("q.jsonl", corpus, tmp_path)
    trimmed = [[trim(group[0], corpus) for group in evidence] for evidence in exact]
    assert [[group[0] for group in q.evidence] for q in from_quotes.questions] == trimmed


def trim(span: Span, corpus: Corpus) -> Span:
    text = corpus.documents[span.doc].text[span.start : span.end]
    start = span.start + len(text) - len(text.lstrip())
    return Span(span.doc, start, start + len(text.strip()))
