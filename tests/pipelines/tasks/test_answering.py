"""A task in use: questions and fields become items, failures are told as what they are."""

import pytest
from pydantic import BaseModel

from pipelines.tasks import NoAnswerError, Outcome, TaskObjective, TaskSpec
from pipelines.tasks.answering import item_of
from pipelines.workflows import WorkflowObjective
from raytuner.answering import Query, Turn
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

PRICE = {"input": 3.0, "output": 15.0}
QUESTION = "What is the capital of France?"


class Loud(BaseModel):
    loud: bool = True


def drafted(item, steps):
    if item["question"] == "nothing":
        raise NoAnswerError("not today")
    if item["question"] == "broken":
        raise ValueError("broken on purpose")
    return steps["draft"].complete(tone=item.get("tone", "kind"))


def plain(item, steps):
    return steps["draft"].complete()


@pytest.fixture
def make(endpoint, tmp_path):
    endpoint.configure(knowledge={"capital of France": "Paris."}, skills={"good-1": 1000.0})

    def make(**section):
        return WorkflowObjective.build(
            {
                "instances": [{"id": "a", "question": "Who?", "answer": "I.", "tone": "sad"}],
                "workflow": drafted,
                "score": "contains",
                "models": {"good": {"model": "good-1", "price": PRICE}},
                "steps": {"draft": {"model": "good", "prompt": "Be {tone}. {question}"}},
                "expected": {"draft": {"fills": ["tone"]}},
                "cache": str(tmp_path / "cache"),
                **section,
            },
            root=tmp_path,
            seed=0,
        )

    return make


def test_a_workflow_runs_on_what_is_asked_as_its_trials_ran(make, endpoint):
    answerer = make().answerer({"steps.draft.temperature": 0.25})
    answerer.prepare()
    assert not endpoint.requests
    served = answerer.answer(Query(QUESTION))
    assert "Paris" in served.answer
    assert served.label is None
    assert served.usage.usd == pytest.approx(endpoint.usd(PRICE["input"], PRICE["output"]))
    sent = endpoint.requests[-1].body
    assert sent["messages"][-1]["content"] == f"Be kind. {QUESTION}"
    assert sent["temperature"] == 0.25
    assert answerer.about()["steps"]["draft"]["temperature"] == 0.25
    again = answerer.answer(Query("", {"question": QUESTION, "tone": "grim"}))
    assert "Paris" in again.answer
    assert endpoint.requests[-1].body["messages"][-1]["content"] == f"Be grim. {QUESTION}"


def test_many_are_answered_together_and_equal_ones_asked_once(make, endpoint):
    answerer = make().answerer({})
    queries = [Query(f"{QUESTION} {n % 4}") for n in range(12)]
    found = dict(one for part in answerer.answers(queries) for one in part)
    assert sorted(found) == list(range(12))
    assert all("Paris" in served.answer for served in found.values())
    assert endpoint.calls("chat") == 4


def test_no_answer_is_an_empty_one_and_what_fails_is_a_failure_of_its_own(make):
    answerer = make().answerer({})
    queries = [Query("nothing"), Query("broken"), Query(QUESTION)]
    found = dict(one for part in answerer.answers(queries) for one in part)
    assert (found[0].answer, found[0].label) == ("", "empty")
    assert found[1].kind == "objective"
    assert "broken on purpose" in found[1].message
    assert "Paris" in found[2].answer
    with pytest.raises(ObjectiveFailure, match="broken on purpose"):
        answerer.answer(Query("broken"))


def test_a_missing_key_is_told_before_anybody_asks(make, monkeypatch):
    answerer = make().answerer({})
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        answerer.prepare()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (Query(" "), "question: it is empty"),
        (Query("", {"tone": "x"}), "question: it is empty"),
        (Query("", {"question": " "}), "question: it is empty"),
        (Query("Why?", {"question": "Who?"}), "beside a question that says something else"),
        (Query("Why?", {"tome": "x"}), "items have no field 'tome'.*Did you mean 'tone'"),
    ],
)
def test_what_is_no_item_is_refused_before_anything_runs(make, endpoint, query, words):
    with pytest.raises(ConfigError, match=words):
        make().answerer({}).check(query)
    assert not endpoint.requests


@pytest.mark.parametrize(
    ("query", "question", "item"),
    [
        (Query("Why?"), "question", {"question": "Why?"}),
        (Query("Why?", {"tone": "a"}), "question", {"question": "Why?", "tone": "a"}),
        (Query("", {"question": "Who?"}), "question", {"question": "Who?"}),
        (Query("Why?", {"tone": "a"}), None, {"tone": "a"}),
        (
            Query("Why?", None, (Turn("user", "Hi"), Turn("assistant", "Yes?"))),
            "question",
            {
                "question": "Why?",
                "history": [
                    {"role": "user", "content": "Hi"},
                    {"role": "assistant", "content": "Yes?"},
                ],
            },
        ),
    ],
)
def test_items_of_queries(query, question, item):
    assert item_of(query, question, ("question", "tone", "history")) == item


def test_what_prompts_take_from_items_is_wanted_before_anything_runs(make, endpoint):
    answerer = make(workflow=plain, expected={}).answerer({})
    with pytest.raises(ConfigError, match=r"fields\.tone: it is missing; steps\.draft asks"):
        answerer.check(Query(QUESTION))
    assert "Paris" in answerer.answer(Query(QUESTION, {"tone": "kind"})).answer
    with pytest.raises(ConfigError, match="no field 'history'"):
        answerer.check(Query(QUESTION, {"history": "x"}))


def test_without_a_field_for_it_a_question_is_refused():
    with pytest.raises(ConfigError, match="items have no field that is one; give `fields`, of: a"):
        item_of(Query("Why?"), None, ("a",))


def test_tasks_without_a_word_on_serving_are_served(tmp_path, endpoint):
    class Echo(TaskObjective[TaskSpec, Loud]):
        what = "an echo"

        def standing(self):
            return Loud()

        def run(self, config, item, ask):
            return Outcome([item["text"], 1])

    section = {"instances": [{"text": "a", "answer": "b"}], "score": "contains", "cache": "c"}
    echo = Echo.build(section, root=tmp_path, seed=0)
    assert echo.answerer({}).answer(Query("Hello")).answer == '["Hello", 1]'
