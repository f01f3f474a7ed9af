"""LlamaIndex's tuner names, drop-in: `ParamTuner` and `AsyncParamTuner`.

Same arguments and results, so that its tutorial runs by changing one import line. What differs:
a NaN never wins, a combination that fails is recorded and the others stand, no async sibling is
lost or left running, everything works inside a notebook's event loop, results carry a dataframe,
and calling `tune` again resumes.
"""

from __future__ import annotations

import asyncio
import contextlib
import reprlib
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from raytuner.backends.asynchronous import arun
from raytuner.backends.asynchronous import run_async as drive_async
from raytuner.backends.inprocess import run_sequential, run_threads
from raytuner.budget import Budget
from raytuner.combinations import Combinations, Names
from raytuner.component import ConfigError, RaytunerError, digest
from raytuner.function import UNIT, FunctionObjective
from raytuner.journal import Journal
from raytuner.objective import ObjectiveFailure, Params
from raytuner.progress import listener_for
from raytuner.record import Record, opened_facts
from raytuner.sweep import Sweep
from raytuner.trial import Trial
from raytuner.tuned import FailedRun, RunResult, TunedResult


class _Calls(FunctionObjective):
    """Calls the function with the values that labels stand for; it gives one score."""

    def __init__(
        self, function: Any, fixed: Mapping[str, Any], points: Combinations, scope: str
    ) -> None:
        super().__init__(function, fixed)
        self.points = points
        self._scope = scope

    def scope(self) -> str:
        """Identify the function and what is fixed."""
        return self._scope

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the real arguments of a combination."""
        return {**self.fixed, **self.points.arguments(params)}

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


class _Tuner(BaseModel):
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
        self._calls(None)

    def _calls(self, function: Any) -> _Calls:
        """Put together what one call of `tune` needs; every value is named, none is copied."""
        if self.run_dir is None:
            names = self._names
            code = names.label(function, "the function")
        else:
            names = Names(lasting=not self.version)
            code = FunctionObjective(function).scope() if function else None
        points = Combinations(self.param_dict, names)
        fixed = [
            [name, names.label(value, f"fixed_param_dict[{name!r}]")]
            for name, value in sorted(self.fixed_param_dict.items())
        ]
        scope = digest("calls", code, [[n, repr(label)] for n, label in fixed], self.version)
        objective = _Calls(function, self.fixed_param_dict, points, scope)
        objective.results = self._live
        return objective

    @contextlib.contextmanager
    def _sweep(self, function: Any) -> Iterator[tuple[Sweep, _Calls]]:
        objective = self._calls(function)
        points, scope = objective.points, objective.scope()
        study = digest(scope, [[name, repr(labels)] for name, labels in points.labels.items()])
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._alone())
            journal = self._journal(stack)
            record = Record(study, scope, (UNIT,), journal)
            journal.forget()
            listener = listener_for(points.total) if self.show_progress else None
            stack.callback(getattr(listener, "close", lambda: None))
            sweep = Sweep(
                objective=objective,
                space=points,
                proposer=points,
                journal=journal,
                record=record,
                metric=objective.metric,
                budget=self.budget,
                listener=listener,
            )
            facts = opened_facts(
                study, scope, (UNIT,), name=type(self).__name__, metric=objective.metric,
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

    def _tuned(self, sweep: Sweep, objective: _Calls) -> TunedResult:
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


def _run_result(trial: Trial, score: float, objective: _Calls) -> RunResult:
    live = objective.results.get(trial.key)
    if isinstance(live, RunResult) and live.score == score:
        return live
    given = getattr(live, "params", None)
    return RunResult(
        score=score,
        params=dict(given) if isinstance(given, Mapping) else objective.arguments(trial.params),
        metadata=_metadata(live) if live is not None else dict(trial.notes.get(UNIT, {})),
    )


def _failed_run(trial: Trial, objective: _Calls) -> FailedRun:
    failure = trial.failure
    return FailedRun(
        params=objective.arguments(trial.params),
        kind=failure.kind if failure else "stopped",
        message=failure.message if failure else "the search was stopped before it ended",
    )


class ParamTuner(_Tuner):
    """Tries every combination by calling a function.

    Attributes:
        param_fn: takes a dict of parameters; gives a RunResult (LlamaIndex's own will do), a
            number, or a dict with `score`.
        num_workers: calls at the same time, in threads.
    """

    param_fn: Callable[[dict[str, Any]], Any]
    num_workers: int = Field(default=1, ge=1)

    def tune(self) -> TunedResult:
        """Try every combination that has no result yet; failed ones are tried again."""
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

    def _drive(self, sweep: Sweep) -> None:
        if self.num_workers == 1:
            run_sequential(sweep)
        else:
            run_threads(sweep, self.num_workers)


class AsyncParamTuner(_Tuner):
    """Tries every combination by awaiting an async function.

    Attributes:
        aparam_fn: async; takes a dict of parameters; gives what `ParamTuner.param_fn` may give.
        num_workers: calls at the same time.
    """

    aparam_fn: Callable[[dict[str, Any]], Awaitable[Any]]
    num_workers: int = Field(default=2, ge=1)

    async def atune(self) -> TunedResult:
        """Try every combination that has no result yet; failed ones are tried again."""
        with self._sweep(self.aparam_fn) as (sweep, objective):
            await arun(sweep, self.num_workers)
            return self._tuned(sweep, objective)

    def tune(self) -> TunedResult:
        """Do `atune` from sync code, also inside a notebook."""
        with self._sweep(self.aparam_fn) as (sweep, objective):
            drive_async(sweep, self.num_workers)
            return self._tuned(sweep, objective)


__all__ = ["AsyncParamTuner", "FailedRun", "ParamTuner", "RunResult", "TunedResult"]
