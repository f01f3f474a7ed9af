"""An objective whose scores can be worked out by hand."""

from raytuner.component import digest
from raytuner.objective import Cost, Objective, UnitScore
from tests.raytuner.probes import study


class Sheet(Objective):
    """Scores every question by a function of parameters and the question's number.

    Gives a number, a mapping of metrics, or None where the metric is not defined.
    """

    def __init__(self, function, units=12, documents=None, maximise=True, base=None):
        self.function = function
        self.count = units
        self.documents = documents or {}
        self.up = maximise
        self.base = base

    def defaults(self, names):
        return self.base

    def units(self):
        return tuple(f"q{number}" for number in range(self.count))

    def groups(self):
        return self.documents

    def key(self, params):
        return digest("sheet", dict(params))

    def scope(self):
        return "sheet"

    def maximise(self, metric):
        return self.up

    def evaluate(self, params, units, meter):
        for unit in units:
            given = self.function(params, int(unit[1:]))
            scores = given if isinstance(given, dict) else {"score": given}
            cost = Cost(usd=0.25)
            yield [UnitScore(unit, {k: float(v) for k, v in scores.items()}, cost=cost)]


def made(function, space, *, units=12, documents=None, maximise=True, base=None, **fields):
    """A study over a function; every trial answers every question unless `fields` say else."""
    objective = Sheet(function, units, documents, maximise, base)
    return study(
        objective, space=space, **{"scheduler": {"kind": "none"}, "metric": "score", **fields}
    )


def over_a_limit(standing=0, **fields):
    """A study whose better configuration, x = 1, is complete and costs more than it may.

    Its price swings too much for anybody to be sure before the end.
    """

    def scores(params, question):
        x = params["x"]
        return {
            "score": 0.3 + 0.2 * x + 0.1 * (question % 2),
            "price": 1 + 1.4 * x * (question % 2),
        }

    given = {"units": 60, "base": {"x": standing}, "limits": ["price <= 1.5"], **fields}
    return made(scores, {"x": [0, 1]}, **given)
