"""Studies whose finalists meet the configuration as it stands on questions no search has seen."""

import json
from collections import Counter

import pytest

import raytuner
from raytuner.journal import read
from raytuner.objective import Cost, UnitScore
from raytuner.results import Results
from tests.raytuner.probes import Questions, study, worth

BASE = {"x": 1, "y": "a"}


class Graded(Questions):
    """Right on the share `at` of the questions; `falls` lists x that answer no held-out one."""

    def __init__(self, at=None, falls=(), usd=0.0, **fields):
        super().__init__(**{"units": 100, "batch": 10, "base": BASE, **fields})
        self.at = at or {1: 0.4, 2: 0.5, 3: 0.6, 4: 0.75}
        self.falls = falls
        self.usd = usd
        self.asked = Counter()

    def groups(self):
        return {f"q{n}": f"d{n % 30}" for n in range(self.count)}

    def paid(self):
        return self.usd > 0

    def evaluate(self, params, units, meter):
        for start in range(0, len(units), self.batch):
            batch = []
            for unit in units[start : start + self.batch]:
                if self.usd:
                    meter.reserve(self.usd)
                    meter.settle(self.usd, Cost(self.usd))
                self.asked[unit] += 1
                luck = worth({}, unit) + 0.02 * worth(params, unit)
                scores = {"hit": float(luck < self.at[params["x"]]), "loss": 0.0}
                batch.append(UnitScore(unit, scores, Cost(self.usd)))
            yield batch


class Falls(Graded):
    def evaluate(self, params, units, meter):
        later = len(set(units)) > 50
        for batch in super().evaluate(params, units, meter):
            if later and params["x"] in self.falls:
                raise RuntimeError("the endpoint is gone")
            yield batch


def run(folder, objective=None, **fields):
    return raytuner.run(study(objective or Graded(), **fields), folder)


def journal(folder):
    return read(folder / "runs/t/journal.jsonl")[0]


def test_search_sees_its_part_only_and_finalists_alone_answer_the_rest(tmp_path):
    objective = Graded()
    results = run(tmp_path, objective, scheduler="none")
    record = results.record
    assert len(record.units) + len(record.held_out) == 100
    assert 35 <= len(record.units) <= 45
    compared = {trial.key for trial in results.compared}
    assert 2 <= len(compared) <= 4
    for trial in record.current:
        assert not trial.missing()
        assert bool(trial.held.answered) == (trial.key in compared)
    assert objective.asked[record.held_out[0]] == len(compared)
    assert objective.asked[record.units[0]] == len(record.current)


def test_groups_stay_together(tmp_path):
    results = run(tmp_path)
    groups = Graded().groups()
    searched = {groups[unit] for unit in results.record.units}
    assert searched.isdisjoint(groups[unit] for unit in results.record.held_out)
    again = Results.open(tmp_path / "runs/t")
    names = {unit: again.groups[unit] for unit in again.record.held_out}
    assert len(set(names.values())) == len({groups[unit] for unit in names})


def test_a_clear_winner_is_proven_and_opened_again_it_says_the_same(tmp_path):
    results = run(tmp_path)
    assert results.verdict.status == "PROVEN"
    assert results.recommended.params["x"] == 4
    again = Results.open(tmp_path / "runs/t")
    assert again.verdict.to_dict() == results.verdict.to_dict()
    assert again.recommended.key == results.recommended.key


def test_equal_configurations_are_not_proven_and_what_stands_is_kept(tmp_path):
    results = run(tmp_path, Graded(at=dict.fromkeys([1, 2, 3, 4], 0.5)))
    assert results.verdict.status in {"NOT PROVEN", "NONE"}
    assert results.verdict.recommended == 0


@pytest.mark.parametrize("scheduler", ["none", "race"])
def test_the_same_study_again_looks_once_and_asks_nothing(tmp_path, scheduler):
    first = run(tmp_path, scheduler=scheduler)
    objective = Graded()
    second = run(tmp_path, objective, scheduler=scheduler)
    assert not objective.asked
    assert second.verdict.to_dict() == first.verdict.to_dict()
    assert sum(event["event"] == "look" for event in journal(tmp_path)) == 1


def test_other_finalists_are_a_second_look_and_halve_alpha(tmp_path):
    run(tmp_path, space={"x": {"choice": [1, 2, 3]}, "y": {"choice": ["a"]}})
    results = run(tmp_path)
    looks = [event for event in journal(tmp_path) if event["event"] == "look"]
    assert len(looks) == 2
    assert results.verdict.looks == 2
    assert results.verdict.alpha == pytest.approx(0.025)


def test_a_finalist_that_fails_on_held_out_questions_takes_no_part(tmp_path):
    results = run(tmp_path, Falls(falls=(4,)), retry={"times": 0, "wait": 0})
    verdict = results.verdict
    told = {finalist.trial for finalist in verdict.finalists}
    failed = [trial for trial in results.compared if trial.held.missing()]
    assert failed
    assert told.isdisjoint(trial.number for trial in failed)
    assert all(trial.params["x"] == 4 for trial in failed)
    assert not results.failed  # of the search, nothing is missing


