"""Preparation that is paid for is used."""

import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raytuner
from raytuner.component import ConfigError, digest
from raytuner.search import Neighbours, Search
from raytuner.search.neighbours import Preparations, farthest
from raytuner.search.sampling import Random
from raytuner.search.standing import Standing
from raytuner.space import Space
from tests.raytuner.probes import Questions, same, study, table
from tests.raytuner.search.conformance import (
    RAG,
    best,
    check_covers,
    check_points,
    check_resume,
    worth,
)
from tests.raytuner.search.test_standing import Stands
from tests.raytuner.test_space import spaces

QUICK = Neighbours(explore=3, candidates=30)
WIDE = Space.parse({"model": ["a", "b", "c"], "size": {"int": [1, 8]}, "top_k": {"int": [1, 12]},
                    "prompt": ["p", "q"]})  # fmt: skip


class Ingests(Stands):
    """`model` and `size` decide what is prepared; no size but 3 can be had with model c."""

    def __init__(self, **values):
        super().__init__(**{"model": "a", "size": 4, "top_k": 5, "prompt": "p", **values})
        self.asked = 0

    def affinity(self, params):
        self.asked += 1
        if params["model"] == "c" and params["size"] != 3:
            raise ConfigError("size: c takes 3")
        return digest(params["model"], params["size"])


def score(point):
    return (
        {"a": 0.0, "b": 0.3, "c": 0.1}[point["model"]]
        - 0.02 * abs(point["size"] - 6)
        + 0.03 * min(point["top_k"], 9)
        + 0.1 * (point["prompt"] == "q")
    )


def lead(search, objective, steps, space=WIDE, seed=0, worth=score):
    proposer, found = search.begin(space, seed, objective), []
    for _ in range(steps):
        found.append(proposer.ask())
        proposer.tell(found[-1], worth(found[-1]))
    return found


