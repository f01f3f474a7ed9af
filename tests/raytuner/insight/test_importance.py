"""Main effects by hand, their symmetry, and the model beside them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import raytuner
from raytuner.insight import importance
from raytuner.insight.importance import learned
from tests.raytuner.insight.sheet import made

CONTINUOUS = {"float": [0.0, 1.0]}
GRID = {"x": [1, 2, 3], "y": ["a", "b"]}


def additive(params, question):
    """x = 2 is worth 0.3, y = b is worth 0.1, and questions differ."""
    return 0.2 + 0.3 * (params["x"] == 2) + 0.1 * (params["y"] == "b") + 0.01 * question


def effects(found):
    table = found.effects
    return {(row.parameter, row.level): row for row in table.itertuples(index=False)}


def test_effects_of_a_full_grid_by_hand(run):
    found = importance(run(additive, GRID))
    rows = effects(found)
    assert rows["x", "2"].effect == pytest.approx(0.3)
    assert rows["x", "1"].effect == pytest.approx(-0.15)
    assert rows["x", "3"].effect == pytest.approx(-0.15)
    assert rows["y", "b"].effect == pytest.approx(0.1)
    assert rows["y", "a"].effect == pytest.approx(-0.1)
    assert found.effects.paired.all()
    assert rows["x", "2"].trials == 2
    assert list(found.ranking.parameter) == ["x", "y"]
    assert list(found.ranking["range"]) == pytest.approx([0.3, 0.1])
    for row in rows.values():  # the same on every question: nothing is uncertain
        assert row.low == pytest.approx(row.effect)
        assert row.high == pytest.approx(row.effect)


def test_intervals_cover_what_questions_differ_in(run):
    found = importance(run(lambda p, q: p["x"] * q / 11, {"x": [0, 1]}))
    row = effects(found)["x", "1"]
    assert row.effect == pytest.approx(0.5)
    error = (np.arange(12) / 11).std() / np.sqrt(11)  # of a mean of 12 differences
    assert row.high - row.low == pytest.approx(2 * 1.96 * error, rel=0.08)
    assert row.low < 0.5 < row.high


def test_questions_of_one_document_are_one_piece_of_evidence(run, tmp_path):
    function = lambda p, q: p["x"] * (0.1 if q < 10 else 0.3)  # noqa: E731
    alone = effects(importance(run(function, {"x": [0, 1]}, units=20)))["x", "1"]
    documents = {f"q{n}": f"d{n // 2}" for n in range(20)}
    space = {"x": [0, 1]}
    same = raytuner.run(made(function, space, units=20, documents=documents, name="c"), tmp_path)
    together = effects(importance(same))["x", "1"]
    assert together.effect == pytest.approx(alone.effect)
    wider = (together.high - together.low) / (alone.high - alone.low)
    assert wider == pytest.approx(np.sqrt(2), rel=0.12)


def test_less_may_be_better(run):
    found = importance(run(additive, GRID, maximise=False))
    assert effects(found)["x", "2"].effect == pytest.approx(-0.3)
    assert "Less score is better" in found.note


def test_random_designs_are_not_paired_and_less_sure(run):
    space = {"x": CONTINUOUS, "y": ["a", "b"]}
    search = {"kind": "random", "samples": 60}
    found = importance(run(lambda p, q: 0.5 * p["x"] + 0.1 * (p["y"] == "b"), space, search=search))
    rows = effects(found)
    levels = [row for (name, _), row in rows.items() if name == "x"]
    assert len(levels) == 8
    assert sum(row.trials for row in levels) == 60
    assert not found.effects.paired.any()
    assert [row.few for row in levels] == [True] * 8
    gains = [row.effect for row in levels]
    assert gains == sorted(gains)
    b = rows["y", "b"]
    assert not b.few
    assert b.low < 0.1 < b.high
    assert b.high - b.low > 0.05  # which trials were drawn is uncertain, though no question is
    assert found.ranking.parameter[0] == "x"


def test_a_forest_agrees_where_it_explains_anything(run):
    space = {"x": CONTINUOUS, "y": ["a", "b"], "z": [1, 2, 3]}
    search = {"kind": "random", "samples": 80}
    found = importance(run(lambda p, q: p["x"] + 0.2 * (p["y"] == "b"), space, search=search))
    assert found.r2 > 0.8
    assert list(found.model.parameter) == ["x", "y", "z"]
    assert found.model.share.sum() == pytest.approx(1)
    assert found.model.share[2] < 0.01
    assert "No model" not in found.note


def test_a_forest_that_explains_nothing_is_hidden(run):
    search = {"kind": "random", "samples": 60}
    noise = lambda p, q: hash((round(p["x"], 12), q)) % 97 / 97  # noqa: E731
    found = importance(run(noise, {"x": CONTINUOUS}, search=search))
    assert found.model is None
    assert found.r2 < 0.2
    assert f"R^2 {found.r2:.2f}" in found.note


def test_few_trials_have_no_forest(run):
    found = importance(run(additive, GRID))
    assert found.model is None
    assert found.r2 is None
    assert "it takes 40 trials, there are 6" in found.note


def test_early_stopped_trials_are_compared_on_common_questions(run):
    scheduler = {"kind": "halving", "grace": 8}
    found = run(
        lambda p, q: p["x"] / 8 + 0.01 * (q >= 8), {"x": list(range(8))}, units=16,
        scheduler=scheduler,
    )  # fmt: skip
    assert found.pruned
    told = importance(found)
    assert told.note.startswith("8 trials on 8 of 16 questions")
    rows = effects(told)
    for x in range(8):
        others = np.mean([v / 8 for v in range(8) if v != x])
        assert rows["x", str(x)].effect == pytest.approx(x / 8 - others)


def test_inactive_parameters_are_compared_where_they_are_active(run):
    space = {"x": [1, 2], "y": {"choice": ["a", "b"], "when": {"x": 1}}}
    rows = effects(importance(run(lambda p, q: 0.4 * (p.get("y") == "b"), space)))
    assert rows["y", "b"].effect == pytest.approx(0.4)
    assert rows["y", "b"].trials == 1


def test_one_level_has_no_effect(run):
    found = importance(run(additive, {"x": [1, 2], "y": ["a"]}))
    assert set(found.effects.parameter) == {"x"}


def test_searches_that_learn_are_named(run, tmp_path):
    grid = run(additive, GRID)
    assert not learned(grid)
    search = {"kind": "bayes", "samples": 8}
    learning = made(lambda p, q: p["x"], {"x": CONTINUOUS}, search=search, name="learning")
    taught = raytuner.run(learning, tmp_path)
    assert learned(taught)
    assert "search that learns" in importance(taught).note


def test_it_is_the_same_every_time_and_shows_itself(run):
    results = run(additive, {"x": [1, 2, 3], "y": ["<b>", "b"]})
    first, second = importance(results), importance(results)
    assert first.effects.equals(second.effects)
    shown = first._repr_html_()
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.lists(st.floats(0, 1, width=16), min_size=4, max_size=4), min_size=10, max_size=10)
)
def test_effects_of_two_levels_are_opposite_and_those_of_a_grid_sum_to_nothing(values):
    places = {(x, y): 2 * x + y for x in (0, 1) for y in (0, 1)}
    function = lambda p, q: values[q][places[p["x"], p["y"]]]  # noqa: E731
    found = raytuner.run(made(function, {"x": [0, 1], "y": [0, 1]}, units=10), in_memory=True)
    rows = effects(importance(found))
    for name in ("x", "y"):
        a, b = rows[name, "0"], rows[name, "1"]
        assert a.effect == pytest.approx(-b.effect, abs=1e-12)
        assert a.low == pytest.approx(-b.high, abs=2e-2)
        assert a.low <= a.effect + 1e-12
        assert a.effect <= a.high + 1e-12
        means = [[values[q][places[(v, w) if name == "x" else (w, v)]] for q in range(10)]
                 for v in (0, 1) for w in (0, 1)]  # fmt: skip
        assert b.effect == pytest.approx(np.mean(means[2:]) - np.mean(means[:2]), abs=1e-9)
