"""A search by chance without an end ends when no further trial is worth it, and says why."""

import raytuner
from raytuner.results import Results
from raytuner.terminal.summary import lines
from tests.raytuner.probes import Questions, study, worth

ENDLESS = {"x": {"float": [0.0, 1.0]}}


class Flat(Questions):
    """Configurations hardly differ; questions do."""

    def __init__(self, **fields):
        super().__init__(**{"units": 60, "batch": 60, "base": {"x": 0.5}, **fields})

    def evaluate(self, params, units, meter):
        for batch in super().evaluate(params, units, meter):
            yield [
                score._replace(scores={
                    "hit": 0.9 * worth({}, score.unit) + 0.001 * worth(params, score.unit),
                    "loss": 0.0,
                })
                for score in batch
            ]  # fmt: skip


def run(folder, **fields):
    return raytuner.run(
        study(Flat(), space=ENDLESS, search="random", budget={"trials": 1500}, **fields), folder
    )


def test_it_ends_says_why_and_goes_nowhere_when_run_again(tmp_path):
    results = run(tmp_path)
    count = len(results.record.current)
    assert count < 1500
    assert results.stop_reason is None
    assert "with a chance of" in results.settled
    assert any(line.startswith("Settled: the next") for line in lines(results))
    assert results.compared
    assert all(not trial.held.missing() for trial in results.compared)
    again = run(tmp_path)
    assert len(again.record.current) == count
    assert Results.open(tmp_path / "runs/t").settled == results.settled


def test_a_scheduler_that_cannot_tell_uses_the_budget(tmp_path):
    results = raytuner.run(
        study(Flat(), space=ENDLESS, search="random", budget={"trials": 40}, scheduler="none"),
        tmp_path,
    )
    assert results.settled is None
    assert len(results.record.current) == 41
