"""The levels of a parameter, and which trials differ in nothing else."""

from __future__ import annotations

import json
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from raytuner.printable import spell
from raytuner.trial import Trial

MOST = 8
"""Levels of a number; with more values it is put into ranges."""


class Levels(NamedTuple):
    """A parameter as it was tried.

    Attributes:
        names: of the levels, in their order.
        codes: the level of every trial, -1 where the parameter was not active; shape [trials].
        blocks: trials with one number are alike in all other parameters; shape [trials].
        ranges: whether levels are ranges of numbers, within which trials differ.
    """

    names: list[str]
    codes: NDArray[np.int64]
    blocks: NDArray[np.int64]
    ranges: bool = False


def levels_of(name: str, trials: Sequence[Trial]) -> Levels:
    """Find the levels of one parameter."""
    values = [trial.params[name] for trial in trials if name in trial.params]
    active = [name in trial.params for trial in trials]
    codes = np.full(len(trials), -1, dtype=np.int64)
    many = numeric(values) and len(set(values)) > MOST
    names, codes[active] = _ranges(values) if numeric(values) else _distinct(values)
    others = [
        json.dumps({k: v for k, v in trial.params.items() if k != name}, sort_keys=True)
        for trial in trials
    ]
    numbers_ = {text: number for number, text in enumerate(dict.fromkeys(others))}
    blocks = np.array([numbers_[text] for text in others], dtype=np.int64)
    return Levels(names, codes, blocks, many)


def numeric(values: Sequence[Any]) -> bool:
    """Tell whether all values are numbers; booleans are not."""
    return bool(values) and all(
        isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values
    )


def _distinct(values: Sequence[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Give every value a level of its own, ordered by its spelling in JSON."""
    spelt = [json.dumps(value, sort_keys=True) for value in values]
    order = {text: number for number, text in enumerate(sorted(set(spelt)))}
    names = {text: spell(value) for text, value in zip(spelt, values, strict=True)}
    codes = np.array([order[text] for text in spelt], dtype=np.int64)
    return [names[text] for text in order], codes


def _ranges(values: Sequence[Any]) -> tuple[list[str], NDArray[np.int64]]:
    """Give every number a level, or a range of about equal frequency if there are many."""
    given = np.asarray(values, dtype=np.float64)
    distinct, codes = np.unique(given, return_inverse=True)
    if len(distinct) <= MOST:
        return [f"{value:g}" for value in distinct], codes.astype(np.int64)
    edges = np.unique(np.quantile(given, np.arange(1, MOST) / MOST))
    binned = np.searchsorted(edges, given, side="right")
    kept, codes = np.unique(binned, return_inverse=True)
    names = []
    for number in kept:
        own = given[binned == number]
        low, high = f"{own.min():.4g}", f"{own.max():.4g}"
        names.append(low if low == high else f"{low} to {high}")
    return names, codes.astype(np.int64)
