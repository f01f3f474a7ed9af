"""One driver on one run folder: opens journal and record, makes the sweep, closes them again."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel

import raytuner
from raytuner.events import opened_facts
from raytuner.journal import Event, Journal
from raytuner.prepare import PROBED, Prepared
from raytuner.proof.looks import past_of
from raytuner.proof.split import Split, owners
from raytuner.rating.scoring import fill, rated, unrated
from raytuner.record import Record
from raytuner.results import Results
from raytuner.schedulers import Full, Judge
from raytuner.search.port import Deferred
from raytuner.study import Study
from raytuner.sweep import Sweep
from raytuner.sweeping.listener import Listener
from raytuner.sweeping.workroom import Room
from raytuner.trial import Trial


class Session:
    """One driver on one journal: opened, framed by its events, closed whatever happens."""

    def __init__(
        self, prepared: Prepared, listener: Listener | None = None, *, wait: float = 0.0
    ) -> None:
        self._prepared = prepared
        self._listener = listener
        self._journal = Journal(prepared.folder, wait=wait)
        self._closing = contextlib.ExitStack()
        try:
            facts = self._facts()
            self.sweep = self._open(facts)
        except BaseException:
            self._journal.close()
            raise
        self._frame = self.sweep.session(facts)

    def _open(self, facts: Mapping[str, Any]) -> Sweep:
        prepared, study = self._prepared, self._prepared.study
        objective = prepared.objective
        divided = prepared.split
        events = prepared.start.take_in(self._journal, facts)
        record = Record(
            prepared.identity,
            objective.scope(),
            divided.searched,
            events,
            divided.held_out,
            partial(unrated, first=divided.searched[0]) if rated(facts) else prepared.goal.derived,
            curve=objective.curve,
        )
        if rated(facts):
            fill(record, prepared.folder)
        record.looks, record.spoiled = past_of(
            events, record.study, record.scope, divided.held_out, objective.contents()
        )
        proposer = study.search.begin(prepared.space, study.seed, objective)
        proposer = prepared.start.prime(proposer, events, record, learns=study.search.learns)
        self._journal.forget()
        sweep = Sweep(
            objective=objective,
            space=prepared.space,
            proposer=proposer,
            judge=self._judge() if self._staged() else None,
            learns=study.search.learns,
            journal=self._journal,
            record=record,
            goal=prepared.goal,
            baseline=prepared.baseline,
            budget=study.budget,
            patience=study.retry.patience(),
            listener=self._listener,
            lookahead=PROBED if prepared.total is not None else 1,
            choose=self._compared if divided.held_out else None,
            settles=prepared.total is None and not study.search.learns,
        )
        if isinstance(proposer, Deferred):
            room = Room(self._journal, record, sweep.meter, sweep.wake)
            proposer.attach(room)
            self._closing.callback(room.close)
            self._closing.callback(proposer.close)
        return sweep

    def _staged(self) -> bool:
        """Tell whether the order of results matters: to a scheduler, or to people between asks."""
        prepared = self._prepared
        return prepared.objective.by_hand or not isinstance(prepared.scheduler, Full)

    def _judge(self) -> Judge:
        prepared = self._prepared
        return prepared.scheduler.start(len(prepared.split.searched), prepared.study.seed)

    def _compared(self) -> list[Trial]:
        """Name the trials that meet on the held-out questions."""
        return self.results().compared

    def _facts(self) -> dict[str, Any]:
        prepared, study = self._prepared, self._prepared.study
        objective = prepared.objective
        return opened_facts(
            prepared.identity,
            objective.scope(),
            prepared.split.units,
            search=len(prepared.split.searched),
            groups=_numbered(prepared.split),
            contents=_listed(objective.contents(), prepared.split),
            name=study.name,
            metric=prepared.metric,
            maximise=prepared.maximise,
            goal=prepared.goal.plain(),
            parameters=list(prepared.space.names),
            config=_plain(study),
            root=str(prepared.root),
            raytuner=raytuner.__version__,
            python=platform.python_version(),
            **({"curve": True} if objective.curve else {}),
        )

    def __enter__(self) -> Session:
        try:
            self._frame.__enter__()
        except BaseException:
            self._journal.close()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._closing.close()
            self._frame.__exit__(*error)
        finally:
            self._journal.close()

    def note(self, *events: Event) -> None:
        """Put on record what people say of results."""
        self._journal.append(*events)

    def results(self) -> Results:
        """Read the outcome of the study so far."""
        prepared = self._prepared
        return Results(
            self.sweep.record,
            goal=self.sweep.goal,
            parameters=prepared.space.names,
            name=prepared.study.name,
            folder=prepared.folder,
            stop_reason=self.sweep.stop_reason,
            settled=self.sweep.settled,
            groups=prepared.split.groups,
            trust=prepared.study.verdict,
        )


def _numbered(divided: Split) -> list[int] | None:
    """Number the group of every unit, in their order; None if each is a group of its own."""
    numbers: dict[str, int] = {}
    groups = owners(divided.units, divided.groups)
    numbered = [numbers.setdefault(group, len(numbers)) for group in groups]
    return numbered if len(numbers) < len(groups) else None


def _listed(contents: Mapping[str, str], divided: Split) -> list[str] | None:
    """List the digest of every unit, in their order; None if there are none."""
    return [contents.get(unit, "") for unit in divided.units] if contents else None


def _plain(study: Study) -> Mapping[str, Any]:
    """Give a study as JSON, without what only Python can hold."""
    data: dict[str, Any] = {}
    for name in type(study).model_fields:
        value = getattr(study, name)
        if isinstance(value, BaseModel):
            value = value.model_dump(mode="json")
        elif isinstance(value, tuple):
            value = list(value)
        elif name == "objective" and not isinstance(value, Mapping | str):
            value = None
        elif name == "objective" and isinstance(value, Mapping):
            value = {key: None if callable(given) else given for key, given in value.items()}
        elif name == "space":
            value = {k: d.model_dump(mode="json") if isinstance(d, BaseModel) else d
                     for k, d in value.items()}  # fmt: skip
        data[name] = value
    return data
