"""Searchers of Ray Tune as searches; no Ray runtime is started."""

import importlib.util
import random
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, MissingExtraError, digest
from raytuner.search import Exhausted, RaySearcher, Search
from raytuner.search.passthrough import adapt
from raytuner.search.sampling import Random
from raytuner.space import Space
from tests.raytuner.search.conformance import (
    RAG,
    SQUARE,
    best,
    bowl,
    check_covers,
    check_points,
    check_resume,
    lead,
    worth,
)
from tests.raytuner.test_space import spaces

NAMES = ("nevergrad", "hyperopt", "optuna")
ALL = pytest.mark.parametrize("name", NAMES)
NEVERGRAD = RaySearcher(searcher="nevergrad")


@settings(max_examples=5, deadline=None)
@given(spaces(), st.integers(0, 99), st.sampled_from(NAMES))
def test_it_covers_exactly_a_finite_space(spelled, seed, name):
    check_covers(RaySearcher(searcher=name), spelled, seed)


@ALL
def test_proposals_are_new_active_points_inside_the_constraints(name):
    check_points(RaySearcher(searcher=name), RAG, 30)


@ALL
def test_it_goes_on_after_a_break_as_if_there_had_been_none(name):
    check_resume(RaySearcher(searcher=name), RAG, 25)


@ALL
def test_it_beats_chance(name):
    found = [best(RaySearcher(searcher=name, samples=60), seed, 60) for seed in range(5)]
    chance = [best(Random(), seed, 60) for seed in range(25)]
    assert statistics.median(found) > 0.5 * statistics.median(chance)


def test_a_searcher_of_floats_runs_on_numbers_and_refuses_names():
    pytest.importorskip("bayes_opt")
    space = Space.parse({"n": {"int": [1, 9]}, "k": [1, 2, 4], "t": {"float": [1, 9], "log": True}})
    options = {"random_search_steps": 2}
    check_points(RaySearcher(searcher="bayesopt", options=options), space, 6)
    with pytest.raises(ConfigError, match="knows numbers only, chunker is one of 'fixed'"):
        RaySearcher(searcher="bayesopt").start(RAG, 0)


def test_one_that_waits_for_results_is_waited_for_but_not_in_vain():
    pytest.importorskip("bayes_opt")
    search = RaySearcher(searcher="bayesopt", options={"random_search_steps": 2})
    proposer = search.start(SQUARE, 0)
    first, second = proposer.ask(), proposer.ask()
    assert proposer.ask() is None
    proposer.tell(first, None)
    assert proposer.ask() is None
    proposer.tell(second, None)
    assert proposer.ask() is not None


@ALL
def test_samples_end_it_after_a_break_too(name):
    search = RaySearcher(searcher=name, samples=5)
    proposer = search.start(SQUARE, 0)
    found = lead(proposer, worth, 5)
    resumed = search.start(SQUARE, 0)
    for point in found[:3]:
        resumed.recall(point)
    assert len(lead(resumed, worth, 2)) == 2
    for one in (proposer, resumed):
        with pytest.raises(Exhausted, match="samples"):
            one.ask()


def test_a_record_of_another_course_is_taken_in():
    search = RaySearcher(searcher="hyperopt", samples=8)
    own = [search.start(SQUARE, 1).ask(), *(SQUARE.sample(random.Random(s)) for s in range(3))]
    resumed = search.start(SQUARE, 1)
    for point in own:
        resumed.recall(point)
        resumed.tell(point, bowl(point))
    after = lead(resumed, bowl, 4)
    assert len({digest(p) for p in (*own, *after)}) == 8
    with pytest.raises(Exhausted):
        resumed.ask()


def test_a_finite_space_is_covered_after_another_course_too():
    space = Space.parse({"n": {"int": [1, 6]}})
    resumed = RaySearcher(searcher="nevergrad").start(space, 3)
    for n in (2, 5):
        resumed.recall({"n": n})
    found = lead(resumed, worth, 4)
    assert sorted(point["n"] for point in found) == [1, 3, 4, 6]
    with pytest.raises(Exhausted):
        resumed.ask()


def test_global_generators_are_left_alone():
    NEVERGRAD.start(RAG, 0)  # importing its library draws a number
    before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    lead(NEVERGRAD.start(RAG, 1), worth, 8)
    assert (random.getstate(), repr(np.random.get_state())) == before  # noqa: NPY002


