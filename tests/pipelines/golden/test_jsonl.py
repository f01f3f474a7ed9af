import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.golden import GoldenSet, load_golden
from pipelines.types import Corpus, Document, Graded, Question, Span
from raytuner.component import ConfigError

CORPUS = Corpus((Document("a.txt", "Alpha beta. Gamma."), Document("b.txt", "Alpha delta.")))


def load(tmp_path: Path, *lines: Any) -> GoldenSet:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (tmp_path / "q.jsonl").write_text(text, encoding="utf-8")
    corpus, golden = load_golden("q.jsonl", CORPUS, tmp_path)
    assert corpus is CORPUS
    return golden


def one(tmp_path: Path, **fields: Any) -> Question:
    (question,) = load(tmp_path, {"id": "q", "question": "Why?", **fields}).questions
    return question


def test_every_kind_of_evidence_becomes_spans(tmp_path: Path) -> None:
    question = one(
        tmp_path,
        answer="Because.",
        evidence=[
            {"doc": "a.txt", "start": 6, "end": 10},
            {"doc": "a.txt", "start": 12, "end": 17, "text": "Gamma", "grade": 2},
            {"doc": "b.txt", "quote": "Alpha"},
            {"quote": "delta"},
            {"doc": "b.txt"},
            {"any_of": [{"quote": "beta"}, {"doc": "b.txt", "start": 0, "end": 5}]},
        ],
        tags=["hard"],
        meta={"anything": [1]},
    )
    assert question == Question(
        "q",
        "Why?",
        (
            (Span(0, 6, 10),),
            (Span(0, 12, 17, 2),),
            (Span(1, 0, 5),),
            (Span(1, 6, 11),),
            (Span(1, 0, 12),),
            (Span(0, 6, 10), Span(1, 0, 5)),
        ),
        "Because.",
        "a.txt",
        ("hard",),
    )


