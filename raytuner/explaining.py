"""What a finished or running study's configurations did with single questions, for the report.

The run folder knows scores; questions and documents are where the study found them. So the
study's objective is made again from the journal, and asked, if it is still the same data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from raytuner.component import RaytunerError
from raytuner.objective import Objective
from raytuner.recorded import recorded
from raytuner.results import Results
from raytuner.trial import Trial

_KEPT = 4_000
"""Explanations that are remembered: they are asked for again whenever a live page is made."""


class Explainer:
    """Explains trials of one study.

    Args:
        objective: of the study, over the very data that its trials have seen.
    """

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}

    def __call__(self, trial: Trial, units: Sequence[str] | None = None) -> list[Mapping[str, Any]]:
        """Show what a trial's configuration did with questions; see `raytuner.ports.explanation`.

        Nothing is paid for, and nothing is raised: what cannot be shown says why (`missing`).

        Args:
            trial: of the study.
            units: ids of questions, in the order wanted; None: all that it has scores for.
        """
        wanted = _scored(trial) if units is None else list(units)
        new = [unit for unit in wanted if (trial.key, unit) not in self._known]
        given = self._ask(trial, new) if new else {}
        found = {unit: given.get(unit) or self._known.get((trial.key, unit)) for unit in wanted}
        self._remember(trial, given)
        return [one for one in found.values() if one is not None]

    def _ask(self, trial: Trial, units: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        try:
            changed = self._objective.key(trial.params) != trial.key
            given = self._objective.explain(trial.params, units)
            found = {one["unit"]: one for one in given}
        except Exception as error:  # noqa: BLE001 - a user's own objective may raise anything
            return {unit: {"unit": unit, "missing": _told(error)} for unit in units}
        return {unit: _question(one) for unit, one in found.items()} if changed else found

    def _remember(self, trial: Trial, given: Mapping[str, Mapping[str, Any]]) -> None:
        for unit, one in given.items():
            if "missing" not in one:  # what is missing may come
                self._known[trial.key, unit] = one
        if len(self._known) > _KEPT:
            for oldest in list(self._known)[: len(self._known) - _KEPT]:
                del self._known[oldest]


class Explaining(NamedTuple):
    """Whether single questions can be shown.

    Attributes:
        explain: shows them, or None.
        reason: why they cannot be shown, as a sentence without a full stop, or None.
    """

    explain: Explainer | None
    reason: str | None = None


def explaining(results: Results) -> Explaining:
    """Open the data behind a run, if it is what the run has seen.

    Args:
        results: of a run folder, or of a study in memory.
    """
    known = recorded(results.folder)
    if known is None:
        return Explaining(None, "the objective is a Python object, which the journal cannot hold")
    try:
        objective = known.objective()
        scope = objective.scope()
    except Exception as error:  # noqa: BLE001 - a user's own objective may raise anything
        return Explaining(None, f"the study's data cannot be opened here: {_told(error)}")
    if type(objective).explain is Objective.explain:
        return Explaining(None, "this objective does not say what it does with single questions")
    if scope != results.record.scope:
        return Explaining(
            None, "documents, questions or metrics have changed since the run, so what would be "
            "shown is not what was scored",
        )  # fmt: skip
    return Explaining(Explainer(objective))


def _scored(trial: Trial) -> list[str]:
    """List the units that a trial has scores for, in evaluation order."""
    tables = (trial, trial.held)
    missing = {unit for table in tables for unit in table.missing()}
    return [unit for table in tables for unit in table.units if unit not in missing]


def _question(shown: Mapping[str, Any]) -> Mapping[str, Any]:
    """Leave what the configuration did: it is not what was scored."""
    kept = ("unit", "question", "reference", "evidence")
    reason = "the parts of this configuration have changed since it was scored"
    return {**{name: shown[name] for name in kept if name in shown}, "missing": reason}


def _told(error: Exception) -> str:
    message = " ".join(str(error).split())
    return message if isinstance(error, RaytunerError) else f"{type(error).__name__}: {message}"
