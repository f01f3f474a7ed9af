"""Agents as objectives: what is scored, what is kept, what fails."""

import pickle

import pytest

from raytuner.objective import LATENCY, UNIT_TOKENS, UNIT_USD, Tally
from tests.pipelines.agent import toolbox
from tests.pipelines.agent.conftest import ITEMS, TOOLS

BAD = "You are a helpful agent."
WEATHER = "tests.pipelines.agent.toolbox:weather"
SKY = {"id": "sky", "question": "What is the weather in Paris?", "answer": "rain"}


@pytest.mark.parametrize("kind", ["function", "react"])
def test_success_steps_tools_tokens_and_dollars(endpoint, made, scored, kind):
    found = scored(made(), type=kind)["far"]
    assert found.failure is None
    scores = dict(found.scores)
    assert scores.pop(UNIT_TOKENS) == sum(found.cost[1:3])
    assert scores.pop(UNIT_USD) == pytest.approx(found.cost.usd) != 0
    assert scores == {
        "success": 1, "contains": 1, "steps": 2, "tool_calls": 1, "tool_errors": 0, "tools_f1": 1,
    }  # fmt: skip
    assert found.notes["trace"] == [
        {"tool": "distance", "arguments": {"start": "Rome", "end": "Oslo"}, "result": "2005 km"}
    ]
    assert found.notes["answer"] == "The answer is 2005 km."
    assert found.notes[LATENCY] > 0
    assert endpoint.calls() == 4


def test_fewer_steps_and_errors_are_better(made):
    objective = made()
    names = ("success", "tools_f1", "contains", "steps", "tool_calls", "tool_errors", UNIT_USD)
    assert [objective.maximise(name) for name in names] == [True] * 3 + [False] * 4


def test_tools_are_used_one_after_the_other(made, scored):
    item = {**ITEMS[0], "question": "What is the distance from Rome to Oslo in miles?"}
    item |= {"answer": "1246 miles", "tools": ["distance", "to_miles"]}
    scores = scored(made([item]))["far"].scores
    assert (scores["success"], scores["tool_calls"], scores["tools_f1"]) == (1, 2, 1)
    scores = scored(made([item]), tools=("distance",))["far"].scores
    assert (scores["success"], scores["tool_calls"]) == (0, 1)
    assert scores["tools_f1"] == pytest.approx(2 / 3)


def test_nothing_is_asked_twice(endpoint, made, scored):
    first = scored(made())
    before = endpoint.calls()
    second = scored(made(), max_iterations=7)
    assert endpoint.calls() == before
    assert not endpoint.repeated()
    for unit, one in second.items():
        assert one.scores == first[unit].scores
        assert one.cost.usd == 0


# ---- what goes wrong with agents is scored


def test_an_agent_that_loops_is_scored(made, scored):
    found = scored(made(), system_prompt=BAD, max_iterations=6)
    looping = [one for one in found.values() if one.scores["steps"] == 6]
    assert looping
    for one in looping:
        assert one.failure is None
        assert (one.scores["success"], one.scores["tool_calls"]) == (0, 5)
        assert one.notes["no success"] == "no answer within max_iterations 6"


def test_a_missing_tool_is_scored(made, scored):
    prompt = "Measure every distance with `ruler`. Answer as soon as you know."
    found = scored(made(), system_prompt=prompt)["far"]
    assert found.failure is None
    assert (found.scores["success"], found.scores["tool_errors"]) == (0, 1)
    assert found.notes["no success"] == "called ruler, which is no tool"


def test_an_exception_of_a_tool_is_scored(made, scored, monkeypatch):
    monkeypatch.setenv("WEATHER_TOKEN", "over Paris and beyond")
    found = scored(made([SKY], tools=[WEATHER]))["sky"]
    assert found.failure is None
    assert (found.scores["success"], found.scores["tool_errors"]) == (0, 1)
    assert found.notes["no success"] == "weather raised OSError: no satellite over Paris"


def test_secrets_in_exceptions_of_tools_are_struck_out(made, scored, monkeypatch):
    monkeypatch.setenv("SKY_TOKEN", "satellite over Paris")
    notes = scored(made([SKY], tools=[WEATHER]))["sky"].notes
    assert notes["no success"] == "weather raised OSError: no ***"


@pytest.mark.parametrize("kind", ["function", "react"])
@pytest.mark.parametrize("name", ["leave", "interrupt"])
def test_a_tool_that_wants_to_end_everything_is_scored(made, scored, name, kind, capfd):
    item = {**SKY, "question": f"What does {name} say of Paris?"}
    tool = f"tests.pipelines.agent.toolbox:{name}"
    found = scored(made([item], tools=[tool], type=kind))["sky"]
    assert found.failure is None
    assert (found.scores["success"], found.scores["tool_errors"]) == (0, 1)
    assert f"{name} raised RuntimeError" in found.notes["no success"]
    assert "Traceback" not in capfd.readouterr().err


