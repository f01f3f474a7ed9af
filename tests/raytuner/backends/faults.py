"""What lost and hanging workers may cost, whichever backend they work for."""

import raytuner
from tests.raytuner.probes import evaluations, study

FAULTS = {1: "leave", 2: "kill_once", 3: "hang", 4: "hang_once"}


def check_cost_of_lost_workers(odd, fields, folder):
    """A failure of its kind where the attempts are used up, and every other trial stands.

    `odd` makes a `Questions` that also knows the faults `leave` and `hang`; gives the trials by x.
    """
    log, space = folder / "log", {"x": [1, 2, 3, 4, 5]}
    fields = {**fields, "space": space, "retry": {"times": 1, "wait": 0}, "timeout": 1.0}
    results = raytuner.run(study(odd(log=log, faults=FAULTS), **fields), folder)
    trials = {trial.params["x"]: trial for trial in results.record.current}
    assert {x: t.failure and t.failure.kind for x, t in trials.items()} == {
        1: "lost_worker", 2: None, 3: "timeout", 4: None, 5: None,
    }  # fmt: skip
    assert "timeout of 1 seconds" in trials[3].failure.message
    undisturbed = raytuner.run(study(odd(), space=space), in_memory=True)
    means = {trial.key: trial.mean("hit") for trial in undisturbed.record.current}
    for x in (2, 4, 5):
        assert trials[x].status == "complete"
        assert trials[x].mean("hit") == means[trials[x].key]
    again = [pair for pair in evaluations(log) if evaluations(log).count(pair) > 1]
    assert {unit for params, unit in again if dict(params)["x"] == 2} == {"q2"}
    assert {unit for params, unit in again if dict(params)["x"] == 5} == set()
    return trials
