"""Conversation with a searcher of Ray Tune: suggestions have ids, which results must name.

Resuming repeats the conversation, because most searchers cannot be told of points that they did
not suggest.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from raytuner.component import ConfigError, digest
from raytuner.objective import Params, Value
from raytuner.search.axes import layout, values
from raytuner.search.learner import Outcome
from raytuner.search.optuna import quiet
from raytuner.search.port import Exhausted, Proposer
from raytuner.space import Space

METRIC = "score"
"""The metric of a searcher that has not been given one."""


class Suggestions:
    """Guides by a searcher of Ray.

    Args:
        searcher: its own, not used elsewhere.
        space: is translated for it, unless it has a space of its own.
        seed: of what it draws while it is set up.

    Raises:
        ConfigError: if it cannot search the space, or has no single metric and mode.
    """

    def __init__(self, searcher: Any, space: Space, seed: int) -> None:
        self._searcher = searcher
        self._core = getattr(searcher, "searcher", searcher)  # inside Ray's ConcurrencyLimiter
        self._space = space
        self._plan = layout(space)
        self._shares = type(self._core).__name__ == "BayesOptSearch"  # it knows nothing but floats
        self._labels = {f"p{n}": axis for n, axis in enumerate(self._plan.axes)}
        self._open: dict[str, list[str]] = {}
        self._held: list[str] = []
        self._count = 0
        self._worst: float | None = None
        self._own = not self._given(seed)
        self._sign = -1.0 if self._core.mode == "min" else 1.0

    def suggest(self, seed: int) -> Mapping[str, Any] | None:
        """Ask the searcher; chance answers where it waits for results that will not come.

        Raises:
            Exhausted: if it says that it has finished.
        """
        self._count += 1
        trial = f"trial{self._count}"
        with seeded(seed):
            found = self._searcher.suggest(trial) if self._labels or self._own else {}
        if found == self._searcher.FINISHED:
            raise Exhausted("the searcher has finished")
        if found is None:  # it waits for results; if none will come, chance goes on
            return None if self._open else self._space.sample(random.Random(seed))
        point = self._space.active(_flat(found) if self._own else self._decoded(found))
        if self._space.violated(point):
            self._fail([trial])
        else:
            self._open.setdefault(digest(point), []).append(trial)
        return point

    def learn(self, params: Params, outcome: Outcome) -> None:
        """Tell the searcher, under every id that it suggested the point by; else nothing."""
        name, score = digest(params), outcome.score
        if score is not None:
            self._worst = score if self._worst is None else min(score, self._worst)
        if score is not None and not outcome.ended:
            for trial in self._open.get(name, []):
                self._searcher.on_trial_result(trial, self._result(score, outcome.units))
            return
        trials = self._open.pop(name, []) if outcome.ended else []
        if score is None:
            self._fail(trials)
        else:
            self._complete(trials, score, outcome.units)
            self._fail([])

    def _fail(self, trials: list[str]) -> None:
        """Tell failures with the worst score, as soon as there is one: they learn from no other."""
        self._held += trials
        if self._worst is not None:
            held, self._held = self._held, []
            self._complete(held, self._worst, None)

    def _complete(self, trials: list[str], score: float, units: int | None) -> None:
        for trial in trials if self._labels or self._own else []:
            with seeded(self._count):
                self._searcher.on_trial_complete(trial, self._result(score, units))

    def _result(self, score: float, units: int | None) -> dict[str, Any]:
        steps = {} if units is None else {"training_iteration": units}
        return {self._core.metric: self._sign * score, **steps}

    def _given(self, seed: int) -> bool:
        """Give the searcher our space; tell whether it took it."""
        if not self._labels:
            return True
        from ray import tune

        name = type(self._core).__name__
        if self._shares and not all(axis.ordered for axis in self._plan.axes):
            wrong = next(axis.parameter for axis in self._plan.axes if not axis.ordered)
            raise ConfigError(
                f"search.searcher: {name} knows numbers only, {wrong} is "
                f"{self._space.domains[wrong].describe()}: use `kind: bayes`",
                ("search", "searcher"),
            )
        config: dict[str, Any] = {}
        for label, axis in self._labels.items():
            if axis.levels is None or self._shares:
                config[label] = tune.uniform(0.0, 1.0)
            elif axis.ordered:
                config[label] = tune.randint(0, axis.levels)
            else:
                config[label] = tune.choice(list(range(axis.levels)))
        metric, mode = self._core.metric or METRIC, self._core.mode or "max"
        with refused(name), seeded(seed):
            taken = bool(self._searcher.set_search_properties(metric, mode, config))
        if not isinstance(self._core.metric, str) or self._core.mode not in ("min", "max"):
            raise ConfigError(
                f"search_alg: {name} needs one `metric` and a `mode`, 'min' or 'max': give both",
                ("search_alg",),
            )
        return taken

    def _decoded(self, found: Mapping[str, Any]) -> dict[str, Any]:
        at: dict[str, int | float] = {}
        for label, axis in self._labels.items():
            share = axis.levels is None or self._shares
            at[axis.label] = axis.at(found[label]) if share else int(found[label])
        return values(self._plan, at)


class Replayed:
    """Asks a searcher again for what is on record, so that its state comes back.

    Args:
        inner: asks the searcher.
        samples: how many points to try; None: no limit.
    """

    def __init__(self, inner: Proposer, samples: int | None) -> None:
        self._inner = inner
        self._samples = samples
        self._asked = 0
        self._spare: dict[str, dict[str, Value]] = {}
        self._others: set[str] = set()

    def ask(self) -> dict[str, Value] | None:
        """Propose what was left over from `recall`, then what the searcher suggests."""
        if self._samples is not None and self._asked >= self._samples:
            raise Exhausted("as many points as `samples` asks for have been proposed")
        if self._spare:
            point: dict[str, Value] | None = self._spare.pop(next(iter(self._spare)))
        else:
            point = self._inner.ask()
            while point is not None and digest(point) in self._others:
                point = self._inner.ask()
        self._asked += point is not None
        return point

    def recall(self, params: Params) -> None:
        """Ask the searcher; keep what it suggests if that is not what is on record."""
        self._asked += 1
        name = digest(params)
        if self._spare.pop(name, None) is not None:
            return
        point = None
        with contextlib.suppress(Exhausted):
            point = self._inner.ask()
        if point is None:
            self._inner.recall(params)
        elif digest(point) != name:
            self._spare[digest(point)] = point
            self._others.add(name)

    def tell(
        self,
        params: Params,
        score: float | None,
        *,
        units: int | None = None,
        ended: bool = True,
    ) -> None:
        """Pass it on."""
        self._inner.tell(params, score, units=units, ended=ended)


@contextlib.contextmanager
def refused(name: str) -> Iterator[None]:
    """Turn whatever a searcher says while it is set up into one sentence."""
    try:
        yield
    except Exception as error:
        reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
        raise ConfigError(
            f"search.searcher: Ray Tune's {name} cannot start: {reason}; correct its options, or "
            "install a version of its library that this Ray supports",
            ("search", "searcher"),
        ) from error


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make what draws from the global generators repeatable and quiet; leave them as they were."""
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002 - libraries draw there
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        with quiet():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found.update(_flat(value, f"{prefix}{name}."))
        else:
            found[f"{prefix}{name}"] = value
    return found
