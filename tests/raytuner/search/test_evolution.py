"""A genetic algorithm."""

import random
import re
import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, digest
from raytuner.search import Evolution, Random, Search
from raytuner.search.learner import Outcome
from raytuner.search.port import Tracing
from raytuner.space import Space
from tests.raytuner.search import test_goals
from tests.raytuner.search.conformance import (
    RAG,
    SQUARE,
    best,
    bowl,
    check_covers,
    check_points,
    check_resume,
    exhaust,
    worth,
)
from tests.raytuner.test_space import spaces

SMALL = Evolution(population=4, immigrants=0.1, patience=12)


@settings(max_examples=12, deadline=None)
@given(spaces(), st.integers(0, 99))
def test_it_covers_exactly_a_finite_space(spelled, seed):
    check_covers(SMALL, spelled, seed)


def test_proposals_are_new_active_points_inside_the_constraints():
    check_points(SMALL, RAG, 60)


@settings(max_examples=25, deadline=None)
@given(spaces(), st.integers(0, 999))
def test_no_child_leaves_the_space(spelled, seed):
    space = Space.parse(*spelled)
    try:
        space.check()
    except ConfigError:
        return
    guide, rng = SMALL.guide(space, 0), random.Random(seed)
    for number in range(12):
        point = space.sample(rng)
        guide.learn(point, Outcome(None if number == 5 else worth(point)))
        child = dict(guide.suggest(rng.randrange(10**6)))
        assert space.active(child) == child
        assert space.contains(child)


def test_constraints_that_single_changes_break_leave_room_for_children():
    space = Space.parse(
        {name: {"int": [0, 12]} for name in ("a", "b", "c")} | {"kind": ["x", "y", "z"]},
        ["a + b + c == 12"],
    )
    target = {"a": 9, "b": 2, "c": 1, "kind": "z"}

    def score(point):
        return -sum(abs(point[n] - target[n]) for n in "abc") + (point["kind"] == "z")

    search = Evolution(population=8)
    found = [best(search, seed, 40, score, space) for seed in range(8)]
    chance = [best(Random(), seed, 40, score, space) for seed in range(8)]
    assert statistics.mean(found) > statistics.mean(chance)
    proposer = search.start(space, 0)
    for _ in range(40):
        point = proposer.ask()
        proposer.tell(point, score(point))
    assert {proposer.lineage(proposer.ask()).how for _ in range(20)} != {"random"}


def test_it_goes_on_after_a_break_as_if_there_had_been_none():
    check_resume(SMALL, RAG, 40)


def test_it_beats_chance():
    found = [best(Evolution(population=8), seed, 60) for seed in range(7)]
    chance = [best(Random(), seed, 60) for seed in range(25)]
    assert statistics.median(found) > 0.2 * statistics.median(chance)


@pytest.mark.usefixtures("benchmarks")
def test_it_beats_chance_on_a_deceptive_mixed_space_with_a_known_optimum():
    from deceptive import OPTIMUM, SPACE, score
    from scipy.stats import mannwhitneyu

    assert SPACE.contains(OPTIMUM)
    assert score(OPTIMUM) == 1.0
    evolved = [best(Evolution(), seed, 60, score, SPACE) for seed in range(30)]
    chance = [best(Random(), seed, 60, score, SPACE) for seed in range(30)]
    medians = statistics.median(evolved), statistics.median(chance)
    assert medians[0] > medians[1] + 0.05, medians
    assert mannwhitneyu(evolved, chance, alternative="greater").pvalue < 0.01, medians
    assert max(evolved) < 1.0  # deceived, but never beyond what is known to be best


def learned(search, space=SQUARE, count=40, score=bowl):
    guide = search.guide(space, 0)
    for seed in range(count):
        point = space.sample(random.Random(seed))
        guide.learn(point, Outcome(score(point)))
    return guide


def test_children_descend_from_winners_and_say_so():
    guide = learned(Evolution(population=8, crossover=0.5, immigrants=0.2, tournament=8))
    ranked = sorted((SQUARE.sample(random.Random(s)) for s in range(40)), key=bowl, reverse=True)
    seen = set()
    for seed in range(60):
        child = guide.suggest(seed)
        lineage = guide.lineage(child)
        assert lineage.generation == 5
        seen.add(lineage.how)
        assert len(lineage.parents) == {"random": 0, "mutation": 1, "crossover": 2}[lineage.how]
        scores = [bowl(parent) for parent in lineage.parents]
        assert all(parent in ranked[:32] for parent in lineage.parents)
        assert scores == sorted(scores, reverse=True)
    assert seen == {"random", "mutation", "crossover"}
    assert guide.lineage({"x": 0.0, "y": 0.0}) is None


def test_what_chance_gave_after_too_many_repeats_has_no_parents():
    space = Space.parse({"n": {"int": [1, 5]}})
    proposer = Evolution(population=4).start(space, 0)
    assert isinstance(proposer, Tracing)
    hows = []
    for _ in range(5):
        point = proposer.ask()
        proposer.tell(point, point["n"])
        hows.append(proposer.lineage(point).how)
    assert hows[:4] == ["random"] * 4


