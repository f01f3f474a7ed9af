from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.golden.goldenset import (
    GoldenSet,
    Loaded,
    Sourced,
    collect,
    content_id,
    question_of,
)
from pipelines.types import Corpus, Document, Question, Span
from raytuner.component import ConfigError

CORPUS = Corpus((Document("a.txt", "Alpha"),))
QUESTION = Question("1", "?", ((Span(0, 0, 5),),), "yes", "a.txt", ("t", "u"))


def test_the_key_covers_everything_that_can_change_a_score() -> None:
    changes: list[dict[str, Any]] = [
        {"id": "2"},
        {"text": "!"},
        {"evidence": ()},
        {"evidence": ((Span(0, 0, 5), Span(0, 1, 2)),)},
        {"evidence": ((Span(0, 0, 5),), (Span(0, 1, 2),))},
        {"evidence": ((Span(0, 0, 4),),)},
        {"evidence": ((Span(0, 0, 5, 2),),)},
        {"answer": None},
        {"group": "b"},
        {"tags": ("t",)},
    ]
    variants = [QUESTION, *(replace(QUESTION, **change) for change in changes)]
    keys = {GoldenSet((question,), "g").key for question in variants}
    assert len(keys) == len(variants)


@given(order=st.permutations(range(4)))
@settings(max_examples=20, deadline=None)
def test_the_key_does_not_depend_on_the_order_or_name_of_the_file(order: list[int]) -> None:
    questions = [replace(QUESTION, id=str(i)) for i in range(4)]
    shuffled = GoldenSet(tuple(questions[i] for i in order), "other", ("a warning",))
    assert shuffled.key == GoldenSet(tuple(questions), "g").key


def test_sets_are_checked_and_warned_about() -> None:
    corpus, golden = collect(Loaded(CORPUS, [Sourced(QUESTION, "line 1")], ["careful"]), "g")
    assert corpus is CORPUS
    assert golden == GoldenSet((QUESTION,), "g", ("careful",))
    with pytest.raises(ConfigError, match="g holds no question"):
        collect(Loaded(CORPUS, [], []), "g")
    twice = [Sourced(QUESTION, "line 1"), Sourced(QUESTION, "line 9")]
    with pytest.raises(ConfigError, match="id '1' occurs twice, at line 1 and at line 9"):
        collect(Loaded(CORPUS, twice, []), "g")
    bare = replace(QUESTION, evidence=())
    _, golden = collect(Loaded(CORPUS, [Sourced(bare, "line 1")], []), "g")
    assert golden.warnings == (
        "no question of g has evidence, so retrieval cannot be scored on it",
    )


def test_questions_are_grouped_by_the_document_of_their_first_evidence() -> None:
    evidence = [(Span(0, 0, 5),)]
    assert question_of(CORPUS, id="1", text="?", evidence=evidence).group == "a.txt"
    assert question_of(CORPUS, id="1", text="?", evidence=evidence, group="x").group == "x"
    assert question_of(CORPUS, id="1", text="?").group == ""
    assert question_of(CORPUS, id="1", text="?", answer=" ").answer is None


def test_content_ids_depend_on_content_only() -> None:
    assert content_id("a", ["b"]) == content_id("a", ["b"])
    assert content_id("a", ["b"]) != content_id("a", ["c"])
    assert len(content_id("a")) == 12
