"""How the command line ends: exit codes, pipes, questions; on studies of a plain function."""

import json
import subprocess
import sys

import pytest

FUNCTION = """\
def score(params):
    x = params["x"]
    if x in {failing}:
        raise ValueError("no luck with " + str(x))
    return {{"gain": x / 10}}
"""


@pytest.fixture
def function(tiny):
    """A study of a plain function beside it; some values fail."""

    def write(*failing, **changes):
        tiny.file("own_objective.py", FUNCTION.format(failing=set(failing) or "()"))
        sys.modules.pop("own_objective", None)
        return tiny.write(
            **{
                "objective": {"kind": "own_objective:score"},
                "space": {"x": {"choice": [1, 2, 3]}},
                "metric": "gain",
                "baseline": False,
                "retry": {"times": 0},
                **changes,
            }
        )

    yield write
    sys.modules.pop("own_objective", None)


def test_json_is_json_where_nothing_is_known(function, raytuner):
    function()
    raytuner("run")  # one unit: the interval is infinite

    def refuse(constant):
        raise AssertionError(constant)

    told = json.loads(raytuner("results", "--json").out, parse_constant=refuse)

    assert told["trials"][0]["low"] is None
    assert told["best"] == {"x": 3}


def test_some_failed_trials_are_code_3(function, raytuner):
    function(2)

    outcome = raytuner("run")

    assert outcome.code == 3
    assert "Failed: 1 trial; the first, x = 2: ValueError: no luck with 2" in outcome.out
    assert "Best: gain 0.3000" in outcome.out


def test_nothing_but_failed_trials_is_code_1(function, raytuner):
    function(1, 2, 3)

    outcome = raytuner("run")

    assert outcome.code == 1
    assert "No configuration has been scored on every question yet." in outcome.out
    assert "Failed: 3 trials" in outcome.out
    assert "Next: " not in outcome.out


def test_an_export_of_nothing_scored_is_refused(function, raytuner):
    function(1, 2, 3)
    raytuner("run")

    outcome = raytuner("export")

    assert outcome.code == 2
    assert "nothing to export, no trial is complete yet" in outcome.err


def test_a_budget_that_ends_the_run_is_code_4(function, raytuner):
    function(budget={"trials": 2})

    outcome = raytuner("run")
    status = json.loads(raytuner("status", "--json").out)

    assert outcome.code == 4
    assert "Stopped early: the budget of 2 trials is used." in outcome.out
    assert status["state"] == "stopped: the budget of 2 trials is used"
    assert status["trials"] == 2
    assert status["planned"] == 2


def test_an_objective_beside_the_study_is_found_from_anywhere(
    function, start, finish, tmp_path, monkeypatch
):
    study = function().folder / "study.yaml"
    monkeypatch.chdir(tmp_path)

    outcome = finish(start("run", study))

    assert outcome.code == 0
    assert "Best: gain 0.3000, trial 2: x = 3" in outcome.out


def test_without_a_command_it_lists_them(raytuner):
    outcome = raytuner()

    listed = outcome.out + outcome.err
    for name in ("cache", "check", "export", "init", "results", "run", "schema", "status"):
        assert f"  {name} " in listed


def test_the_version(raytuner):
    from raytuner import __version__

    assert raytuner("--version").out == f"raytuner, version {__version__}\n"


def test_a_reader_that_has_seen_enough_is_no_error(tiny, raytuner):
    tiny.write(space={"chunker.size": {"int": [8, 27]}})
    raytuner("run")
    command = f"{sys.executable} -m raytuner results --scores | head -1"

    shown = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)

    assert shown.stdout == "trial\tunit\tmetric\tscore\n"
    assert "Traceback" not in shown.stderr


def test_giving_up_at_a_question_is_no_interruption(tiny, raytuner):
    raytuner("run")
    command = [sys.executable, "-m", "raytuner", "cache", "prune", "--all"]

    refused = subprocess.run(command, input="n\n", capture_output=True, text=True, check=False)

    assert refused.returncode == 1
    assert refused.stderr.endswith("given up; nothing was changed\n")
