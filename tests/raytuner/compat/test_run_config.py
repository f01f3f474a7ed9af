"""LlamaIndex's run_config_dict: what becomes of each of its fields."""

from pathlib import Path

import pytest
from ray import tune

from raytuner.compat.run_config import RunConfig, read_run_config
from raytuner.component import ConfigError


@pytest.mark.parametrize("given", [None, {}, {"callbacks": None, "name": None}])
def test_nothing_asks_for_nothing(given):
    assert read_run_config(given) == RunConfig()


@pytest.mark.parametrize(
    ("given", "folder"),
    [
        ({"name": "mine", "storage_path": "/data"}, Path("/data/mine")),
        ({"storage_path": Path("/data")}, Path("/data")),
        ({"name": "mine"}, Path("~/ray_results/mine").expanduser()),
    ],
)
def test_name_and_place_make_a_folder_and_need_no_tune(given, folder):
    assert read_run_config(given) == RunConfig(folder=folder)


@pytest.mark.parametrize(
    ("failure", "retries"),
    [
        ({"max_failures": 3}, 3),
        (tune.FailureConfig(max_failures=2), 2),
        ({}, 0),
        ({"max_failures": -1}, 100),
    ],
)
def test_failures_are_retries(failure, retries):
    assert read_run_config({"failure_config": failure}) == RunConfig(retries=retries)


@pytest.mark.parametrize(("verbose", "progress"), [(0, False), (1, True), (2, True)])
def test_verbose_is_progress(verbose, progress):
    assert read_run_config({"verbose": verbose}) == RunConfig(progress=progress)


def test_the_rest_is_for_tune_alone():
    given = {"stop": {"score": 1.0}, "name": "mine", "storage_path": "/data", "verbose": 1}
    made = read_run_config(given)
    assert made.tune == {"stop": {"score": 1.0}, "name": "mine", "storage_path": "/data"}
    assert read_run_config({"progress_reporter": 1, "verbose": 2}).tune["verbose"] == 2


def test_a_field_that_nobody_knows_is_named():
    with pytest.raises(ConfigError, match=r"no field 'callback'.* Did you mean 'callbacks'"):
        read_run_config({"callback": []})
    with pytest.raises(ConfigError, match="failure_config: it has no 'retries'"):
        read_run_config({"failure_config": {"retries": 1}})
