"""Goals of studies that pay for answers: what users would wait for, and what limits rule out."""

import pytest

from raytuner.latency import latencies
from raytuner.results import Results

SLOW = 0.05


def measured(folder):
    """Seconds per question, by the model that answered."""
    found = Results.open(folder.run)
    return {t.params["generator.model"]: latencies(t).tolist() for t in found.record.current}


def test_a_latency_is_that_of_the_calls_as_they_were_made(folder, endpoint, raytuner):
    endpoint.configure(latency=SLOW)
    folder.write(space={"generator.model": {"choice": ["good", "cheap"]}}, scheduler="none")
    assert raytuner("run", "study.yaml").code == 0
    first = measured(folder)
    assert all(seconds and min(seconds) >= SLOW for seconds in first.values())
    asked = endpoint.calls()
    (folder.run / "journal.jsonl").unlink()
    endpoint.configure(latency=0.0)
    assert raytuner("run", "study.yaml").code == 0
    assert endpoint.calls() == asked
    assert measured(folder) == first  # an answer from the cache took what it took
    table = Results.open(folder.run).trials
    assert (table["latency_p95"] >= table["latency_p50"]).all()
    assert (table["index_mb"] > 0).all()


def test_refused_calls_do_not_make_a_configuration_slow(folder, endpoint, raytuner):
    endpoint.fault("status", status=429, retry_after=2.0, first=3)
    folder.write(
        space={"generator.model": {"choice": ["good"]}}, baseline=False,
        retry={"times": 2, "wait": 0},
    )  # fmt: skip
    assert raytuner("run", "study.yaml").code == 0
    assert max(measured(folder)["good"]) < 2  # nobody's call took that long, though all waited


@pytest.mark.parametrize(
    ("fields", "model"),
    [
        ({"limits": ["usd_per_question <= 0.0001"]}, "cheap"),
        ({"metric": {"token-f1": 1, "usd_per_question": -10_000}}, "cheap"),
        ({"metric": {"token-f1": 1, "usd_per_question": -0.1}}, "good"),
        ({"metric": ["token-f1", "usd_per_question"]}, "good"),
    ],
)
def test_goals_decide_between_a_good_model_and_a_cheap_one(
    folder, endpoint, raytuner, fields, model
):
    space = {"generator.model": {"choice": ["good", "cheap"]}}
    folder.write(space=space, baseline=False, **fields)
    assert raytuner("run", "study.yaml").code == 0
    assert Results.open(folder.run).best.params["generator.model"] == model
