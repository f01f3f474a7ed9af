"""Points that a study names."""

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.given import completed, read_points
from raytuner.space import Space
from tests.raytuner.probes import Questions, evaluations, study

SPACE = Space.parse(
    {"chunker.size": {"int": [64, 512], "step": 64}, "chunker.overlap": [0, 32, 64, 128],
     "retriever.kind": ["bm25", "dense"],
     "embedder": {"choice": ["m", "n"], "when": {"retriever.kind": "dense"}}},
    ["chunker.overlap < chunker.size"],
)  # fmt: skip
STANDS = {"chunker.size": 256, "chunker.overlap": 32, "retriever.kind": "bm25", "embedder": "m"}


def test_what_is_left_out_stays_as_it_stands():
    points = read_points([{"chunker.size": 128}, {"retriever.kind": "dense"}, {}], SPACE, STANDS)
    bm25 = {"chunker.overlap": 32, "retriever.kind": "bm25"}
    assert points == [
        {"chunker.size": 128, **bm25},
        {"chunker.size": 256, "chunker.overlap": 32, "retriever.kind": "dense", "embedder": "m"},
        {"chunker.size": 256, **bm25},
    ]
    assert completed({"embedder": "n"}, SPACE, STANDS) == points[2]  # not active with bm25


@pytest.mark.parametrize(
    ("given", "standing", "message"),
    [
        ({"chunker.size": 999}, STANDS, "points[1]: chunker.size: 999 is outside of int 64 to 512"),
        ({"chunker.size": 100}, STANDS, "points[1]: chunker.size: 100 is no value of int 64"),
        ({"chunker.sze": 64}, STANDS, "points[1]: chunker.sze: no such parameter"),
        ({"retriever.kind": "bm52"}, STANDS, "points[1]: retriever.kind: 'bm52' is not one of"),
        ({"chunker.size": 64, "chunker.overlap": 128}, STANDS,
         "points[1]: chunker.size: 64, chunker.overlap: 128, retriever.kind: 'bm25' breaks the"),
        ({"chunker.size": 64}, None, "points[1]: chunker.overlap: it has no value: give one of"),
        ({}, {**STANDS, "chunker.size": 9999}, "points[1]: chunker.size: it has no value"),
    ],
)  # fmt: skip
def test_what_is_no_point_is_refused_by_name_and_value(given, standing, message):
    full = {**STANDS, "retriever.kind": "dense"}
    with pytest.raises(ConfigError) as caught:
        read_points([full, given], SPACE, standing)
    assert caught.value.message.startswith(message)
    assert caught.value.field[:2] == ("points", 1)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([{"x": 0}], r"points\[0\]: x: 0 is outside of int 1 to 20000"),
        ([{"x": 2}, {"x": 9000}], r"points\[1\]: x: 9000 is too much"),
        ({"x": 2}, "points: give a list"),
        ([3], "points"),
    ],
)
def test_a_study_refuses_them_before_anything_runs(tmp_path, points, message):
    faults, log = {9000: "refuse"}, tmp_path / "log"
    space = {"x": {"int": [1, 20000]}, "y": ["a"]}
    with pytest.raises(ConfigError, match=message):
        raytuner.run(
            study(
                Questions(log=log, faults=faults, base={"x": 1, "y": "a"}),
                points=points, space=space, search={"kind": "random", "samples": 2},
            ),
            in_memory=True,
        )  # fmt: skip
    assert evaluations(log) == []


def order(log):
    return list(dict.fromkeys(pairs for pairs, _ in evaluations(log)))


@pytest.mark.parametrize("search", ["grid", "random", "greedy", "neighbours", "bayes"])
def test_they_are_tried_first_after_trial_0_and_once(tmp_path, search):
    log = tmp_path / "log"
    objective = Questions(log=log, base={"x": 1, "y": "c"})
    points = [{"x": 4, "y": "b"}, {"x": 3}, {"x": 4, "y": "b"}]
    results = raytuner.run(study(objective, search=search, points=points), tmp_path)
    assert [dict(pairs) for pairs in order(log)[:3]] == [
        {"x": 1, "y": "c"}, {"x": 4, "y": "b"}, {"x": 3, "y": "c"},
    ]  # fmt: skip
    assert [tuple(row) for row in results.trials.sort_values("trial")[["x", "y"]].values[:3]] == [
        (1, "c"), (4, "b"), (3, "c"),
    ]  # fmt: skip
    assert len(set(evaluations(log))) == len(evaluations(log))


def test_they_count_as_trials(tmp_path):
    fields = {"points": [{"x": 4, "y": "b"}], "search": {"kind": "random"}}
    results = raytuner.run(study(budget={"trials": 3}, **fields), in_memory=True)
    assert len(results.trials) == 3
