"""Measure what a trial on Ray costs beside the objective's own time: 64 short trials, 2 CPUs.

Ours (`backend: ray`, the drop-in `RayTuneParamTuner`, and `backend: ray-tune`) beside Ray Tune's
own `tune.Tuner`, as LlamaIndex's RayTuneParamTuner calls it (a function, `grid_search`,
`with_parameters`, default settings) and at its best (a class, actors re-used, no loggers), and
beside bare tasks. The first keeps a journal on disk; the drop-in and bare tasks keep no record.

All run on one Ray cluster of one node with two CPUs, each repeat in a driver of its own that has
imported everything and is connected; the start of the cluster counts for nobody. The objective
sleeps, so that it takes as long on a loaded machine, and tells when it began and ended. Overhead
is the time that passes beyond an ideal share of the objective's own time, for each trial:

- first: of the whole call, the start of its workers included;
- again: of a second call in the same driver;
- steady: from the beginning of the first trial of the second call to the end of its last.

    python benchmarks/ray_overhead.py                # some 20 minutes on two busy cores
    python benchmarks/ray_overhead.py --skip plain   # without the slowest
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SLOTS = 2
GRID = {"left": list(range(8)), "right": list(range(8))}
TRIALS = 64
TITLES = {
    "ray": "raytuner, `backend: ray`",
    "drop-in": "raytuner, `RayTuneParamTuner` (no journal)",
    "ray-tune": "raytuner, `backend: ray-tune`",
    "plain": "`tune.Tuner`, as LlamaIndex calls it",
    "best": "`tune.Tuner` at its best",
    "bare": "bare `ray.remote` tasks",
}
MEASURES = ("first", "again", "steady")
ONCE = {"plain"}
"""Takes minutes: one driver and one call, which is then its `again` too."""
FASTER, NEARER = 5.0, 2.0
"""How many times less overhead than the plain Tuner, and at most how many times bare tasks'."""
Trial = dict[str, float]
System = Callable[[Path, float], list[Trial]]


def trial(params: dict[str, Any]) -> Trial:
    """Sleep for `own` seconds; give a score, and when it was worked out."""
    began = time.time()
    time.sleep(params["own"])
    return {"score": float(params["left"] - params["right"]), "began": began, "ended": time.time()}


# ---- the systems: each runs 64 trials and gives what they returned


def ours(folder: Path, own: float, backend: str) -> list[Trial]:
    """Run a study with a journal on disk."""
    from raytuner import Study, run

    study = Study(
        objective=lambda params: trial({**params, "own": own}),
        space=GRID,
        metric="score",
        backend=backend,
        baseline=False,
    )
    results = run(study, folder, in_memory=False)
    return [
        {name: float(one.values(name)[0]) for name in ("began", "ended")}
        for one in results.record.current
    ]


def drop_in(folder: Path, own: float) -> list[Trial]:
    """Run our RayTuneParamTuner as LlamaIndex's is used."""
    from raytuner import RayTuneParamTuner, RunResult

    def evaluate(params: dict[str, Any]) -> Any:
        found = trial(params)
        return RunResult(score=found["score"], params=params, metadata=found)

    del folder
    tuned = RayTuneParamTuner(param_fn=evaluate, param_dict=GRID, fixed_param_dict={"own": own})
    return [result.metadata for result in tuned.tune().run_results]


def plain(folder: Path, own: float) -> list[Trial]:
    """Run a function under Ray Tune with its default settings."""
    from ray import tune

    def evaluate(params: dict[str, Any], fixed: dict[str, Any] | None = None) -> Trial:
        return trial({**(fixed or {}), **params})

    tuner = tune.Tuner(
        tune.with_parameters(evaluate, fixed={"own": own}),
        param_space={name: tune.grid_search(values) for name, values in GRID.items()},
        run_config=tune.RunConfig(storage_path=str(folder)),
    )
    return _trials_of(tuner.fit())


