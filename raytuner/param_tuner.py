"""LlamaIndex's tuner names, drop-in: `ParamTuner` and `AsyncParamTuner`.

Same arguments and results, so that its tutorial runs by changing one import line. What differs:
a NaN never wins, a combination that fails is recorded and the others stand, no async sibling is
lost or left running, everything works inside a notebook's event loop, results carry a dataframe,
and calling `tune` again resumes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from raytuner.backends.asynchronous import arun
from raytuner.backends.asynchronous import run_async as drive_async
from raytuner.backends.inprocess import run_sequential, run_threads
from raytuner.component import ConfigError, RaytunerError
from raytuner.function import UNIT, FunctionObjective
from raytuner.journal import Journal
from raytuner.objective import Params, Value
from raytuner.progress import listener_for
from raytuner.record import Record, opened_facts
from raytuner.search.port import Exhausted
from raytuner.sweep import Sweep
from raytuner.trial import Trial

if TYPE_CHECKING:
    import pandas as pd


class RunResult(BaseModel):
    """One combination's outcome.

    Attributes:
        score: higher is better.
        params: all parameters, fixed ones included.
        metadata: whatever the function wants to keep.
    """

    score: float
    params: dict[str, Any]
    metadata: dict[str, Any] = Field(default_factory=dict)


class FailedRun(BaseModel):
    """A combination that gave no score, and why."""

    params: dict[str, Any]
    kind: str
    message: str


class TunedResult(BaseModel):
    """All outcomes, best first.

    Attributes:
        run_results: combinations with a score, best first; ties keep the order of the grid.
        best_idx: index of the best one.
        failed: combinations without a score.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    run_results: list[RunResult]
    best_idx: int
    failed: list[FailedRun] = Field(default_factory=list)

    @property
    def best_run_result(self) -> RunResult:
        """The best combination.

        Raises:
            RaytunerError: if no combination gave a score; says why the first one failed.
        """
        if not self.run_results:
            reason = f": {self.failed[0].message}" if self.failed else ""
            raise RaytunerError(f"none of {len(self.failed)} combinations gave a score{reason}")
        return self.run_results[self.best_idx]

    @property
    def dataframe(self) -> pd.DataFrame:
        """One row a combination, best first, failures last."""
        import pandas as pd

        rows = [{**run.params, "score": run.score, "failure": None} for run in self.run_results]
        rows += [
            {**run.params, "score": None, "failure": f"{run.kind}: {run.message}"}
            for run in self.failed
        ]
        return pd.DataFrame([{k: v for k, v in row.items() if _cell(v)} for row in rows])

    def _repr_html_(self) -> str:
        return str(self.dataframe.to_html(escape=True))


def _cell(value: Any) -> bool:
    """Keep what reads well in a table; indexes and document lists do not."""
    return value is None or isinstance(value, bool | int | float | str | tuple)


class _Combinations:
    """Every combination of some lists, lazily; the last name varies fastest.

    Values may be any objects. Proposals carry a label for each, so nothing is ever copied.
    """

    def __init__(self, param_dict: Mapping[str, Sequence[Any]]) -> None:
        self.values = {name: _labelled(name, values) for name, values in param_dict.items()}
        self.total = math.prod(len(options) for options in self.values.values())
        self._points = itertools.product(*(list(options) for options in self.values.values()))

    def ask(self) -> dict[str, Value]:
        """Give the next combination, by label."""
        for labels in self._points:
            return dict(zip(self.values, labels, strict=True))
        raise Exhausted("every combination has been tried")

    def tell(
        self, params: Params, score: float | None, *, units: int | None = None, ended: bool = True
    ) -> None:
        """Learn nothing: the grid is exhaustive."""

    def active(self, values: Mapping[str, Any]) -> dict[str, Value]:
        """Take labels as they are."""
        return dict(values)


def _labelled(name: str, values: Sequence[Any]) -> dict[Value, Any]:
    """Give every distinct value of a list a plain label: itself, if it is plain."""
    if isinstance(values, str) or not isinstance(values, Sequence | Set | range):
        raise ConfigError(
            f"param_dict[{name!r}]: expected a list of values to try, got {values!r}", (name,)
        )
    if not len(values):
        raise ConfigError(f"param_dict[{name!r}]: the list of values is empty", (name,))
    labels: dict[Value, Any] = {}
    for number, value in enumerate(values):
        labels.setdefault(_label(value, number), value)
    return labels


