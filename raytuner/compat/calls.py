"""What the tuners with LlamaIndex's names share: calls as trials, and their journal.

Everything that a caller hands over is named, never copied, compared or printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import reprlib
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from raytuner.budget import Budget
from raytuner.compat.combinations import Combinations, Names
from raytuner.compat.tuned import FailedRun, RunResult, TunedResult
from raytuner.component import ConfigError, RaytunerError, digest
from raytuner.events import opened_facts
from raytuner.goal import Goal
from raytuner.journal import Journal
from raytuner.objective import ObjectiveFailure, Params, Value
from raytuner.own.function import UNIT, FunctionObjective
from raytuner.record import Record
from raytuner.sweep import Sweep
from raytuner.terminal.progress import listener_for
from raytuner.trial import Trial


class Points(Protocol):
    """What there is to choose from, by label."""

    @property
    def labels(self) -> Mapping[str, Any]:
        """Say, per parameter, which values it may have; equal values give equal labels."""

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Clean a proposal."""

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the very objects that labels stand for."""


class Calls(FunctionObjective):
    """Calls the function with the values that labels stand for; it gives one score."""

    def __init__(self, function: Any, fixed: Mapping[str, Any], points: Points, scope: str) -> None:
        super().__init__(function, fixed)
        self.points = points
        self._scope = scope

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what the function gave: it is kept where it is asked for."""
        return {**self.__dict__, "_results": None}

    def scope(self) -> str:
        """Identify the function and what is fixed."""
        return self._scope

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the real arguments of a combination."""
        return {**self.fixed, **self.points.arguments(params)}

    def metadata(self, notes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Give the metadata of a trial from what is on record of its units."""
        return dict(notes.get(UNIT, {}))

    def _read(self, given: Any) -> tuple[dict[str, Any], Mapping[str, Any] | None]:
        return super()._read(RunResult(score=_score(given), params={}, metadata=_metadata(given)))


def _score(given: Any) -> float:
    score: Any
    score = given.get("score") if isinstance(given, Mapping) else getattr(given, "score", given)
    with contextlib.suppress(TypeError, ValueError):
        if not isinstance(score, str | bytes):
            return float(score)
    raise ObjectiveFailure(
        "objective",
        f"the function gave {reprlib.repr(given)}; expected a RunResult, a number, or a dict "
        "with a numeric `score`",
    )


def _metadata(given: Any) -> dict[str, Any]:
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items() if name != "score"}
    metadata = getattr(given, "metadata", None)
    return dict(metadata) if isinstance(metadata, Mapping) else {}


