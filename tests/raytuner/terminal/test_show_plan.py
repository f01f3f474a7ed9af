"""What `check` and `status` say: how many trials there will be, where they are compared."""

import json

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.forecast import plan
from raytuner.prepare import prepare
from raytuner.results import Results
from raytuner.sweeping.listener import Silent
from raytuner.terminal.show import print_status
from raytuner.terminal.summary import lines
from tests.raytuner.probes import Questions, study

LARGE = {"x": {"int": [1, 30_000]}}
BASE = {"x": 9, "y": "a"}
RANDOM = {"search": {"kind": "random", "samples": 5}}


def planned(objective=None, **fields):
    return plan(prepare(study(objective or Questions(units=16), **fields), in_memory=True))


@pytest.mark.parametrize(
    ("fields", "trials"),
    [
        ({}, 12),
        ({"budget": {"trials": 5}}, 5),
        ({"space": LARGE}, 30_000),
        ({"space": LARGE, "budget": {"trials": 12}}, 12),
        (RANDOM, 5),
        (RANDOM | {"budget": {"trials": 3}}, 3),
        ({"search": "random", "space": {"x": {"float": [0.0, 1.0]}}, "budget": {"trials": 3}}, 3),
        ({"search": "hyperopt", "space": {"x": {"float": [0.0, 1.0]}}, "budget": {"usd": 3}}, None),
    ],
)
def test_a_plan_counts_what_search_and_budget_let_in(fields, trials):
    assert planned(**fields)["trials"] == trials


@pytest.mark.parametrize("fields", [{"budget": {"trials": 5}}, RANDOM])
def test_what_was_planned_is_what_is_done_and_what_status_says(tmp_path, capsys, fields):
    objective = Questions(base=BASE)
    assert planned(objective, **fields)["trials"] == 6  # trial 0 comes on top
    raytuner.run(study(objective, **fields), tmp_path)
    print_status(Results.open(tmp_path / "runs/t"), as_json=False)
    said = [line.split(": ", 1) for line in capsys.readouterr().out.splitlines()]
    facts = {name.strip(): value for name, value in said[:5]}
    assert (facts["trials"], facts["planned"]) == ("6", "6")


@pytest.mark.parametrize(
    ("scheduler", "rungs"),
    [
        ("none", None),
        ({"kind": "asha", "grace": 4}, "4, 16"),
        ({"kind": "asha", "grace": 16}, "none, nobody is stopped early"),
    ],
)
def test_a_plan_names_the_rungs(scheduler, rungs):
    assert planned(scheduler=scheduler).get("rungs") == rungs


def test_trials_that_wait_are_not_called_stopped(tmp_path):
    class Ends(ConfigError):
        pass

    class Listener(Silent):
        left = 9

        def scored(self, trial, units):
            self.left -= 1
            if not self.left:
                raise Ends("enough")

    halving = {"kind": "halving", "grace": 2}
    with pytest.raises(Ends):
        raytuner.run(study(Questions(units=16), scheduler=halving), tmp_path, listener=Listener())
    said = lines(Results.open(tmp_path / "runs/t"))
    assert "Early stopping: 8 of 9 trials wait to be compared." in said


@pytest.mark.parametrize(
    ("spent", "told", "exact"),
    [
        (3.0599999999999787, "3.06", 3.06),
        (0.1 + 0.2, "0.3", 0.3),
        (1234.56789, "1234.5679", 1234.56789),
        (0.00012345, "0.00012", 0.00012345),
        (0.0, "0.0", 0.0),
    ],
)
def test_status_tells_dollars_without_noise(capsys, spent, told, exact):
    results = raytuner.run(study(Questions(), budget={"trials": 1}), in_memory=True)
    results.record.spent_usd = spent
    print_status(results, as_json=False)
    assert f" usd: {told}\n" in capsys.readouterr().out
    print_status(results, as_json=True)
    assert json.loads(capsys.readouterr().out)["usd"] == exact
