"""Two runs on the questions they share."""

import json

import pytest

import raytuner
from raytuner.compare import compare
from raytuner.component import ConfigError
from raytuner.results import Results
from tests.raytuner.probes import study
from tests.raytuner.sweeping.test_finals import Graded


class Contents(Graded):
    """Says what its questions ask; `other` lists questions that ask something else."""

    def __init__(self, other=(), first=0, **fields):
        super().__init__(**fields)
        self.other, self.first = set(other), first

    def units(self):
        return tuple(f"q{n}" for n in range(self.first, self.first + self.count))

    def contents(self):
        return {u: "changed" if u in self.other else "same" for u in self.units()}


def run(folder, objective, **fields):
    raytuner.run(study(objective, **fields), folder)
    return Results.open(folder / "runs/t")


@pytest.fixture(name="command")
def _command(request):
    """The command line; its fixture has the name of the package that is imported here."""
    return request.getfixturevalue("raytuner")


ONE = {"space": {"x": {"choice": [1]}, "y": {"choice": ["a"]}}}
"""A run of the configuration as it stands alone."""


def test_a_recommended_trial_beats_what_another_run_stands_on(tmp_path):
    a = run(tmp_path / "a", Contents(), **ONE)
    b = run(tmp_path / "b", Contents())
    found = compare(a, b)
    assert found.verdict.status == "PROVEN"
    assert found.standing.params["x"] == 1
    assert found.challenger.params["x"] == 4
    assert found.verdict.questions.held_out == len(b.record.held_out)
    assert any("had a part in choosing" in line for line in found.lines)
    json.dumps(found.to_dict(), allow_nan=False)
    back = compare(b, a)
    assert back.verdict.status == "WORSE"


def test_what_is_better_the_lower_it_is_is_told_as_lower(tmp_path):
    class Misses(Contents):
        def maximise(self, metric):
            return False

    a = run(tmp_path / "a", Misses(at={1: 0.75, 2: 0.6, 3: 0.5, 4: 0.4}), **ONE)
    b = run(tmp_path / "b", Misses(at={1: 0.75, 2: 0.6, 3: 0.5, 4: 0.4}))
    found = compare(a, b)
    assert found.verdict.status == "PROVEN"
    assert "hit lower by 0." in found.sentence
    assert "interval of what it is lower by: +0." in found.sentence
    assert "hit higher by 0." in compare(b, a).sentence


def test_a_run_does_not_beat_itself(tmp_path):
    a = run(tmp_path / "a", Contents())
    found = compare(a, a)
    assert found.verdict.status == "NOT PROVEN"
    assert found.verdict.finalists[0].gain == 0


def test_only_common_questions_count_and_it_is_said(tmp_path):
    a = run(tmp_path / "a", Contents(), **ONE)
    b = run(tmp_path / "b", Contents(first=30, other=["q50", "q51"]), **ONE)
    found = compare(a, b)
    assert found.verdict.questions.held_out == 68
    (note,) = found.notes
    assert "30 are in A alone, 30 in B alone, 2 say something else in B" in note


def test_runs_without_a_common_question_are_refused(tmp_path):
    a = run(tmp_path / "a", Contents(units=40), **ONE)
    b = run(tmp_path / "b", Contents(units=40, first=100), **ONE)
    with pytest.raises(ConfigError, match="share no question"):
        compare(a, b)
    same_ids = run(tmp_path / "c", Contents(units=40, other=[f"q{n}" for n in range(40)]), **ONE)
    with pytest.raises(ConfigError, match="40 of one id that say something else"):
        compare(a, same_ids)


def test_other_metrics_and_unknown_trials_are_refused(tmp_path):
    a = run(tmp_path / "a", Contents(), **ONE)
    b = run(tmp_path / "b", Contents(), metric="loss", **ONE)
    with pytest.raises(ConfigError, match="different metrics, 'hit' and 'loss'"):
        compare(a, b)
    with pytest.raises(ConfigError, match="--trial-b 9: there is no such trial"):
        compare(a, a, trial_b=9)


