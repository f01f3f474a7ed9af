"""What trackers are told."""

import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import raytuner
from raytuner.component import ConfigError
from raytuner.exporting import send
from raytuner.exporting.facts import Scrub, run_facts, spelt
from raytuner.results import Results
from tests.raytuner.probes import Questions, study


@pytest.fixture
def results(tmp_path):
    return raytuner.run(study(Questions(faults={2: "raise"})), tmp_path)


def test_every_trial_is_told_whole(results):
    facts = run_facts(results)
    assert facts.name == "t"
    assert facts.metrics["trials"] == len(facts.trials) == 12
    assert facts.metrics["best hit"] == results.score(results.best)
    assert facts.tags["verdict"] == results.verdict.status
    assert facts.tags["verdict.sentence"] == results.verdict.sentence
    for trial, told in zip(results.record.current, facts.trials, strict=True):
        assert told.params == trial.params
        assert told.tags["status"] == trial.status
        assert told.metrics.get("hit") == trial.mean("hit")
        assert len(told.scores) == 2 * trial.answered
    failed = [told for told in facts.trials if told.failed]
    assert len(failed) == 3
    assert "out of luck" in failed[0].tags["failure"]
    assert failed[0].scores[0][:3] == ("q0", "searched", "hit")


def test_a_copy_of_a_run_is_the_same_run(results, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(results.folder, copy)
    again = run_facts(Results.open(copy))
    assert again.id == run_facts(results).id
    assert again.state == run_facts(results).state


def test_other_runs_are_other_runs(results, tmp_path):
    other = raytuner.run(study(Questions(scope="other"), name="u"), tmp_path)
    assert run_facts(other).id != run_facts(results).id


def test_what_cannot_be_exported(results):
    with pytest.raises(ConfigError, match="only a run folder can be exported"):
        run_facts(raytuner.run(study(), in_memory=True))
    with pytest.raises(ConfigError, match="known are mlflow and wandb"):
        send(results, "aim")
    with pytest.raises(ConfigError, match="--tracking-uri is MLflow's"):
        send(results, "wandb", tracking_uri="http://127.0.0.1")


def test_secrets_stay(tmp_path, monkeypatch):
    class Leaky(Questions):
        def evaluate(self, params, units, meter):
            if params["x"] == 2:
                raise RuntimeError("401 for sk-very-secret-indeed")
            yield from super().evaluate(params, units, meter)

    space = {"x": [1, 2], "y": ["a", "use sk-very-secret-indeed"]}
    results = raytuner.run(study(Leaky(), space=space), tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-indeed")  # else the study is refused
    facts = run_facts(results)
    assert "sk-very-secret-indeed" not in repr(facts)
    assert "401 for ***" in repr(facts)


@given(st.text(min_size=8), st.text(), st.text())
def test_no_secret_survives(secret, before, after):
    hide = Scrub({"MY_TOKEN": secret, "HOME": "home sweet home"})
    left = hide.value([before + secret + after, ("x", secret), 3])
    assert left[1] == ["x", "***"]
    assert left[2] == 3
    assert left[0] == (before + secret + after).replace(secret, "***")
    assert hide.text("home sweet home".replace(secret, "")) is not None


def test_values_are_spelt_as_text():
    assert [spelt(v) for v in ("a b", 1, 0.5, True, None, ["a", 1])] == [
        "a b", "1", "0.5", "true", "null", '["a", 1]',
    ]  # fmt: skip
