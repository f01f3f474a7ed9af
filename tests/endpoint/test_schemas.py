"""JSON that fits its schema, and verdicts that follow from what is judged."""

import json

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.llm_rerank import _SCHEMA as ORDER
from tests.endpoint import completions
from tests.endpoint.settings import Settings

DOCUMENT = (
    "Apples grow on trees in cold countries. Sourdough bread needs a starter of flour. "
    "Cirrus clouds float very high above the ground."
)


def filled(schema, text, settings=None, **more):
    body = {
        "model": "good-1",
        "messages": [{"role": "user", "content": text}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "temperature": 0.0,
        **more,
    }
    choices = completions.chat(settings or Settings(), body, 0)["choices"]
    found = [json.loads(choice["message"]["content"]) for choice in choices]
    for one in found:
        jsonschema.Draft202012Validator(schema).validate(one)
    return found if more.get("n") else found[0]


def verdict(**fields):
    return {"type": "object", "properties": fields, "required": list(fields)}


SCORE = verdict(score={"type": "number", "minimum": 0, "maximum": 10}, reason={"type": "string"})


def test_an_answer_is_graded_by_its_reference():
    def score(answer):
        text = f"Question: Where?\nReference: Apples grow on trees.\nAnswer: {answer}\n"
        return filled(SCORE, text)["score"]

    good, partly, bad = map(score, ("Apples grow on trees.", "On trees.", "Nowhere at all."))
    assert good >= 9 > partly > bad
    assert bad <= 1


def test_an_answer_is_graded_by_its_context_and_a_context_by_the_question():
    supported = verdict(supported={"type": "boolean"}, label={"enum": ["yes", "partly", "no"]})
    for answer, yes in (("Apples grow on trees.", True), ("Dragons burn villages.", False)):
        text = f"<context>\n{DOCUMENT}\n</context>\n<answer>{answer}</answer>"
        found = filled(supported, text)
        assert found == {"supported": yes, "label": "yes" if yes else "no"}
    relevance = verdict(relevance={"type": "integer", "minimum": 1, "maximum": 5})
    near = filled(relevance, f"Question: Where do apples grow?\n\nContext:\n{DOCUMENT}")
    far = filled(relevance, f"Question: Who killed Caesar?\n\nContext:\n{DOCUMENT}")
    assert near["relevance"] == 5
    assert far["relevance"] == 1


def test_grades_differ_a_little_by_sample():
    text = "Reference: Apples grow on trees.\nAnswer: Apples grow."
    scores = [one["score"] for one in filled(SCORE, text, n=8, seed=3, temperature=0.5)]
    again = [one["score"] for one in filled(SCORE, text, n=8, seed=3, temperature=0.5)]
    assert scores == again
    assert len(set(scores)) > 1
    assert max(scores) - min(scores) <= 1.01
    quiet = Settings(judge_noise=0.0)
    exact = [one["score"] for one in filled(SCORE, text, quiet, n=8, seed=3, temperature=0.5)]
    assert len(set(exact)) == 1


def test_statements_of_an_answer_are_judged_one_by_one():
    item = verdict(statement={"type": "string"}, supported={"type": "boolean"})
    schema = verdict(statements={"type": "array", "items": item})
    answer = "Apples grow on trees. Dragons burn many villages."
    found = filled(schema, f"Context:\n{DOCUMENT}\n\nAnswer: {answer}")
    assert [one["supported"] for one in found["statements"]] == [True, False]
    assert " ".join(one["statement"] for one in found["statements"]) == answer


@pytest.mark.parametrize("quote", ["quote", "evidence"])
def test_questions_about_a_document_quote_it(quote):
    schema = verdict(
        question={"type": "string"}, answer={"type": "string"}, **{quote: {"type": "string"}}
    )
    text = f"Write a question with its answer.\n\nDocument:\n{DOCUMENT}"
    found = [filled(schema, text, seed=seed, temperature=0.3) for seed in range(8)]
    assert all(one[quote] in DOCUMENT for one in found)
    assert all(one["question"].startswith("What is said about ") for one in found)
    assert len({one["question"] for one in found}) > 1
    several = verdict(items={"type": "array", "items": schema, "minItems": 2})
    items = filled(several, text)["items"]
    assert len({one[quote] for one in items}) == len(items) >= 2


def test_passages_are_put_in_order():
    passages = "[1] Bread is baked.\n\n[2] Apples grow on trees.\n\n[3] Apples are red."
    text = f"Question: Where do apples grow?\n\nPassages:\n{passages}\n\nGive all numbers."
    assert filled(ORDER, text, temperature=0.3)["order"] == [2, 3, 1]


def test_the_best_answer_is_the_one_that_others_agree_with():
    schema = verdict(best={"type": "integer", "minimum": 1, "maximum": 3})
    text = "Question: Where?\n\nAnswer 1:\nAt sea.\n\nAnswer 2:\nOn trees\n\nAnswer 3:\nOn trees."
    assert filled(schema, text) == {"best": 2}


def test_search_queries_are_wordings_of_the_question():
    queries = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    found = filled(verdict(queries=queries), "Write queries.\n\nQuestion: Where do apples grow?")
    assert found["queries"][0] == "apples grow"


_LEAVES = st.one_of(
    st.sampled_from([{"type": "boolean"}, {"type": "null"}, {"const": 3}, {"enum": ["b", "a"]}]),
    st.builds(
        lambda kind, low, wide: {"type": kind, "minimum": low, "maximum": low + wide},
        st.sampled_from(["integer", "number"]), st.integers(-9, 9), st.integers(0, 9),
    ),
    st.builds(
        lambda low, wide: {"type": "string", "minLength": low, "maxLength": low + wide},
        st.integers(0, 9), st.integers(0, 90),
    ),
)  # fmt: skip
_NAMES = st.sampled_from(["score", "answer", "question", "quote", "reason", "other", "queries"])
_SCHEMAS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(_NAMES, inner, max_size=4).map(lambda fields: verdict(**fields)),
        st.builds(
            lambda items, low, wide: {
                "type": "array", "items": items, "minItems": low, "maxItems": low + wide
            },
            inner, st.integers(0, 3), st.integers(1, 3),
        ),
        inner.map(lambda one: {"anyOf": [{"type": "null"}, one]}),
    ),
    max_leaves=8,
)  # fmt: skip


@given(_SCHEMAS, st.sampled_from(["", "Hi?", DOCUMENT, f"Text: {DOCUMENT}\nAnswer: On trees."]))
def test_any_schema_is_fitted(schema, text):
    filled(verdict(question={"type": "string"}, data=schema), text)


def test_references_are_followed():
    schema = {
        "$defs": {"mark": {"type": ["integer", "null"], "minimum": 0, "maximum": 3}},
        **verdict(score={"$ref": "#/$defs/mark"}),
    }
    assert 0 <= filled(schema, "Reference: Yes.\nAnswer: Yes.")["score"] <= 3


def test_a_route_is_the_option_whose_words_the_question_shares():
    schema = verdict(route={"enum": ["fruit", "sky"]})
    options = "- fruit: apples; trees; bread\n- sky: clouds; rain\n"
    fruit = filled(schema, f"{options}\nQuestion: Where do apples grow?")
    sky = filled(schema, f"{options}\nQuestion: How high do clouds float?")
    assert (fruit["route"], sky["route"]) == ("fruit", "sky")
