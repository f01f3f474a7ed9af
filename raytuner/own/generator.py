"""Adapts a generator to the training port: it yields what is known after each step.

def train(config):                      # starts anew whenever it is interrupted
    for epoch in range(20):
        ...
        yield {"accuracy": 0.8}

def train(config, state):               # goes on from a checkpoint; state is None at first
    weights = np.zeros(8) if state is None else state["weights"]
    for epoch in range(0 if state is None else state["epoch"], 20):
        ...
        yield {"accuracy": 0.8}, {"weights": weights, "epoch": epoch + 1}
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from raytuner.cache_folder import default_cache_dir
from raytuner.checkpoints import Checkpoint, Checkpoints
from raytuner.component import ConfigError, digest
from raytuner.objective import COSTS, Cost, Meter, Params
from raytuner.own.awaiting import run_apart
from raytuner.own.configuration import Config
from raytuner.own.generated import (
    PAST,
    Given,
    complete,
    failed,
    joined,
    read_step,
    remembering,
    required,
)
from raytuner.own.identity import bare, identity, plain
from raytuner.own.objective import standing
from raytuner.own.payments import Pay, Payments
from raytuner.own.reading import measured
from raytuner.schedule import Schedule, at_step, spelled, until
from raytuner.training import Step, Trainable

_STATE = "state"


class GeneratorObjective(Trainable):
    """A generator, sync or async, of metrics after each step of a training.

    Args:
        function: called with {**fixed, **params}, and with `state` if it has such a parameter:
            None at first, later what it yielded beside the metrics. It need not know how many
            steps are wanted: it is closed after the last one. One that ends early is done: its
            last result stands for the steps that are left.
        fixed: the configuration as it stands: trial 0 if it has all parameters, and the values of
            what does not vary; see `FunctionObjective`.
        steps: how many steps a complete trial does.
        metrics: names that every step must report; none: those that the first one reports.
        minimise: metrics of which less is better.
        version: part of every key; change it to make recorded scores void.
        checkpoints: folder of the states; default: in RAYTUNER_CACHE or ~/.cache/raytuner.
        metric: name of the score when the generator yields a bare number.

    Raises:
        ConfigError: `steps` is missing or below 1.
    """

    name: ClassVar[str] = "generator"

    def __init__(
        self,
        function: Callable[..., Any],
        fixed: Mapping[str, Any] | None = None,
        *,
        steps: int | None = None,
        metrics: Sequence[str] = (),
        minimise: Sequence[str] = (),
        version: str = "",
        checkpoints: str | Path | None = None,
        metric: str = "score",
    ) -> None:
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
            raise ConfigError(
                f"steps: a generator needs to know how many steps a trial does, got {steps!r}; "
                "give a whole number from 1",
                ("steps",),
            )
        self.function = function
        self.fixed = dict(fixed or {})
        self.metric = metric
        self._steps = steps
        self._metrics = tuple(metrics)
        self._minimise = frozenset(minimise)
        self._version = version
        self._stateful = _STATE in inspect.signature(function).parameters
        self._checkpoints = Checkpoints(
            Path(checkpoints) if checkpoints else default_cache_dir() / "checkpoints"
        )
        self._identity: str | None = None
        self._payments = Payments()

    @property
    def forks(self) -> bool:  # type: ignore[override]
        """Whether a copy can go on from a state under other parameters."""
        return self._stateful

    def steps(self) -> int:
        """Give how many steps a complete trial does."""
        return self._steps

    def scope(self) -> str:
        """Identify the generator, its fixed parameters and its version."""
        if self._identity is None:
            code = identity(bare(self.function))
            facts = [self._version, self._steps, list(self._metrics)]
            self._identity = digest("generator", code, plain(self.fixed), facts)
        return self._identity

    def metrics(self) -> tuple[str, ...] | None:
        """Name what is declared, and costs; without a declaration the first step has to tell."""
        return measured(self._metrics)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return metric not in {*COSTS, *self._minimise}

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the configuration as it stands, if `fixed` has a value for every parameter."""
        return standing(self.fixed, names)

    def train(self, schedule: Schedule, first: int, last: int, meter: Meter) -> Iterator[Step]:
        """Go on from the latest state there is; see `Trainable.train`."""
        past, state = self._latest(schedule, last)
        for scores in past[first - 1 :]:
            yield Step(scores)
        if len(past) >= last:
            return
        with self._payments.paying(meter) as pay:
            yield from self._onwards(schedule, first, last, past, state, meter, pay)

    def _onwards(
        self,
        schedule: Schedule,
        first: int,
        last: int,
        past: list[Mapping[str, float]],
        state: Checkpoint | None,
        meter: Meter,
        pay: Pay,
    ) -> Iterator[Step]:
        """Do the steps that no state remembers, paying for each."""
        wanted, kept = self._metrics, ""
        for number, given in self._run(schedule, len(past), last, state):
            step = complete(given.step, wanted, number)
            wanted = wanted or required(step)
            past.append(step.scores)
            meter.count("steps trained")
            if given.state is not None and step.failure is None:
                key = self._key(schedule, number)
                written = self._checkpoints.save(key, remembering(given.state, past))
                if kept:  # in reach of a crash there is always one
                    self._checkpoints.remove(kept)
                kept = key if written and number < last else ""
            if number >= first:
                yield step
            pay(step.cost, more=number < last)

    def _run(
        self, schedule: Schedule, done: int, last: int, state: Checkpoint | None
    ) -> Iterator[tuple[int, Given]]:
        """Run the generator, anew whenever the parameters change."""
        while done < last:
            if done and state is None:  # it would begin anew, and its first step pass for a later
                reason = (
                    f"the parameters change after step {done}, and the generator gave no state "
                    "there to go on from; yield (metrics, state) after every step"
                )
                yield done + 1, failed(reason)
                return
            end = min(last, next(s.until for s in schedule if s.until > done))
            given: Given | None = None
            for given in self._segment(at_step(schedule, done + 1), state, end - done):
                done += 1
                yield done, given
            if given is None:
                reason = "the generator ended without a result"
                yield done + 1, failed(reason)
                return
            state = given.state
            notes = {**(given.step.notes or {}), "ended after": done}
            step = given.step._replace(cost=Cost(), notes=notes)
            while done < end:
                done += 1
                yield done, Given(step, state)

    def _segment(self, params: Params, state: Checkpoint | None, most: int) -> Iterator[Given]:
        config = Config({**self.fixed, **params})
        if self._stateful:
            made = self.function(config, state=joined(state))
        else:
            made = self.function(config)
        results: Any = _awaited(made) if hasattr(made, "__anext__") else made
        with contextlib.closing(results):
            for given in itertools.islice(results, most):
                yield read_step(given, self.metric)

    def _latest(
        self, schedule: Schedule, done: int
    ) -> tuple[list[Mapping[str, float]], Checkpoint | None]:
        """Find the latest state after at most `done` steps, and the scores until then."""
        for step in range(done if self._stateful else 0, 0, -1):
            state = self._checkpoints.load(self._key(schedule, step))
            if state is not None:
                return list(state.facts[PAST]), state
        return [], None

    def _key(self, schedule: Schedule, step: int) -> str:
        return digest("state", self.scope(), spelled(until(schedule, step)))


def _awaited(results: Any) -> Iterator[Any]:
    """Take from an async generator one at a time: it does no step that is not wanted."""
    try:
        while True:
            try:
                yield run_apart(results.__anext__())
            except StopAsyncIteration:
                return
    finally:
        run_apart(results.aclose())
