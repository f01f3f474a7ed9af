"""Ask and tell in Python: every search, budgets, several units, resuming, the finals, mistakes."""

import pytest

from raytuner import AskTell
from raytuner.component import ConfigError
from raytuner.journal import read
from raytuner.study import Study

SPACE = {"x": {"int": [0, 30]}, "kind": {"choice": ["a", "b"]}}


def quality(params):
    return -((params["x"] - 11) ** 2) - (params["kind"] == "b")


def study(**changes):
    objective = {"kind": "manual", "metrics": ["score", "hours"], "minimise": ["hours"]}
    fields = {
        "name": "hand",
        "objective": {**objective, **changes.pop("objective", {})},
        "space": SPACE,
        "search": "random",
        "budget": {"trials": 4},
    }
    return Study.parse({**fields, **changes})


@pytest.mark.parametrize("search", ["random", "sobol", "grid", "bayes", "greedy", "neighbours"])
def test_a_search_is_followed_to_the_end_of_its_budget(search):
    with AskTell.over(SPACE, search=search, budget={"trials": 8}) as tuner:
        asked = []
        while (trial := tuner.ask()) is not None:
            assert tuner.tell(trial, quality(trial.params)) == []
            asked.append(trial)
        assert [trial.number for trial in asked] == list(range(8))
        assert tuner.stopped
        assert "8 trials" in tuner.reason
        best = max(asked, key=lambda trial: quality(trial.params))
        assert tuner.results().score(tuner.results().best) == quality(best.params)


def test_several_are_open_at_a_time_and_told_in_any_order():
    with AskTell.over(SPACE, search="bayes", budget={"trials": 6}, seed=3) as tuner:
        first = [tuner.ask() for _ in range(4)]
        assert len({trial.key for trial in first}) == 4
        for trial in reversed(first):
            tuner.tell(trial, {"score": quality(trial.params)})
        assert tuner.ask().number == 4


def test_the_same_results_give_the_same_proposals_whether_or_not_it_was_closed(tmp_path):
    def follow(closing):
        folder = tmp_path / str(closing)
        found, tuner = [], AskTell(study(search="bayes", budget={"trials": 7}), folder)
        while (trial := tuner.ask()) is not None:
            found.append(dict(trial.params))
            if closing:  # killed between ask and tell: nothing but what is on record is left
                tuner.close()
                tuner = AskTell(study(search="bayes", budget={"trials": 7}), folder)
                assert tuner.waiting == 1
                trial = trial.number
            tuner.tell(trial, {"score": quality(found[-1]), "hours": 1})
        tuner.close()
        return found

    assert follow(closing=True) == follow(closing=False)


def test_units_come_one_by_one_and_are_kept(tmp_path):
    made = study(objective={"units": 3})
    with AskTell(made, tmp_path) as tuner:
        trial = tuner.ask()
        assert trial.units == ("q1", "q2", "q3")
        assert tuner.tell(trial, {"score": 1, "hours": 2}, unit="q2", cost=5) == ["q1", "q3"]
        with pytest.raises(ConfigError, match="'q2' of this trial has its result already"):
            tuner.tell(trial, {"score": 1, "hours": 2}, unit="q2")
    with AskTell(made, tmp_path) as tuner:
        assert tuner.ask().units == ("q1", "q3")
        row = {"score": 0, "hours": 1}
        assert tuner.tell(0, {"q1": row, "q3": row}) == []
        found = tuner.results()
        assert found.best.mean("score") == pytest.approx(1 / 3)
        assert found.record.spent_usd == 5


def test_money_that_is_used_ends_the_asking_but_takes_in_what_was_done(tmp_path):
    made = study(budget={"usd": 1000})
    with AskTell(made, tmp_path) as tuner:
        first, second = tuner.ask(), tuner.ask()
        tuner.tell(first, {"score": 1, "hours": 2}, cost=1000)
        assert tuner.ask() is None
        assert "$1000" in tuner.reason
    with AskTell(made, tmp_path) as tuner:
        assert tuner.ask() is None
        tuner.tell(second.number, {"score": 2, "hours": 2}, cost=900)
        assert tuner.results().record.cost.usd == 1900


def test_a_trial_that_failed_is_not_asked_for_again(tmp_path):
    for search in ("random", "bayes"):
        made = study(search=search, name=search)
        with AskTell(made, tmp_path) as tuner:
            trial = tuner.ask()
            tuner.fail(trial, "the oven broke")
            with pytest.raises(ConfigError, match="was told to have failed"):
                tuner.tell(trial, {"score": 1, "hours": 1})
        with AskTell(made, tmp_path) as tuner:
            assert tuner.waiting == 0
            assert tuner.ask().key != trial.key
            failed = tuner.results().failed
            assert [t.failure.message for t in failed] == ["the oven broke"]


