"""`raytuner export --to`, and what `Results` says of itself."""

import importlib.util

import pytest
from click.testing import CliRunner

import raytuner
from raytuner.cli import cli
from raytuner.insight import curve, importance, pareto, questions
from raytuner.results import Results
from tests.raytuner.probes import Questions, study


@pytest.fixture
def folder(tmp_path):
    return raytuner.run(study(Questions()), tmp_path).folder


def export(*arguments):
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "aim"], "'aim' is not one of"),
        (["--to", "wandb", "--trial", "1"], "sends every trial"),
        (["--project", "p"], "go with --to"),
    ],
)
def test_options_that_do_not_fit(folder, options, said):
    answer = export(folder, *options)
    assert answer.exit_code == 2
    assert said in answer.output


@pytest.mark.skipif(
    importlib.util.find_spec("mlflow") is None,
    reason="MLflow is not installed: pip install 'raytuner[mlflow]'",
)
def test_a_run_is_sent_from_the_command_line(folder, tmp_path):
    uri = f"sqlite:///{tmp_path / 'ml.db'}"
    assert "sent 12 of 12 trials" in export(folder, "--to", "mlflow", "--tracking-uri", uri).output
    again = export(folder, "--to", "mlflow", "--tracking-uri", uri)
    assert again.exit_code == 0
    assert "has all 12 trials already" in again.output


def test_results_explain_themselves(folder):
    results = Results.open(folder)
    goals = {"hit": "max", "loss": "min"}
    assert results.questions.equals(questions(results))
    assert results.curve.equals(curve(results))
    assert results.importance().effects.equals(importance(results).effects)
    assert results.pareto(goals).equals(pareto(results, goals))
    assert "<svg" in results.plot.importance()._repr_html_()
