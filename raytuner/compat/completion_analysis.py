"""What inference tuning has found: the configurations, best first, and the best one in use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from raytuner.component import RaytunerError
from raytuner.objective import UNIT_USD, Params
from raytuner.results import Results
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


class Completions(Protocol):
    """What this needs of the objective beyond the port."""

    def configuration(self, params: Params) -> dict[str, Any]:
        """Give what was chosen, templates in full."""

    def create(self, context: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
        """Ask about one new instance."""


class CompletionAnalysis:
    """What tuning has found.

    Attributes:
        results: of the study.
    """

    def __init__(self, results: Results, objective: Any) -> None:
        self.results = results
        self._objective: Completions = objective

    @property
    def trials(self) -> list[Trial]:
        """All configurations that were tried: complete ones best first, then the others."""
        return self.results.ranked

    @property
    def best_trial(self) -> Trial:
        """The complete configuration with the best mean, within the inference budget.

        Raises:
            RaytunerError: there is none; says why.
        """
        best = self.results.best
        if best is None:
            raise RaytunerError(f"no configuration was completed: {self._reason()}")
        return best

    @property
    def best_config(self) -> dict[str, Any]:
        """What `create` takes."""
        return self.config(self.best_trial)

    @property
    def best_result(self) -> dict[str, Any]:
        """Means of the best configuration, and what it costs."""
        return self.result(self.best_trial)

    @property
    def cost(self) -> float:
        """Dollars that tuning has really paid for calls."""
        return float(sum(trial.cost.usd for trial in self.trials))

    def config(self, trial: Trial) -> dict[str, Any]:
        """Give the configuration of a trial, templates in full."""
        return self._objective.configuration(trial.params)

    def result(self, trial: Trial) -> dict[str, Any]:
        """Give the means of a trial over the instances it was asked about.

        `inference_cost` is dollars an instance at list price; `cost` what was really paid.
        """
        values = {name: trial.values(name) for name in trial.metrics}
        known = {name: row[~np.isnan(row)] for name, row in values.items()}
        means: dict[str, Any] = {name: float(row.mean()) for name, row in known.items() if len(row)}
        inference = means.get(UNIT_USD)
        config = self.config(trial)
        return {**means, "inference_cost": inference, "cost": trial.cost.usd, "config": config}

    def dataframe(self) -> pd.DataFrame:
        """One row a configuration, best first.

        Columns: `trial_id`, the metrics, `inference_cost`, `cost`, `status`, `instances`,
        `failure`, and `config/…` for every parameter.
        """
        import pandas as pd

        return pd.DataFrame([self._row(trial) for trial in self.trials])

    def create(self, context: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> Any:
        """Ask about a new instance with the best configuration, or another one.

        Args:
            context: fields for the templates.
            config: as `best_config`; default: that.

        Returns:
            What the model said: `texts`, `text` (the first), `labels`, `cost`.

        Raises:
            ConfigError: a field that the context lacks.
            ObjectiveFailure: the model did not answer.
        """
        return self._objective.create(context, self.best_config if config is None else config)

    def _row(self, trial: Trial) -> dict[str, Any]:
        result = self.result(trial)
        config = result.pop("config")
        failure = trial.failure
        return {
            "trial_id": trial.number,
            **{name: value for name, value in result.items() if name != UNIT_USD},
            "status": trial.status,
            "instances": trial.answered,
            "failure": failure and f"{failure.kind}: {failure.message}",
            **{f"config/{name}": value for name, value in config.items()},
        }

    def _reason(self) -> str:
        reason = self.results.stop_reason
        if reason:
            return f"{reason}; answers are kept, so give more and run again"
        failed = next((t.failure for t in self.trials if t.failure is not None), None)
        if failed is not None:
            return f"{failed.kind}: {failed.message}"
        return "all of them cost more than the inference budget"

    def _repr_html_(self) -> str:
        return str(self.dataframe().to_html(escape=True))
