"""BOHB: Bayesian optimisation that learns at every rung of HyperBand, by HpBandSter.

S. Falkner, A. Klein and F. Hutter, "BOHB: Robust and Efficient Hyperparameter Optimization at
Scale", ICML 2018.
"""

from __future__ import annotations

import contextlib
import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from raytuner.component import digest, require
from raytuner.objective import Params, Value
from raytuner.search.axes import Positions, layout, positions, values
from raytuner.search.configspace import configuration_space
from raytuner.search.learner import Guide, Learner, Outcome
from raytuner.space import Space

Array = NDArray[np.float64]


class Bohb(Learner, kind="bohb"):
    """Model good and bad points at the highest rung that has enough of them; draw the best.

    Every rung a trial has reached is an observation of its own. A failed trial counts as worse
    than any score wherever it has none.

    The least bandwidth is wider than the library's 0.001, with which the model soon proposes
    what it knows already.
    """

    schedulers: ClassVar[frozenset[str]] = frozenset({"bohb"})

    random_fraction: float = Field(
        default=1 / 3, ge=0.0, le=1.0, description="Share of proposals that are random anyway."
    )
    top_percent: int = Field(
        default=15, ge=1, le=99, description="How many percent of the points count as good."
    )
    min_points: int | None = Field(
        default=None,
        ge=1,
        description="Good points that a rung needs to be modelled; null, and at least: one more "
        "than there are parameters (members of a subset count one by one).",
    )
    candidates: int = Field(
        default=64, ge=1, description="How many points are drawn from the model to take the best."
    )
    bandwidth_factor: float = Field(
        default=3.0, gt=0.0, description="How much wider than the model candidates are drawn."
    )
    min_bandwidth: float = Field(
        default=0.1, gt=0.0, lt=1.0, description="Least bandwidth, of domains from 0 to 1."
    )

    def guide(self, space: Space, seed: int) -> Guide:
        """Set up HpBandSter.

        Raises:
            MissingExtraError: if hpbandster or ConfigSpace is not installed.
        """
        return _Densities(self, space, seed)


class _Densities:
    """Fits HpBandSter's kernel densities anew whenever more is known; keeps outcomes only."""

    def __init__(self, config: Bohb, space: Space, seed: int) -> None:
        self._config = config
        self._seed = seed
        self._plan = layout(space)
        self._library = require("hpbandster.optimizers.config_generators.bohb", extra="bohb")
        self._configurations = configuration_space(space)
        self._points: dict[str, Positions] = {}
        self._scores: dict[float, dict[str, float]] = {}
        self._failed: dict[str, None] = {}
        self._model: Any = None

    def suggest(self, seed: int) -> Mapping[str, Value]:
        return self.retry(seed, 0)

    def retry(self, seed: int, attempt: int) -> Mapping[str, Value]:
        """Halve the candidates every time: less choice among them, more of what did well."""
        found: Positions = {}
        if len(self._configurations):
            if self._model is None:
                with _undisturbed(self._seed):
                    self._model = self._fitted()
            with _undisturbed(seed):
                self._configurations.seed(seed)
                self._model.num_samples = max(self._config.candidates >> attempt, 1)
                found = self._model.get_config(None)[0]
        return values(self._plan, {label: float(at) for label, at in found.items()})

    def learn(self, params: Params, outcome: Outcome) -> None:
        name = digest(params)
        units = math.inf if outcome.units is None else outcome.units
        scores = self._scores.setdefault(units, {})
        if outcome.score is None:
            if name in self._failed:
                return  # nothing new: the model, and the order behind it, stay as they are
            self._failed[name] = None
        elif scores.get(name) == outcome.score and name not in self._failed:
            return
        else:
            self._failed.pop(name, None)
            scores[name] = outcome.score
        at = positions(self._plan, params)
        self._points[name] = {label: at[label] for label in at if label in self._configurations}
        self._model = None

    def _fitted(self) -> Any:
        """Model the highest rung with enough points; else what is proposed is random."""
        least = max(len(self._configurations) + 1, self._config.min_points or 0)
        for units in sorted(self._scores, reverse=True):
            losses = {name: -score for name, score in self._scores[units].items()}
            losses |= {name: math.inf for name in self._failed if name not in losses}
            good = max(least, self._config.top_percent * len(losses) // 100)
            if len(self._scores[units]) < good:
                continue  # too few, or a failure would count as good
            if len(losses) - good <= len(self._configurations):
                continue  # the library models no fewer bad ones
            model = self._generator(least)
            for number, (name, loss) in enumerate(losses.items(), start=1):
                run = SimpleNamespace(
                    result={"loss": loss},
                    kwargs={"budget": units, "config": self._points[name]},
                    exception=None,
                )
                model.new_result(run, update_model=number == len(losses))
            model.kde_models[units] = {
                side: _Density(fit.data, fit.bw, model.vartypes)
                for side, fit in model.kde_models[units].items()
            }
            return model
        return self._generator(least)

    def _generator(self, least: int) -> Any:
        return self._library.BOHB(
            self._configurations,
            min_points_in_model=least,
            top_n_percent=self._config.top_percent,
            num_samples=self._config.candidates,
            random_fraction=self._config.random_fraction,
            bandwidth_factor=self._config.bandwidth_factor,
            min_bandwidth=self._config.min_bandwidth,
            logger=_quiet(),
        )


class _Density:
    """A product of kernels, to stand for the one that HpBandSter fits.

    HpBandSter's counts the categories in its data: one that none of the good points has is then
    infinitely likely to be good if they agree on another. This one knows how many there are.
    Gaussian kernels for shares, and for categories those of J. Aitchison and C. Aitken,
    "Multivariate Binary Discrimination by the Kernel Method", Biometrika 63 (1976).

    Args:
        data: points by row, axes by column, shape (n, d).
        widths: bandwidth per axis, shape (d,).
        categories: how many there are per axis, 0 for shares, shape (d,).
    """

    def __init__(self, data: Array, widths: Array, categories: Array) -> None:
        most = np.where(categories > 0, 1 - 1 / np.maximum(categories, 1), np.inf)
        self.data = data
        self.bw = np.minimum(widths, most)  # at most, all categories are as likely
        self._categories = categories

    def pdf(self, vector: Sequence[float]) -> float:
        """Give the density at one point."""
        gaps = np.asarray(vector) - self.data
        gaussian = np.exp(-0.5 * (gaps / self.bw) ** 2) / (self.bw * math.sqrt(2 * math.pi))
        others = self.bw / np.maximum(self._categories - 1, 1)
        aitken = np.where(gaps == 0, 1 - self.bw, others)
        return float(np.where(self._categories > 0, aitken, gaussian).prod(axis=1).mean())


def _quiet() -> logging.Logger:
    """Give the logger that HpBandSter tells every step to."""
    logger = logging.getLogger("raytuner.search.bohb")
    logger.setLevel(logging.CRITICAL)
    return logger


@contextlib.contextmanager
def _undisturbed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, which HpBandSter draws from, and restore it afterwards.

    Proposals repeat only if no other thread draws from that generator in the meantime.
    """
    state = np.random.get_state()  # noqa: NPY002 - the library's choice
    np.random.seed(seed)  # noqa: NPY002
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
