"""What questions say about configurations, and in which order they are listed."""

from itertools import pairwise

import pytest

import raytuner
from raytuner.report.data import collect
from raytuner.report.html import anchor
from tests.raytuner.probes import Questions, study


def test_the_most_telling_come_first_then_the_hardest(results):
    found = collect(results).questions
    assert {q.unit for q in found} == {*results.record.units, *results.record.held_out}
    assert [round(q.spread, 9) for q in found] == sorted(
        (round(q.spread, 9) for q in found), reverse=True
    )
    for before, after in pairwise(found):
        if round(before.spread, 9) == round(after.spread, 9):
            assert before.mean <= after.mean


def test_means_are_over_all_trials_that_answered(results):
    for question in collect(results).questions:
        if question.held_out:
            continue
        row = results.record.units.index(question.unit)
        values = [t.values("hit")[row] for t in results.record.current if len(t.table)]
        known = [value for value in values if value == value]
        assert question.answers == len(known)
        assert question.mean == pytest.approx(sum(known) / len(known))


def test_leaders_are_shown_with_their_own_scores(results):
    report = collect(results)
    assert 2 <= len(report.leaders) <= 5
    assert any("as it stands" in leader.role for leader in report.leaders)
    for question in report.questions:
        for leader, score in zip(report.leaders, question.scores, strict=True):
            part = leader.trial.held if question.held_out else leader.trial
            if question.unit in part.units and len(part.table):
                row = list(part.units).index(question.unit)
                assert score == pytest.approx(part.values("hit")[row], nan_ok=True)


def test_trials_stopped_early_get_paired_estimates(results):
    report = collect(results)
    base = results.baseline
    for one in report.standings:
        if one.exact:
            assert one.score == results.score(one.trial)
        else:
            gain = results.difference(one.trial, base).estimate
            assert one.score == pytest.approx(results.score(base) + gain)


def test_without_a_baseline_the_leader_is_shown_alone():
    report = collect(raytuner.run(study(Questions()), in_memory=True))
    assert report.leaders
    assert report.results.baseline is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pd-012", "q-pd-012"), ("a b", "q-a~20~b"), ("a~20~b", "q-a~7e~20~7e~b"),
        ("é<", "q-~e9~~3c~"),
    ],
)  # fmt: skip
def test_links_to_questions_are_plain_and_never_shared(name, expected):
    assert anchor("q", name) == expected
