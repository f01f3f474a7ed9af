"""What benchmarks/search_efficiency.py compares: searches with their schedulers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from raytuner.schedulers import Scheduler
from raytuner.search import Search

SAMPLES = 48
"""Points that a model with a race looks at; of a small grid, half of all."""
GRACE = 16
"""Questions of the first rung of such a race, half of all if these are less than two rungs."""
_MANY = 64
_HALVED = frozenset({"asha", "bohb"})
"""Schedulers whose searches get half of a grid as `samples` if it has many points: a search that
repeats itself looks for the last ones for minutes."""


class Method(NamedTuple):
    """A search and a scheduler; names or configurations, as in a study.

    Attributes:
        search, scheduler: see there.
        ours: whether `samples` and `grace` are filled in by `sized`.
    """

    search: str
    scheduler: str
    ours: bool = False

    def sized(self, points: int, questions: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Give both for a grid of so many points and so many questions searched on."""
        search: dict[str, Any] = {"kind": self.search}
        scheduler: dict[str, Any] = {"kind": self.scheduler}
        if self.scheduler in _HALVED and points > _MANY:
            search["samples"] = -(-points // 2)
        if self.ours:
            search["samples"] = min(SAMPLES, -(-points // 2))
            scheduler["grace"] = min(GRACE, -(-questions // 2))
        return search, scheduler


def named(label: str) -> Method:
    """Read `search+scheduler`; a `*` behind it sizes samples and first rung.

    Raises:
        ConfigError: one of them is not registered.
    """
    search, _, scheduler = label.rstrip("*").partition("+")
    Search.named(search)
    Scheduler.named(scheduler or "none")
    return Method(search, scheduler or "none", label.endswith("*"))


def registered() -> Mapping[str, Method]:
    """Give those of `LABELS` whose search is registered."""
    kinds = set(Search.kinds())
    return {label: named(label) for label in LABELS if label.partition("+")[0] in kinds}


RANDOM = "random+none"
TUNER = "hyperopt+asha"
"""What ours must never be behind, with random search."""
LABELS = (
    RANDOM,
    "hyperopt+none",
    TUNER,
    "bohb+bohb",
    "optuna+none",
    "greedy+none",
    "greedy+race",
    "grid+race",
    "bayes+race*",
    "neighbours+race*",
)
OURS = "neighbours+race*"
QUICK = (RANDOM, "greedy+race", "grid+race", OURS)
"""Those that are fast."""
