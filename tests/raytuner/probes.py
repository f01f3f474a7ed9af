"""Objectives that log every evaluation and misbehave on demand, and a driver for subprocesses."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

import raytuner
from raytuner.component import ConfigError, digest
from raytuner.journal import read
from raytuner.objective import Cost, Failure, Objective, ObjectiveFailure, UnitScore
from raytuner.results import Results
from raytuner.study import Study

ROOT = Path(__file__).parents[2]
SPACE = {"x": [1, 2, 3, 4], "y": ["a", "b", "c"]}


def worth(params, unit, metric="hit"):
    """A score in [0, 1) that depends on all its arguments and on nothing else."""
    return int(digest(dict(params), unit, metric)[:12], 16) / 16**12


class Questions(Objective):
    """Scores questions in batches.

    `faults` maps the value of x to what goes wrong there, at question `q2`. A fault with the
    suffix `_once` needs `log`: it happens the first time only.
    """

    def __init__(self, log=None, units=6, batch=2, pause=0.0, faults=None, scope="", base=None):
        self.log = log and str(log)
        self.count = units
        self.batch = batch
        self.pause = pause
        self.faults = faults or {}
        self.name = scope
        self.base = base

    def units(self):
        return tuple(f"q{number}" for number in range(self.count))

    def scope(self):
        return digest("questions", self.count, self.name)

    def key(self, params):
        if self.faults.get(params["x"]) == "refuse":
            raise ConfigError(f"x: {params['x']} is too much", ("x",))
        return digest(self.scope(), dict(params))

    def metrics(self):
        return ("hit", "loss")

    def maximise(self, metric):
        return metric != "loss"

    def defaults(self, names):
        return self.base

    def affinity(self, params):
        return str(params["x"])

    def evaluate(self, params, units, meter):
        fault = self.faults.get(params["x"], "")
        for start in range(0, len(units), self.batch):
            batch = []
            for unit in units[start : start + self.batch]:
                self.write(params, unit)
                time.sleep(self.pause)
                meter.count("questions")
                score = {metric: worth(params, unit, metric) for metric in self.metrics()}
                if fault and unit == "q2" and self.due(fault, params):
                    batch.append(misbehave(fault.removesuffix("_once"), unit, score))
                else:
                    batch.append(UnitScore(unit, score, seconds=0.001))
            yield batch

    def due(self, fault, params):
        if not fault.endswith("_once"):
            return True
        mark = Path(f"{self.log}.{params['x']}.{params.get('y')}")
        if mark.exists():
            return False
        mark.touch()
        return True

    def write(self, params, unit):
        if self.log is None:
            return
        line = json.dumps([dict(params), unit, os.getpid()]) + "\n"
        handle = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line.encode())
        os.close(handle)


def misbehave(fault, unit, score):
    bad = {"nan": float("nan"), "inf": float("inf"), "none": None, "text": "0.5", "huge": 10**400}
    if fault in bad:
        return UnitScore(unit, {**score, "hit": bad[fault]})
    if fault == "empty":
        return UnitScore(unit, {})
    if fault == "null":
        return UnitScore(unit, None)
    if fault == "rate_limit":
        failure = Failure("rate_limit", "429: slow down", retryable=True)
        return UnitScore(unit, {}, Cost(usd=0.5, calls=1), failure=failure)
    if fault == "timeout":
        raise TimeoutError("read timed out")
    if fault == "raise":
        raise RuntimeError("out of luck")
    if fault == "provider":
        raise ObjectiveFailure("provider", "503", retryable=True)
    if fault == "memory":
        raise MemoryError
    if fault == "exit":
        sys.exit(3)
    if fault == "cancel":
        raise asyncio.CancelledError
    if fault == "config":
        raise ConfigError("the reranker wants another size")
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(fault)


class Waiting(Questions):
    """Awaits instead of sleeping; says so when it is cancelled."""

    async def aevaluate(self, params, units, meter):
        try:
            for unit in units:
                self.write(params, unit)
                await asyncio.sleep(self.pause)
                if self.faults.get(params["x"]) and unit == "q2":
                    misbehave(self.faults[params["x"]], unit, {})
                score = {metric: worth(params, unit, metric) for metric in self.metrics()}
                yield [UnitScore(unit, score, seconds=0.001)]
        except asyncio.CancelledError:
            self.write(params, "cancelled")
            raise


def study(objective=None, **fields):
    fields = {"retry": {"times": 2, "wait": 0}, "space": SPACE, "name": "t", **fields}
    return Study.parse({"objective": objective or Questions(), **fields})


def table(results):
    """The trial table without what measures time."""
    results = results if isinstance(results, Results) else Results.open(results)
    timed = ["seconds", "latency_p50", "latency_p95"]
    return results.trials.drop(columns=timed, errors="ignore")


def evaluations(log):
    lines = Path(log).read_text().splitlines() if Path(log).exists() else []
    return [(tuple(sorted(p.items())), unit) for p, unit, _ in map(json.loads, lines)]


def recorded(folder):
    """The (params, unit) pairs that a journal holds scores for."""
    params, pairs = {}, set()
    for event in read(Path(folder) / "journal.jsonl")[0]:
        if event["event"] == "trial":
            params[event["key"]] = tuple(sorted(event["params"].items()))
        if event["event"] == "units":
            pairs |= {(params[event["key"]], row[0]) for row in event["rows"] if row[1]}
    return pairs


def drive(root, objective, fields):
    """Run a study in this process; say on standard output how it ended."""
    made = {"questions": Questions, "waiting": Waiting}[objective.pop("class", "questions")]
    if faults := objective.get("faults"):
        objective["faults"] = {int(x): fault for x, fault in faults.items()}
    try:
        results = raytuner.run(study(made(**objective), **fields), Path(root))
        print("ended", results.stop_reason)
    except KeyboardInterrupt:
        print("interrupted")
    except raytuner.component.RaytunerError as error:
        print(type(error).__name__, error)


def start(root, objective, **fields):
    """Start `drive` in another process, in a process group of its own."""
    given = json.dumps([str(root), objective, fields])
    code = f"import json; from tests.raytuner.probes import drive; drive(*json.loads({given!r}))"
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, start_new_session=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.003)


def group_is_gone(process):
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return True
    return False


BACKENDS = {
    "inprocess": {"backend": "inprocess"},
    "threads": {"backend": "threads", "workers": 3},
    "processes": {"backend": "processes", "workers": 2},
    "async": {"backend": "async", "workers": 3},
}
SIZE = 12 * 6


def same(left, right):
    pd.testing.assert_frame_equal(left, right, check_exact=True)
