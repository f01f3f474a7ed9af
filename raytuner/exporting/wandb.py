"""Sends a run to Weights & Biases; with `WANDB_MODE=offline` into a folder, to be synced later."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, RaytunerError, digest, require
from raytuner.exporting.facts import ROW_NAMES, RunFacts, TrialFacts

_SENT = "wandb.json"
"""File in the run folder: what was sent where, so that it is not sent again."""
_STUDY = "study"
_ID = 16
"""Characters of a run's id."""


def send_wandb(facts: RunFacts, project: str | None, folder: Path | None) -> str:
    """Bring the runs of a project up to date: a parent of type `study`, trials of its group.

    A run's id follows from the run folder and the trial, so what is sent again, even from another
    copy, updates the same run. What has not changed since it was sent is left out.

    Args:
        facts: what to say.
        project: its name; None: `WANDB_PROJECT`, or the study's name.
        folder: the run folder.

    Raises:
        ConfigError: W&B is switched off, or nobody is logged in.
        MissingExtraError: wandb is not installed.
    """
    mode = _mode()
    wandb = require("wandb", extra="wandb")
    named = project or os.environ.get("WANDB_PROJECT") or facts.name
    if mode == "online" and not wandb.api.api_key:
        raise ConfigError(
            "--to wandb: nobody is logged in; run `wandb login`, set WANDB_API_KEY, or set "
            "WANDB_MODE=offline to write a folder"
        )
    place = Path(os.environ.get("WANDB_DIR") or folder or Path())
    memory = _Memory(folder, f"{mode}/{os.environ.get('WANDB_ENTITY', '')}/{named}")
    target = _Target(wandb, named, mode, place, facts)
    try:
        sent = _send(target, memory, facts)
    except wandb.errors.Error as error:
        raise RaytunerError(f"W&B project {named}: {' '.join(str(error).split())}") from None
    where = f"W&B project {named}" + (f", offline in {place / 'wandb'}" if mode != "online" else "")
    if not sent:
        return f"{where} has all {len(facts.trials)} trials already"
    return f"sent {sent} of {len(facts.trials)} trials to {where}"


def _send(target: _Target, memory: _Memory, facts: RunFacts) -> int:
    """Send what has changed; give the number of trials that have."""
    sent = 0
    for trial in facts.trials:
        if memory.differs(trial.key, trial.state):
            target.trial(trial)
            memory.keep(trial.key, trial.state)
            sent += 1
    if memory.differs(_STUDY, facts.state):
        target.study()
        memory.keep(_STUDY, facts.state)
    return sent


class _Target:
    """One project.

    Args:
        wandb: the package.
        project: its name.
        mode: online or offline.
        place: where the package writes.
        facts: what to say.
    """

    def __init__(self, wandb: Any, project: str, mode: str, place: Path, facts: RunFacts) -> None:
        self._wandb, self._facts = wandb, facts
        # no console, code, git or machine: the run is told of, not the computer that tells
        quiet = wandb.Settings(
            silent=True, console="off", disable_git=True, save_code=False,
            disable_job_creation=True, x_disable_meta=True, x_disable_stats=True,
            x_save_requirements=False,
        )  # fmt: skip
        self._fixed = {
            "project": project, "group": f"{facts.name} {facts.id[:8]}", "dir": str(place),
            "mode": mode, "resume": "allow", "settings": quiet, "reinit": "finish_previous",
        }  # fmt: skip

    def trial(self, trial: TrialFacts) -> None:
        """Write one trial, with its scores as a table."""
        run = self._open(trial.key, trial.name, "trial", dict(trial.params))
        try:
            if trial.scores:
                table = self._wandb.Table(columns=list(ROW_NAMES), data=list(trial.scores))
                run.summary["scores"] = table
            run.summary.update({**trial.metrics, **_said(trial.tags), "trial": trial.number})
        finally:
            run.finish(exit_code=1 if trial.failed else 0)

    def study(self) -> None:
        """Write the parent."""
        facts = self._facts
        run = self._open(_STUDY, facts.name, _STUDY, dict(facts.params))
        try:
            run.summary.update({**facts.metrics, **_said(facts.tags)})
        finally:
            run.finish()

    def _open(self, key: str, name: str, kind: str, config: dict[str, Any]) -> Any:
        facts = self._facts
        tags = [f"raytuner:{facts.id[:_ID]}", *([] if kind == _STUDY else [f"key:{key[:_ID]}"])]
        return self._wandb.init(
            id=digest("wandb run", facts.id, key)[:_ID],
            name=name,
            job_type=kind,
            tags=tags,
            config={**config, "raytuner": {"run": facts.id, "trial": key}},
            **self._fixed,
        )


class _Memory:
    """Remembers in the run folder what was sent to one place.

    Args:
        folder: the run folder, or None.
        place: where things are sent.
    """

    def __init__(self, folder: Path | None, place: str) -> None:
        self._path = folder / _SENT if folder is not None else None
        self._place = place
        self._all: dict[str, dict[str, str]] = {}
        if self._path is not None and self._path.exists():
            try:
                self._all = json.loads(self._path.read_text(encoding="utf-8"))
            except ValueError:  # torn by a crash: everything is sent again, to the same ids
                self._all = {}

    def differs(self, key: str, state: str) -> bool:
        """Tell whether something else, or nothing, was sent."""
        return self._all.get(self._place, {}).get(key) != state

    def keep(self, key: str, state: str) -> None:
        """Note what was sent."""
        self._all.setdefault(self._place, {})[key] = state
        if self._path is not None:
            partial = self._path.with_suffix(".partial")
            partial.write_text(json.dumps(self._all), encoding="utf-8")
            partial.replace(self._path)


def _said(tags: Any) -> dict[str, str]:
    return {f"raytuner.{name}": text for name, text in tags.items()}


def _mode() -> str:
    """Read W&B's own switch.

    Raises:
        ConfigError: it is off.
    """
    mode = os.environ.get("WANDB_MODE", "online").lower()
    if mode in {"offline", "dryrun"}:
        return "offline"
    if mode != "online":
        raise ConfigError(
            f"WANDB_MODE={mode}: W&B is switched off; set it to online, or to offline to write a "
            "folder"
        )
    return mode
