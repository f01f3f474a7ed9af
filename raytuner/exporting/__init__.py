"""Sends a run to an experiment tracker: one parent run, and one child a trial.

A run in progress may be sent, and sent again: what the tracker has is brought up to date, nothing
is added twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from raytuner.component import ConfigError
from raytuner.exporting.facts import run_facts

if TYPE_CHECKING:
    from raytuner.results import Results

Tracker = Literal["mlflow", "wandb"]


def send(
    results: Results,
    to: Tracker,
    *,
    tracking_uri: str | None = None,
    project: str | None = None,
) -> str:
    """Send a run to a tracker.

    Args:
        results: an opened run.
        to: `mlflow` or `wandb`.
        tracking_uri: of MLflow: a server or `sqlite:///FILE`; default: `MLFLOW_TRACKING_URI`.
        project: of W&B, or the experiment of MLflow; default: the name of the study.

    Returns:
        What was done, in a sentence.

    Raises:
        ConfigError: nothing to send, or an address that the tracker cannot use.
        MissingExtraError: the tracker's package is not installed.
    """
    facts = run_facts(results)
    if to == "mlflow":
        from raytuner.exporting.mlflow import send_mlflow

        return send_mlflow(facts, tracking_uri, project)
    if to == "wandb":
        from raytuner.exporting.wandb import send_wandb

        if tracking_uri is not None:
            raise ConfigError("--tracking-uri is MLflow's; W&B is told by --project and WANDB_MODE")
        return send_wandb(facts, project, results.folder)
    raise ConfigError(f"--to {to}: known are mlflow and wandb")
