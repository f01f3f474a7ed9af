"""Earlier conversations: told as they were, or summarised."""

import pytest

from pipelines.agent.config import History
from pipelines.agent.history import kept
from pipelines.llm.types import Message
from tests.pipelines.agent.conftest import ITEMS

TALK = [
    {"role": "user", "content": "I live in Rome."},
    {"role": "assistant", "content": "A fine city."},
    {"role": "user", "content": "And I like trains."},
]
ITEM = {**ITEMS[0], "history": TALK}
SAID = [Message(**one) for one in TALK]


@pytest.mark.parametrize(
    ("limits", "count"),
    [
        ({}, 3), ({"messages": 9}, 3), ({"messages": 2}, 2), ({"messages": 0}, 0),
        ({"tokens": 1000}, 3), ({"tokens": 9}, 2), ({"tokens": 1}, 0),
        ({"messages": 1, "tokens": 1000}, 1),
    ],
)  # fmt: skip
def test_the_end_is_kept(limits, count):
    assert kept(SAID, History(**limits)) == count


@pytest.mark.parametrize("kind", ["function", "react"])
def test_a_short_history_is_told_as_it_was(endpoint, made, scored, kind):
    found = scored(made([ITEM]), type=kind)["far"]
    assert (found.scores["success"], found.scores["steps"]) == (1, 2)
    said = [(m["role"], m["content"]) for m in endpoint.requests[-2].body["messages"][1:]]
    assert said == [*map(tuple, SAID), ("user", ITEM["question"])]


@pytest.mark.parametrize("kind", ["function", "react"])
def test_the_older_part_is_summarised(endpoint, made, scored, kind):
    params = {"history__messages": 1, "history__summary_prompt": "Sum it up."}
    found = scored(made([ITEM]), type=kind, **params)["far"]
    assert (found.scores["success"], found.scores["steps"]) == (1, 2)
    asked = [record.body["messages"] for record in endpoint.requests if record.kind == "chat"]
    assert asked[0] == [
        {"role": "system", "content": "Sum it up."},
        {"role": "user", "content": "user: I live in Rome.\nassistant: A fine city."},
    ]
    first = [message["content"] for message in asked[1][1:]]
    assert first[0].startswith("Summary of the conversation so far: ")
    assert first[1:] == ["And I like trains.", ITEM["question"]]
    assert found.cost.calls == 3


def test_a_summary_that_fails_is_a_failure(endpoint, made, scored):
    endpoint.fault("status", status=400, containing="Sum it up.")
    params = {"history__messages": 1, "history__summary_prompt": "Sum it up."}
    found = scored(made([ITEM]), **params)["far"]
    assert found.failure is not None
    assert not found.scores