def test_a_correction_withdraws_on_record_and_the_search_goes_by_it(tmp_path):
    with AskTell(study(search="bayes"), tmp_path) as tuner:
        trial = tuner.ask()
        tuner.tell(trial, {"score": 83, "hours": 1}, cost=7)
        with pytest.raises(ConfigError, match="told already"):
            tuner.tell(trial, {"score": 0.83, "hours": 1})
        with pytest.raises(ConfigError, match="what went wrong"):
            tuner.correct(trial.number, {"result": {"score": 0.83, "hours": 1}}, " ")
        tuner.correct(trial.number, {"result": {"score": 0.83, "hours": 1}}, "typed 83")
        assert tuner.results().best.mean("score") == 0.83
    with AskTell(study(search="bayes"), tmp_path) as tuner:
        found = tuner.results()
        assert found.best.mean("score") == 0.83
        assert found.record.spent_usd == 7
        assert tuner.ask().number == 1
    kinds = [event["event"] for event in read(tmp_path / "runs/hand/journal.jsonl")[0]]
    assert kinds.count("withdrawn") == 1
    assert kinds.count("units") == 2


def test_what_was_given_up_by_mistake_can_be_corrected(tmp_path):
    with AskTell(study(), tmp_path) as tuner:
        trial = tuner.ask()
        tuner.fail(trial, "broken")
        tuner.correct(trial.number, {"result": {"score": 2, "hours": 1}}, "it was another oven")
    with AskTell(study(), tmp_path) as tuner:
        assert tuner.results().best.number == trial.number
        assert tuner.ask().number == trial.number + 1


def test_finalists_meet_on_units_that_no_search_has_seen(tmp_path):
    made = study(
        objective={
            "units": 40,
            "metrics": ["score"],
            "minimise": [],
            "standing": {"x": 0, "kind": "a"},
        },
        scheduler="none",
        points=[{"x": 11}],
        budget={"trials": 2},
    )

    def tell_all(tuner, trial):
        rows = {unit: {"score": quality(trial.params) + int(unit[1:]) % 3} for unit in trial.units}
        assert tuner.tell(trial.number, rows) == []

    seen = []
    for _ in range(20):  # a session for every trial, as on a command line
        with AskTell(made, tmp_path) as tuner:
            trial = tuner.ask()
            if trial is None:
                break
            seen.append((trial.final, len(trial.units)))
        with AskTell(made, tmp_path) as tuner:
            assert tuner.waiting in ({1, 2, 3} if trial.final else {1})
            tell_all(tuner, trial)
    finals = [units for final, units in seen if final]
    assert len(seen) - len(finals) == 3
    assert len(finals) in {2, 3}
    assert len({*finals}) == 1
    with AskTell(made, tmp_path) as tuner:
        verdict = tuner.results().verdict
    assert verdict.status == "PROVEN"


def test_a_scheduler_stops_what_is_clearly_worse_early(tmp_path):
    with AskTell.over(
        SPACE, units=16, search="random", scheduler="halving", budget={"trials": 4}, seed=1
    ) as tuner:
        asked = []
        while (trial := tuner.ask()) is not None:
            asked.append(len(trial.units))
            tuner.tell(trial, {unit: {"score": quality(trial.params)} for unit in trial.units})
        statuses = [trial.status for trial in tuner.results().record.current]
    assert "pruned" in statuses
    assert "complete" in statuses
    assert sum(asked) < 4 * 16


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"score": 1}, "hours is missing"),
        ({"score": float("nan"), "hours": 1}, "finite number"),
        ({"score": float("inf"), "hours": 1}, "finite number"),
        ({"score": True, "hours": 1}, "finite number"),
        ({"score": "much", "hours": 1}, "'much' is no number"),
        ({"score": 1, "hours": 1, "hous": 1}, "Did you mean 'hours'"),
        ({"score": 1, "hours": 1, "cost": -1}, "below 0"),
        ({"score": 1, "hours": 1, "cost": float("nan")}, "finite number"),
        ({"r": {"score": 1, "hours": 1}}, "no unit 'r'"),
        (0.5, "name the metrics"),
        ({}, "missing"),
    ],
)
def test_wrong_results_are_refused_whole(tmp_path, scores, said):
    with AskTell(study(), tmp_path) as tuner:
        trial = tuner.ask()
        with pytest.raises(ConfigError, match=said):
            tuner.tell(trial, scores)
        with pytest.raises(ConfigError, match="no trial 9 in this study: they are 0 to 0"):
            tuner.tell(9, {"score": 1, "hours": 1})
    events, _ = read(tmp_path / "runs/hand/journal.jsonl")
    assert {event["event"] for event in events} == {"opened", "trial", "closed"}


def test_one_wrong_unit_of_many_keeps_all_out(tmp_path):
    with AskTell(study(objective={"units": 3}), tmp_path) as tuner:
        trial, row = tuner.ask(), {"score": 1, "hours": 1}
        with pytest.raises(ConfigError, match="q3: hours is missing"):
            tuner.tell(trial, {"q1": row, "q2": row, "q3": {"score": 1}})
        with pytest.raises(ConfigError, match=r"3 units: say which one .* to come: q1, q2, q3"):
            tuner.tell(trial, row)
        with pytest.raises(ConfigError, match="no unit 'q4'"):
            tuner.tell(trial, row, unit="q4")
        assert not tuner.results().record.trials[trial.key].answered


def test_only_what_people_evaluate_can_be_asked_for(tmp_path):
    machine = Study.parse({"objective": "math:sqrt", "space": {"x": {"int": [1, 2]}}})
    with pytest.raises(ConfigError, match="a machine evaluates this one"):
        AskTell(machine, tmp_path)
    with pytest.raises(ConfigError, match="nobody measures how long people take"):
        AskTell(study(budget={"seconds": 5, "trials": 2}), tmp_path)
