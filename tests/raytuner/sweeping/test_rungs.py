"""Who may run, who waits, and who is stopped, between a judge and the workers."""

import numpy as np

from raytuner.schedulers import Full
from raytuner.schedulers.halving import Halving
from raytuner.sweeping.rungs import Rungs


class Says:
    """A judge that says what it is told to."""

    def __init__(self, *decisions, first=2):
        self.decisions = list(decisions)
        self.first = first
        self.heard = []

    def add(self, key):
        self.heard.append(("add", key))
        return self.first

    def report(self, key, units, score):
        self.heard.append((key, units, score))
        return self.decisions.pop(0)

    def drop(self, key):
        self.heard.append(("drop", key))
        return self.decisions.pop(0)

    def drain(self):
        return self.decisions.pop(0)


def test_a_paused_trial_waits_until_a_decision_names_it():
    rungs = Rungs(Says({}, {"a": 4}), 8)
    rungs.enter("a")
    rungs.enter("b")
    assert rungs.target("a") == 2
    assert rungs.reached("a", 0.5) == []
    assert (rungs.ready, rungs.paused) == (["b"], ["a"])
    assert rungs.reached("b", 0.1) == []
    assert (rungs.ready, rungs.paused, rungs.target("a")) == (["a"], ["b"], 4)


def test_a_stopped_trial_is_named_once():
    rungs = Rungs(Says({}, {"a": None, "b": 8}, {}), 8)
    rungs.enter("a")
    rungs.enter("b")
    rungs.reached("a", 0.1)
    assert rungs.reached("b", 0.5) == ["a"]
    assert rungs.reached("b", 0.5) == []
    assert (rungs.ready, rungs.paused) == ([], [])


def test_who_is_not_judged_answers_everything_and_is_never_reported():
    judge = Says()
    rungs = Rungs(judge, 8)
    rungs.enter("base", judged=False)
    assert rungs.target("base") == 8
    assert rungs.reached("base", 0.5) == []
    assert judge.heard == []


def test_a_trial_without_a_score_at_its_rung_goes_on_unjudged():
    judge = Says({})
    rungs = Rungs(judge, 8)
    rungs.enter("a")
    assert rungs.reached("a", None) == []
    assert (rungs.target("a"), rungs.ready) == (8, ["a"])
    assert rungs.reached("a", None) == []
    assert rungs.ready == []
    assert judge.heard == [("add", "a"), ("drop", "a")]


def test_a_failed_trial_may_decide_for_others():
    rungs = Rungs(Says({}, {"a": 8}), 8)
    rungs.enter("a")
    rungs.enter("b")
    rungs.reached("a", 0.5)
    assert rungs.dropped("b") == []
    assert rungs.ready == ["a"]


def test_rungs_beyond_the_units_are_the_units():
    rungs = Rungs(Says({"a": 99}, first=3), 8)
    rungs.enter("a")
    rungs.reached("a", 0.5)
    assert rungs.target("a") == 8


def test_a_drain_that_moves_nobody_ends_all_that_wait():
    rungs = Rungs(Says({}, {}, {}), 8)
    rungs.enter("a")
    rungs.enter("b")
    rungs.reached("b", 0.5)
    rungs.reached("a", 0.5)
    assert rungs.drain() == (False, ["b", "a"])
    assert rungs.paused == []


def test_a_drain_can_send_a_trial_on():
    rungs = Rungs(Halving(grace=2, reduction=2).start(8, 0), 8)
    for number, key in enumerate("abcd"):
        rungs.enter(key)
        assert rungs.reached(key, number / 10) == []
    going, stopped = rungs.drain()
    assert going
    assert "d" in rungs.ready
    assert "d" not in stopped


def test_without_a_scheduler_the_first_rung_is_the_last():
    rungs = Rungs(Full().start(8, 0), 8)
    rungs.enter("a")
    assert rungs.target("a") == 8
    assert rungs.reached("a", 0.5) == []
    assert (rungs.ready, rungs.paused) == ([], [])


def test_values_are_handed_to_judges_that_ask_for_them():
    class Hears(Says):
        def measure(self, key, values):
            self.heard.append((key, values.tolist()))

    judge = Hears({}, {}, first=4)
    rungs = Rungs(judge, 4)
    rungs.enter("a")
    rungs.reached("a", 0.5, np.array([0.0, 1.0]))
    assert judge.heard == [("add", "a"), ("a", [0.0, 1.0]), ("a", 4, 0.5)]


def test_a_judge_may_tell_that_it_has_settled():
    class Sure(Says):
        def settled(self):
            return "enough"

    assert Rungs(Sure(), 4).settled() == "enough"
    assert Rungs(Says(), 4).settled() is None
