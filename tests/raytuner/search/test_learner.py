"""What searches that learn have in common."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import digest
from raytuner.search import Exhausted, Search
from raytuner.search.goals import Score
from raytuner.search.learner import Learner, Outcome
from raytuner.space import Space
from tests.raytuner.search.conformance import check_resume, lead, worth

SMALL = Space.parse(
    {"kind": ["a", "b"], "n": {"int": [1, 4], "when": {"kind": "a"}}, "h": "bool"}, ["n < 4"]
)


class Stubborn:
    """Proposes the same point for ever."""

    def __init__(self, raw):
        self.raw = raw
        self.learned = []

    def suggest(self, seed):
        del seed
        return self.raw

    def learn(self, params, outcome):
        self.learned.append((dict(params), outcome))


class Climber(Stubborn):
    """Draws a point, and keeps as much as it may of the best one known."""

    def __init__(self, space):
        super().__init__(None)
        self.space = space

    def suggest(self, seed):
        rng = random.Random(seed)
        known = {digest(p): (o.score, p) for p, o in self.learned if o.score is not None}
        top = max(known.values(), key=lambda pair: pair[0], default=(0, {}))[1]
        drawn = {name: domain.sample(rng) for name, domain in self.space.domains.items()}
        return {n: top[n] if n in top and rng.random() < 0.5 else v for n, v in drawn.items()}


class Willing(Stubborn):
    """Proposes something else when asked again."""

    def retry(self, seed, attempt):
        del seed
        return {"kind": "a", "n": attempt, "h": False}


class Always(Learner):
    """A search over a stubborn guide."""

    raw: dict | None = None
    willing: bool = False

    def guide(self, space, seed):
        del space, seed
        return Willing(self.raw) if self.willing else Stubborn(self.raw)


class Climb(Learner):
    """A search over a climber."""

    def guide(self, space, seed):
        del seed
        return Climber(space)


FIRST = {"kind": "a", "n": 2, "h": True}


def test_a_guide_that_repeats_itself_still_meets_every_point_once():
    proposer = Always(raw=FIRST).start(SMALL, 3)
    found = [proposer.ask() for _ in range(8)]
    assert found[0] == FIRST
    assert sorted(map(repr, found)) == sorted(map(repr, SMALL.every()))
    for _ in range(2):
        with pytest.raises(Exhausted, match="every point of the space"):
            proposer.ask()


def test_a_point_that_breaks_a_constraint_is_never_proposed():
    proposer = Always(raw={"kind": "a", "n": 4, "h": True}).start(SMALL, 0)
    assert all(SMALL.violated(proposer.ask()) is None for _ in range(8))


def test_inactive_values_are_dropped():
    proposer = Always(raw={"kind": "b", "n": 3, "h": False}).start(SMALL, 0)
    assert proposer.ask() == {"kind": "b", "h": False}


def test_chance_depends_on_the_seed():
    def later(seed):
        proposer = Always(raw=FIRST).start(SMALL, seed)
        return [proposer.ask() for _ in range(8)]

    assert later(1) == later(1) != later(2)


def test_a_guide_may_do_better_when_asked_again():
    proposer = Always(raw=FIRST, willing=True).start(SMALL, 0)
    found = [proposer.ask() for _ in range(4)]
    assert found == [FIRST, *({"kind": "a", "n": n, "h": False} for n in (1, 2, 3))]


def test_samples_end_it_and_count_what_was_asked_before():
    proposer = Always(raw=FIRST, samples=3).start(SMALL, 0)
    proposer.tell({"kind": "b", "h": True}, 1.0)
    proposer.recall(FIRST)
    assert [proposer.ask() for _ in range(2)]
    with pytest.raises(Exhausted, match="samples"):
        proposer.ask()
    fewer = Always(raw=FIRST, samples=1).start(SMALL, 0)
    fewer.recall(FIRST)
    fewer.recall({"kind": "b", "h": True})
    with pytest.raises(Exhausted, match="samples"):
        fewer.ask()
    assert Always(samples=3).total(SMALL) == 3
    assert Always(samples=30).total(SMALL) == 8
    assert Always().total(Space.parse({"t": {"float": [0, 1]}})) is None


def test_points_that_were_told_are_not_proposed_and_the_guide_is_reminded_of_them():
    proposer = Always(raw=FIRST).start(SMALL, 0)
    proposer.tell(FIRST, 0.25, units=3, ended=False)
    assert proposer.ask() != FIRST
    learned = proposer._guide.learned
    assert learned[0] == (FIRST, Outcome(0.25, 3, ended=False))
    assert all(one == learned[0] for one in learned)


def test_a_rung_without_a_measure_is_no_failure():
    proposer = Always(raw=FIRST).start(SMALL, 0)
    proposer.tell(proposer.ask(), None, units=2, ended=False)
    assert proposer._guide.learned == []
    proposer.tell(FIRST, None)
    assert proposer._guide.learned == [(FIRST, Outcome(None))]


def test_a_guide_may_wait_for_results():
    assert Always(raw=None).start(SMALL, 0).ask() is None


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 99), st.integers(0, 6))
def test_what_is_recalled_and_told_decides_what_comes_next(seed, steps):
    space = Space.parse({"a": {"int": [1, 9]}, "b": "bool", "c": {"float": [0, 1], "step": 0.25}})
    check_resume(Climb(), space, steps, seed)


def test_what_chance_gave_is_resumed_too():
    space = Space.parse({"a": {"int": [1, 30]}})
    check_resume(Always(raw={"a": 5}), space, 12)


def test_equal_reports_give_equal_proposals():
    first, second = (lead(Climb().start(SMALL, 4), worth, 6) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", ["hyperopt", "bohb", "optuna", "bayes", "pbt"])
def test_a_baseline_outside_of_the_space_is_not_learned_from(kind):
    space = Space.parse({"x": {"choice": [1, 2, 3]}, "y": {"float": [0.0, 1.0]}})
    told, untold = (Search.model_validate(kind).start(space, 0) for _ in range(2))
    told.tell({"x": 9, "y": 0.5}, 0.7)
    told.tell({"x": 1, "y": 7.5}, None)
    assert [told.ask() for _ in range(3)] == [untold.ask() for _ in range(3)]


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, Score((1.0, math.nan))])
def test_what_is_no_finite_number_is_no_score(score):
    point, guide = {"kind": "b", "h": True}, Stubborn(None)

    class Told(Learner):
        def guide(self, space, seed):
            return guide

    proposer = Told().start(SMALL, 0)
    proposer.tell(point, score, units=3, ended=False)
    assert guide.learned == []
    proposer.tell(point, score)
    assert guide.learned == [(point, Outcome(None))]