def _label(value: Any, number: int) -> Value:
    if value is None or isinstance(value, bool | int | float | str):
        # True == 1 == 1.0 as dict keys, yet they are different settings
        return (
            value if isinstance(value, int | str) and not isinstance(value, bool) else repr(value)
        )
    with contextlib.suppress(TypeError, ValueError):
        return json.dumps(value, sort_keys=True, allow_nan=False)
    return f"{type(value).__name__} #{number}"


class _Labels(FunctionObjective):
    """Calls the function with the values that labels stand for."""

    def __init__(self, function: Any, fixed: Mapping[str, Any], points: _Combinations) -> None:
        super().__init__(function, fixed)
        self.points = points

    def arguments(self, params: Params) -> dict[str, Any]:
        """Give the real arguments of a combination."""
        real = {name: self.points.values[name][label] for name, label in params.items()}
        return {**self.fixed, **real}


class _Tuner(BaseModel):
    """What the tuners share: the space, the fixed parameters, and the journal.

    Attributes:
        param_dict: lists of values to try, by name. Any objects.
        fixed_param_dict: parameters passed to every call as they are, never copied.
        show_progress: print progress.
        run_dir: folder that keeps every result, so that another process resumes too. By default
            results live as long as the tuner.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    param_dict: dict[str, Any]
    fixed_param_dict: dict[str, Any] = Field(default_factory=dict)
    show_progress: bool = False
    run_dir: str | Path | None = None
    _memory: Journal | None = PrivateAttr(default=None)
    _live: dict[str, Any] = PrivateAttr(default_factory=dict)

    @contextlib.contextmanager
    def _sweep(self, function: Any) -> Iterator[tuple[Sweep, _Labels]]:
        points = _Combinations(self.param_dict)
        objective = _Labels(function, self.fixed_param_dict, points)
        objective.results = self._live
        journal = self._journal()
        try:
            scope = objective.scope()
            sweep = Sweep(
                objective=objective,
                space=points,
                proposer=points,
                journal=journal,
                record=Record(scope, scope, (UNIT,), journal),
                metric=objective.metric,
                listener=listener_for(points.total) if self.show_progress else None,
            )
            facts = opened_facts(
                scope, scope, (UNIT,), name=type(self).__name__, metric=objective.metric,
                maximise=True, parameters=list(self.param_dict),
            )  # fmt: skip
            with sweep.session(facts):
                yield sweep, objective
        finally:
            if self.run_dir is not None:
                journal.close()

    def _journal(self) -> Journal:
        if self.run_dir is not None:
            return Journal(Path(self.run_dir))
        if self._memory is None:
            self._memory = Journal(None)
        return self._memory

    def _tuned(self, sweep: Sweep, objective: _Labels) -> TunedResult:
        trials = sweep.record.current
        done = [trial for trial in trials if trial.mean(objective.metric) is not None]
        done.sort(key=lambda trial: (-(trial.mean(objective.metric) or 0.0), trial.number))
        failed = [
            FailedRun(
                params=objective.arguments(trial.params),
                kind=trial.failure.kind if trial.failure else "objective",
                message=trial.failure.message if trial.failure else "it did not end",
            )
            for trial in trials
            if trial.mean(objective.metric) is None
        ]
        runs = [self._run(trial, objective) for trial in done]
        return TunedResult(run_results=runs, best_idx=0, failed=failed)

    def _run(self, trial: Trial, objective: _Labels) -> RunResult:
        live = objective.results.get(trial.key)
        metadata = getattr(live, "metadata", None)
        params = objective.arguments(trial.params)
        given = getattr(live, "params", None)
        return RunResult(
            score=trial.mean(objective.metric) or 0.0,
            params=dict(given) if isinstance(given, Mapping) else params,
            metadata=dict(metadata if metadata is not None else trial.notes.get(UNIT, {})),
        )


class ParamTuner(_Tuner):
    """Tries every combination by calling a function.

    Attributes:
        param_fn: takes a dict of parameters; gives a RunResult, a number, or a dict with
            `score`.
        num_workers: calls at the same time, in threads.
    """

    param_fn: Callable[[dict[str, Any]], Any]
    num_workers: int = Field(default=1, ge=1)

    def tune(self) -> TunedResult:
        """Try every combination that has no result yet; failed ones are tried again."""
        with self._sweep(self.param_fn) as (sweep, objective):
            if self.num_workers == 1:
                run_sequential(sweep)
            else:
                run_threads(sweep, self.num_workers)
            return self._tuned(sweep, objective)

    async def atune(self) -> TunedResult:
        """Do `tune` without blocking the event loop."""
        return await asyncio.to_thread(self.tune)


class AsyncParamTuner(_Tuner):
    """Tries every combination by awaiting an async function.

    Attributes:
        aparam_fn: async; takes a dict of parameters; gives a RunResult, a number, or a dict.
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
