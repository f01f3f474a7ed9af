"""Sends a run to MLflow: a server, or a database such as `sqlite:///mlflow.db`."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, RaytunerError, require
from raytuner.exporting.facts import ROW_NAMES, Row, RunFacts, TrialFacts, spelt

RUN, TRIAL, STATE = "raytuner.run", "raytuner.trial", "raytuner.state"
"""Tags by which an exported run is found again, and by which a change is seen."""
_TABLE = "scores.json"
_LONGEST = 6_000
"""Characters of a parameter that MLflow keeps; what is longer goes into a file as well."""
_STUDY = "study"
_UNFIT = re.compile(r"[^\w\-. :/]")


def send_mlflow(facts: RunFacts, tracking_uri: str | None, experiment: str | None) -> str:
    """Bring the runs of an experiment up to date.

    Args:
        facts: what to say.
        tracking_uri: where; None: the environment's `MLFLOW_TRACKING_URI`.
        experiment: its name; None: the study's.

    Raises:
        ConfigError: no address, or one that MLflow cannot write to.
        MissingExtraError: MLflow is not installed.
        RaytunerError: MLflow refused.
    """
    uri = _address(tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"))
    require("mlflow", extra="mlflow")
    tracking = require("mlflow.tracking", extra="mlflow")
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # its migrations are no news
    exceptions = require("mlflow.exceptions", extra="mlflow")
    try:
        client = tracking.MlflowClient(tracking_uri=uri)
        target = _Target(client, _experiment(client, uri, experiment or facts.name), facts)
        sent = target.send()
    except exceptions.MlflowException as error:
        said = " ".join(str(error).split()).replace(uri, _shown(uri))
        raise RaytunerError(f"MLflow at {_shown(uri)}: {said}") from None
    if not sent:
        return f"MLflow at {_shown(uri)} has all {len(facts.trials)} trials already"
    return f"sent {sent} of {len(facts.trials)} trials to MLflow at {_shown(uri)}"


class _Target:
    """One experiment.

    Args:
        client: of MLflow.
        experiment: its id.
        facts: what to say.
    """

    def __init__(self, client: Any, experiment: str, facts: RunFacts) -> None:
        self._client, self._experiment, self._facts = client, experiment, facts
        self._known = self._found()

    def send(self) -> int:
        """Send what is new; give the number of trials that were."""
        facts = self._facts
        parent = self._run(_STUDY, facts.name, {})
        sent = 0
        for trial in facts.trials:
            run = self._run(trial.key, trial.name, {"mlflow.parentRunId": parent.info.run_id})
            sent += self._update(run, trial.state, trial.metrics, trial.tags, trial.params, trial)
        self._update(parent, facts.state, facts.metrics, facts.tags, facts.params, None)
        return sent

    def _found(self) -> dict[str, Any]:
        """Find what an earlier export has left, by key of the trial."""
        found: dict[str, Any] = {}
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{RUN}` = '{self._facts.id}'", page_token=token
            )
            for run in page:
                found.setdefault(run.data.tags.get(TRIAL, ""), run)
            token = page.token
            if not token:
                return found

    def _run(self, key: str, name: str, tags: Mapping[str, str]) -> Any:
        known = self._known.get(key)
        if known is not None:
            return known
        return self._client.create_run(
            self._experiment,
            start_time=int(self._facts.started * 1000),
            tags={RUN: self._facts.id, TRIAL: key, **tags},
            run_name=name,
        )

    def _update(
        self,
        run: Any,
        state: str,
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        params: Mapping[str, Any],
        trial: TrialFacts | None,
    ) -> bool:
        """Say everything of one run, the state last, so that half an export is done again."""
        if run.data.tags.get(STATE) == state:
            return False
        entities = require("mlflow.entities", extra="mlflow")
        client, own = self._client, run.info.run_id
        stamp = int(self._facts.started * 1000)
        spoken = {name: spelt(value) for name, value in params.items()}
        client.log_batch(
            own,
            metrics=[
                entities.Metric(_fit(name), float(value), stamp, 0)
                for name, value in metrics.items()
            ],
            params=[
                entities.Param(_fit(name), text[:_LONGEST])
                for name, text in spoken.items()
                if _fit(name) not in run.data.params
            ],
            tags=[entities.RunTag(f"raytuner.{name}", text) for name, text in tags.items()],
        )
        if any(len(text) > _LONGEST for text in spoken.values()):
            client.log_text(own, json.dumps(params, ensure_ascii=False, indent=1), "params.json")
        if trial is not None and trial.scores:
            self._table(own, trial.scores)
        ended = trial is None or trial.done
        if ended:
            client.set_terminated(own, "FAILED" if trial and trial.failed else "FINISHED")
        client.set_tag(own, STATE, state)
        return True

    def _table(self, own: str, rows: Any) -> None:
        """Write a table that MLflow shows; its own `log_table` would append to an older one."""
        listed: list[Row] = list(rows)
        table = {"columns": list(ROW_NAMES), "data": listed}
        self._client.log_text(own, json.dumps(table, ensure_ascii=False), _TABLE)
        tag = json.dumps([{"path": _TABLE, "type": "table"}])
        self._client.set_tag(own, "mlflow.loggedArtifacts", tag)


def _address(uri: str | None) -> str:
    """Check where to send to.

    Raises:
        ConfigError: none given, or a folder, which MLflow no longer takes.
    """
    if not uri:
        raise ConfigError(
            "--tracking-uri: where is MLflow? Name a server (http://…) or a database "
            "(sqlite:///mlflow.db), or set MLFLOW_TRACKING_URI"
        )
    scheme = uri.partition(":")[0] if ":" in uri else ""
    if scheme in {"", "file"}:
        raise ConfigError(
            f"--tracking-uri: {_shown(uri)!r} is a folder, which MLflow no longer writes to; use "
            "sqlite:///mlflow.db or a server's http://…"
        )
    return uri


def _experiment(client: Any, uri: str, name: str) -> str:
    """Find or make the experiment; artifacts of a local database lie beside it."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = None
    if uri.startswith("sqlite:///"):
        database = Path(uri.removeprefix("sqlite:///").partition("?")[0]).absolute()
        place = (database.parent / f"{database.stem}-artifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _fit(name: str) -> str:
    """Spell a name in the characters that MLflow allows."""
    return _UNFIT.sub("_", name)


def _shown(uri: str) -> str:
    """Spell an address without a password."""
    return re.sub(r"//[^/@]*@", "//***@", uri)
