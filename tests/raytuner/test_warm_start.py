"""Earlier studies: known points cost nothing, and a search learns from them."""

import json
import shutil

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.journal import encode, read
from raytuner.results import Results
from raytuner.search import Search
from raytuner.tuner import prepare
from raytuner.warm_start import BEST, MARK
from tests.raytuner.probes import SPACE, Questions, evaluations, same, study, table, worth

UNITS = 6


def earlier(root, name="old", objective=None, **fields):
    """Run a study that a later one starts from."""
    return raytuner.run(study(objective or Questions(), name=name, **fields), root)


def warm(root, objective=None, runs=("runs/old",), **fields):
    return raytuner.run(study(objective or Questions(), warm_start=list(runs), **fields), root)


def points_of(log):
    return list(dict.fromkeys(pairs for pairs, _ in evaluations(log)))


def test_a_grid_that_is_known_costs_nothing(tmp_path):
    old = earlier(tmp_path)
    log = tmp_path / "log"
    new = warm(tmp_path, Questions(log=log))
    assert evaluations(log) == []
    cut = ["trial"]
    same(*(table(r).drop(columns=cut).sort_values("key", ignore_index=True) for r in (old, new)))


def test_what_is_known_of_a_larger_space_is_not_asked_again(tmp_path):
    earlier(tmp_path, space={"x": [1, 2], "y": ["a", "b", "c"]})
    log = tmp_path / "log"
    results = warm(tmp_path, Questions(log=log))
    assert len(results.trials) == 12
    assert {dict(pairs)["x"] for pairs in points_of(log)} == {3, 4}
    assert len(evaluations(log)) == 6 * UNITS


def test_the_run_folder_stands_for_itself_and_is_resumed_without_the_earlier_one(tmp_path):
    earlier(tmp_path, space={"x": [1, 2], "y": ["a", "b", "c"]})
    fields = {"search": {"kind": "random"}}
    whole = warm(tmp_path, name="whole", **fields)
    warm(tmp_path, budget={"trials": 5}, **fields)
    shutil.rmtree(tmp_path / "runs/old")
    log = tmp_path / "log"
    again = warm(tmp_path, Questions(log=log), **fields)
    same(table(again), table(whole))
    same(table(Results.open(tmp_path / "runs/t")), table(whole))
    events, _ = read(tmp_path / "runs/t/journal.jsonl")
    assert sum(MARK in event for event in events) == 1


def test_the_best_known_ones_are_tried_first(tmp_path):
    old = earlier(tmp_path)
    best = [dict(trial.params) for trial in old.ranked[:BEST]]
    log = tmp_path / "log"
    results = warm(tmp_path, Questions(log=log), search={"kind": "random"}, budget={"trials": BEST})
    assert [dict(trial.params) for trial in results.record.current] == best
    assert evaluations(log) == []


def test_what_is_known_is_neither_paid_nor_timed_again(tmp_path):
    class Paid(Questions):
        def evaluate(self, params, units, meter):
            for batch in super().evaluate(params, units, meter):
                yield [score._replace(cost=raytuner.objective.Cost(usd=0.5)) for score in batch]

    earlier(tmp_path, objective=Paid())
    warm(tmp_path, Paid())
    assert Results.open(tmp_path / "runs/old").record.spent_usd == pytest.approx(36)
    again = Results.open(tmp_path / "runs/t").record
    assert (again.spent_usd, again.sessions) == (0, 1)
    assert again.current[0].cost.usd == pytest.approx(3)  # what the configuration is known to cost


class Heard:
    """Listens to what a search is told."""

    def __init__(self, monkeypatch, kind):
        self.told, self.asked = [], []
        cls = type(Search.model_validate(kind))
        begin, heard = cls.begin, self

        def listening(search, space, seed, objective):
            proposer = begin(search, space, seed, objective)
            tell, ask = proposer.tell, proposer.ask

            def told(params, score, **more):
                heard.told.append((dict(params), score, more.get("units")))
                tell(params, score, **more)

            def asked():
                heard.asked.append(ask())
                return heard.asked[-1]

            proposer.tell, proposer.ask = told, asked
            return proposer

        monkeypatch.setattr(cls, "begin", listening)


@pytest.mark.parametrize("kind", ["greedy", "neighbours", "bayes", "hyperopt"])
def test_a_search_that_learns_is_told_what_is_known_before_it_is_asked(tmp_path, monkeypatch, kind):
    earlier(tmp_path, space={"x": [1, 2], "y": ["a", "b", "c"]}, metric="loss")
    heard, log = Heard(monkeypatch, kind), tmp_path / "log"
    warm(tmp_path, Questions(log=log), search=kind, metric="loss", budget={"trials": 5})
    known = heard.told[:6]
    assert sorted((p["x"], p["y"]) for p, *_ in known) == [(x, y) for x in (1, 2) for y in "abc"]
    for params, score, units in known:
        mean = sum(worth(params, f"q{n}", "loss") for n in range(UNITS)) / UNITS
        assert (score, units) == (pytest.approx(-mean), None)
    assert all(dict(pairs)["x"] in {3, 4} for pairs in points_of(log))


