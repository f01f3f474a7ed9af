"""Who is stopped for what a question costs, and who cannot win."""

import random

import pytest

import raytuner
from raytuner.component import digest
from raytuner.limits import Limit, Limits
from raytuner.objective import UNIT_USD, Cost, UnitScore
from raytuner.results import Results
from raytuner.sweeping.doubling import Doubling
from raytuner.trial import Trial
from tests.raytuner.probes import Questions, evaluations, study

UNITS = tuple(f"q{number}" for number in range(64))


def priced(prices, key="k"):
    trial = Trial(key, {}, UNITS)
    positions = {unit: row for row, unit in enumerate(UNITS)}
    pairs = zip(UNITS, prices, strict=False)
    trial.record([UnitScore(unit, {UNIT_USD: price}) for unit, price in pairs], positions)
    return trial


def budget(usd):
    return Limits([Limit(UNIT_USD, usd, lenient=True)])


def test_only_what_is_confidently_above_is_stopped():
    limits = budget(0.002)
    assert limits.look(priced([0.003] * 7), 7) is None  # too few to tell
    assert limits.look(priced([0.003] * 8, "a"), 8) == (
        "$0.003 a question, above the budget of $0.002"
    )
    assert limits.look(priced([0.001, 0.006] * 4, "b"), 8) is None  # above, but not surely
    assert limits.look(priced([0.001] * 8, "c"), 8) is None
    assert limits.look(priced([0.002] * 8, "d"), 8) is None
    assert Limits().look(priced([9.0] * 64), 64) is None


def test_only_the_rung_counts():
    trial = priced([0.001] * 8 + [0.1] * 56)
    assert budget(0.002).look(trial, 8) is None


def test_looking_often_stops_hardly_any_trial_at_the_limit():
    chance, stopped = random.Random(0), 0
    for number in range(400):
        trial = priced([max(0.0, chance.gauss(0.002, 0.0005)) for _ in UNITS], str(number))
        limits = budget(0.002)
        stopped += any(limits.look(trial, units) is not None for units in (8, 16, 32, 64))
    assert stopped <= 400 * 0.05 * 1.5


def test_trials_that_spend_too_much_cannot_win():
    assert budget(0.002).broken(priced([0.003] * 64))
    assert not budget(0.002).broken(priced([0.002] * 64))
    assert not budget(0.002).broken(priced([0.003] * 63))  # not complete: nobody's winner anyway
    assert not Limits().broken(priced([0.003] * 64))
    assert not budget(0.002).broken(Trial("k", {}, UNITS))


def test_rungs_double():
    judge, units, seen = Doubling(100), 0, []
    units = judge.add("a")
    while units != 100:
        seen.append(units)
        units = judge.report("a", units, 0.0)["a"]
    assert seen == [8, 16, 32, 64]
    assert judge.report("a", 100, 0.0) == {}
    assert Doubling(5).add("b") == 5


class Priced(Questions):
    """The price of a question rises with x, and its quality too."""

    def evaluate(self, params, units, meter):
        for batch in super().evaluate(params, units, meter):
            scored = []
            for score in batch:
                noise = int(digest(score.unit)[:4], 16) / 16**4
                usd = 0.001 * params["x"] * (0.9 + 0.2 * noise)
                scores = {"hit": params["x"] / 10, UNIT_USD: usd}
                scored.append(score._replace(scores=scores, cost=Cost(usd)))
            yield scored


SPACE = {"x": [1, 2, 3, 4]}
LIMIT = {"usd_per_question": 0.0025}


@pytest.mark.parametrize("backend", ["inprocess", "threads"])
def test_dear_trials_end_early_and_never_win(tmp_path, backend):
    base = {"x": 4}
    made = study(
        Priced(tmp_path / "log", units=64, base=base), space=SPACE, budget=LIMIT,
        backend=backend, workers=None if backend == "inprocess" else 3,
    )  # fmt: skip
    results = raytuner.run(made, tmp_path)
    by_x = {trial.params["x"]: trial for trial in results.record.current}
    assert {x: trial.status for x, trial in by_x.items()} == {
        1: "complete", 2: "complete", 3: "pruned", 4: "complete",
    }  # fmt: skip
    assert by_x[4].baseline
    assert len(by_x[3].missing()) in {18, 10}  # of 26 that are searched
    assert "a question, above the budget of $0.0025" in by_x[3].reason
    assert results.best.params == {"x": 2}
    assert 4 not in [trial.params["x"] for trial in results.contenders()]
    row = results.trials.set_index("x").loc[3]
    assert (row.status, row.failure) == ("pruned", by_x[3].reason)
    opened = Results.open(tmp_path / "runs/t")
    assert opened.best.params == {"x": 2}
    assert {t.params["x"]: t.reason for t in opened.record.current}[3] == by_x[3].reason
    asked = len(evaluations(tmp_path / "log"))
    again = raytuner.run(made, tmp_path)
    assert len(evaluations(tmp_path / "log")) == asked  # nobody is asked anything again
    assert again.trials.drop(columns="seconds").equals(opened.trials.drop(columns="seconds"))


def test_a_larger_budget_goes_on_where_a_smaller_one_stopped(tmp_path):
    objective = Priced(tmp_path / "log", units=64)
    raytuner.run(study(objective, space=SPACE, budget=LIMIT), tmp_path)
    larger = raytuner.run(
        study(objective, space=SPACE, budget={"usd_per_question": 0.0035}), tmp_path
    )
    assert larger.best.params == {"x": 3}
    assert {t.params["x"]: t.status for t in larger.record.current}[4] == "pruned"
    assert len(evaluations(tmp_path / "log")) == len(set(evaluations(tmp_path / "log")))
    none = raytuner.run(study(objective, space=SPACE), tmp_path)
    assert none.best.params == {"x": 4}


def test_other_schedulers_look_at_their_rungs(tmp_path):
    asha = {"kind": "asha", "grace": 8, "reduction": 2}
    objective = Priced(tmp_path / "log", units=64)
    results = raytuner.run(study(objective, space=SPACE, budget=LIMIT, scheduler=asha), tmp_path)
    by_x = {trial.params["x"]: trial for trial in results.record.current}
    assert by_x[3].reason
    assert by_x[4].reason
    assert results.best.params == {"x": 2}


def test_a_search_is_told_that_they_cannot_be_used(tmp_path):
    fields = {"search": {"kind": "bayes", "samples": 4}, "space": SPACE, "budget": LIMIT}
    results = raytuner.run(study(Priced(units=64), **fields), tmp_path)
    assert results.best.params == {"x": 2}
