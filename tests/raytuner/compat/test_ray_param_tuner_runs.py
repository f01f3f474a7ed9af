"""LlamaIndex's Ray tuner by its name: on a real local Ray, with what upstream gets wrong."""

from __future__ import annotations

import asyncio
import json
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ray import tune

from raytuner import RayTuneParamTuner
from raytuner.budget import Budget
from raytuner.compat.param_tuner import ParamTuner, RunResult
from raytuner.component import ConfigError
from raytuner.schedulers import Asha
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.param_probes import GRID, Theirs, product, scores

QUESTIONS = [f"question {number}" for number in range(16)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with local_ray():
        yield


class Noted:
    """Notes its calls in a file, from whatever process; answers with a mean over questions."""

    def __init__(self, log: Path, **faults: str) -> None:
        self.log = str(log)
        self.faults = faults

    def __call__(self, params: dict[str, Any]) -> Any:
        questions = params.get("questions", [])
        line = json.dumps([params["k"], questions, os.getpid()]) + "\n"
        with Path(self.log).open("a", encoding="utf-8") as file:
            file.write(line)
        fault = self.faults.get(f"k{params['k']}")
        if fault == "raise":
            raise RuntimeError("no memory for this one")
        if fault == "nan":
            return float("nan")
        if fault == "leave":
            os._exit(3)
        each = [worth(params["k"], question) for question in questions]
        return RunResult(score=np.mean(each) if each else params["k"], params=params)

    def calls(self) -> list[Any]:
        path = Path(self.log)
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def worth(k: int, question: str) -> float:
    return k + int(question.split()[1]) % 3 / 10


def tuner(function: Any, param_dict: Any, **arguments: Any) -> RayTuneParamTuner:
    """Make one that waits for nothing."""
    given = {"address": "local", "num_workers": 2, **arguments}
    return RayTuneParamTuner(param_fn=function, param_dict=param_dict, **given)


def test_the_table_of_param_tuner_with_fixed_arrays_shared_and_each_kind_of_result(
    cluster: None,
) -> None:
    big = np.arange(300_000, dtype=np.float64)

    def call(params: dict[str, Any]) -> Any:
        shared = not params["big"].flags.owndata and not params["big"].flags.writeable
        notes = {"shared": shared, "last": float(params["big"][-1])}
        value = params["size"] * params["k"]
        if params["size"] == 128:
            return {"score": value, **notes}
        if params["size"] == 256:
            return Theirs(value, params, notes)
        return RunResult(score=value, params=params, metadata=notes)

    mine = tuner(call, GRID, fixed_param_dict={"big": big})
    result = mine.tune()
    plain = ParamTuner(param_fn=product, param_dict=GRID).tune()
    assert scores(result) == scores(plain) == [1024, 512, 512, 256, 256, 128]
    table = result.dataframe
    assert table.equals(plain.dataframe)
    assert list(table.columns) == ["size", "k", "score", "failure"]
    best = result.best_run_result
    assert best.params["big"] is big, "the driver's own"
    for run in result.run_results:
        assert run.metadata.pop("timestamp") > 1.7e9
        assert run.metadata == {"shared": True, "last": 299_999.0}
    assert not result.failed


def test_one_that_fails_keeps_the_others_and_nan_never_wins(cluster: None, tmp_path: Path) -> None:
    call = Noted(tmp_path / "log", k1="raise", k2="nan", k3="leave")
    config = {"failure_config": {"max_failures": 0}, "verbose": 0}
    mine = tuner(call, {"k": [1, 2, 3, 4, 5]}, run_config_dict=config)
    result = mine.tune()
    assert scores(result) == [5, 4]
    assert {run.params["k"]: run.kind for run in result.failed} == {
        1: "objective", 2: "objective", 3: "lost_worker",
    }  # fmt: skip
    assert "no memory for this one" in next(r.message for r in result.failed if r.params["k"] == 1)
    assert list(result.dataframe["k"]) == [5, 4, 1, 2, 3]
    before = len(call.calls())
    again = mine.tune()
    assert scores(again) == [5, 4]
    assert {k for k, *_ in call.calls()[before:]} == {1, 2, 3}, "only what failed is tried again"


@pytest.mark.slow
def test_values_may_be_any_objects_also_for_a_search(cluster: None) -> None:
    models = [("small", 1), ("large", 2), frozenset({"mixed"})]

    def call(params: dict[str, Any]) -> float:
        return float(len(params["model"]) + params["k"])

    result = tuner(call, {"model": models, "k": [0, 10]}, num_samples=6).tune()
    assert scores(result) == [12, 12, 11, 2, 2, 1]
    assert {id(run.params["model"]) for run in result.run_results} == {id(m) for m in models}


@pytest.mark.slow
def test_a_searcher_proposes_from_domains_of_both_kinds(cluster: None) -> None:
    domains = {
        "x": tune.uniform(-1.0, 1.0),
        "k": {"int": [1, 4]},
        "kind": tune.choice(["a", "b"]),
        "lr": tune.loguniform(1e-4, 1e-1),
    }

    def call(params: dict[str, Any]) -> float:
        return float(-abs(params["x"]) + params["k"] + (params["kind"] == "a"))

    result = tuner(call, domains, search_alg="hyperopt", num_samples=12, seed=3).tune()
    assert len(result.run_results) == 12
    assert all(-1 <= run.params["x"] <= 1 for run in result.run_results)
    assert {run.params["k"] for run in result.run_results} <= {1, 2, 3, 4}
    assert all(1e-4 <= run.params["lr"] <= 1e-1 for run in result.run_results)
    assert result.stop_reason is None


def test_promoted_trials_pay_for_new_questions_only(cluster: None, tmp_path: Path) -> None:
    call = Noted(tmp_path / "log")
    mine = tuner(
        call,
        {"k": list(range(1, 9))},
        fixed_param_dict={"questions": QUESTIONS, "answers": tuple(QUESTIONS)},
        scheduler=Asha(grace=4, reduction=2),
        questions=("questions", "answers"),
    )
    result = mine.tune()
    asked = [(k, question) for k, questions, _ in call.calls() for question in questions]
    assert len(asked) == len(set(asked)) < 8 * 16
    assert {len(questions) for _, questions, _ in call.calls()} == {4, 8}
    for run in result.run_results:
        expected = np.mean([worth(run.params["k"], question) for question in QUESTIONS])
        assert run.score == pytest.approx(expected), "each question once, whatever the rungs"
        assert len(run.metadata["calls"]) == 3
    assert {run.kind for run in result.failed} == {"pruned"}
    assert len(result.run_results) + len(result.failed) == 8
    assert result.failed[0].message.startswith("stopped early after ")
    total = sum(len(questions) for _, questions, _ in call.calls())
    mine.tune()
    assert sum(len(questions) for _, questions, _ in call.calls()) == total


@pytest.mark.slow
def test_llama_indexs_run_config_on_todays_ray(cluster: None, tmp_path: Path, capfd: Any) -> None:
    """Upstream imports RunConfig from ray.train, which Ray 2.60 refuses in tune.Tuner."""

    class Seen(tune.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.values: list[float] = []

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            self.values.append(trial.last_result["score"])

    seen = Seen()
    config = {
        "name": "mine",
        "storage_path": str(tmp_path),
        "callbacks": [seen],
        "failure_config": tune.FailureConfig(max_failures=1),
        "checkpoint_config": tune.CheckpointConfig(checkpoint_at_end=True),
        "verbose": 1,
    }
    call = Noted(tmp_path / "log", k2="leave")
    result = tuner(call, {"k": [1, 2, 3]}, run_config_dict=config).tune()
    assert scores(result) == [3, 1]
    assert [run.kind for run in result.failed] == ["lost_worker"]
    assert [k for k, *_ in call.calls()].count(2) == 2, "max_failures=1: one retry"
    assert sorted(seen.values) == [1, 3]
    assert (tmp_path / "mine" / "journal.jsonl").exists()
    assert list((tmp_path / "mine").glob("*/")), "Tune's own trial folders"
    said = capfd.readouterr()
    assert "trials" in said.out + said.err, "verbose: our progress"
    mended = Noted(tmp_path / "log")
    assert scores(tuner(mended, {"k": [1, 2, 3]}, run_config_dict=config).tune()) == [3, 2, 1]
    assert [k for k, *_ in call.calls()].count(3) == 1, "what is on record is not called again"


@pytest.mark.slow
def test_a_users_searcher_of_ray_serves_every_call_of_tune(cluster: None, tmp_path: Path) -> None:
    from ray.tune.search.optuna import OptunaSearch

    searcher = OptunaSearch(metric="score", mode="max", seed=1)
    call = Noted(tmp_path / "log")
    mine = tuner(call, {"k": {"int": [1, 50]}}, search_alg=searcher, num_samples=5)
    first = mine.tune()
    assert len(first.run_results) == 5
    mine.num_samples = 8
    assert len(mine.tune().run_results) == 8
    assert len(call.calls()) == 8


@pytest.mark.slow
async def test_cancelling_ends_the_run_and_keeps_what_is_done(cluster: None) -> None:
    def call(params: dict[str, Any]) -> float:
        time.sleep(0.2)
        return float(params["k"])

    mine = tuner(call, {"k": range(40)})
    task = asyncio.create_task(mine.atune())
    while not list(mine._memory) or sum(e["event"] == "units" for e in mine._memory) < 2:
        await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    done = sum(event["event"] == "units" for event in mine._memory)
    assert 2 <= done < 10
    mine.budget = Budget(trials=2)
    assert scores(await mine.atune()) == list(range(done))[::-1], "what was done stands"


def test_what_cannot_travel_is_named(cluster: None) -> None:
    lock = threading.Lock()
    with pytest.raises(ConfigError, match=r"objective: objective\.fixed\['lock'\] is a lock"):
        tuner(product, GRID, fixed_param_dict={"lock": lock}).tune()


@pytest.mark.slow
def test_what_a_plain_tuner_with_grid_search_gets_wrong(cluster: None, tmp_path: Path) -> None:
    """The recipe of LlamaIndex's class, by hand: a Tuner, grid_search, results sorted by score."""

    def call(params: dict[str, Any]) -> dict[str, float]:
        if params["k"] == 2:
            raise RuntimeError("no memory for this one")
        return {"score": float("nan") if params["k"] == 1 else params["k"]}

    space = {"k": tune.grid_search([1, 2, 3])}
    config = tune.RunConfig(storage_path=str(tmp_path), verbose=0)
    results = tune.Tuner(call, param_space=space, run_config=config).fit()
    metrics = [result.metrics or {} for result in results]
    assert sum("score" not in found for found in metrics) == 1, "no RunResult can be made of it"
    ranked = sorted((m["score"] for m in metrics if "score" in m), reverse=True)
    assert math.isnan(ranked[0]), "NaN comes first"

    ours = tuner(call, {"k": [1, 2, 3]}, run_config_dict={"failure_config": config.failure_config})
    result = ours.tune()
    assert result.best_run_result.score == 3
    assert [run.params["k"] for run in result.failed] == [1, 2]
