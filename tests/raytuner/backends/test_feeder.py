"""Feeding remote workers: what is recorded when, retries, timeouts, grace."""

import queue
import threading
import time

import pytest

from raytuner.backends.feeder import LostWorkerError, Report, feed
from raytuner.backends.reporter import Reporter
from raytuner.prepare import prepare
from raytuner.session import Session
from tests.raytuner.probes import Questions, evaluations, study, table


class Thread:
    """A worker in a thread, and a crew of that one; dies when it is told to."""

    def __init__(self, sweep, objective, deaths=()):
        self.sweep = sweep
        self.objective = objective
        self.deaths = list(deaths)
        self.reports = queue.SimpleQueue()
        self.received = []
        self.dismissed = 0

    def reserve(self):
        return not self.sweep.cancelled

    def forgo(self):
        pass

    def hire(self):
        self.reports = queue.SimpleQueue()
        self.reporter = Reporter(self.objective, self.reports.put)
        return self

    def release(self, worker):
        assert worker is self

    def dismiss(self, worker):
        self.dismissed += 1
        self.reporter.cancel()
        self.reporter.answer(on=False)

    def begin(self, job):
        threading.Thread(target=self.reporter.run, args=(job,), daemon=True).start()

    def receive(self, seconds):
        if self.deaths and len(self.received) == self.deaths[0]:
            del self.deaths[0]
            raise LostWorkerError("gone")
        try:
            self.received.append(self.reports.get(timeout=max(seconds, 0.001)))
        except queue.Empty:
            return None
        return self.received[-1]

    def proceed(self, *, on):
        self.reporter.answer(on=on)

    def cancel(self):
        self.reporter.cancel()


def fed(objective, deaths=(), timeout=None, **fields):
    fields = {"space": {"x": [1]}, **fields}
    with Session(prepare(study(objective, **fields), in_memory=True), None) as session:
        crew = Thread(session.sweep, objective, deaths)
        feed(session.sweep, crew, timeout)
        return session.results(), crew


def test_a_batch_is_on_record_before_the_next_one_begins(tmp_path):
    log, known = tmp_path / "log", []

    class Watching(Questions):
        def evaluate(self, params, units, meter):
            for batch in super().evaluate(params, units, meter):
                yield batch
                known.append(sum(len(r.scores) for r in crew_of[0].received))

    crew_of = []
    objective = Watching(log)
    with Session(prepare(study(objective, space={"x": [1]}), in_memory=True), None) as session:
        crew_of.append(Thread(session.sweep, objective))
        feed(session.sweep, crew_of[0])
    assert known == [2, 4, 4]  # the last batch comes with the end
    last = crew_of[0].received[-1]
    assert (len(last.scores), last.ended.status) == (2, "complete")
    assert last.inside > 0


def test_a_job_of_one_batch_is_one_report():
    _, crew = fed(Questions(batch=6))
    assert len(crew.received) == 1


@pytest.mark.parametrize("deaths", [(0,), (1,), (0, 2)])
def test_a_lost_worker_costs_what_was_not_on_record(tmp_path, deaths):
    log = tmp_path / "log"
    results, crew = fed(Questions(log, pause=0.005), deaths)
    assert table(results).equals(table(fed(Questions())[0]))
    assert crew.dismissed == len(deaths)


def test_attempts_of_both_sides_are_counted_together(tmp_path):
    log = tmp_path / "log"
    results, crew = fed(Questions(log, faults={1: "rate_limit"}), deaths=(4,))
    trial = results.record.current[0]
    assert trial.failure.kind == "rate_limit"
    assert 2 <= [unit for _, unit in evaluations(log)].count("q2") <= 3
    assert crew.dismissed == 1
    assert [report.pause is not None for report in crew.received].count(True) == 1


def test_a_timeout_counts_per_attempt_and_not_the_pauses_between(tmp_path):
    log = tmp_path / "log"
    objective = Questions(log, faults={1: "rate_limit"}, pause=0.01)
    results, crew = fed(objective, timeout=0.4, retry={"times": 2, "wait": 0.3})
    assert results.record.current[0].failure.kind == "rate_limit"
    assert crew.dismissed == 0


def test_what_hangs_is_ended_as_often_as_it_is_retried():
    results, crew = fed(Questions(pause=0.5), timeout=0.1, retry={"times": 1, "wait": 0})
    trial = results.record.current[0]
    assert (trial.status, trial.failure.kind) == ("failed", "timeout")
    assert "took more than its timeout of 0.1 seconds" in trial.failure.message
    assert crew.dismissed == 2


def test_what_does_not_end_in_time_is_left_behind(monkeypatch):
    monkeypatch.setattr("raytuner.backends.feeder._GRACE", 0.2)
    began = time.monotonic()
    results, crew = fed(Questions(pause=2), budget={"seconds": 0.3})
    assert time.monotonic() - began < 1.8
    assert results.record.current[0].status == "stopped"
    assert crew.dismissed == 1


def test_reports_are_plain():
    assert Report() == Report((), None, None, 0.0)


@pytest.mark.parametrize("ended", [False, True])
def test_a_job_that_was_taken_before_is_done_or_ended(ended):
    made = study(Questions(), space={"x": [1]})
    with Session(prepare(made, in_memory=True), None) as session:
        first = session.sweep.take()
        if ended:
            session.sweep.cancel("enough")
        feed(session.sweep, Thread(session.sweep, Questions()), first=first)
        statuses = {trial.status for trial in session.results().record.current}
    assert statuses == ({"stopped"} if ended else {"complete"})
