"""A Gaussian process over the points of a space, mixed and conditional ones too.

Kernel: J. Snoek, H. Larochelle and R. P. Adams, "Practical Bayesian Optimization of Machine
Learning Algorithms", NIPS 2012 (Matern 5/2, a length scale per dimension); inactive parameters:
J. C. Levesque et al., "Bayesian optimization for conditional hyperparameter spaces", IJCNN 2017
(a fixed value). Categories are dimensions of their own.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raytuner.arithmetic import one_thread
from raytuner.objective import Params
from raytuner.search.axes import Layout, positions

Vector = NDArray[np.float64]
Known = Mapping[str, tuple[Params, float]]
"""Points and their scores, by name."""
_NOTHING: Known = MappingProxyType({})

_FITTED = 120
"""How many observations the kernel is fitted to."""
_RESTS = 300
"""How many observations the process rests on: the work grows with their third power."""
_ALWAYS, _GROWTH = 60, 1.1
"""Up to how many observations a kernel is fitted anew for each, and how much more must be known
after that for the next one."""


@dataclass(frozen=True)
class Surrogate:
    """A fitted process. All figures are in the units of the scores.

    Attributes:
        plan: of the space whose points it knows.
        process: the fitted regressor, of standardised scores.
        centre: mean of the scores.
        spread: standard deviation of the scores; 1 if they are all the same.
        best: highest mean that it predicts at an observed point.
    """

    plan: Layout
    process: Any
    centre: float
    spread: float
    best: float

    def predict(self, points: Sequence[Params]) -> tuple[Vector, Vector]:
        """Give mean and standard deviation of the score without its noise, by point."""
        with one_thread():  # sums in another order would give other bits elsewhere
            mean, deviation = self.process.predict(encode(self.plan, points), return_std=True)
        variance = np.maximum(deviation**2 - self.process.kernel_.k2.noise_level, 0.0)
        return self.centre + self.spread * mean, self.spread * np.sqrt(variance)


def encode(plan: Layout, points: Sequence[Params]) -> Vector:
    """Lay points out as numbers from 0 to 1: (points, columns).

    An ordered axis is one column, categories are a column each (1/sqrt 2, so that two of them
    are one apart). A parameter with a condition has a column that says whether it is active;
    where it is not, its ordered columns are 0.5 and its categories 0.
    """
    conditional = [name for name in plan.space.names if plan.space.conditions[name]]
    rows = []
    for point in points:
        at, row = positions(plan, point), []
        for axis in plan.axes:
            here = at.get(axis.label)
            if axis.ordered:
                row.append(0.5 if here is None else axis.share(here))
            else:
                levels = range(axis.levels or 0)
                row += [math.sqrt(0.5) if level == here else 0.0 for level in levels]
        row += [float(name in point) for name in conditional]
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def fit(plan: Layout, points: Sequence[Params], scores: Sequence[float]) -> Surrogate:
    """Fit a process to the scores of some points, at least one.

    Scores and points decide everything: nothing is random, and one thread does it. Of more than
    300 points it rests on the best 150 and on as many others.
    """
    inputs, raw = encode(plan, points), np.array(scores, dtype=np.float64)
    return _rest(plan, inputs, raw, _fitted(inputs, raw))


class Modeller:
    """Keeps a process of points and scores that become known one after the other.

    Its kernel is fitted to the first of them only, up to a number that grows by tenths, and kept
    until then, so that one more observation is cheap. Still the points and scores that are
    given, in their order, decide everything, whatever was asked before.
    """

    def __init__(self, plan: Layout) -> None:
        self._plan = plan
        self._rows: dict[str, Vector] = {}
        self._first: tuple[tuple[str, float], ...] = ()
        self._kernel: Any = None

    def fit(self, known: Known, believed: Known = _NOTHING) -> Surrogate:
        """Fit the process.

        Args:
            known: points and scores by name, at least one.
            believed: more of them, which the kernel is not fitted to.
        """
        every = {**known, **believed}
        new = [name for name in every if name not in self._rows]
        points = [every[name][0] for name in new]
        self._rows.update(zip(new, encode(self._plan, points), strict=True) if new else ())
        inputs = np.array([self._rows[name] for name in every])
        raw = np.array([score for _, score in every.values()], dtype=np.float64)
        size = fitted_to(len(known))
        first = tuple((name, score) for name, (_, score) in islice(known.items(), size))
        if first != self._first:
            self._kernel = _fitted(inputs[:size], raw[:size])
            self._first = first
        return _rest(self._plan, inputs, raw, self._kernel)


def fitted_to(count: int) -> int:
    """Tell to how many of so many observations the kernel is fitted that `Modeller` uses."""
    size = min(count, _ALWAYS)
    while (larger := math.ceil(size * _GROWTH)) <= count and size >= _ALWAYS:
        size = larger
    return size


def _standard(raw: Vector) -> tuple[Vector, float, float]:
    centre, spread = float(raw.mean()), float(raw.std()) or 1.0
    return (raw - centre) / spread, centre, spread


def _fitted(inputs: Vector, raw: Vector) -> Any:
    """Give the kernel of greatest marginal likelihood for some of the observations."""
    from sklearn.gaussian_process import GaussianProcessRegressor

    targets, _, _ = _standard(raw)
    some = np.unique(np.linspace(0, len(raw) - 1, min(len(raw), _FITTED)).round().astype(int))
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length scale at its bound is no news
        process = GaussianProcessRegressor(_kernel(inputs.shape[1]))
        return process.fit(inputs[some], targets[some]).kernel_


def _rest(plan: Layout, inputs: Vector, raw: Vector, kernel: Any) -> Surrogate:
    """Make the process of a fitted kernel and of observations, of many only the telling ones."""
    from sklearn.gaussian_process import GaussianProcessRegressor

    targets, centre, spread = _standard(raw)
    kept = _telling(raw)
    with one_thread():
        process = GaussianProcessRegressor(kernel, optimizer=None).fit(inputs[kept], targets[kept])
        best = float(process.predict(inputs[kept]).max())
    return Surrogate(plan, process, centre, spread, centre + spread * best)


def _telling(raw: Vector) -> NDArray[np.int_]:
    """Choose the best half of what a process may rest on, and others evenly from the rest."""
    if len(raw) <= _RESTS:
        return np.arange(len(raw))
    order = np.argsort(-raw, kind="stable")
    best, rest = order[: _RESTS // 2], np.sort(order[_RESTS // 2 :])
    even = np.linspace(0, len(rest) - 1, _RESTS - len(best)).round().astype(int)
    return np.sort(np.concatenate([best, rest[even]]))


def _kernel(columns: int) -> Any:
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    smooth = Matern(np.ones(columns), length_scale_bounds=(0.05, 20.0), nu=2.5)
    return ConstantKernel(1.0, (0.05, 20.0)) * smooth + WhiteKernel(1e-2, (1e-6, 1.0))