def test_options_reach_the_searcher():
    plain = lead(NEVERGRAD.start(SQUARE, 1), worth, 8)
    other = RaySearcher(searcher="nevergrad", options={"optimizer": "CMA"})
    assert lead(other.start(SQUARE, 1), worth, 8) != plain
    seeded = RaySearcher(searcher="hyperopt", options={"random_state_seed": 4})
    assert seeded.start(SQUARE, 1).ask() == seeded.start(SQUARE, 2).ask()


@pytest.mark.parametrize(
    ("searcher", "options", "message"),
    [
        ("nevergrad", {"optimizr": "CMA"}, "has no option 'optimizr'.*Did you mean 'optimizer'"),
        ("nevergrad", {"optimizer": "OnePlusTwo"}, "no optimizer 'OnePlusTwo'.*'OnePlusOne'"),
        ("nevergrad", {"optimizer": "Cobyla"}, "nevergrad's Cobyla is, or may choose, a method"),
        ("nevergrad", {"optimizer": "NGOpt"}, "nevergrad's NGOpt is, or may choose, a method"),
        ("hyperopt", {"metric": "loss"}, "has no option 'metric'"),
        ("optuna", {"seed": "x"}, "Ray Tune's OptunaSearch cannot start: "),
    ],
)
def test_a_wrong_option_is_one_sentence_before_the_start(searcher, options, message):
    with pytest.raises(ConfigError, match=message):
        RaySearcher(searcher=searcher, options=options).start(SQUARE, 0)


@pytest.mark.parametrize("name", ["ax", "hebo", "zoopt"])
def test_what_is_not_installed_is_named(name):
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    with pytest.raises(MissingExtraError, match=rf"pip install 'raytuner\[{name}\]'"):
        RaySearcher(searcher=name).start(SQUARE, 0)


@pytest.mark.parametrize("name", ["ax", "hebo", "zoopt"])
def test_what_is_installed_runs(name):
    pytest.importorskip(name)
    check_points(RaySearcher(searcher=name, samples=15), RAG, 10)


def test_it_is_named_in_a_study():
    search = Search.model_validate({"kind": "ray", "searcher": "nevergrad"})
    assert search == RaySearcher(searcher="nevergrad")
    assert Search.model_validate(search.model_dump()) == search
    with pytest.raises(ValueError, match="'ax', 'bayesopt', 'hebo'"):
        Search.model_validate({"kind": "ray", "searcher": "dragonfly"})


# ---- a user's own searcher


def searcher(**arguments):
    from ray.tune.search.hyperopt import HyperOptSearch

    return HyperOptSearch(random_state_seed=1, **arguments)


def test_a_searcher_without_a_space_is_given_ours():
    check_points(adapt(searcher()), RAG, 20)
    found = [best(adapt(searcher(n_initial_points=8)), seed, 40) for seed in range(3)]
    assert statistics.median(found) > -0.01


def test_one_that_minimises_is_told_the_opposite():
    found = best(adapt(searcher(metric="loss", mode="min", n_initial_points=8)), 0, 40)
    assert found > -0.01


def test_one_with_a_space_of_its_own_keeps_it():
    from hyperopt import hp

    space = Space.parse({"a.x": {"float": [0, 1]}, "k": {"int": [1, 9]}})
    own = {"a": {"x": hp.uniform("x", 0.2, 0.4)}, "k": hp.uniformint("k", 2, 3)}
    search = adapt(searcher(space=own, metric="m", mode="max"), samples=12)
    found = lead(search.start(space, 0), worth, 12)
    assert all(0.2 <= p["a.x"] <= 0.4 and p["k"] in (2, 3) for p in found)
    with pytest.raises(ConfigError, match="needs one `metric` and a `mode`"):
        adapt(searcher(space=own)).start(space, 0)


def test_one_behind_a_limit_waits():
    from ray.tune.search import ConcurrencyLimiter

    proposer = adapt(ConcurrencyLimiter(searcher(), max_concurrent=2)).start(RAG, 0)
    first, second = proposer.ask(), proposer.ask()
    assert first != second
    assert proposer.ask() is None
    proposer.tell(first, 0.5)
    assert proposer.ask() is not None


def test_other_objects_are_refused():
    from ray.tune.search import BasicVariantGenerator

    with pytest.raises(ConfigError, match="BasicVariantGenerator is no Searcher of Ray Tune"):
        adapt(BasicVariantGenerator())


def test_a_resumed_one_goes_on():
    class Again:
        """Starts each time with a searcher of its own, as two sessions do."""

        def start(self, space, seed):
            return adapt(searcher()).start(space, seed)

    check_resume(Again(), RAG, 22)
