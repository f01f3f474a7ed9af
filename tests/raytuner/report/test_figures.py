"""Estimates of trials that were stopped early."""

import pytest

import raytuner
from raytuner.report.figures import standings_of
from raytuner.report.page import render
from tests.raytuner.insight.sheet import made


@pytest.fixture
def results():
    """The one trial that is stopped has lost more on its questions than is left on all."""

    def score(params, question):
        return 0.0 if params["x"] else float(question >= 48)

    fields = {"limits": ["price <= 1"], "scheduler": {"kind": "asha", "grace": 8}}

    def scores(params, question):
        return {"score": score(params, question), "price": 9.0 * params["x"]}

    found = raytuner.run(
        made(scores, {"x": [0, 1]}, units=60, base={"x": 0}, verdict={"held_out": 0}, **fields),
        in_memory=True,
    )
    standing, stopped = found.record.current
    assert stopped.status == "pruned"
    early = [row for row, known in enumerate(stopped.values("score") == 0) if known]
    standing.table[early, standing.metrics.index("score")] = 1.0
    return found


def test_an_estimate_is_none_that_the_metric_cannot_have(results):
    exact, estimate = standings_of(results)
    gain = results.difference(estimate.trial, exact.trial).estimate
    assert exact.score + gain < 0
    assert (estimate.exact, estimate.score) == (False, 0.0)


def test_the_page_shows_no_share_below_0(results):
    text = render(results)
    assert "≈ 0.00" in text
    assert "≈ −" not in text
    assert "about −" not in text