def test_what_is_known_counts_by_what_is_optimised_now(tmp_path, monkeypatch):
    earlier(tmp_path)
    heard, log = Heard(monkeypatch, "greedy"), tmp_path / "log"
    goal = {"hit": 1, "loss": -3}
    results = warm(tmp_path, Questions(log=log), search="greedy", metric=goal)

    def total(params):
        return (
            sum(
                worth(params, f"q{n}", "hit") - 3 * worth(params, f"q{n}", "loss")
                for n in range(UNITS)
            )
            / UNITS
        )

    for params, score, _ in heard.told[:12]:
        assert score == pytest.approx(total(params))
    best = sorted((params for params, *_ in heard.told[:12]), key=total, reverse=True)
    assert [dict(trial.params) for trial in results.record.current] == best[:BEST]
    assert evaluations(log) == []


def test_held_out_scores_come_with_the_looks_at_them(tmp_path):
    objective = Questions(units=60, base={"x": 1, "y": "a"})
    old = earlier(tmp_path, objective=objective)
    assert old.record.held_out
    assert len(old.record.looks) == 1
    log = tmp_path / "log"
    new = warm(tmp_path, Questions(units=60, base={"x": 1, "y": "a"}, log=log))
    assert evaluations(log) == []
    assert len(new.record.looks) == 1  # the same configurations meet
    assert new.verdict.to_dict()["looks"] == old.verdict.to_dict()["looks"]
    assert Results.open(tmp_path / "runs/t").record.looks == new.record.looks


def test_questions_that_chose_before_are_asked_anew_to_judge(tmp_path):
    def questions(log=None):
        return Questions(units=60, base={"x": 1, "y": "a"}, log=log)

    earlier(tmp_path, objective=questions(), verdict={"held_out": 0}, scheduler="none")
    log = tmp_path / "log"
    new = warm(tmp_path, questions(log))
    asked = {unit for _, unit in evaluations(log)}
    assert asked == set(new.record.held_out)
    assert len(new.record.looks) == 2


def test_best_ones_of_other_metrics_chosen_by_held_out_questions_count_as_a_look(tmp_path):
    class Told(Questions):
        def contents(self):
            return {unit: f"text of {unit}" for unit in self.units()}

    def questions(scope, count):
        return Told(units=count, base={"x": 1, "y": "a"}, scope=scope)

    earlier(tmp_path, "whole", questions("then", 60), verdict={"held_out": 0})
    earlier(tmp_path, "parted", questions("then", 60))
    fields = {"objective": questions("now", 60)}
    assert len(warm(tmp_path, runs=["runs/whole"], name="a", **fields).record.looks) == 2
    assert len(warm(tmp_path, runs=["runs/parted"], name="b", **fields).record.looks) == 1


@pytest.mark.parametrize("kind", ["greedy", "neighbours", "bayes", "hyperopt"])
def test_a_search_that_learns_is_resumed_as_if_it_had_not_been_away(tmp_path, kind):
    earlier(tmp_path, space={"x": [1, 2], "y": ["a", "b"]})
    fields = {"search": kind, "points": [{"x": 4, "y": "c"}]}
    base = {"x": 3, "y": "a"}
    whole = warm(tmp_path, Questions(base=base), name="whole", budget={"trials": 7}, **fields)
    for trials in (2, 5, 7):
        results = warm(tmp_path, Questions(base=base), budget={"trials": trials}, **fields)
    same(table(results), table(whole))


def test_a_trial_that_was_stopped_early_is_known_as_far_as_it_went(tmp_path, monkeypatch):
    objective = Questions(units=12)
    earlier(tmp_path, objective=objective, scheduler={"kind": "halving", "grace": 3})
    heard = Heard(monkeypatch, "greedy")
    warm(tmp_path, objective, search="greedy", budget={"trials": 4})
    units = [units for *_, units in heard.told[:12]]
    assert units.count(None) < 12
    assert set(units) >= {None, 3}


def test_another_configuration_of_what_is_not_tuned_is_not_taken_for_this_one(
    tmp_path, monkeypatch
):
    class Other(Questions):
        def key(self, params):
            return "other" + super().key(params)

    earlier(tmp_path, objective=Other())
    heard, log = Heard(monkeypatch, "greedy"), tmp_path / "log"
    results = warm(tmp_path, Questions(log=log), search="greedy", budget={"trials": 4})
    assert len(evaluations(log)) == 4 * UNITS
    assert len(heard.told) == len(results.trials)


