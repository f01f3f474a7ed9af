import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.golden import load_golden
from pipelines.types import Corpus, Document, Span
from raytuner.component import ConfigError

CORPUS = Corpus(
    (Document("a.txt", "Alpha beta. Gamma."), Document("sub/talk.md", "Alpha, twice. Alpha."))
)


def table(header: str, *rows: list[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header.split(","), *rows])
    return out.getvalue()


def load(folder: Path, text: str) -> Any:
    (folder / "q.csv").write_text(text, encoding="utf-8", newline="")
    return load_golden("q.csv", CORPUS, folder)[1]


def test_a_plain_table_is_read(tmp_path: Path) -> None:
    golden = load(
        tmp_path,
        table(
            "id,question,answer,evidence_doc,evidence_quote,tags,note",
            ["1", "What, then?", "That", "a.txt", "Gamma", "x; y", "n"],
            ["", "Whole?", "", "a.txt", "", "", ""],
            ["", "Anywhere?", "", "", "twice", "", ""],
            ["", "Nowhere?", "", "", "", "", ""],
        ),
    )
    assert [(q.text, q.evidence, q.answer, q.group, q.tags) for q in golden.questions] == [
        ("What, then?", ((Span(0, 12, 17),),), "That", "a.txt", ("x", "y")),
        ("Whole?", ((Span(0, 0, 18),),), None, "a.txt", ()),
        ("Anywhere?", ((Span(1, 7, 12),),), None, "sub/talk.md", ()),
        ("Nowhere?", (), None, "", ()),
    ]
    assert golden.questions[0].id == "1"
    assert golden.warnings == ("columns that are not used: note.",)


def test_questions_without_id_keep_theirs_when_rows_move(tmp_path: Path) -> None:
    first = load(tmp_path, "question\nA?\nB?\n").questions
    second = load(tmp_path, "question\nB?\nNew?\nA?\n").questions
    assert {q.text: q.id for q in first}.items() <= {q.text: q.id for q in second}.items()


def test_mistakes_in_a_plain_table_are_located(tmp_path: Path) -> None:
    cases = [
        ("questions\nA?\n", r"line 1: no column 'question'.*Did you mean 'questions'"),
        ("question\nA?\nA?\n", "occurs twice, at line 2 and at line 3"),
        ("question,answer\n,x\n", "line 2: 'question' is empty"),
        ("question,evidence_doc\nA?,b.txt\n", r"line 2: there is no document 'b\.txt'"),
        ("question,evidence_quote\nA?,Alpha\n", "line 2: the quote 'Alpha' is in 3 places"),
        ("question,evidence_quote\nA?,omega\n", "line 2: the quote 'omega' is in none"),
        ("question\n", "holds no question"),
    ]
    for text, message in cases:
        with pytest.raises(ConfigError, match=message):
            load(tmp_path, text)


def test_a_misspelt_column_is_pointed_at(tmp_path: Path) -> None:
    golden = load(tmp_path, "question,evidence_quotes\nA?,Gamma\n")
    assert golden.warnings[0] == (
        "columns that are not used: evidence_quotes. Did you mean 'evidence_quote'?"
    )


def reference(content: str, start: int, end: int) -> dict[str, Any]:
    return {"content": content, "start_index": start, "end_index": end}


@pytest.mark.parametrize("corpus_id", ["sub/talk.md", "talk", "/data/corpora/talk.md", "talk.txt"])
def test_chunking_evaluation_is_read(tmp_path: Path, corpus_id: str) -> None:
    references = [reference("twice", 7, 12), reference("Alpha.", 14, 20)]
    golden = load(
        tmp_path,
        table("question,references,corpus_id", ["Why?", json.dumps(references), corpus_id]),
    )
    (question,) = golden.questions
    assert question.evidence == ((Span(1, 7, 12),), (Span(1, 14, 20),))
    assert (question.group, question.answer) == ("sub/talk.md", None)


def test_chunking_evaluation_without_offsets_is_located_by_content(tmp_path: Path) -> None:
    row = ["Why?", '[{"content": "twice"}]', "talk"]
    golden = load(tmp_path, table("question,references,corpus_id", row))
    assert golden.questions[0].evidence == ((Span(1, 7, 12),),)


@pytest.mark.parametrize(
    ("references", "corpus_id", "message"),
    [
        ([reference("twixe", 7, 12)], "talk", "line 2, reference 1: .* are 'twice', not 'twixe'"),
        ([reference("twice", 7, 99)], "talk", "start 7 and end 99 are no characters"),
        ([{**reference("twice", 7, 12), "start_index": "7"}], "talk", "must be integers"),
        ([{"start_index": 7, "end_index": 12}], "talk", "the field 'content' is missing"),
        (["x"], "talk", "expected an object, got 'x'"),
        ({}, "talk", "'references' must be a JSON list"),
        ([], "walk", "line 2: there is no document 'walk'"),
    ],
)
def test_mistakes_in_chunking_evaluation_are_located(
    tmp_path: Path, references: Any, corpus_id: str, message: str
) -> None:
    row = ["Why?", json.dumps(references), corpus_id]
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, table("question,references,corpus_id", row))


def test_malformed_references_and_double_documents_are_located(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"q\.csv, line 2, column 2: malformed JSON"):
        load(tmp_path, table("question,references,corpus_id", ["Why?", "[", "talk"]))
    (tmp_path / "q.csv").write_text(table("question,references,corpus_id", ["Why?", "[]", "talk"]))
    twin = Corpus((Document("a/talk.md", "x"), Document("b/talk.md", "y")))
    with pytest.raises(ConfigError, match=r"may mean 'a/talk\.md' or 'b/talk\.md'"):
        load_golden("q.csv", twin, tmp_path)
