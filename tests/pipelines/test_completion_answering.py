"""A tuned completion in use: questions and fields into its templates."""

import pytest

from pipelines.completion import CompletionObjective
from raytuner.answering import Query
from raytuner.component import ConfigError
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]


def answerer_of(tmp_path, prompt):
    section = {
        "instances": [{"question": "What is the capital of France?", "style": "short"}],
        "eval_func": lambda responses, **_: {"good": float(bool(responses))},
        "completion": {"model": "good-1", "prompt": prompt},
        "models": {"good-1": {"kind": "openai", "model": "good-1", "free": True}},
        "cache": "cache",
    }
    return CompletionObjective.build(section, root=tmp_path, seed=0).answerer({})


def test_a_question_fills_the_only_field(tmp_path, endpoint):
    endpoint.configure(knowledge={"capital of France": "Paris"})
    answerer = answerer_of(tmp_path, "Answer. {question}")
    answerer.prepare()
    served = answerer.answer(Query("What is the capital of France?"))
    assert served.usage.tokens_in > 0
    assert served.passages == ()
    sent = endpoint.requests[-1].body["messages"]
    assert sent[-1]["content"] == "Answer. What is the capital of France?"
    assert answerer.about()["model"]["model"] == "good-1"


def test_a_missing_key_is_told_before_anybody_asks(tmp_path, endpoint, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        answerer_of(tmp_path, "Answer. {question}").prepare()


def test_several_fields_are_given_by_name(tmp_path, endpoint):
    answerer = answerer_of(tmp_path, "Be {style}. {question}")
    assert answerer.answer(Query("", {"style": "{brief}", "question": "Why?"})).answer
    assert endpoint.requests[-1].body["messages"][-1]["content"] == "Be {brief}. Why?"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query("Why?"), "have the fields style, question; give `fields`"),
        (Query("", {"style": "a"}), r"fields\.question: it is missing"),
        (Query("", {"style": "a", "question": "b", "stile": "c"}), "Did you mean 'style'"),
    ],
)
def test_fields_that_do_not_fit_are_named(tmp_path, query, words):
    with pytest.raises(ConfigError, match=words):
        answerer_of(tmp_path, "Be {style}. {question}").check(query)


def test_an_empty_question_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="it is empty"):
        answerer_of(tmp_path, "{question}").check(Query("\t"))