def test_too_few_unseen_questions_give_no_verdict(tmp_path):
    a = run(tmp_path / "a", Contents(units=30), **ONE)
    b = run(tmp_path / "b", Contents(units=30))  # nothing held out: all of them chose
    found = compare(a, b)
    assert found.verdict.status == "NONE"
    assert "no questions" in found.verdict.reason


def test_a_trial_that_has_not_met_the_held_out_questions_is_told_so(tmp_path):
    a = run(tmp_path / "a", Contents(), **ONE)
    b = run(tmp_path / "b", Contents())
    have = {trial.number for trial in b.compared}
    other = next(t.number for t in b.record.current if t.number not in have)
    found = compare(a, b, trial_b=other)
    assert found.verdict.status == "NONE"
    reason = found.verdict.reason
    assert reason.startswith(f"trial {other} of run B has not answered the held-out questions: ")
    told = reason.rpartition(": only trials ")[2].removesuffix(" have")
    assert {int(number) for number in told.replace(" and", ",").split(", ")} == have
    assert f"NO VERDICT on B's trial {other} against A's trial 0: {reason}." == found.sentence
    assert "of run A has not answered" in compare(b, a, trial_a=other).verdict.reason


def test_no_interval_of_questions_of_one_document_is_said_and_why(tmp_path):
    class Chapters(Contents):
        def groups(self):
            return {unit: f"d{int(unit[1:]) // 25}" for unit in self.units()}

    a = run(tmp_path / "a", Chapters(units=750, at={1: 0.4}), **ONE)
    b = run(tmp_path / "b", Chapters(units=25, at={1: 0.6}), **ONE)
    found = compare(a, b)
    assert found.verdict.questions[1:3] == (25, 1)
    assert found.verdict.status == "NOT PROVEN"
    assert "inf" not in found.sentence
    assert (
        "(no interval: all of them come from one document (group), and it takes" in found.sentence
    )
    json.dumps(found.to_dict(), allow_nan=False)


def test_it_is_said_why_no_question_counts(tmp_path):
    a, b = run(tmp_path / "a", Contents()), run(tmp_path / "b", Contents())
    b.record.spoiled = frozenset(b.record.held_out)
    reason = compare(a, b).verdict.reason
    assert reason == "an earlier search has gone by the held-out questions of run B"
    half = len(a.record.held_out) // 2
    a.record.spoiled = frozenset(a.record.held_out[:half])
    b.record.spoiled = frozenset(b.record.held_out[half:])
    reason = compare(a, b).verdict.reason
    assert reason == "no question that had no part in choosing either trial has an answer of both"


def test_the_command_says_it_and_fails_unless_proven(tmp_path, command):
    run(tmp_path / "a", Contents(), **ONE)
    run(tmp_path / "b", Contents())
    done = command("compare", tmp_path / "a/runs/t", tmp_path / "b/runs/t",
                       "--fail-unless", "proven")  # fmt: skip
    assert done.code == 0
    assert "PROVEN: B's trial" in done.out
    assert "against A's trial 0: +" in done.out
    back = command("compare", tmp_path / "b/runs/t", tmp_path / "a/runs/t",
                       "--fail-unless", "proven", "--json")  # fmt: skip
    assert back.code == 5
    assert json.loads(back.out)["status"] == "WORSE"
    alone = command("verdict", tmp_path / "b/runs/t", "--fail-unless", "proven")
    assert alone.code == 0
    assert alone.out.startswith("PROVEN")
    few = command("verdict", tmp_path / "a/runs/t", "--fail-unless", "leaning")
    assert few.code == 5


def test_a_finalist_is_not_proven_by_leaving_its_rivals_out(tmp_path):
    b = run(tmp_path / "b", Contents())
    found = compare(b, b, trial_a=0, trial_b=b.recommended.number)
    rivals = len(b.compared) - 1
    assert rivals > 1
    assert found.verdict.alpha == pytest.approx(b.trust.alpha / rivals)
