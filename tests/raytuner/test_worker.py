"""The trial boundary: retries, cancellation, and errors that are not the objective's."""

import asyncio

import pytest

from raytuner.objective import Cost, Failure, UnitScore
from tests.raytuner.worker_probes import UNITS, Closing, fails, good, raises


def test_batches_are_emitted_before_the_next_is_begun(play):
    seen = []

    def attempt(units, meter):
        for unit in units:
            seen.append(f"make {unit}")
            yield [UnitScore(unit, {"hit": 1.0})]

    ended, _, _ = play(Closing(attempt), emit=lambda batch: seen.append(f"keep {batch[0].unit}"))
    assert seen == [f"{what} {unit}" for unit in UNITS for what in ("make", "keep")]
    assert (ended.status, ended.failure) == ("complete", None)


def test_only_what_may_go_away_is_retried_and_only_lasting_failures_are_emitted(play):
    objective = Closing(fails("b", "d"), fails("d"), good)
    ended, batches, scores = play(objective)
    assert objective.asked == [UNITS, ("b", "d"), ("d",)]
    assert all(failure is None for batch in batches for *_, failure in batch)
    assert ended.status == "complete"
    assert ended.counts == {"units retried": 3}
    by_unit = {score.unit: score for score in scores}
    assert by_unit["b"].cost == Cost(0.75, calls=2)  # what failed was paid for, too
    assert by_unit["d"].cost == Cost(0.5, calls=2)
    assert by_unit["d"].seconds == 2.0


def test_lasting_failures_are_recorded_once_after_all_attempts(play):
    objective = Closing(fails("b"))
    ended, batches, scores = play(objective)
    assert objective.asked == [UNITS, ("b",), ("b",)]
    assert batches[-1] == [("b", None, Failure("rate_limit", "no", retryable=True))]
    assert [unit for batch in batches for unit, *_ in batch].count("b") == 1
    assert scores[-1].cost == Cost(0.75, calls=3)
    assert (ended.status, ended.failure.kind) == ("failed", "rate_limit")
    assert ended.counts == {"units retried": 2}


def test_final_failures_are_not_retried(play):
    objective = Closing(fails("b", kind="objective", retryable=False))
    ended, _, _ = play(objective)
    assert objective.asked == [UNITS]
    assert ended.failure == Failure("objective", "no")


@pytest.mark.parametrize(
    ("error", "kind", "attempts"),
    [
        (RuntimeError("x"), "objective", 1),
        (TimeoutError("x"), "timeout", 3),
        (SystemExit(1), "objective", 1),
        (BaseException("a panic in Rust"), "objective", 1),
        (asyncio.CancelledError(), "objective", 1),
    ],
)
def test_exceptions_fail_the_units_that_are_open(play, error, kind, attempts):
    objective = Closing(raises(error, after=2), raises(error))
    ended, batches, _ = play(objective)
    assert len(objective.asked) == attempts
    assert [unit for batch in batches[:2] for unit, *_ in batch] == ["a", "b"]
    assert [(unit, failure.kind) for unit, _, failure in batches[-1]] == [("c", kind), ("d", kind)]
    assert ended.failure.message.endswith("(2 units)")


def test_the_last_reason_counts(play):
    objective = Closing(fails("b"), raises(RuntimeError("broken for good")))
    ended, _, _ = play(objective)
    assert objective.asked == [UNITS, ("b",)]
    assert ended.failure == Failure("objective", "RuntimeError: broken for good")


def test_units_that_are_left_out_or_made_up(play):
    def attempt(units, meter):
        return [
            [
                UnitScore("a", {"hit": 1.0}),
                UnitScore("a", {"hit": 0.0}),
                UnitScore("z", {"hit": 1}),
            ],
            [UnitScore("a", {"hit": 0.5}), UnitScore("b", {"hit": 0.5})],
        ]

    ended, batches, _ = play(Closing(attempt))
    assert batches[:2] == [[("a", 1.0, None)], [("b", 0.5, None)]]
    assert "without a score for this unit (2 units)" in ended.failure.message


def test_what_is_no_list_of_scores_is_a_failure(play):
    ended, _, _ = play(Closing(lambda units, meter: [[{"a": 1.0}]]))
    assert (ended.status, ended.failure.kind) == ("failed", "objective")
    ended, _, _ = play(Closing(lambda units, meter: [0.5]))
    assert (ended.status, ended.failure.kind) == ("failed", "objective")


class Measured(Closing):
    """Tells something of its configuration."""

    ignorant = False

    def facts(self, params):
        if self.ignorant:
            raise RuntimeError("no idea")
        return {"index_mb": 12, "bad": float("nan")}


def test_figures_of_the_configuration_come_with_the_end_of_a_job(play):
    assert play(Measured(good))[0].facts == {"index_mb": 12.0}
    assert play(Measured(fails("b")))[0].facts == {"index_mb": 12.0}
    assert play(Closing(good))[0].facts == {}


def test_figures_are_asked_for_where_a_trial_has_run_and_fail_nobody(play):
    objective = Measured(raises(RuntimeError("x")))
    assert play(objective)[0].facts == {}
    objective = Measured(good)
    objective.ignorant = True
    ended, _, _ = play(objective)
    assert (ended.status, ended.facts) == ("complete", {})
