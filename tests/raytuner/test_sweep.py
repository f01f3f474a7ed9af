"""The driver's state: jobs out, results in, and who is told what."""

import contextlib
import math
import threading

import pytest

from raytuner.backends.inprocess import run_sequential, run_threads
from raytuner.budget import Budget
from raytuner.component import ConfigError
from raytuner.goal import Goal
from raytuner.journal import Journal
from raytuner.objective import Failure, UnitScore
from raytuner.record import Record
from raytuner.search.port import Exhausted
from raytuner.sweep import Sweep
from raytuner.worker import Ended, Patience
from tests.raytuner.probes import Questions, worth


class AsIs:
    def active(self, values):
        return dict(values)


class Asks:
    """Proposes from a list (None: wait for results), and remembers what it is told."""

    def __init__(self, *points, forever=None):
        self.points = list(points)
        self.forever = forever
        self.asked = 0
        self.told = []

    def ask(self):
        self.asked += 1
        if not self.points:
            if self.forever:
                return dict(self.forever)
            raise Exhausted("done")
        return self.points.pop(0)

    def tell(self, params, score, *, units=None, ended=True):
        self.told.append((dict(params), score))


class Hears:
    def __init__(self):
        self.heard = []

    def started(self, trial):
        self.heard.append(("started", trial.number))

    def scored(self, trial, units):
        self.heard.append(("scored", trial.number, units))

    def ended(self, trial):
        self.heard.append(("ended", trial.number, trial.status))

    def finals(self, trials, units):
        self.heard.append(("finals", trials, units))

    def waits(self, why):
        self.heard.append(("waits", why))


def sweep(proposer, objective=None, journal=None, **fields):
    objective = objective or Questions(units=2)
    journal = journal or Journal(None)
    record = Record("s", objective.scope(), objective.units(), journal)
    fields = {"goal": Goal(("hit",)), "patience": Patience(0, 0), **fields}
    return Sweep(objective=objective, space=AsIs(), proposer=proposer, journal=journal,
                 record=record, **fields)  # fmt: skip


FACTS = {"schema": 1, "study": "s", "units": ["q0", "q1"]}


def p(x, y="a"):
    return {"x": x, "y": y}


def mean(params, units=2):
    return pytest.approx(sum(worth(params, f"q{n}") for n in range(units)) / units)


def test_listener_hears_everything_in_order():
    ears = Hears()
    run_sequential(sweep(Asks(p(1), p(2)), listener=ears))
    assert ears.heard == [
        ("started", 0), ("scored", 0, 2), ("ended", 0, "complete"),
        ("started", 1), ("scored", 1, 2), ("ended", 1, "complete"),
    ]  # fmt: skip


def test_search_is_told_means_and_failures():
    asks = Asks(p(1), p(2), p(3))
    objective = Questions(units=3, faults={2: "raise", 3: "refuse"})
    run_sequential(sweep(asks, objective))
    assert asks.told == [(p(1), mean(p(1), 3)), (p(2), None), (p(3), None)]
    minimise = Asks(p(1))
    run_sequential(sweep(minimise, goal=Goal(("loss",), lower=frozenset({"loss"}))))
    assert minimise.told[0][1] < 0


def test_a_repeated_proposal_is_answered_and_evaluated_once(tmp_path):
    log = tmp_path / "log"
    for lookahead in (1, 10):
        log.unlink(missing_ok=True)
        asks = Asks(p(1), p(1), p(2), p(1))
        run = sweep(asks, Questions(units=2, log=log), lookahead=lookahead)
        run_sequential(run)
        assert log.read_text().count("\n") == 4
        assert sorted(x["x"] for x, _ in asks.told) == [1, 1, 1, 2]
        assert len({score for x, score in asks.told if x["x"] == 1}) == 1
        assert [t.number for t in run.record.current] == [0, 1]


def test_a_twin_of_a_running_trial_waits_for_it():
    asks = Asks(p(1), p(1))
    run = sweep(asks)
    job = run.take()
    done = []
    thread = threading.Thread(target=lambda: done.append(run.take()))
    thread.start()
    thread.join(timeout=5)
    assert done == [None]  # nothing new will come
    run.score(job.key, [UnitScore(unit, {"hit": 1.0}) for unit in job.units])
    run.end(Ended(job.key, "complete", 1.0))
    assert asks.told == [(p(1), 1.0), (p(1), 1.0)]


def test_a_search_that_waits_for_results_gets_them():
    asks = Asks(p(1), None, None, p(2))
    run = sweep(asks)
    job = run.take()
    assert run.poll() is None  # as two more workers would
    assert run.poll() is None
    run.score(job.key, [UnitScore(unit, {"hit": 1.0}) for unit in job.units])
    run.end(Ended(job.key, "complete", 1.0))
    run_threads(run, 3)
    assert len(asks.told) == 2