class Tuner(BaseModel):
    """What the tuners share: the space, the fixed parameters, and the journal.

    Attributes:
        param_dict: lists of values to try, by name. Any objects. The first name varies fastest.
        fixed_param_dict: parameters passed to every call as they are, never copied.
        show_progress: print progress.
        run_dir: folder that keeps every result, so that another process resumes too. By default
            results live as long as the tuner. Values must be plain then, or have a `version`.
        version: part of what a recorded result belongs to; change it to make results void.
            In `run_dir`, objects that are not plain values are known by their order and this.
        budget: when to stop early.

    Raises:
        ConfigError: naming the argument, its value and what would be right.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    param_dict: dict[str, Any]
    fixed_param_dict: dict[str, Any] = Field(default_factory=dict)
    show_progress: bool = False
    run_dir: str | Path | None = None
    version: str = ""
    budget: Budget = Field(default_factory=Budget)
    _memory: Journal = PrivateAttr(default_factory=lambda: Journal(None))
    _live: dict[str, Any] = PrivateAttr(default_factory=dict)
    _names: Names = PrivateAttr(default_factory=Names)
    _running: Any = PrivateAttr(default_factory=threading.Lock)

    def __init__(self, **arguments: Any) -> None:
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            raise ConfigError.of(error) from None
        for name, values in self.param_dict.items():
            if isinstance(values, Iterator):  # it gives its values once, and `tune` may run twice
                self.param_dict[name] = list(values)
        self._check()

    # ---- what a tuner may do in its own way

    def _check(self) -> None:
        """Refuse what cannot work, before any work."""
        self._calls(None)

    def _points(self, names: Names) -> Points:
        """Put together what there is to choose from."""
        return Combinations(self.param_dict, names)

    def _objective(self, function: Any, points: Points, scope: str) -> Calls:
        """Make the objective."""
        return Calls(function, self.fixed_param_dict, points, scope)

    def _course(self, objective: Calls) -> dict[str, Any]:
        """Give the sweep what says what to try next and whom to stop, as its arguments."""
        return {"proposer": objective.points}

    def _total(self, objective: Calls) -> int | None:
        """Count the trials there will be, if that is known."""
        points = objective.points
        return points.total if isinstance(points, Combinations) else None

    def _rules(self) -> Sequence[Any]:
        """Give what else decides which trials are a run's own, as plain values."""
        return ()

    # ---- one call of `tune`

    def _calls(self, function: Any) -> Calls:
        """Put together what one call of `tune` needs; every value is named, none is copied."""
        if self.run_dir is None:
            names = self._names
            code = names.label(function, "the function")
        else:
            names = Names(lasting=not self.version)
            code = FunctionObjective(function).scope() if function else None
        points = self._points(names)
        fixed = [
            [name, names.label(value, f"fixed_param_dict[{name!r}]")]
            for name, value in sorted(self.fixed_param_dict.items())
        ]
        scope = digest("calls", code, [[n, repr(label)] for n, label in fixed], self.version)
        objective = self._objective(function, points, scope)
        objective.results = self._live
        return objective

    @contextlib.contextmanager
    def _sweep(self, function: Any) -> Iterator[tuple[Sweep, Calls]]:
        objective = self._calls(function)
        points, scope, units = objective.points, objective.scope(), objective.units()
        labels = [[name, repr(values)] for name, values in points.labels.items()]
        study = digest(scope, labels, *self._rules())
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._alone())
            journal = self._journal(stack)
            record = Record(study, scope, units, journal)
            journal.forget()
            listener = listener_for(self._total(objective)) if self.show_progress else None
            stack.callback(getattr(listener, "close", lambda: None))
            sweep = Sweep(
                objective=objective,
                space=points,
                journal=journal,
                record=record,
                goal=Goal((objective.metric,)),
                budget=self.budget,
                listener=listener,
                **self._course(objective),
            )
            facts = opened_facts(
                study, scope, units, name=type(self).__name__, metric=objective.metric,
                maximise=True, parameters=list(points.labels),
            )  # fmt: skip
            stack.enter_context(sweep.session(facts))
            yield sweep, objective

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._running.acquire(blocking=False):
            raise RaytunerError("this tuner is running already: wait for it, or make another one")
        try:
            yield
        finally:
            self._running.release()

    def _journal(self, stack: contextlib.ExitStack) -> Journal:
        if self.run_dir is None:
            return self._memory
        return stack.enter_context(contextlib.closing(Journal(Path(self.run_dir))))

    def _tuned(self, sweep: Sweep, objective: Calls) -> TunedResult:
        trials = [(trial, trial.mean(objective.metric)) for trial in sweep.record.current]
        done = [(score, trial) for trial, score in trials if score is not None]
        done.sort(key=lambda pair: (-pair[0], pair[1].number))
        return TunedResult(
            run_results=[_run_result(trial, score, objective) for score, trial in done],
            best_idx=0,
            failed=[_failed_run(trial, objective) for trial, score in trials if score is None],
            tuned=tuple(self.param_dict),
            stop_reason=sweep.stop_reason,
        )


class SyncTuner(Tuner):
    """A tuner that calls a function.

    Attributes:
        param_fn: takes a dict of parameters; gives a RunResult (LlamaIndex's own will do), a
            number, or a dict with `score`.
    """

    param_fn: Callable[[dict[str, Any]], Any]

    def tune(self) -> TunedResult:
        """Try everything that has no result yet; what failed is tried again."""
        with self._sweep(self.param_fn) as (sweep, objective):
            self._drive(sweep)
            return self._tuned(sweep, objective)

    async def atune(self) -> TunedResult:
        """Do `tune` without blocking the event loop; cancelled, it ends after the call it is in."""
        with self._sweep(self.param_fn) as (sweep, objective):
            driving = asyncio.ensure_future(asyncio.to_thread(self._drive, sweep))
            try:
                await asyncio.shield(driving)
            except asyncio.CancelledError:
                sweep.cancel("interrupted")
                await driving
                raise
            return self._tuned(sweep, objective)

    @abstractmethod
    def _drive(self, sweep: Sweep) -> None:
        """Run every job of a sweep."""


def _run_result(trial: Trial, score: float, objective: Calls) -> RunResult:
    live = objective.results.get(trial.key)
    if isinstance(live, RunResult) and live.score == score:
        return live
    given = getattr(live, "params", None)
    return RunResult(
        score=score,
        params=dict(given) if isinstance(given, Mapping) else objective.arguments(trial.params),
        metadata=_metadata(live) if live is not None else objective.metadata(trial.notes),
    )


def _failed_run(trial: Trial, objective: Calls) -> FailedRun:
    kind, message = "stopped", "the search was stopped before it ended"
    if trial.status == "pruned":
        answered = trial.answered
        mean = trial.mean(objective.metric, answered)
        kind = "pruned"
        message = f"stopped early after {answered} of {len(trial.units)} questions, mean {mean:g}"
    elif trial.failure:
        kind, message = trial.failure.kind, trial.failure.message
    return FailedRun(params=objective.arguments(trial.params), kind=kind, message=message)
