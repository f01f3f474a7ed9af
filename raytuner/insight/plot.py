"""Plots of a run for notebooks: SVG that shows itself, without a plotting library."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raytuner import charts
from raytuner.component import ConfigError, nearest
from raytuner.insight.curve import curve
from raytuner.insight.importance import importance
from raytuner.insight.levels import levels_of, numeric
from raytuner.insight.matrix import common, metric_of
from raytuner.insight.pareto import Direction, pareto
from raytuner.insight.questions import questions
from raytuner.printable import spell_params
from raytuner.trial import Trial

if TYPE_CHECKING:
    from raytuner.results import Results


class Chart:
    """One or more drawings that a notebook shows in place.

    Args:
        drawings: SVG, from the top.
        captions: said above each of them; none where there is one drawing.
    """

    def __init__(self, drawings: Sequence[str], captions: Sequence[str] = ()) -> None:
        self._drawings = tuple(drawings)
        self._captions = tuple(f"<p><b>{html.escape(caption)}</b></p>" for caption in captions)

    def _repr_html_(self) -> str:
        captions = self._captions or ("",) * len(self._drawings)
        scroll = "overflow-x: auto"  # a wide drawing is moved, not cut off
        parts = (
            f'<div style="{scroll}">{c}{d}</div>'
            for c, d in zip(captions, self._drawings, strict=True)
        )
        return f'<div style="max-width: 60rem">{"".join(parts)}</div>'

    def __repr__(self) -> str:
        return f"Chart({len(self._drawings)})"

    def _repr_svg_(self) -> str | None:
        """Give the drawing, if it is one; several are shown as HTML."""
        return self._drawings[0] if len(self._drawings) == 1 else None

    def save(self, path: str | Path) -> Path:
        """Write an `.svg` file (of a single drawing) or an `.html` page.

        Raises:
            ConfigError: another suffix, several drawings for one SVG file, or no such folder.
        """
        path = Path(path)
        if path.suffix == ".svg" and len(self._drawings) == 1:
            text = self._drawings[0]
        elif path.suffix == ".html":
            text = f'<!doctype html>\n<meta charset="utf-8">\n{self._repr_html_()}\n'
        else:
            wanted = "end in .svg or .html" if len(self._drawings) == 1 else (
                f"end in .html: there are {len(self._drawings)} drawings"
            )  # fmt: skip
            raise ConfigError(f"{str(path)!r} must {wanted}")
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
        return path


class Plots:
    """Draws what a run has found; `results.plot`.

    Args:
        results: the run.
    """

    def __init__(self, results: Results) -> None:
        self._results = results

    def importance(self) -> Chart:
        """Draw the effects of every parameter's levels, the one that matters most first.

        Raises:
            ConfigError: no parameter has two levels yet.
        """
        found = importance(self._results)
        rows = {
            str(name): [
                charts.Level(r["level"], r["effect"], r["low"], r["high"], r["trials"])
                for r in own.to_dict("records")
            ]
            for name, own in found.effects.groupby("parameter", sort=False)
        }
        everything = [level for levels in rows.values() for level in levels]
        ends = [e for one in everything for e in (one.effect, one.low, one.high)]
        finite = [end for end in ends if math.isfinite(end)] + [0.0]
        domain = (min(finite), max(finite)) if max(finite) > min(finite) else (-1.0, 1.0)
        names = list(found.ranking["parameter"])
        if not names:
            raise ConfigError("nothing to draw: no parameter has two levels yet")
        drawings = [charts.effects(rows[n], title=n, domain=domain, width=560) for n in names]
        return Chart(drawings, names)

    def pareto(self, goals: Mapping[str, Direction] | None = None) -> Chart:
        """Draw all trials by the first two goals (see `pareto`), with their front."""
        table = pareto(self._results, goals)
        first, second = _goal_columns(list(table.columns), self._results)
        standing = self._results.baseline
        points = [
            charts.Point(
                trial=int(row["trial"]), x=float(row[second]), y=float(row[first]),
                front=bool(row["on_front"]), firm=bool(row["firm"]),
                label=f"trial {row['trial']}",
                baseline=standing is not None and row["trial"] == standing.number,
            )
            for row in table.to_dict("records")
        ]  # fmt: skip
        title = f"{first} against {second}"
        return Chart([charts.scatter(points, x_label=second, y_label=first, title=title)])

    def curve(self, against: str = "questions") -> Chart:
        """Draw the best so far against `questions`, `usd` or `seconds`.

        Raises:
            ConfigError: another name, or a run without a folder.
        """
        if against not in {"questions", "usd", "seconds"}:
            raise ConfigError(f"against: {against!r} is none of questions, usd, seconds")
        table = curve(self._results)
        table = table[table["best"].notna()]
        standing = self._results.baseline
        score = self._results.score(standing) if standing is not None else None
        series = charts.Series(
            xs=[float(x) for x in table[against]],
            ys=[float(y) for y in table["best"]],
            labels=[f"trial {number}" for number in table["trial"]],
        )
        label = {"questions": "questions answered", "usd": "dollars", "seconds": "seconds"}[against]
        metric = metric_of(self._results)
        return Chart(
            [
                charts.steps(
                    series, x_label=label, y_label=f"best {metric} so far",
                    title=f"Best {metric} against {label}", reference=score,
                    reference_label="as it stands", width=640,
                )
            ]
        )  # fmt: skip

    def heatmap(self, x: str, y: str) -> Chart:
        """Draw the mean score for every pair of levels of two parameters.

        Raises:
            ConfigError: no such parameter.
        """
        for name in (x, y):
            self._check(name)
        matrix = common(self._results)
        across, down = levels_of(x, matrix.trials), levels_of(y, matrix.trials)
        shape = (len(down.names), len(across.names))
        sums, counts = np.zeros(shape), np.zeros(shape, dtype=np.int64)
        for number, values in enumerate(matrix.values):
            place = (down.codes[number], across.codes[number])
            if min(place) >= 0:
                sums[place] += values.mean()
                counts[place] += 1
        means = [
            [float(s / c) if c else None for s, c in zip(*row, strict=True)]
            for row in zip(sums, counts, strict=True)
        ]
        return Chart(
            [
                charts.heatmap(
                    down.names, across.names, means, row_name=y, column_name=x,
                    title=f"{metric_of(self._results)} by {y} and {x}",
                    counts=counts.tolist(), maximise=self._results.maximise,
                )
            ]
        )  # fmt: skip

    def questions(self, count: int = 20) -> Chart:
        """Draw the hardest questions: their means over trials."""
        table = questions(self._results)
        table = table[table["mean"].notna()]
        hardest = table.sort_values("mean", ascending=self._results.maximise, kind="stable")
        parts = [
            charts.Part(row["question"], row["mean"], f"{row['mean']:.3f} {row['remark']}".strip())
            for row in hardest.head(count).to_dict("records")
        ]
        return Chart([charts.bars(parts, title="Hardest questions", width=640)])

    def parallel(self) -> Chart:
        """Draw every complete trial as a line through its parameters to its score."""
        results = self._results
        trials = [trial for trial in results.ranked if results.score(trial) is not None]
        if not trials:
            raise ConfigError(f"{results.name}: no trial is complete yet")
        scores, best = [float(results.score(trial) or 0.0) for trial in trials], results.best
        axes, columns = [], []
        for name in results.parameters:
            axis, places = _axis(name, trials)
            axes.append(axis)
            columns.append(places)
        low, high = min(scores), max(scores)
        width = (high - low) or 1.0
        heights = [(score - low) / width for score in scores]
        axes.append(charts.Axis(metric_of(results), [f"{low:.3f}", f"{high:.3f}"], [0.0, 1.0]))
        lines = [
            charts.Line(
                trial.number,
                [*(column[number] for column in columns), heights[number]],
                heights[number] if results.maximise else 1.0 - heights[number],
                label=f"trial {trial.number}: {scores[number]:.4f}, {spell_params(trial.params)}",
                strong=trial is best,
                baseline=trial.baseline,
            )
            for number, trial in enumerate(trials)
        ]
        return Chart([charts.parallel(axes, lines, title="Trials by parameter and score")])

    def verdict(self) -> Chart:
        """Draw the finalists' gains over what stood before, on held-out questions."""
        found = self._results.verdict.to_dict()
        rows = [
            charts.Estimate(
                f"trial {one['trial']}", one["gain"], one["low"], one["high"], note=one["role"],
                strong=one["trial"] == found["recommended"],
            )
            for one in found["finalists"]
        ]  # fmt: skip
        if not rows:
            raise ConfigError(f"{self._results.name}: {found['sentence']}")
        title = f"Gain in {found['metric']} on held-out questions"
        return Chart([charts.forest(rows, title=title, desc=found["sentence"])])

    def _check(self, name: str) -> None:
        known = self._results.parameters
        if name not in known:
            raise ConfigError(f"{name!r} is no parameter of this run.{nearest(name, known)}")


def _goal_columns(columns: Sequence[str], results: Results) -> tuple[str, str]:
    """Give the first two goals of a table that `pareto` made."""
    start = 1 + len(results.parameters)
    return columns[start], columns[start + 1]


def _axis(name: str, trials: Sequence[Trial]) -> tuple[charts.Axis, list[float | None]]:
    """Lay the values of a parameter out between 0 and 1."""
    values = [trial.params[name] for trial in trials if name in trial.params]
    if numeric(values) and len(set(values)) > 1:
        numbers = [float(value) for value in values]  # type: ignore[arg-type]
        low, width = min(numbers), max(numbers) - min(numbers)
        marks = sorted(set(numbers)) if len(set(numbers)) <= 8 else [low, low + width]
        axis = charts.Axis(name, [f"{m:g}" for m in marks], [(m - low) / width for m in marks])
        given = [
            (float(t.params[name]) - low) / width if name in t.params else None  # type: ignore[arg-type]
            for t in trials
        ]
        return axis, given
    found = levels_of(name, trials)
    last = max(1, len(found.names) - 1)
    axis = charts.Axis(name, found.names, [number / last for number in range(len(found.names))])
    return axis, [float(code) / last if code >= 0 else None for code in found.codes]