def test_the_first_are_random_the_best_is_never_lost_and_the_population_is_diverse():
    search = Evolution(population=6, crossover=0.0, immigrants=0.0, tournament=50)
    guide = search.guide(SQUARE, 0)
    for seed in range(5):
        assert guide.suggest(seed) == SQUARE.sample(random.Random(seed))
        guide.learn(SQUARE.sample(random.Random(seed)), Outcome(0.1 * seed))
    top = {"x": 0.5, "y": 0.5}
    guide.learn(top, Outcome(9.0))
    for number in range(60):  # close to the best, and a little worse
        guide.learn({"x": 0.5 + 1e-4 * (number + 1), "y": 0.5}, Outcome(8.0 - 0.01 * number))
    parents = [guide.lineage(guide.suggest(seed)).parents[0] for seed in range(20)]
    assert parents == [top] * 20
    drifting = Evolution(population=6, crossover=0.0, immigrants=0.0, tournament=1)
    wide = learned(drifting, count=0)
    for seed in range(5):
        wide.learn(SQUARE.sample(random.Random(seed)), Outcome(0.1 * seed))
    wide.learn(top, Outcome(9.0))
    for number in range(8):
        wide.learn({"x": 0.5 + 1e-4 * (number + 1), "y": 0.5}, Outcome(8.0 - 0.01 * number))
    seen = {digest(wide.lineage(wide.suggest(seed)).parents[0]) for seed in range(60)}
    assert len(seen) == 6  # one of the crowd, and five others
    assert digest(top) in seen


def test_without_improvement_it_begins_anew_beside_the_best():
    def guide(patience):
        search = Evolution(population=4, patience=patience, immigrants=0.0, elite=1)
        made = search.guide(SQUARE, 0)
        made.learn({"x": 0.5, "y": 0.5}, Outcome(1.0))
        for seed in range(20):
            made.learn(SQUARE.sample(random.Random(seed)), Outcome(0.5))
        return made

    assert guide(20).suggest(3) == SQUARE.sample(random.Random(3))
    assert guide(21).suggest(3) != SQUARE.sample(random.Random(3))
    assert guide(None).suggest(3) != SQUARE.sample(random.Random(3))
    anew = guide(20)
    for seed in range(50, 54):
        anew.learn(SQUARE.sample(random.Random(seed)), Outcome(0.1))
    allowed = [{"x": 0.5, "y": 0.5}, *(SQUARE.sample(random.Random(s)) for s in range(50, 54))]
    parents = [p for seed in range(30) for p in anew.lineage(anew.suggest(seed)).parents]
    assert all(parent in allowed for parent in parents)
    assert allowed[0] in parents


def test_of_several_goals_it_looks_at_every_one():
    search = Evolution(population=10)
    later = [p for seed in range(4) for p in test_goals.points(search, seed, 50)[30:]]
    chance = [p for seed in range(4) for p in test_goals.points(Random(), seed, 50)[30:]]
    middle = [statistics.median(p["y"] for p in found) for found in (later, chance)]
    assert middle[0] < 0.8 * middle[1]
    assert any(p["x"] < 0.4 for p in later)
    assert any(p["x"] > 0.6 for p in later)
    failing = {0, 1, 9}
    one, other = (test_goals.points(search, 3, 20, failing=failing) for _ in range(2))
    assert one == other


def test_if_everything_fails_chance_goes_on():
    found = exhaust(Evolution(population=4), Space.parse({"n": {"int": [1, 12]}}))
    assert len(found) == 12
    proposer = Evolution(population=4).start(SQUARE, 0)
    for _ in range(10):
        proposer.tell(proposer.ask(), None)
    assert proposer.lineage(proposer.ask()).how == "random"


def test_every_field_changes_proposals():
    def proposed(search):
        guide = learned(search, RAG, 60, worth)
        return [guide.suggest(seed) for seed in range(12)]

    changes = {
        "population": 8,
        "tournament": 1,
        "crossover": 0.1,
        "mutation": 0.9,
        "step": 0.9,
        "elite": 20,
        "immigrants": 0.9,
        "niche": 0.5,
        "patience": 20,
    }
    assert set(changes) == set(Evolution.model_fields) - {"samples"}
    for field, value in changes.items():
        crowded = {"niche": 0.5} if field == "elite" else {}  # where niches leave room for it
        base = proposed(Evolution(**crowded))
        assert proposed(Evolution(**crowded, **{field: value})) != base, field


def test_it_is_named_in_a_study():
    assert Search.model_validate("evolution") == Evolution()
    made = Search.model_validate({"kind": "evolution", "population": 30, "patience": None})
    assert made == Evolution(population=30, patience=None)
    with pytest.raises(ValueError, match="population"):
        Search.model_validate({"kind": "evolution", "population": 2})


def test_what_the_page_of_searches_shows_runs():
    page = (Path(__file__).parents[3] / "docs" / "searches.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    found = {}
    exec(code, found)
    assert found["point"].keys() == {"temperature", "tools"}