def test_other_questions_leave_their_best_configurations_and_no_scores(tmp_path):
    old = earlier(tmp_path, objective=Questions(scope="others"))
    log = tmp_path / "log"
    results = warm(tmp_path, Questions(log=log), search="random", budget={"trials": 4})
    best = [dict(trial.params) for trial in old.ranked[:BEST]]
    assert [dict(pairs) for pairs in points_of(log)][:BEST] == best
    assert len(evaluations(log)) == 4 * UNITS
    assert len(results.trials) == 4


def test_of_other_parameters_those_in_common_are_taken(tmp_path):
    wide = {"x": [1, 2], "y": ["a"], "z": [7]}
    earlier(tmp_path, objective=Questions(scope="others"), space=wide)
    base = {"x": 4, "y": "c"}
    results = warm(tmp_path, Questions(base=base), space={"x": [1, 2, 4], "y": ["a", "c"]})
    assert dict(results.record.current[0].params) == base
    assert {tuple(dict(t.params).values()) for t in results.record.current[1:3]} == {
        (1, "a"), (2, "a"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["runs/none"], r"warm_start\[0\]: runs/none: no run here"),
        (["runs/old", "runs/empty"], r"warm_start\[1\]: runs/empty: no run here"),
        (["runs/torn"], r"warm_start\[0\]: runs/torn: .*checksum does not fit"),
        (["runs/newer"], r"warm_start\[0\]: runs/newer: .*newer raytuner"),
        (["../elsewhere"], r"warm_start\[0\]: \.\./elsewhere: leads out"),
        (["runs/t"], r"warm_start\[0\]: runs/t: is the study's own run folder"),
        (["runs/foreign"], r"warm_start\[0\]: runs/foreign: .* nothing of it can be used"),
        ("runs/old", "warm_start: give a list"),
    ],
)
def test_what_is_no_earlier_run_is_refused_before_anything_runs(tmp_path, runs, message):
    earlier(tmp_path)
    earlier(tmp_path, "foreign", Questions(scope="others"), space={"x": [8, 9], "y": ["z"]})
    (tmp_path / "runs/empty").mkdir()
    shutil.copytree(tmp_path / "runs/old", tmp_path / "runs/torn")
    journal = tmp_path / "runs/torn/journal.jsonl"
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([lines[0], lines[1].replace("1", "2"), *lines[2:]]) + "\n")
    (tmp_path / "runs/newer").mkdir()
    newer = encode({"event": "opened", "schema": 99})
    (tmp_path / "runs/newer/journal.jsonl").write_bytes(newer)
    log = tmp_path / "log"
    with pytest.raises(ConfigError, match=message):
        raytuner.run(study(Questions(log=log), warm_start=runs), tmp_path)
    assert evaluations(log) == []
    assert not (tmp_path / "runs/t").exists()


def test_an_absolute_path_may_lie_anywhere(tmp_path):
    earlier(tmp_path / "a")
    log = tmp_path / "log"
    warm(tmp_path / "b", Questions(log=log), runs=[str(tmp_path / "a/runs/old")])
    assert evaluations(log) == []


def test_points_and_runs_decide_which_study_it_is_and_the_plan_counts_them(tmp_path):
    earlier(tmp_path, space={"x": [1, 2], "y": ["a"]})
    search = {"kind": "random", "samples": 2}
    plain = prepare(study(search=search), tmp_path)
    started = prepare(study(search=search, warm_start=["runs/old"]), tmp_path)
    named = prepare(study(search=search, points=[{"x": 4, "y": "c"}]), tmp_path)
    assert len({plain.identity, started.identity, named.identity}) == 3
    assert (plain.total, started.total, named.total) == (2, 4, 3)
    whole = prepare(study(warm_start=["runs/old"]), tmp_path)
    assert whole.total == len(SPACE["x"]) * len(SPACE["y"])


def test_a_run_in_memory_starts_from_earlier_ones_too(tmp_path):
    earlier(tmp_path)
    log = tmp_path / "log"
    fields = {"warm_start": ["runs/old"]}
    results = raytuner.run(study(Questions(log=log), **fields), tmp_path, in_memory=True)
    assert evaluations(log) == []
    assert len(results.trials) == 12


def test_the_journal_says_where_scores_are_from(tmp_path):
    earlier(tmp_path)
    warm(tmp_path)
    lines = (tmp_path / "runs/t/journal.jsonl").read_text().splitlines()
    opened = [event for event in map(json.loads, lines) if event["event"] == "opened"]
    assert [event.get(MARK) for event in opened] == ["runs/old", None]
    assert opened[0]["study"] != opened[1]["study"]