@pytest.mark.parametrize("workers", [1, 3])
def test_a_search_that_only_repeats_itself_ends(workers):
    asks = Asks(p(1), p(2), forever=p(1))
    run = sweep(asks, budget=Budget(trials=50))
    run_threads(run, workers)
    assert len(run.record.current) == 2
    assert run.stop_reason is None


def test_refused_configurations_are_failures_once_and_count():
    asks = Asks(p(3), p(3), p(1), p(2))
    run = sweep(asks, Questions(units=2, faults={3: "refuse"}), budget=Budget(trials=2))
    run_sequential(run)
    assert [(t.params["x"], t.status) for t in run.record.current] == [
        (3, "failed"), (1, "complete"),
    ]  # fmt: skip
    assert run.record.current[0].failure == Failure("config", "x: 3 is too much")
    assert "2 trials" in run.stop_reason


def test_trials_of_the_budget_are_the_first_proposed_whoever_runs_first():
    points = [p(x, y) for y in "abc" for x in (1, 2, 3)]
    for run in (run_sequential, lambda s: run_threads(s, 3)):
        one = sweep(Asks(*points), budget=Budget(trials=4), lookahead=100)
        run(one)
        assert [dict(t.params) for t in one.record.current] == points[:4]


def test_numbers_follow_proposals_not_turns():
    points = [p(x, y) for y in "ab" for x in (1, 2)]
    run = sweep(Asks(*points), lookahead=100)
    run_sequential(run)  # runs both of x = 1 first
    assert [dict(t.params) for t in run.record.current] == points


def test_baseline_comes_first_and_does_not_count():
    run = sweep(Asks(p(1), p(2)), baseline=p(9), budget=Budget(trials=2), lookahead=9)
    run_sequential(run)
    assert [(t.number, t.params["x"], t.baseline) for t in run.record.current] == [
        (0, 9, True), (1, 1, False), (2, 2, False),
    ]  # fmt: skip
    assert run.stop_reason is None


def test_resuming_asks_only_for_what_is_missing():
    journal = Journal(None)
    first = sweep(Asks(p(1), p(2)), journal=journal)
    with first.session({**FACTS, "scope": first.objective.scope()}):
        job = first.take()
        first.score(job.key, [UnitScore("q1", {"hit": 0.5})])
        first.end(Ended(job.key, "stopped", 0.1))
    second = sweep(Asks(p(1), p(2)), journal=journal)
    jobs = []
    while (job := second.take()) is not None:
        jobs.append((job.params["x"], job.units))
        second.score(job.key, [UnitScore(unit, {"hit": 1.0}) for unit in job.units])
        second.end(Ended(job.key, "complete", 0.1))
    assert jobs == [(1, ("q0",)), (2, ("q0", "q1"))]
    assert [t.mean("hit") for t in second.record.current] == [0.75, 1.0]


def test_a_stop_for_want_of_money_ends_the_sweep_with_a_reason():
    run = sweep(Asks(p(1), p(2)), budget=Budget(usd=1.0))
    job = run.take()
    run.end(Ended(job.key, "stopped", 0.1))
    assert run.take() is None
    assert run.cancelled
    assert run.stop_reason == "the budget has no room for the next paid call"


def test_an_unmeasured_metric_ends_the_sweep_after_the_first_trial():
    asks = Asks(p(1), p(2))
    with pytest.raises(ConfigError, match=r"'hti' is not measured; .* hit, loss\. Did you mean 'h"):
        run_sequential(sweep(asks, goal=Goal(("hti",))))
    assert len(asks.points) == 1
    first = sweep(Asks(p(1)), goal=Goal())
    run_sequential(first)
    assert first.goal.name == "hit"


def test_sessions_are_framed_whatever_ends_them():
    for error, reason in (
        (None, None), (KeyboardInterrupt(), "interrupted"), (RuntimeError("bad"), "bad"),
        (RuntimeError(), "RuntimeError"),
    ):  # fmt: skip
        journal = Journal(None)
        run = sweep(Asks(), journal=journal)
        expected = pytest.raises(type(error)) if error else contextlib.nullcontext()
        with expected, run.session(FACTS):
            if error:
                raise error
        assert [(e["event"], e.get("reason")) for e in journal] == [
            ("opened", None), ("closed", reason),
        ]  # fmt: skip


def test_errors_of_the_search_surface(tmp_path):
    class Breaks(Asks):
        def ask(self):
            raise ZeroDivisionError("in the search")

    for run in (run_sequential, lambda s: run_threads(s, 3)):
        with pytest.raises(ZeroDivisionError, match="in the search"):
            run(sweep(Breaks()))


def test_metrics_that_are_nan_everywhere_never_reach_the_search():
    asks = Asks(p(1))
    run_sequential(sweep(asks, Questions(units=3, faults={1: "nan"})))
    assert asks.told == [(p(1), None)]
    assert not any(math.isnan(score) for _, score in asks.told if score is not None)
