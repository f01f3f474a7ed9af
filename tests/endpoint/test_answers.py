"""Quality follows from the request, so that tuning has something to find."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.chat import PROMPT, REFINE, SYSTEM
from tests.endpoint import completions
from tests.endpoint.answers import calculate
from tests.endpoint.settings import Settings
from tests.endpoint.text import Prompt, cut, tokens

TOWNS = [f"Town{chr(97 + i % 26)}{chr(97 + i // 26)}{i}" for i in range(100)]
FACTS = {f"mayor of {town}?": f"Doctor Smith{i}" for i, town in enumerate(TOWNS)}
SETTINGS = Settings(facts=FACTS)


def said(text, system=None, settings=SETTINGS, **more):
    messages = [{"role": "system", "content": system}] if system else []
    body = {"model": "good-1", "messages": [*messages, {"role": "user", "content": text}], **more}
    completions.check_chat(settings, body)
    choices = completions.chat(settings, body, 0)["choices"]
    return [choice["message"]["content"] for choice in choices]


def accuracy(system=SYSTEM, **more):
    """Share of 100 questions answered with the fact of the context."""
    right = 0
    for i, town in enumerate(TOWNS):
        context = f"{town} is old.\nThe mayor is Doctor Smith{i}.\nMany people like {town}."
        text = PROMPT.format(context=context, question=f"Who is the mayor of {town}?")
        right += said(text, system, **more)[0] == f"Doctor Smith{i}"
    return right / len(TOWNS)


def test_the_better_model_is_clearly_better():
    assert accuracy(temperature=0.3) >= 0.85
    assert accuracy(temperature=1.5, model="cheap-1") <= 0.35


def test_temperature_and_top_p_have_an_optimum_inside():
    found = {heat: accuracy(temperature=heat) for heat in (0.0, 0.3, 1.0, 1.8)}
    assert max(found, key=found.get) == 0.3
    assert found[1.0] > found[1.8]
    assert accuracy(top_p=0.3) == found[0.3] > accuracy(top_p=1.0) == found[1.0]


def test_prompts_and_penalties_matter():
    best = accuracy(temperature=0.3)
    assert best - accuracy("Answer.", temperature=0.3) > 0.05
    assert best > accuracy(temperature=0.3, presence_penalty=2, frequency_penalty=2)


def test_an_answer_that_does_not_fit_is_cut():
    assert accuracy(temperature=0.3, max_tokens=1) == 0
    assert accuracy(temperature=0.3, max_tokens=20) == accuracy(temperature=0.3)


def test_a_fact_needs_its_context_and_knowledge_needs_none():
    settings = Settings(
        skills={"good-1": 1.0},
        facts={"oldest": "Adam"},
        knowledge={"capital of France": "Paris"},
    )
    good = {"settings": settings, "temperature": 0.3}
    strict = "Use only the context."
    assert said("Context:\nOf Adam it tells.\n\nQuestion: Who is oldest?", strict, **good) == [
        "Adam"
    ]
    empty = "Context:\nOf Eve it tells.\n\nQuestion: Who is oldest?"
    assert said(empty, strict, **good) == ["I do not know."]
    assert said("What is the capital of France?", strict, **good) == ["Paris"]


def test_without_facts_the_nearest_sentence_of_the_context_answers():
    context = "# Fruit\nBread is baked from flour. Apples grow on trees. Clouds are high."
    asked = {"question": "Where do apples grow?", "context": context}
    assert said(PROMPT.format(**asked), SYSTEM, temperature=0.3) == ["Apples grow on trees."]
    plain = f"{context}\n\nWhere do apples grow?"
    assert said(plain, "Use only the context.", temperature=0.3) == ["Apples grow on trees."]
    refined = REFINE.format(
        answer="Apples grow on trees.", question=asked["question"], context="No."
    )
    assert said(refined, SYSTEM, temperature=0.3) == ["Apples grow on trees."]


def test_voting_over_samples_helps_with_sums_and_so_do_steps():
    def share(prompt, n, **more):
        right = 0
        for i in range(100):
            a, b = 17 + 13 * i, 100 + 7 * i
            answers = said(prompt.format(f"What is {a} + {b}?"), n=n, **more)
            numbers = [re.search(r"(-?\d+)\.$", answer)[1] for answer in answers]
            right += Counter(numbers).most_common(1)[0][0] == str(a + b)
        return right / 100

    plain, steps = "{}", "{} Think step by step."
    single = share(steps, 1, temperature=0.8)
    assert share(steps, 9, temperature=0.8) > single + 0.1
    assert single > share(plain, 1, temperature=0.8) + 0.05
    assert share(steps, 9, temperature=0.0) == share(steps, 1, temperature=0.0)


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 99)), min_size=1, max_size=5))
def test_sums_are_worked_out_as_python_does(terms):
    sum_ = "7" + "".join(f" {sign} {number}" for sign, number in terms)
    assert calculate(sum_) == eval(sum_)


def test_boxed_answers():
    assert r"\boxed{" in said(r"Solve: what is 3 + 4? Put it into \boxed{{}}.")[0]


@given(st.text(max_size=200), st.integers(1, 30))
def test_tokens_are_at_most_bytes_and_cuts_have_at_most_so_many(text, most):
    assert len(tokens(text)) <= len(text.encode("utf-8", "surrogatepass"))
    shorter, missing = cut(text, most)
    assert len(tokens(shorter)) == min(most, len(tokens(text)))
    assert missing == (len(tokens(text)) > most)


def test_what_stands_where_in_a_prompt():
    prompt = Prompt(
        [
            {"role": "system", "content": "You are a judge."},
            {
                "role": "user",
                "content": "Question: Why?\n\n## Reference Answer\nBecause.\n\n"
                "<answer>So it is.</answer>\n<context>\nIt is so.\n</context>\nGive a score.",
            },
        ]
    )
    assert prompt.question == "Why?"
    assert prompt.reference == "Because."
    assert prompt.answers == ["So it is."]
    assert prompt.context == "It is so."


@pytest.mark.parametrize(
    ("answer", "verdict"), [("Apples grow on trees.", "YES"), ("Dragons burn villages.", "NO")]
)
def test_yes_or_no_as_llama_index_asks(answer, verdict):
    text = (
        "Please tell if a given piece of information is supported by the context.\n"
        "You need to answer with either YES or NO.\n"
        f"Information: {answer}\nContext: Apples grow on trees.\nAnswer: "
    )
    assert said(text) == [verdict]


def test_a_query_is_rewritten_to_its_keywords():
    text = "Write a search query. Give the query alone.\n\nQuestion: Where do apples grow?"
    assert said(text) == ["apples grow"]
