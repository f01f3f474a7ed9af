"""The port: what an objective gets for free."""

import pytest

from raytuner.objective import Cost, Objective, ObjectiveFailure, Tally, UnitScore


class Least(Objective):
    def __init__(self, size=2):
        self.size = size

    def units(self):
        return tuple(map(str, range(self.size)))

    def key(self, params):
        return repr(sorted(params.items()))

    def evaluate(self, params, units, meter):
        for unit in units:
            meter.count("units")
            yield [UnitScore(unit, {"hit": 1.0})]


def test_defaults_of_the_port(tmp_path):
    least = Least.build({"size": 3}, root=tmp_path, seed=1)
    assert least.units() == ("0", "1", "2")
    assert least.scope() == ""
    assert least.estimate({}, ["0"]) == Cost()
    assert least.metrics() is None
    assert least.maximise("anything")
    assert least.defaults(["x"]) is None
    assert least.affinity({"x": 1}) == ""
    assert least.plan([{}]) == {}
    assert list(least.warnings()) == []
    assert least.export({"x": 1}) == {"x": 1}


async def test_evaluate_is_awaited_without_more_work():
    tally = Tally()
    batches = [batch async for batch in Least().aevaluate({}, ("0", "1"), tally)]
    assert [score.unit for batch in batches for score in batch] == ["0", "1"]
    assert tally.counts == {"units": 2}


def test_what_is_missing_is_refused():
    class Empty(Objective):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Empty()


def test_costs_add_and_failures_travel():
    assert Cost(1.0, 2, 3, 4).plus(Cost(0.5, 1, 1, 1)) == Cost(1.5, 3, 4, 5)
    failure = ObjectiveFailure("rate_limit", "429", retryable=True).failure
    assert (failure.kind, failure.message, failure.retryable) == ("rate_limit", "429", True)
