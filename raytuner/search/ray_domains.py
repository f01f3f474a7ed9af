"""Reads the domains of Ray Tune (`tune.choice`, `tune.uniform` ...) as ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from raytuner.component import ConfigError


def is_ray_domain(value: Any) -> bool:
    """Tell whether a value is one of Ray Tune's; imports nothing."""
    own = type(value).__module__.startswith("ray.tune.")
    return own or (isinstance(value, Mapping) and set(value) == {"grid_search"})


def read_ray_domain(value: Any, where: str) -> Any:
    """Give what a study would write: a list of values, or a mapping such as {"int": [1, 8]}.

    `tune.choice` and `tune.grid_search` are lists. Upper ends are as Ray has them: `randint` and
    `lograndint` leave theirs out, as `qrandint` and `qlograndint` do with q=1.

    Args:
        value: as `is_ray_domain` knows it.
        where: what an error calls it.

    Raises:
        ConfigError: for what has no bounds (`randn`, `qrandn`), or is a function (`sample_from`).
    """
    if isinstance(value, Mapping):
        return value["grid_search"]
    from ray.tune.search import sample

    if isinstance(value, sample.Categorical):
        return list(value.categories)
    if not isinstance(value, sample.Float | sample.Integer):
        raise ConfigError(
            f"{where}: {type(value).__name__} of Ray Tune draws values by a function, which a "
            "search cannot see into: list the values, or give bounds such as tune.uniform(0, 1)"
        )
    sampler, step = value.get_sampler(), None
    if isinstance(sampler, sample.Quantized):
        step, sampler = sampler.q, sampler.get_sampler()
    if isinstance(sampler, sample.Normal) or not (
        math.isfinite(value.lower) and math.isfinite(value.upper)
    ):
        raise ConfigError(
            f"{where}: a normal distribution has no bounds: give some, such as "
            "tune.uniform(low, high)"
        )
    domain: dict[str, Any] = {"log": True} if isinstance(sampler, sample.LogUniform) else {}
    if isinstance(value, sample.Float):
        return domain | _real(value.lower, value.upper, step)
    return domain | _whole(value.lower, value.upper, step or 1)


def _real(low: float, high: float, step: float | None) -> dict[str, Any]:
    if step is None:
        return {"float": [low, high]}
    # Ray has made sure that both ends are multiples, give or take what 3 * 0.1 is above 0.3.
    ends = [float(Decimal(repr(step)) * round(end / step)) for end in (low, high)]
    return {"float": ends, "step": step}


def _whole(low: int, high: int, step: int) -> dict[str, Any]:
    if step == 1:
        return {"int": [low, high - 1]}
    return {"int": [math.ceil(low / step) * step, high // step * step], "step": step}