def test_errors_of_tools_may_be_left_to_the_answer(made, scored):
    item = {**SKY, "answer": "no satellite"}
    judged = made([item], tools=[WEATHER], more={"tool_errors": "judge"})
    found = scored(judged)["sky"]
    assert (found.scores["tool_errors"], "no success" in found.notes) == (1, False)
    assert found.scores["success"] == found.scores["contains"]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [({"kind": "status", "status": 429, "retry_after": 0}, "rate_limit"), ({"kind": "drop"}, "")],
)
def test_a_call_that_fails_is_a_failure(endpoint, made, scored, fault, kind):
    given = dict(fault)
    endpoint.fault(given.pop("kind"), containing="Oslo", **given)
    objective = made()
    objective.spec.models["good-1"].__dict__["retries"] = 0
    found = scored(objective)
    assert found["near"].failure is None
    assert found["far"].scores == {}
    assert kind in found["far"].failure.kind
    assert found["far"].failure.retryable


def test_a_tool_that_hangs_is_a_failure(made, scored):
    item = {**ITEMS[0], "tools": None}
    slow = ["tests.pipelines.agent.toolbox:distance_slowly"]
    found = scored(made([item], slow, {"timeout": 0.5}))
    assert found["far"].failure.kind == "timeout"


# ---- scoring


def test_success_is_what_the_function_says(made, scored):
    more = {"score": "tests.pipelines.agent.toolbox:rated"}
    scores = scored(made(more=more))["far"].scores
    assert (scores["success"], scores["words"]) == (0.75, 5)
    scores = scored(made(more=more), system_prompt="Take `ruler` for distance.")["far"].scores
    assert scores["success"] == 0


def test_a_function_that_needs_an_answer_takes_no_success_from_a_run_without(made, scored):
    objective = made(more={"score": "tests.pipelines.agent.toolbox:picky"})
    found = scored(objective, system_prompt=BAD, max_iterations=3)
    assert {one.failure for one in found.values()} == {None}
    assert min(one.scores["success"] for one in found.values()) == 0


# ---- identity


def test_what_changes_an_agent_changes_its_key(made):
    objective = made(agents={"guide": {"description": "Knows cities.", "tools": ["distance"]}})
    base = objective.key({})
    for params in (
        {"type": "react"}, {"system_prompt": "x"}, {"max_iterations": 3}, {"tools": ("distance",)},
        {"tool_descriptions.distance": "Far?"}, {"temperature": 0.7}, {"sub_agents": ()},
        {"agents.guide.system_prompt": "x"}, {"agents.guide.tools": ()}, {"history.messages": 2},
        {"max_tokens": 9}, {"history.summary_prompt": "x"},
    ):  # fmt: skip
        assert objective.key(params) != base, params
    assert made(tools=TOOLS[:1], instances=[ITEMS[0]]).scope() != objective.scope()


def test_what_is_not_in_use_does_not(made):
    objective = made(agents={"guide": {"description": "Knows cities."}}, sub_agents=[])
    less = {"tools": ("distance",)}
    assert objective.key({**less, "tool_descriptions.to_miles": "x"}) == objective.key(less)
    assert objective.key({"agents.guide.system_prompt": "x"}) == objective.key({})
    assert objective.key({"tools": ("to_miles", "distance")}) == objective.key({})


def test_it_travels(made, scored):
    objective = pickle.loads(pickle.dumps(made()))
    assert objective.key({}) == made().key({})
    assert scored(objective)["far"].scores["success"] == 1


def test_standing_values_are_the_baseline(made):
    names = ["temperature", "max_iterations", "tools", "history.messages"]
    assert made(max_iterations=9).defaults(names) == {
        "temperature": 0.3, "max_iterations": 9, "tools": None, "history.messages": None,
    }  # fmt: skip


def test_estimates_bound_what_is_spent(made, scored):
    objective = made()
    low, high = objective.estimate_range({}, objective.units())
    spent = sum(one.cost.usd for one in scored(objective).values())
    assert low.usd < spent < high.usd
    assert (low.calls, high.calls) == (2, 40)


# ---- for people


def test_runs_are_shown_and_no_tool_is_called_again(endpoint, made, scored):
    objective = made()
    scored(objective)
    calls, asked = len(toolbox.CALLS), endpoint.calls()
    (shown,) = objective.explain({}, ["far"])
    assert shown["question"] == ITEMS[0]["question"]
    assert shown["reference"] == "2005"
    assert shown["answer"] == (
        '1. distance {"start": "Rome", "end": "Oslo"}: 2005 km\nThe answer is 2005 km.'
    )
    (other,) = objective.explain({"max_iterations": 3}, ["far"])
    assert "not among what is kept" in other["missing"]
    assert (len(toolbox.CALLS), endpoint.calls()) == (calls, asked)


def test_the_sweep_ends_where_the_money_does(endpoint, made, scored):
    from raytuner.budget import BudgetExhaustedError, Purse
    from raytuner.paying.turnstile import LocalGate

    with pytest.raises(BudgetExhaustedError):
        scored(made(), Tally(gate=LocalGate(Purse(0.001))))
    assert endpoint.usd(1, 2) <= 0.001