def test_without_enough_questions_nothing_is_held_out(tmp_path):
    results = run(tmp_path, Graded(units=30))
    assert not results.record.held_out
    assert results.verdict.status == "NONE"
    assert "too few to hold any out" in results.verdict.reason


def test_without_a_standing_configuration_nothing_is_held_out(tmp_path):
    results = run(tmp_path, Graded(), baseline=False)
    assert not results.record.held_out
    assert "no trial of the configuration as it stands" in results.verdict.reason


def test_asking_for_more_than_there_is_is_refused():
    with pytest.raises(raytuner.ConfigError, match=r"verdict.held_out: 0.6 of 20 questions leaves"):
        raytuner.tuner.prepare(study(Graded(units=20), verdict={"held_out": 0.6}), in_memory=True)


def test_a_quarter_of_the_dollars_is_kept_for_the_finals(tmp_path):
    objective = Graded(usd=0.01)
    results = run(tmp_path, objective, budget={"usd": 6.0}, scheduler="none",
                  retry={"times": 0, "wait": 0})  # fmt: skip
    assert results.stop_reason
    assert "kept for the verdict" in results.stop_reason
    assert results.verdict.status != "NONE"
    assert sum(objective.asked.values()) <= 600
    assert all(not trial.held.missing() for trial in results.compared)


def test_questions_that_an_earlier_study_has_searched_prove_nothing(tmp_path):
    run(tmp_path, verdict={"held_out": 0})
    results = run(tmp_path, space={"x": {"choice": [4]}, "y": {"choice": ["a"]}})
    assert results.verdict.status == "NONE"
    assert "has searched" in results.verdict.reason
    assert Results.open(tmp_path / "runs/t").verdict.to_dict() == results.verdict.to_dict()


def test_there_is_no_verdict_while_a_finalist_has_questions_left(tmp_path):
    run(tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    look = next(n for n, line in enumerate(lines) if b'"event":"look"' in line)
    ends = [n for n, line in enumerate(lines) if n > look and b'"event":"ended"' in line]
    path.write_bytes(b"".join(lines[: ends[1] + 1]))  # what stands and the first finalist
    cut = Results.open(tmp_path / "runs/t")
    assert cut.verdict.status == "NONE"
    assert "not over" in cut.verdict.reason or "lacks" in cut.verdict.reason
    assert run(tmp_path).verdict.status == "PROVEN"


class Sparse(Graded):
    """x=3, y=c has the metric on few questions, and a perfect score there; x=4, y=c on none."""

    def evaluate(self, params, units, meter):
        for batch in super().evaluate(params, units, meter):
            yield [self.thinned(params, score) for score in batch]

    def thinned(self, params, score):
        point = (params["x"], params["y"])
        if point == (3, "c") and worth({}, score.unit) < 0.1:
            return score._replace(scores={"hit": 1.0, "loss": 0.0})
        return score._replace(scores={"loss": 0.0}) if point in {(3, "c"), (4, "c")} else score


def test_who_has_the_metric_on_few_questions_does_not_win(tmp_path):
    results = run(tmp_path, Sparse(), scheduler="none")
    assert results.verdict.status == "PROVEN"
    assert results.recommended.params == {"x": 4, "y": "a"}
    assert results.verdict.questions.left_out == 0


def test_ties_go_to_what_is_closest_to_what_stands(tmp_path):
    results = run(tmp_path, Graded(at=dict.fromkeys([1, 2, 3, 4], 2.0)))
    assert results.best.baseline
    space = {"x": {"choice": [2, 3, 4]}, "y": {"choice": ["a", "b"]}}
    at = {1: 0.1, 2: 2.0, 3: 2.0, 4: 2.0}
    same = run(tmp_path / "b", Graded(at=at), space=space, scheduler="none")
    assert same.best.params == {"x": 2, "y": "a"}


@pytest.mark.parametrize("backend", [{"backend": "threads", "workers": 3},
                                     {"backend": "async", "workers": 3}])  # fmt: skip
def test_every_backend_comes_to_the_same_verdict(tmp_path, backend):
    alone = run(tmp_path / "alone")
    others = run(tmp_path / "others", **backend)
    assert json.dumps(others.verdict.to_dict()) == json.dumps(alone.verdict.to_dict())
    assert [t.status for t in others.record.current] == [t.status for t in alone.record.current]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "ray", "ray-tune"])
def test_processes_and_ray_come_to_the_same_verdict(tmp_path, backend):
    alone = run(tmp_path / "alone")
    others = run(tmp_path / "others", backend=backend, workers=2)
    assert json.dumps(others.verdict.to_dict()) == json.dumps(alone.verdict.to_dict())
    assert [t.status for t in others.record.current] == [t.status for t in alone.record.current]
