"""LlamaIndex's tuner names, drop-in: `ParamTuner` and `AsyncParamTuner`.

Same arguments and results, so that its tutorial runs by changing one import line. What differs:
a NaN never wins, a combination that fails is recorded and the others stand, no async sibling is
lost or left running, everything works inside a notebook's event loop, results carry a dataframe,
and calling `tune` again resumes. The third one is in `raytuner.compat.ray_param_tuner`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import Field

from raytuner.backends.asynchronous import arun
from raytuner.backends.asynchronous import run_async as drive_async
from raytuner.backends.inprocess import run_sequential, run_threads
from raytuner.compat.calls import SyncTuner, Tuner
from raytuner.compat.tuned import FailedRun, RunResult, TunedResult
from raytuner.sweep import Sweep


class ParamTuner(SyncTuner):
    """Tries every combination by calling a function.

    Attributes:
        num_workers: calls at the same time, in threads.
    """

    num_workers: int = Field(default=1, ge=1)

    def _drive(self, sweep: Sweep) -> None:
        if self.num_workers == 1:
            run_sequential(sweep)
        else:
            run_threads(sweep, self.num_workers)


class AsyncParamTuner(Tuner):
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