def best(folder: Path, own: float) -> list[Trial]:
    """Run a class under Ray Tune with everything off that costs and can be turned off."""
    from ray import tune

    class Evaluate(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            self._config = config

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._config = new_config
            return True

        def step(self) -> dict[str, Any]:
            return {**trial({**self._config, "own": own}), "done": True}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """Save nothing, which Tune asks for at the end of a trial."""

    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    tuner = tune.Tuner(
        Evaluate,
        param_space={name: tune.grid_search(values) for name, values in GRID.items()},
        tune_config=tune.TuneConfig(reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(folder), verbose=0),
    )
    return _trials_of(tuner.fit())


def bare(folder: Path, own: float) -> list[Trial]:
    """Run one task a trial."""
    import ray

    del folder
    task = ray.remote(trial)
    points = [(left, right) for left in GRID["left"] for right in GRID["right"]]
    sent = [task.remote({"left": left, "right": right, "own": own}) for left, right in points]
    found: list[Trial] = ray.get(sent)
    return found


def _trials_of(results: Any) -> list[Trial]:
    if results.errors:
        raise SystemExit(str(results.errors[0]))
    return [result.metrics for result in results]


SYSTEMS: dict[str, System] = {
    "ray": lambda folder, own: ours(folder, own, "ray"),
    "drop-in": drop_in,
    "ray-tune": lambda folder, own: ours(folder, own, "ray-tune"),
    "plain": plain,
    "best": best,
    "bare": bare,
}

# ---- how they are measured


def work(system: str, own: float, report: Path) -> None:
    """Run one system in this driver, twice unless that takes too long; write what it cost."""
    import ray
    from ray import tune

    import raytuner

    del tune, raytuner  # imported before the clock starts
    ray.init(address=os.environ["RAY_ADDRESS"], log_to_driver=False)
    found: dict[str, float] = {}
    for call in ("first",) if system in ONCE else ("first", "again"):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            trials = SYSTEMS[system](Path(folder), own)
            wall = time.perf_counter() - began
        if len(trials) != TRIALS:
            raise SystemExit(f"{system} ran {len(trials)} trials, not {TRIALS}")
        ideal = sum(one["ended"] - one["began"] for one in trials) / SLOTS
        span = max(one["ended"] for one in trials) - min(one["began"] for one in trials)
        found["wall"] = found.get("wall", wall)
        found[call] = (wall - ideal) / TRIALS
        found["steady"] = (span - ideal) / TRIALS
    found.setdefault("again", found["first"])
    report.write_text(json.dumps(found))


def measure(system: str, own: float, environment: dict[str, str]) -> dict[str, float]:
    """Run one system in a driver of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, __file__, "--worker", system, "--report", str(report)]
        command += ["--own", str(own)]
        whole = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=whole, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{system} failed:\n{done.stderr[-3000:]}")
        found: dict[str, float] = json.loads(report.read_text())
    return found


def measure_all(
    systems: list[str], own: float, repeats: int, environment: dict[str, str]
) -> dict[str, dict[str, float]]:
    """Give every system's medians; the repeats take turns, so that load falls on all alike."""
    found: dict[str, list[dict[str, float]]] = {system: [] for system in systems}
    for repeat in range(repeats):
        for system in systems:
            if repeat == 0 or system not in ONCE:
                found[system].append(measure(system, own, environment))
                print(f"{system} {own:g} s: {found[system][-1]}", file=sys.stderr, flush=True)
    return {
        system: {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        for system, runs in found.items()
    }


def show(own: float, reports: dict[str, dict[str, float]]) -> None:
    """Print the table of one trial length, in milliseconds a trial, with its ratios."""
    columns = [f"{name}, ms" for name in MEASURES]
    for name in ("first", "steady"):
        columns += [f"plain / this, {name}", f"this / bare, {name}"]
    print(f"\n| {own * 1000:g} ms trials | call, s | {' | '.join(columns)} |")
    print(f"|---|{'---:|' * (len(columns) + 1)}")
    for system, report in reports.items():
        cells = [f"{report['wall']:.1f}"]
        once = system in ONCE
        cells += ["-" if once and n == "again" else f"{report[n] * 1000:.1f}" for n in MEASURES]
        for name in ("first", "steady"):
            cells.append(ratio(reports.get("plain"), report, name))
            cells.append(ratio(report, reports.get("bare"), name))
        print(f"| {TITLES[system]} | {' | '.join(cells)} |")


def ratio(one: dict[str, float] | None, other: dict[str, float] | None, name: str) -> str:
    """Give a ratio of overheads; a dash where one of them was not measured."""
    if one is None or other is None or one is other:
        return "-"
    return f"{one[name] / other[name]:.2f}"


def show_targets(own: float, reports: dict[str, dict[str, float]]) -> None:
    """Compare ours with what it is meant to be."""
    mine = reports["ray"]
    for name in MEASURES:
        less = reports["plain"][name] / mine[name]
        times = mine[name] / reports["bare"][name]
        print(
            f"{own * 1000:g} ms, {name}: {less:.1f} times less overhead than the plain Tuner "
            f"(target {FASTER:g}: {'met' if less >= FASTER else 'missed'}), "
            f"{times:.2f} times that of bare tasks "
            f"(target {NEARER:g}: {'met' if times <= NEARER else 'missed'})"
        )


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--own", type=float, nargs="+", default=[0.02, 0.2], help="seconds a trial")
    parser.add_argument("--repeats", type=int, default=3, help="drivers of each but the plain")
    parser.add_argument("--skip", nargs="+", choices=sorted(TITLES), default=[])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.own[0], Path(options.report))
        return
    from cluster.local import LocalCluster

    systems = [system for system in TITLES if system not in options.skip]
    loads = [os.getloadavg()[0]]
    reports = {}
    with LocalCluster(nodes=1, cpus=SLOTS) as cluster:
        for own in options.own:
            reports[own] = measure_all(systems, own, options.repeats, cluster.environment)
    loads.append(os.getloadavg()[0])
    for own, found in reports.items():
        show(own, found)
    print()
    for own, found in reports.items():
        if not {"ray", "plain", "bare"} & set(options.skip):
            show_targets(own, found)
    print(f"load average {loads[0]:.1f} before, {loads[1]:.1f} after")


if __name__ == "__main__":
    main()
