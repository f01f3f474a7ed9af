"""Nobody is stopped for good before somebody is complete."""

from raytuner.schedulers import Asha
from raytuner.schedulers.standby import Standby


class Strict:
    """A judge that stops whoever reports, and names everybody it knows when it drains."""

    def __init__(self):
        self.known = {}

    def add(self, key):
        self.known[key] = None
        return 1

    def report(self, key, units, score):
        del units, score
        return {key: None}

    def drop(self, key):
        del key
        return {}

    def drain(self):
        return self.known


def rested(scores, units=4):
    judge = Standby(Strict(), units)
    for key in scores:
        judge.add(key)
    for key, (reached, score) in scores.items():
        assert judge.report(key, reached, score) == {}
    return judge


def test_the_first_complete_trial_ends_all_that_have_lost():
    judge = rested({"a": (1, 0.3), "b": (1, 0.1), "c": (2, 0.2)})
    judge.add("d")
    judge.drop("b")
    assert judge.report("d", 4, 0.0) == {"a": None, "c": None}
    judge.add("e")
    assert judge.report("e", 1, 0.9) == {"e": None}


def test_the_best_that_is_left_goes_on_one_at_a_time_until_one_is_complete():
    judge = rested({"a": (1, 0.9), "d": (2, 0.2), "c": (2, 0.2), "b": (2, 0.1)})
    for key in ["c", "d", "b", "a"]:  # most questions, then highest score, then lowest key
        assert judge.drain() == {key: 4}
        assert judge.drop(key) == {}
    assert judge.drain() == {}


def test_who_was_sent_ahead_is_named_no_more():
    judge = rested({"a": (1, 0.9), "b": (1, 0.2)})
    assert judge.drain() == {"a": 4}
    assert judge.report("a", 4, 0.9) == {"b": None}
    assert judge.drain() == {}


def test_trials_that_come_after_the_end_promote_nobody_who_was_stopped():
    judge = Asha(grace=1, reduction=2).start(4, 0)
    for key in "abc":
        judge.add(key)
    judge.report("a", 1, 0.9)
    assert judge.report("b", 1, 0.5) == {"a": 2}
    assert judge.report("c", 1, 0.7) == {}
    judge.report("a", 2, 0.9)
    assert judge.drain() == {"a": 4}
    judge.report("a", 4, 0.9)
    assert judge.drain() == {}, "b and c are stopped by the driver"
    judge.add("d")
    assert judge.report("d", 1, 0.1) == {}
