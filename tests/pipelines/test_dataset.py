"""Documents and questions as arrays: nothing that a score depends on gets lost."""

import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import samples
from pipelines.dataset import Dataset, pack_dataset, unpack_dataset
from pipelines.golden import GoldenSet
from pipelines.types import Corpus, Document, Graded, Question, Span

TEXT = st.text(st.characters(codec=None), max_size=12)
SPANS = st.builds(Span, st.integers(0, 3), st.integers(0, 9), st.integers(0, 9), st.integers(0, 3))
GRADE = st.booleans() | st.integers(0, 9) | st.floats(0, 1)
GRADED = st.builds(
    Graded,
    TEXT,
    st.lists(st.tuples(TEXT, GRADE), max_size=2).map(tuple),
    st.lists(TEXT, max_size=2).map(tuple),
)
QUESTIONS = st.builds(
    Question,
    id=TEXT,
    text=TEXT,
    evidence=st.lists(st.lists(SPANS, max_size=2).map(tuple), max_size=2).map(tuple),
    answer=st.none() | TEXT,
    group=TEXT,
    tags=st.lists(TEXT, max_size=2).map(tuple),
    judged=st.lists(GRADED, max_size=2).map(tuple),
)
DATA = st.builds(
    Dataset,
    st.lists(st.builds(Document, TEXT, TEXT), max_size=3).map(tuple).map(Corpus),
    st.builds(GoldenSet, st.lists(QUESTIONS, max_size=3).map(tuple), TEXT),
    st.lists(TEXT, max_size=2).map(tuple),
)


@given(DATA)
@settings(deadline=None, max_examples=60)
def test_a_dataset_comes_back_as_it_was(data):
    assert unpack_dataset(pack_dataset(data)) == data


def test_grades_keep_their_type():
    grades = (("a", True), ("b", 1), ("c", 1.0))
    question = Question("q", "what?", judged=(Graded("so", grades),))
    data = Dataset(Corpus(()), GoldenSet((question,), "set"), ())
    (back,) = unpack_dataset(pack_dataset(data)).golden.questions[0].judged
    assert [type(grade) for _, grade in back.grades] == [bool, int, float]


def test_a_real_one_keeps_its_identity():
    corpus, questions = samples.load("python-api")
    data = Dataset(corpus, GoldenSet(questions, "sample", ("mind the gap",)), ("one file skipped",))
    back = unpack_dataset(pack_dataset(data))
    assert back.corpus.key == corpus.key
    assert back.golden.key == data.golden.key
    assert back.golden.warnings == ("mind the gap",)
    assert back.warnings == ("one file skipped",)


def test_spans_made_of_numpy_integers_stay_numbers():
    span = Span(*np.array([0, 2, 5, 1]))
    question = Question("q", "what?", ((span,),))
    data = Dataset(Corpus((Document("a", "abcdefg"),)), GoldenSet((question,), "set"), ())
    back = unpack_dataset(pack_dataset(data))
    assert back.golden.questions[0].evidence == (((0, 2, 5, 1),),)
    assert type(back.golden.questions[0].evidence[0][0].start) is int


def test_facts_that_json_cannot_hold_become_text():
    facts = {"pages": 3, "made": dt.date(2024, 5, 1), "tags": ["a"]}
    data = Dataset(Corpus((Document("a", "text", facts),)), GoldenSet((), "set"), ())
    metadata = unpack_dataset(pack_dataset(data)).corpus.documents[0].metadata
    assert metadata["pages"] == 3
    assert metadata["tags"] == ["a"]
    assert "2024" in metadata["made"]


def test_there_is_nothing_but_plain_arrays():
    corpus, questions = samples.load("python-api")
    packed = pack_dataset(Dataset(corpus, GoldenSet(questions, "sample"), ()))
    assert {name: array.dtype.kind for name, array in packed.items()} == {
        "bytes": "u",
        "ends": "i",
        "rest": "u",
    }
    with pytest.raises(json.JSONDecodeError):
        unpack_dataset({**packed, "rest": packed["rest"][:-1]})
