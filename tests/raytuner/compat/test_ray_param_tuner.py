"""What LlamaIndex's Ray tuner refuses, and what it makes of its arguments; no Ray is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray import tune

from raytuner import RayTuneParamTuner
from raytuner.component import ConfigError
from raytuner.search import Random
from tests.raytuner.param_probes import GRID, Uncopied, product, python


def tuner(function: Any, param_dict: Any, **arguments: Any) -> RayTuneParamTuner:
    """Make one that waits for nothing."""
    given = {"address": "local", "num_workers": 2, **arguments}
    return RayTuneParamTuner(param_fn=function, param_dict=param_dict, **given)


def test_objects_that_cannot_be_recognised_leave_a_named_folder_unused(tmp_path: Path) -> None:
    config = {"name": "mine", "storage_path": str(tmp_path)}
    with pytest.warns(UserWarning, match=r"nothing is kept in .*mine: .*docs.* holds a Uncopied"):
        mine = tuner(product, GRID, fixed_param_dict={"docs": Uncopied()}, run_config_dict=config)
    assert mine.run_dir is None
    kept = tuner(product, GRID, fixed_param_dict={"docs": ["a"]}, run_config_dict=config)
    assert kept.run_dir == tmp_path / "mine"
    named = {"docs": Uncopied()}
    given = tuner(product, GRID, fixed_param_dict=named, run_config_dict=config, version="1")
    assert given.run_dir == tmp_path / "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scheduler": "asha"}, r"scheduler: 'asha' stops .* questions=\('eval_qs', 'ref"),
        ({"scheduler": "ashe"}, "scheduler: no Scheduler of kind 'ashe'.* Did you mean 'asha'"),
        ({"scheduler": object()}, "scheduler: give one of asha, .* got a object"),
        ({"scheduler": {"kind": "asha", "grace": 0}}, r"scheduler\.grace: .* got 0"),
        ({"search_alg": "hyperop"}, "search_alg: no Search of kind .* Did you mean 'hyperopt'"),
        ({"search_alg": object()}, "search_alg: object is no Searcher of Ray Tune"),
        (
            {"search_alg": "bohb", "num_samples": 2},
            "search 'bohb' learns from trials that are stopped early",
        ),
        ({"search_alg": "grid", "num_samples": 2}, "num_samples: a grid search tries every point"),
        ({"num_samples": 0}, "num_samples: .* got 0"),
        ({"questions": ["qs"]}, "questions: 'qs' is not in fixed_param_dict"),
        ({"questions": "docs"}, r"fixed_param_dict\['docs'\] is a str; give a list"),
        ({"questions": ("a", "b")}, "one entry per question, but a has 2, b has 3"),
        ({"resources_per_trial": {"cpus": 1}}, r"resources_per_trial\.cpus: no such field"),
        ({"resources_per_trial": {"GPU": -1}}, r"resources_per_trial\.gpu: .* got -1"),
        ({"num_workers": 0}, "num_workers: .* got 0"),
        ({"address": "nowhere"}, "address: 'nowhere' is no address"),
        ({"run_config_dict": {"stpo": 1}}, "RunConfig has no field 'stpo'.* Did you mean 'stop'"),
        ({"run_config_dict": {"verbose": "loud"}}, "verbose: give 0, 1 or 2, got 'loud'"),
        ({"run_config_dict": {"storage_path": "s3://b"}}, "storage_path: s3://b is no folder"),
        ({"run_config_dict": {"failure_config": {"fail_fast": True}}}, "here the others stand"),
        ({"run_config_dict": {"failure_config": {"max_failures": -2}}}, "retries, or -1, got -2"),
        ({"param_dict": {"k": 5}}, r"param_dict\['k'\]: expected a list .* 5"),
        ({"param_dict": {"k": {"int": [9, 1]}}}, "param_dict: k: int low 9 is above high 1"),
        ({"param_dict": {"k": {"float": [0, 1]}}}, "param_dict: k: .*"),
        ({"param_dict": {"k": tune.randn(0, 1)}}, r"param_dict\['k'\]: a normal distribution"),
        ({"param_dict": {"k": tune.sample_from(id)}}, r"param_dict\['k'\]: Function of Ray Tune"),
        ({"search_alg": "random", "param_dict": {"k": {"float": [0, 1]}}}, "never ends by itself"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    fixed = {"docs": "text", "a": [1, 2], "b": [1, 2, 3]}
    given = {"param_fn": product, "param_dict": GRID, "fixed_param_dict": fixed, **arguments}
    with pytest.raises(ConfigError, match=message):
        RayTuneParamTuner(**given)


def test_a_component_may_be_given_for_a_name() -> None:
    mine = tuner(product, GRID, search_alg=Random(samples=2), num_samples=None)
    assert mine.search_alg.samples == 2
    tuner(product, GRID, resources_per_trial={"CPU": 0.5, "custom_resources": {"tpu": 1}})
    tuner(product, GRID, scheduler="none")


def test_making_one_costs_no_ray() -> None:
    program = """
        import sys
        import raytuner
        raytuner.RayTuneParamTuner(param_fn=print, param_dict={"k": [1]}, address="local")
        print([name for name in ("ray", "llama_index", "pandas") if name in sys.modules])
    """
    assert python(program) == "[]\n"
