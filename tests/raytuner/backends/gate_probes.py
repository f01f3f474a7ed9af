"""Objectives whose questions are paid calls that only sleep, and what they may cost in all."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import raytuner
from raytuner.budget import ledger_spent
from raytuner.component import digest
from raytuner.journal import read
from raytuner.objective import UNIT_USD, Cost, UnitScore
from raytuner.ports.gate import Demand, Limits, Report, run_in_background
from raytuner.record import Entry
from tests.raytuner.probes import ROOT, Questions, study

WORST = 0.01
SPACE = {"x": list(range(40))}


class Calls(Questions):
    """Answers every question by one call, a batch at the same time.

    Args:
        log: gets a line for every call that is made.
        seconds: that a call takes.
        shared: whether equal questions of all trials are equal calls.
        real: part of the worst case that a call costs.
        lane: concurrency of the only endpoint.
        fault: `kill_once`: the process dies at the end of the first call of question q2.
    """

    def __init__(self, log, seconds=0.02, shared=False, real=0.6, lane=64, fault="", **more):
        super().__init__(log, **{"units": 8, "batch": 4, **more})
        self.seconds, self.shared, self.real, self.lane = seconds, shared, real, lane
        self.fault = fault

    def paid(self):
        return True

    def evaluate(self, params, units, meter):
        for start in range(0, len(units), self.batch):
            batch = units[start : start + self.batch]
            calls = asyncio.wait_for(self.together(params, batch, meter.gate), 60)
            answered = run_in_background(calls)
            for _, cost in answered:
                meter.spend(cost)
            yield [
                UnitScore(unit, {"hit": 1.0, "loss": 0.0, UNIT_USD: cost.usd}, cost)
                for unit, cost in answered
            ]

    async def together(self, params, units, gate):
        return await asyncio.gather(*(self.call(params, unit, gate) for unit in units))

    async def call(self, params, unit, gate):
        asked = [unit] if self.shared else [unit, dict(params)]
        limits = Limits(concurrency=self.lane)
        permit = await gate.admit(Demand("lane", limits, WORST, 100, digest(*asked)))
        if permit.answer is not None:
            assert permit.answer.decode() == unit
            return unit, Cost()
        report = Report(cost=None)
        try:
            self.write(params, unit)
            await asyncio.sleep(self.seconds)
            if self.fault and unit == "q2" and self.due(self.fault, {"x": "any"}):
                os.kill(os.getpid(), signal.SIGKILL)
            report = Report(Cost(WORST * self.real, 10, 20, 1), unit.encode())
            return unit, report.cost
        finally:
            gate.settle(permit, report)


def calls(log):
    """The calls that were made."""
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [(params["x"], unit) for params, unit, _ in map(json.loads, lines)]


def ledgers(folder):
    """Dollars that each session's ledger has."""
    sessions = []
    for event in read(Path(folder) / "runs/t/journal.jsonl")[0]:
        if event["event"] == "opened":
            sessions.append([])
        if event["event"] == "money":
            sessions[-1] += [Entry(*row) for row in event["rows"]]
    return [ledger_spent(entries)[0] for entries in sessions]


def check_race(fields, folder, limit=1.0):
    """Workers that race to a limit use nearly all of it, and never more."""
    made = study(Calls(folder / "log"), space=SPACE, budget={"usd": limit}, **fields)
    results = raytuner.run(made, folder)
    paid = len(calls(folder / "log")) * WORST * 0.6
    assert 0.97 * limit <= paid <= limit + 1e-9
    assert f"the budget of ${limit:g} has no room" in results.stop_reason
    assert not results.failed
    assert abs(sum(ledgers(folder)) - paid) < 1e-9
    assert abs(raytuner.Results.open(folder / "runs/t").record.spent_usd - paid) < 1e-9


def check_equal_calls(fields, folder):
    """Equal calls of several workers are made once."""
    space = {"x": [1, 2, 3, 4]}
    objective = Calls(folder / "log", shared=True, seconds=0.2)
    results = raytuner.run(study(objective, space=space, **fields), folder)
    assert set(results.trials.status) == {"complete"}
    assert sorted(unit for _, unit in calls(folder / "log")) == sorted(objective.units())
    assert abs(results.record.cost.usd - 8 * WORST * 0.6) < 1e-9


def check_lost_worker(fields, folder):
    """The calls of a worker that dies count in full, and hold nobody up."""
    space, log = {"x": [1, 2, 3, 4]}, folder / "log"
    objective = Calls(log, shared=True, seconds=0.2, lane=4, fault="kill_once")
    budget = {"usd": 1.0}
    results = raytuner.run(study(objective, space=space, budget=budget, **fields), folder)
    assert set(results.trials.status) == {"complete"}
    made = calls(log)
    assert [unit for _, unit in made].count("q2") == 2
    lost = len(made) - 8
    assert lost >= 1  # of the process that died
    assert abs(ledgers(folder)[0] - (8 * 0.6 + lost) * WORST) < 1e-9


def check_killed_driver(fields, folder, limit=0.5):
    """What was under way when the driver was killed counts; both sessions keep to the limit."""
    log = folder / "log"
    given = json.dumps([str(folder), str(log), limit, fields])
    code = (
        "import json; from tests.raytuner.backends.gate_probes import drive; "
        f"drive(*json.loads({given!r}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while len(calls(log)) < 20:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
    before = ledgers(folder)[0]
    assert before >= len(calls(log)) * WORST * 0.6 - 1e-9
    made = study(Calls(log, seconds=0.05), space=SPACE, budget={"usd": limit}, **fields)
    results = raytuner.run(made, folder)
    after = ledgers(folder)
    assert after[0] == before
    assert 0.97 * limit <= sum(after) <= limit + 1e-9
    assert len(calls(log)) * WORST * 0.6 <= limit
    assert f"the budget of ${limit:g} has no room" in results.stop_reason


def drive(folder, log, limit, fields):
    """Run the study of `check_killed_driver` in this process."""
    objective = Calls(log, seconds=0.05)
    raytuner.run(study(objective, space=SPACE, budget={"usd": limit}, **fields), Path(folder))