def test_optional_fields_have_plain_defaults(tmp_path: Path) -> None:
    assert one(tmp_path) == Question("q", "Why?")
    assert one(tmp_path, answer=None, evidence=[], tags=[], group=None) == Question("q", "Why?")
    assert one(tmp_path, answer="  ").answer is None
    assert one(tmp_path, evidence=[{"doc": "b.txt"}], group="g").group == "g"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"evidence": {}}, "'evidence' must be a list, got {}"),
        (
            {"evidence": ["a.txt"]},
            r"line 1, evidence 1: expected an object in braces, got 'a\.txt'",
        ),
        ({"evidence": [{}]}, "evidence 1: the field 'doc' is missing"),
        ({"evidence": [{"doc": 3}]}, "'doc' must be a string, got 3"),
        ({"evidence": [{"doc": "c.txt"}]}, r"no document 'c\.txt'"),
        ({"evidence": [{"doc": "a.txt", "start": 1}]}, "evidence 1: the field 'end' is missing"),
        ({"evidence": [{"doc": "a.txt", "start": True, "end": 2}]}, "'start' must be an integer"),
        ({"evidence": [{"doc": "a.txt", "start": 5, "end": 5}]}, "0 <= start < end <= 18"),
        ({"evidence": [{"doc": "a.txt", "text": "Alpha"}]}, "the field 'start' is missing"),
        ({"evidence": [{"start": 0, "end": 2}]}, "the field 'doc' is missing"),
        ({"evidence": [{"quote": "beta", "start": 1}]}, "either 'quote' or offsets"),
        ({"evidence": [{"quote": " "}]}, "'quote' is empty"),
        ({"evidence": [{"quote": "Alpha"}]}, "the quote 'Alpha' is in 2 places"),
        ({"evidence": [{"quote": "omega"}]}, "line 1, evidence 1: the quote 'omega' is in none"),
        ({"evidence": [{"any_of": []}]}, "'any_of' must stand alone"),
        ({"evidence": [{"any_of": [{"doc": "a.txt"}], "doc": "a.txt"}]}, "must stand alone"),
        ({"evidence": [{"any_of": [{"any_of": []}]}]}, "alternative 1: expected an object"),
        ({"evidence": [{"any_of": [{"quote": "x-y"}]}]}, "evidence 1, alternative 1: the quote"),
        ({"evidence": [{"doc": "a.txt", "grade": 0}]}, "'grade' must be 1 or more, got 0"),
        ({"evidence": [{"doc": "a.txt", "qoute": "x"}]}, "unknown field 'qoute'.*mean 'quote'"),
        ({"answers": "x"}, r"q\.jsonl, line 1: unknown field 'answers'.*Did you mean 'answer'"),
        ({"answer": 3}, "'answer' must be a string, got 3"),
        ({"tags": "x"}, "'tags' must be a list of strings"),
        ({"question": " "}, r"q\.jsonl, line 1: 'question' is empty"),
        ({"question": None}, "'question' must be a string, got None"),
    ],
)
def test_mistakes_are_located_and_explained(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        one(tmp_path, **fields)


def test_lines_are_named(tmp_path: Path) -> None:
    good = {"id": "1", "question": "?"}
    with pytest.raises(ConfigError, match=r"q\.jsonl, line 3: the field 'id' is missing"):
        load(tmp_path, good, "", {"question": "?"})
    with pytest.raises(ConfigError, match=r"q\.jsonl, line 2, column 2: malformed JSON"):
        load(tmp_path, good, "{id: 1}")
    with pytest.raises(ConfigError, match="id '1' occurs twice, at line 1 and at line 2"):
        load(tmp_path, good, good)
    with pytest.raises(ConfigError, match=r"q\.jsonl holds no question"):
        load(tmp_path, "")


def test_a_wrong_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_bytes(b'{"id": "caf\xe9"}')
    with pytest.raises(ConfigError, match=r"q\.jsonl is not UTF-8: byte 0xe9 at byte offset 11"):
        load_golden("q.jsonl", CORPUS, tmp_path)


def test_the_study_must_give_documents(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "1", "question": "?"}')
    with pytest.raises(ConfigError, match="brings no documents of its own; give `documents:`"):
        load_golden("q.jsonl", None, tmp_path)


def test_answers_that_people_have_graded(tmp_path: Path) -> None:
    judged = [
        {"answer": "So.", "correctness": 4, "faithfulness": True},
        {"answer": "Or so.", "faithfulness": 0.75, "context": ["Here.", "There."]},
        {"context": ["Only this."], "context-relevance": 1},
    ]
    found = one(tmp_path, judged=judged).judged
    assert found == (
        Graded("So.", (("correctness", 4), ("faithfulness", True))),
        Graded("Or so.", (("faithfulness", 0.75),), ("Here.", "There.")),
        Graded("", (("context-relevance", 1),), ("Only this.",)),
    )
    assert [type(grade) for _, grade in found[0].grades] == [int, bool]


def test_grades_are_no_part_of_the_key(tmp_path: Path) -> None:
    plain = {"id": "q", "question": "Why?"}
    graded = {**plain, "judged": [{"answer": "So.", "correctness": 4}]}
    assert load(tmp_path, plain).key == load(tmp_path, graded).key


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        ({"answer": "So."}, "'judged' must be a list"),
        (["So."], "line 1, judged 1: expected an object in braces"),
        ([{"answer": "So."}], "needs an 'answer' .* and grades by metric"),
        ([{"correctness": 4}], "needs an 'answer'"),
        ([{"answer": "So.", "correctness": "4"}], "the grade 'correctness' must be true, false or"),
        ([{"answer": 4, "correctness": 4}], "'answer' must be a string"),
        ([{"answer": "So.", "correctness": None}], "the grade 'correctness' must be"),
        ([{"answer": "So.", "correctness": 4, "context": "a"}], "'context' must be a list"),
    ],
)
def test_grades_that_cannot_be_read(tmp_path: Path, judged: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        one(tmp_path, judged=judged)