@settings(max_examples=6, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(QUICK, spelled, seed)


def test_proposals_are_new_active_points_inside_the_constraints():
    check_points(QUICK, RAG, 25)


def test_it_goes_on_after_a_break_as_if_there_had_been_none():
    check_resume(QUICK, RAG, 15)


def test_what_changes_the_preparation_is_found_out_and_asked_once():
    objective = Ingests()
    prepared = Preparations(Standing(WIDE, objective, 4), objective)
    assert prepared.dear == {"model", "size"}
    at, asked = {"model": "a", "size": 2, "top_k": 1, "prompt": "p"}, objective.asked
    assert prepared.of(at) == prepared.of({**at, "top_k": 9, "prompt": "q"})
    assert prepared.of(at) != prepared.of({**at, "size": 3})
    assert objective.asked == asked + 2
    assert prepared.of({**at, "model": "c"}) == ""


def test_preparation_that_only_a_condition_brings_in_is_found():
    space = Space.parse({"retriever": ["bm25", "dense"], "top_k": {"int": [1, 9]},
                         "embedder": {"choice": ["m", "n"],
                                      "when": {"retriever": "dense"}}})  # fmt: skip

    class Vectors(Stands):
        def affinity(self, params):
            return params.get("embedder", "")

    objective = Vectors(retriever="bm25", top_k=3)
    prepared = Preparations(Standing(space, objective, 4), objective)
    assert prepared.dear == {"retriever", "embedder"}


def test_it_starts_from_what_stands_then_far_from_it_with_new_preparations():
    found = lead(Neighbours(explore=4), Ingests(), 4)
    assert found[0] == {"model": "a", "size": 4, "top_k": 5, "prompt": "p"}
    assert len({(p["model"], p["size"]) for p in found}) == 4
    assert {p["prompt"] for p in found} == {"p", "q"}


def test_the_dearer_the_preparation_the_fewer_are_made():
    def made(cost):
        found = lead(Neighbours(preparation=cost), Ingests(), 20)
        return len({(p["model"], p["size"]) for p in found})

    assert made(30.0) < made(0.0)


def test_it_finds_the_best_with_few_points_and_fewer_preparations_than_chance():
    top = max(map(score, WIDE.every()))
    ours = [lead(Neighbours(), Ingests(), 18, seed=seed) for seed in range(3)]
    chance = [lead(Random(), Ingests(), 18, seed=seed) for seed in range(25)]
    assert statistics.median(max(map(score, found)) for found in ours) > top - 0.02
    assert statistics.median(max(map(score, found)) for found in chance) < top - 0.02

    def prepared(runs):
        return statistics.mean(len({(p["model"], p["size"]) for p in found}) for found in runs)

    assert prepared(ours) < prepared(chance)


def test_without_preparation_it_is_as_good_at_searching():
    found = [best(Neighbours(), seed, 16) for seed in range(3)]
    chance = [best(Random(), seed, 16) for seed in range(25)]
    assert statistics.median(found) > 0.2 * statistics.median(chance)


def test_points_under_way_are_not_proposed_again_and_change_what_is():
    proposer = Neighbours(explore=3).begin(WIDE, 0, Ingests())
    for point in (proposer.ask() for _ in range(6)):
        proposer.tell(point, score(point))
    waiting = [proposer.ask() for _ in range(5)]
    assert len({digest(point) for point in waiting}) == 5
    assert len({(p["model"], p["size"], p["top_k"]) for p in waiting}) > 2


def test_equal_reports_in_another_order_give_equal_proposals():
    points = [WIDE.sample(random.Random(seed)) for seed in range(9)]
    first, second = (Neighbours().begin(WIDE, 7, Ingests()) for _ in range(2))
    for point in points:
        first.tell(point, score(point) - 1, units=3, ended=False)
        first.tell(point, score(point))
        second.tell(point, score(point))
    assert [first.ask() for _ in range(3)] == [second.ask() for _ in range(3)]


def test_the_first_point_is_what_stands_whatever_the_seed():
    first = [Neighbours().begin(RAG, seed, Unprepared()).ask() for seed in range(3)]
    assert first[0] == first[1] == first[2]


class Unprepared(Stands):
    def affinity(self, params):
        return ""


def test_failures_keep_it_away():
    def fails(point):
        return None if point["model"] == "b" else score(point)

    found = lead(Neighbours(), Ingests(), 20, worth=fails)
    assert sum(point["model"] == "b" for point in found[8:]) <= 4


def test_the_farthest_candidate_is_chosen():
    space = Space.parse({"x": {"float": [0, 1]}})
    standing = Standing(space, None, 4)
    candidates = [{"x": x} for x in np.linspace(0, 1, 11)]
    assert farthest(standing, [{"x": 0.0}, {"x": 0.3}], candidates) == {"x": 1.0}
    assert farthest(standing, [{"x": 0.0}, {"x": 1.0}], candidates) == {"x": 0.5}


def test_every_field_changes_proposals():
    def proposals(**fields):
        return lead(Neighbours(**fields), Ingests(), 24)

    usual = proposals()
    assert proposals(explore=9) != usual
    assert proposals(preparation=30) != usual
    assert proposals(margin=3.0) != usual
    assert len({repr(lead(Neighbours(candidates=n), Unprepared(), 8, RAG, worth=worth))
                for n in (10, 400)}) == 2  # fmt: skip


@pytest.mark.parametrize("scheduler", ["none", "asha", "halving"])
def test_a_study_with_it_covers_its_space_whatever_stops_trials(scheduler):
    objective = Questions(units=12, base={"x": 2, "y": "b"}, faults={3: "raise"})
    fields = {"search": "neighbours", "scheduler": scheduler, "retry": {"times": 0}}
    results = raytuner.run(study(objective, **fields), in_memory=True)
    assert results.stop_reason is None
    assert len(results.trials) == 12


def test_an_interrupted_study_goes_on_where_it_was(tmp_path):
    base = {"x": 2, "y": "b"}
    fields = {"search": {"kind": "neighbours", "explore": 2}, "budget": {"trials": 9}}
    whole = table(raytuner.run(study(Questions(base=base), **fields), in_memory=True))
    for trials in (2, 5, 9):
        fields["budget"] = {"trials": trials}
        results = raytuner.run(study(Questions(base=base), **fields), tmp_path)
    same(table(results), whole)


def test_it_is_named_in_a_study():
    assert Search.model_validate({"kind": "neighbours", "explore": 2}) == Neighbours(explore=2)
    assert Neighbours.learns
