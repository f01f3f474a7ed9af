"""One parameter at a time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raytuner
from raytuner.component import ConfigError, digest
from raytuner.search import Exhausted, Greedy, Search
from raytuner.search.greedy import importance
from raytuner.space import Space
from tests.raytuner.probes import BACKENDS, Questions, same, study, table
from tests.raytuner.search.conformance import RAG, check_points, check_resume, exhaust
from tests.raytuner.search.test_standing import Stands
from tests.raytuner.test_space import spaces

PLAIN = Space.parse({"chunker.size": [1, 2, 3], "embedder.model": ["a", "b"],
                     "generator.model": ["x", "y", "z"], "retriever.top_k": [1, 5]})  # fmt: skip
BASE = Stands(**{"chunker.size": 2, "embedder.model": "a", "generator.model": "x",
                 "retriever.top_k": 5})  # fmt: skip


def additive(point):
    return (
        {"x": 0, "y": 0.4, "z": 0.1}[point["generator.model"]]
        + {"a": 0, "b": 0.2}[point["embedder.model"]]
        + 0.01 * point["chunker.size"]
        - 0.001 * point["retriever.top_k"]
    )


def walked(proposer, score):
    found = []
    try:
        while True:
            found.append(proposer.ask())
            proposer.tell(found[-1], score(found[-1]))
    except Exhausted:
        return found


def test_models_come_first_one_parameter_at_a_time_and_the_best_is_kept():
    proposer = Greedy(rounds=1).begin(PLAIN, 0, BASE)
    proposer.tell(PLAIN.active(BASE.values), additive(BASE.values))
    found = walked(proposer, additive)
    assert [(p["generator.model"], p["embedder.model"], p["retriever.top_k"], p["chunker.size"])
            for p in found] == [("y", "a", 5, 2), ("z", "a", 5, 2), ("y", "b", 5, 2),
                                ("y", "b", 1, 2), ("y", "b", 1, 1), ("y", "b", 1, 3)]  # fmt: skip
    assert additive(found[-1]) == max(map(additive, PLAIN.every()))


def test_the_start_is_tried_where_nobody_has_and_a_round_that_changes_nothing_ends_it():
    found = walked(Greedy(rounds=9).begin(PLAIN, 0, BASE), additive)
    assert PLAIN.active(BASE.values) in found
    assert len(found) < PLAIN.total()
    assert max(map(additive, found)) == max(map(additive, PLAIN.every()))


def test_importance_is_models_then_settings_by_part_and_what_is_named_is_first():
    assert importance(PLAIN) == ["generator.model", "embedder.model", "retriever.top_k",
                                 "chunker.size"]  # fmt: skip
    assert importance(PLAIN, ["chunker.size"])[0] == "chunker.size"
    space = Space.parse({"chunker.size": [1, 2], "reranker.kind": ["a", "b"], "other": [1, 2],
                         "retriever.kind": ["a", "b"], "generator.prompt": ["p", "q"],
                         "generator.temperature": [0, 1], "embedder": ["m", "n"]})  # fmt: skip
    assert importance(space) == ["embedder", "retriever.kind", "reranker.kind", "other",
                                 "generator.prompt", "chunker.size",
                                 "generator.temperature"]  # fmt: skip


def test_later_rounds_begin_with_what_made_most_difference():
    space = Space.parse({name: {"float": [0, 1]} for name in "abc"})
    middle = Stands(a=0.5, b=0.5, c=0.5)

    def score(point):
        return 0.1 * point["a"] + 0.2 * point["b"] - (point["c"] - 0.6) ** 2

    first = walked(Greedy(rounds=1).begin(space, 0, middle), score)
    both = walked(Greedy(rounds=2).begin(space, 0, middle), score)
    at, (again, *_) = max(first, key=score), both[len(first) :]
    assert both[: len(first)] == first
    assert {name for name in "abc" if again[name] != at[name]} == {"c"}


def test_numbers_are_looked_at_more_closely_in_later_rounds():
    space = Space.parse({"x": {"float": [0, 1]}})

    def score(point):
        return -abs(point["x"] - 0.37)

    bests = [max(map(score, walked(Greedy(rounds=n).start(space, 0), score))) for n in (1, 3, 5)]
    assert bests == sorted(bests)
    assert bests[0] < -0.02 < -0.002 < bests[2]


def test_it_waits_for_the_values_of_a_parameter_and_no_longer():
    proposer = Greedy().begin(PLAIN, 0, BASE)
    asked = [proposer.ask() for _ in range(3)]
    assert proposer.ask() is None
    for point in asked[:2]:
        proposer.tell(point, additive(point), units=4, ended=False)
        proposer.tell(point, additive(point))
    assert proposer.ask() is None
    proposer.tell(asked[2], None)
    assert proposer.ask()["generator.model"] == "y"


def test_what_was_stopped_early_does_not_beat_what_is_complete():
    proposer = Greedy().begin(PLAIN, 0, BASE)
    proposer.tell(PLAIN.active(BASE.values), 0.5)
    y, z = proposer.ask(), proposer.ask()
    proposer.tell(y, 0.9, units=4)
    proposer.tell(z, None)
    assert proposer.ask()["generator.model"] == "x"


@settings(max_examples=30, deadline=None)
@given(spaces(), st.integers(0, 99), st.integers(1, 3))
def test_proposals_are_new_points_of_the_space_and_come_to_an_end(spelled, seed, rounds):
    space = Space.parse(*spelled)
    if next(space.every(), None) is None:
        return
    search = Greedy(rounds=rounds)
    found = exhaust(search, space, seed)
    assert all(space.contains(point) and space.active(point) == point for point in found)
    assert len({digest(point) for point in found}) == len(found) <= search.total(space)


def test_it_stands_up_to_a_conditional_space_and_to_breaks():
    check_points(Greedy(rounds=3), RAG, 20)
    check_resume(Greedy(rounds=3), RAG, 18)


def test_reports_in_any_order_lead_to_the_same_walk():
    first, second = (Greedy(rounds=2).start(RAG, 0) for _ in range(2))
    found = walked(first, lambda p: random.Random(digest(p)).random())
    for point in reversed(found[:-1]):
        second.tell(point, random.Random(digest(point)).random())
    assert second.ask() == found[-1]


def test_samples_limit_it():
    proposer = Greedy(samples=2).begin(PLAIN, 0, BASE)
    assert len(walked(proposer, additive)) == 2
    assert Greedy(samples=2).total(PLAIN) == 2


def test_an_unknown_parameter_in_the_order_is_refused():
    with pytest.raises(ConfigError, match=r"search: order: .*'chunkr.size'.*chunker.size"):
        Greedy(order=("chunkr.size",)).start(PLAIN, 0)


@pytest.mark.parametrize("scheduler", ["none", "asha", "halving", "median"])
def test_a_study_with_it_ends_by_itself_whatever_stops_trials(scheduler):
    objective = Questions(units=12, base={"x": 2, "y": "b"}, faults={3: "raise"})
    fields = {"search": "greedy", "scheduler": scheduler, "retry": {"times": 0}}
    results = raytuner.run(study(objective, **fields), in_memory=True)
    assert results.stop_reason is None
    assert 1 < len(results.trials) < 12
    assert {params.x for params in results.trials.itertuples()} == {1, 2, 3, 4}


def test_workers_change_nothing_but_the_order():
    fields = {"search": {"kind": "greedy"}}
    base = {"x": 2, "y": "b"}
    one = table(raytuner.run(study(Questions(base=base), **fields), in_memory=True))
    many = table(
        raytuner.run(study(Questions(base=base), **fields, **BACKENDS["threads"]), in_memory=True)
    )
    order = "key"
    drop = ["trial"]
    same(*(t.drop(columns=drop).sort_values(order, ignore_index=True) for t in (one, many)))


def test_an_interrupted_study_goes_on_where_it_was(tmp_path):
    base = {"x": 2, "y": "b"}
    whole = table(raytuner.run(study(Questions(base=base), search="greedy"), in_memory=True))
    for trials in (2, 4, None):
        fields = {"search": "greedy", "budget": {"trials": trials}}
        results = raytuner.run(study(Questions(base=base), **fields), tmp_path)
    same(table(results), whole)


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "greedy", "order": ["a"]}) == Greedy(order=("a",))
