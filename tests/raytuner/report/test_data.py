"""Who leads a report, and as what."""

import raytuner
from raytuner.report.data import collect
from tests.raytuner.insight.sheet import made, over_a_limit


def roles(run):
    return collect(raytuner.run(run, in_memory=True)).roles


def test_what_is_over_a_limit_leads_nothing():
    report = collect(raytuner.run(over_a_limit(), in_memory=True))
    assert report.verdict["status"] == "NONE"
    assert report.roles == {0: "best so far, as it stands"}


def test_without_a_verdict_nothing_is_recommended():
    report = collect(raytuner.run(over_a_limit(verdict={"held_out": 0}), in_memory=True))
    assert report.verdict["recommended"] == 0
    assert report.recommended is None
    few = made(lambda p, q: p["x"] / 4 + q / 100, {"x": [0, 1, 2]}, units=6, base={"x": 0})
    assert roles(few) == {2: "best so far", 1: "second", 0: "as it stands"}


def test_what_leads_is_the_best_that_keeps_to_the_limits():
    def scores(params, question):
        x = params["x"]
        return {"score": x / 10 + question / 100, "price": 1 + 1.4 * (x == 3) * (question % 2)}

    few = made(scores, {"x": [0, 1, 2, 3]}, units=7, base={"x": 0}, limits=["price <= 1.5"])
    report = collect(raytuner.run(few, in_memory=True))
    assert [one.trial.params["x"] for one in report.leaders] == [2, 1, 0]


def test_a_study_that_nobody_keeps_to_the_limits_of_has_no_best_so_far():
    assert roles(over_a_limit(limits=["price <= 0.5"])) == {0: "as it stands"}


def test_a_verdict_recommends_as_before():
    proven = made(lambda p, q: p["x"] / 2 + q % 2 / 10, {"x": [0, 1]}, units=60, base={"x": 0})
    report = collect(raytuner.run(proven, in_memory=True))
    assert report.roles == {1: "recommended", 0: "as it stands"}
    assert report.recommended == 1
