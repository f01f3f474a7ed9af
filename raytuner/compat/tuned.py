"""What the drop-in tuners give back: every combination's outcome, best first."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from raytuner.component import RaytunerError

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
        failed: combinations without a score, in the order of the grid.
        tuned: names of the parameters that varied; empty shows all in the dataframe.
        stop_reason: which limit ended the search early, or None.
    """

    run_results: list[RunResult]
    best_idx: int
    failed: list[FailedRun] = Field(default_factory=list)
    tuned: tuple[str, ...] = ()
    stop_reason: str | None = None

    @property
    def best_run_result(self) -> RunResult:
        """The best combination.

        Raises:
            RaytunerError: if no combination gave a score; says why the first one failed.
        """
        if not self.run_results:
            reason = f"; the first: {self.failed[0].message}" if self.failed else ""
            raise RaytunerError(f"none of {len(self.failed)} combinations gave a score{reason}")
        return self.run_results[self.best_idx]

    @property
    def dataframe(self) -> pd.DataFrame:
        """One row a combination, best first, failures last: tuned parameters, score, failure."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {**self._cells(run.params), "score": run.score, "failure": None}
            for run in self.run_results
        ]
        rows += [
            {**self._cells(run.params), "score": None, "failure": f"{run.kind}: {run.message}"}
            for run in self.failed
        ]
        columns = {column: None for row in rows for column in row}
        table = {name: pd.Series([row.get(name) for row in rows]) for name in columns}
        return pd.DataFrame(table)

    def _cells(self, params: Mapping[str, Any]) -> dict[str, Any]:
        names = [name for name in self.tuned or params if name in params]
        return {name: _cell(params[name]) for name in names}

    def _repr_html_(self) -> str:
        return str(self.dataframe.to_html(escape=True))


def _cell(value: Any) -> Any:
    """Show an index or a list of documents by its first characters."""
    plain = value is None or isinstance(value, bool | int | float | str)
    return value if plain else reprlib.repr(value)
