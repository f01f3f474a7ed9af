"""Programs that train: a line a step, ended when enough steps are done."""

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure, Tally
from raytuner.study import Study
from tests.raytuner.own.command_probes import children, made, program

TRAINS = """
given = config()
for step in range(1, {steps}):
    open("log", "a").write(f"{{given['x']}} {{step}}\\n")
    say(json.dumps({{"step": step, "loss": 1 / (step * given["x"])}}))
"""


def train(folder, body, **settings):
    return made(folder, body, **{"steps": 6, "minimise": "loss", **settings})


def steps(objective, first=1, last=6, meter=None):
    units = objective.units()[first - 1 : last]
    batches = objective.evaluate({"x": 1}, units, meter or Tally())
    return {score.unit: score for batch in batches for score in batch}


def test_every_line_is_a_step(tmp_path):
    objective = train(tmp_path, TRAINS.format(steps=7))
    assert objective.units() == tuple(f"step {n}" for n in range(1, 7))
    found = steps(objective)
    assert [score.scores["loss"] for score in found.values()] == [1 / n for n in range(1, 7)]
    assert not objective.maximise("loss")


@pytest.mark.parametrize("total", [7, 10**9])
def test_it_does_no_more_steps_than_are_wanted_and_repeats_those_before(tmp_path, total):
    body = TRAINS.format(steps=total) + "    if step == int(os.environ['RAYTUNER_STEPS']): break\n"
    objective = train(tmp_path, body)
    assert list(steps(objective, 1, 2)) == ["step 1", "step 2"]
    assert list(steps(objective, 3, 4)) == ["step 3", "step 4"]
    assert (tmp_path / "log").read_text().split()[1::2] == ["1", "2", "1", "2", "3", "4"]
    assert children() == []


def test_a_training_without_end_is_ended(tmp_path):
    body = TRAINS.format(steps=10**9) + "    time.sleep(0.01)\n"
    assert len(steps(train(tmp_path, body), 1, 3)) == 3
    assert children() == []


def test_a_training_that_ends_early_is_done(tmp_path):
    found = steps(train(tmp_path, TRAINS.format(steps=4)))
    assert [score.scores["loss"] for score in found.values()] == [1, 1 / 2] + [1 / 3] * 4
    assert found["step 6"].notes == {"ended after": 3}


def test_money_is_counted_once(tmp_path):
    """Not every step need cost something; what stands for steps that are left out costs nothing."""
    body = TRAINS.format(steps=4).replace(
        '"step"', '**({"cost_usd": 0.1} if step > 1 else {}), "step"'
    )
    meter = Tally()
    found = steps(train(tmp_path, body), meter=meter)
    assert [score.cost.usd for score in found.values()] == [0, 0.1, 0.1, 0, 0, 0]
    assert meter.cost.usd == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"loss":',
            '("loss" if step != 3 else "los"):',
            "step 3: .* did not give loss; it gave: lo",
        ),
        (
            '"step": step',
            '"step": step + (step > 2)',
            "line 3 .* is for step 4, and step 3 is next",
        ),
        ("say(", "if step == 3: sys.exit(2)\n    say(", "ended with exit code 2"),
        ("say(", "if step == 3: say('hm')\n    say(", "line 3 .* is no JSON object: 'hm'"),
        ('"loss": 1', '("error" if step == 3 else "loss"): "full" if step == 3 else 1', "full"),
    ],
)
def test_what_was_done_before_stands(tmp_path, old, new, message):
    text = TRAINS.format(steps=7)
    assert old in text
    objective = train(tmp_path, text.replace(old, new, 1))
    batches = objective.evaluate({"x": 1}, objective.units(), Tally())
    found = [next(batches)[0].unit, next(batches)[0].unit]
    with pytest.raises(ObjectiveFailure, match=message):
        list(batches)
    assert found == ["step 1", "step 2"]
    assert children() == []


def test_what_is_not_finite_is_a_failure_of_its_step(tmp_path):
    text = TRAINS.format(steps=7).replace("1 / (", "float('nan') if step == 3 else 1 / (")
    study = Study(
        objective={"kind": "command", "command": program(tmp_path, text), "steps": 6},
        space={"x": [1]},
    )
    trial = raytuner.run(study, tmp_path, in_memory=True).record.current[0]
    assert trial.status == "failed"
    assert "loss = nan; a score is a finite number" in trial.failures["step 3"].message


@pytest.mark.parametrize("scheduler", ["none", "hyperband", "asha"])
def test_schedulers_stop_what_trains_badly(tmp_path, scheduler):
    study = Study(
        objective={"kind": "command", "command": program(tmp_path, TRAINS.format(steps=10)),
                   "steps": 9, "minimise": "loss", "config": {"x": 1}},
        space={"x": [1, 2, 3, 4, 5, 6]}, scheduler=scheduler,
    )  # fmt: skip
    results = raytuner.run(study, tmp_path)
    assert results.best.params == {"x": 6}
    assert results.best.values("loss")[-1] == pytest.approx(1 / 54)
    done = results.trials["answered"]
    assert (done < 9).any() == (scheduler != "none")


def test_costs_need_no_declaration(tmp_path):
    declared = train(tmp_path, TRAINS.format(steps=7), metrics=["loss"])
    assert declared.metrics() == ("loss", "usd_per_question", "tokens_per_question")
    assert not declared.maximise("usd_per_question")
    assert train(tmp_path, TRAINS.format(steps=7)).metrics() is None


def test_a_history_of_parameters_is_refused(tmp_path):
    objective = train(tmp_path, TRAINS.format(steps=7))
    assert not objective.forks
    with pytest.raises(ConfigError, match="cannot go on with other parameters"):
        list(objective.evaluate({"x": 1, "@history": ((2, ("x", 3)),)}, objective.units(), Tally()))
