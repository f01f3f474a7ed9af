"""Searchers of Ray Tune: by name (`kind: ray`), or a user's own object (`adapt`).

Such a searcher keeps a state of its own, and learns only from points that it has suggested
itself: the baseline and points of other searches are not told to it. To resume, it is led
through the same questions and answers again, which brings it to the same state if it is
deterministic under a seed. Where it is not (another version of the library, threads), what it
suggests instead of a point on record is kept for later; the study stands, with another course.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from raytuner.component import ConfigError, nearest, require
from raytuner.search.learner import Guide, Learner
from raytuner.search.port import Proposer, Search
from raytuner.search.suggestions import METRIC, Replayed, Suggestions, refused, seeded
from raytuner.space import Space

_PACKAGES = {"bayesopt": "bayes_opt"}
"""What is imported, where it is not called like the searcher."""
_SEEDS = {
    "bayesopt": "random_state",
    "hebo": "random_state_seed",
    "hyperopt": "random_state_seed",
    "optuna": "seed",
}
"""The argument that takes a seed; the others draw from NumPy's global state."""
_RESERVED = frozenset(
    {
        "ax_client", "dim_dict", "evaluated_rewards", "metric", "mode", "outcome_constraints",
        "parameter_constraints", "points_to_evaluate", "sampler", "space", "storage", "study_name",
    }
)  # fmt: skip
"""Arguments that a study cannot give: decided here, in other names, or objects."""


class RaySearcher(Learner, kind="ray"):
    """Let a searcher of the installed Ray Tune propose.

    Every number is given to it as a share of its domain or the index of a step, every other
    value as an index, so that it needs no logarithms and no steps. Conditions are unknown to it:
    it chooses all parameters, and those that are not active are dropped. A point that violates
    a constraint, or whose trial fails, is told to it with the worst score there is.
    """

    searcher: Literal["ax", "bayesopt", "hebo", "hyperopt", "nevergrad", "optuna", "zoopt"] = Field(
        description="Its name in Ray Tune."
    )
    options: dict[str, Any] = Field(
        default_factory=dict,
        description="Further arguments of Ray's class; nevergrad's `optimizer` by its name.",
    )

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; see the module about what equal seeds mean."""
        return Replayed(super().start(space, seed), self.samples)

    def guide(self, space: Space, seed: int) -> Guide:
        """Set up the searcher.

        Raises:
            MissingExtraError: if its library is not installed.
            ConfigError: for an option that it does not have, a space that it cannot search, or
                a library of a version that Ray does not support.
        """
        require(_PACKAGES.get(self.searcher, self.searcher), extra=self.searcher)
        options = self._arguments(seed)
        with refused(self.searcher), seeded(seed):
            from ray.tune.search import create_searcher

            searcher = create_searcher(self.searcher, metric=METRIC, mode="max", **options)
        return Suggestions(searcher, space, seed)

    def _arguments(self, seed: int) -> dict[str, Any]:
        options = dict(self.options)
        _check_options(self.searcher, options)
        if self.searcher in _SEEDS:
            options.setdefault(_SEEDS[self.searcher], seed % 2**32)
        if self.searcher == "nevergrad":
            options["optimizer"] = _optimizer(options.get("optimizer", "OnePlusOne"))
            given = options.get("optimizer_kwargs", {})
            options["optimizer_kwargs"] = {"budget": self.samples, **given}
        if self.searcher == "zoopt" and options.setdefault("budget", self.samples) is None:
            raise ConfigError(
                "search.samples: 'zoopt' plans for a number of trials: give `samples`",
                ("search", "samples"),
            )
        return options


class Adapted(Learner):
    """A user's own searcher as a search; made by `adapt`. It cannot be written into a study."""

    _searcher: Any = PrivateAttr()

    def start(self, space: Space, seed: int) -> Proposer:
        """Begin; what equal seeds mean is up to the searcher."""
        return Replayed(super().start(space, seed), self.samples)

    def guide(self, space: Space, seed: int) -> Guide:
        """Give the space to the searcher, unless it has one of its own.

        Raises:
            ConfigError: if it cannot search the space, or has a space but no metric or mode.
        """
        return Suggestions(self._searcher, space, seed)


def adapt(searcher: Any, samples: int | None = None) -> Search:
    """Make a search of a `ray.tune.search.Searcher` object.

    If it has been given a space of its own, that one must name the same parameters, with values
    of their domains; nested names are joined by dots.

    Args:
        searcher: the object; it is used up by one study.
        samples: how many points to try; None until the budget or a finite space ends.

    Raises:
        ConfigError: for anything else.
    """
    from ray.tune.search import Searcher

    name = type(searcher).__name__
    if not isinstance(searcher, Searcher):
        raise ConfigError(
            f"search_alg: {name} is no Searcher of Ray Tune; give one, or a search such as "
            "'random' or 'hyperopt'",
            ("search_alg",),
        )
    if "TuneBOHB" in (name, type(getattr(searcher, "searcher", None)).__name__):
        raise ConfigError(
            "search_alg: TuneBOHB works with Ray's own scheduler only; give 'bohb'",
            ("search_alg",),
        )
    search = Adapted(samples=samples)
    search._searcher = searcher  # noqa: SLF001 - no field: it is no plain value
    return search


def _check_options(searcher: str, options: Mapping[str, Any]) -> None:
    from ray.tune import search

    kind = search.SEARCH_ALG_IMPORT[searcher]()
    known = [
        name
        for name in inspect.signature(kind).parameters
        if name not in _RESERVED and (name == "optimizer_kwargs" or not name.endswith("kwargs"))
    ]
    for name in options:
        if name not in known:
            raise ConfigError(
                f"search.options: {searcher!r} has no option {name!r}; it has: "
                f"{', '.join(known)}.{nearest(name, known)}",
                ("search", "options", name),
            )


def _optimizer(name: Any) -> Any:
    optimizers = require("nevergrad", extra="nevergrad").optimizers
    known = optimizers.registry
    if not isinstance(name, str) or name not in known:
        raise ConfigError(
            f"search.options: nevergrad has no optimizer {name!r}; known are OnePlusOne, CMA, DE, "
            f"PSO and others.{nearest(str(name), known)}",
            ("search", "options", "optimizer"),
        )
    found = known[name]
    chooser = isinstance(found, type) and issubclass(found, optimizers.NGOptBase)
    if chooser or found.no_parallelization:  # asked twice in a row, such a one waits for ever
        raise ConfigError(
            f"search.options: nevergrad's {name} is, or may choose, a method that needs each "
            "result before it goes on: give OnePlusOne, CMA, DE or PSO",
            ("search", "options", "optimizer"),
        )
    return found
