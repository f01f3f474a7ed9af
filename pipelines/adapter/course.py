"""Which epochs lead to the state after a step, and the states themselves, on disk and on the way.

A step trains one epoch, unless its parameters train nothing: no adapter, or more steps than they
say `epochs`. Where the adapter changes, or its seed, a new one begins as the identity. So a state
is decided by runs of epochs under equal parameters, whatever else the schedule holds: trials that
share them share the states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from pipelines.adapter.config import Training
from pipelines.adapter.pairs import Pairs
from pipelines.adapter.trainer import State, beginning, epoch
from pipelines.embedders.projection import Projection
from raytuner.checkpoints import Checkpoint, Checkpoints
from raytuner.component import digest
from raytuner.objective import Meter

KEPT_EVERY = 5
"""Epochs from one checkpoint to the next; the last one of a job is always kept."""
_PARTS = ("weights", "first", "second")


class Stretch(NamedTuple):
    """Parameters that hold until so many steps are done."""

    until: int
    training: Training


class Run(NamedTuple):
    """Epochs under equal parameters."""

    training: Training
    epochs: int


class Course(NamedTuple):
    """What leads to a state.

    Attributes:
        start: steps before its first epoch, which tells courses of one schedule apart.
        runs: in order; empty: nothing has been trained, the embedder is as it was.
    """

    start: int
    runs: tuple[Run, ...]

    @property
    def epochs(self) -> int:
        """Count all epochs."""
        return sum(run.epochs for run in self.runs)

    def first(self, epochs: int) -> Course:
        """Cut it after so many epochs."""
        runs, left = [], epochs
        for run in self.runs:
            runs += [Run(run.training, min(run.epochs, left))] if left else []
            left -= min(run.epochs, left)
        return Course(self.start, tuple(runs))

    def training(self, number: int) -> Training:
        """Give what holds in an epoch, counted from 1."""
        for run in self.runs:
            if number <= run.epochs:
                return run.training
            number -= run.epochs
        raise IndexError(number)

    def plain(self) -> list[Any]:
        """Spell it for a key."""
        return [[run.training.identity(), run.epochs] for run in self.runs]


def course(stretches: Sequence[Stretch], step: int) -> Course:
    """Give what leads to the state after a step."""
    start, begin, runs = 0, 0, list[Run]()
    for until, training in stretches:
        end = min(until, step)
        last = end if training.epochs is None else min(end, training.epochs)
        if training.identity() is None and end > begin:
            runs = []
        elif last > begin:
            if runs and _another(runs[-1].training, training):
                runs = []
            start = start if runs else begin
            if runs and runs[-1].training.identity() == training.identity():
                runs[-1] = Run(training, runs[-1].epochs + last - begin)
            else:
                runs.append(Run(training, last - begin))
        begin = until
        if begin >= step:
            break
    return Course(start, tuple(runs))


def _another(before: Training, after: Training) -> bool:
    return before.adapter != after.adapter or before.seed != after.seed


class Grounds(NamedTuple):
    """What every training of a study stands on.

    Attributes:
        key: identity of data, embedder and what steps are scored with.
        pairs: questions and passages.
        scores: scores a state on the questions that choose.
        checkpoints: where states are kept.
    """

    key: str
    pairs: Pairs
    scores: Callable[[Projection], Mapping[str, float]]
    checkpoints: Checkpoints


class Epoch(NamedTuple):
    """What is known after an epoch: scores, and the loss on the way."""

    scores: Mapping[str, float]
    loss: float


class Walk:
    """One course, from the latest state that is kept.

    Args:
        grounds: data.
        course: all that will be asked for.
        meter: counts `epochs trained`.
    """

    def __init__(self, grounds: Grounds, course: Course, meter: Meter) -> None:
        self._grounds, self._course, self._meter = grounds, course, meter
        self._seed = course.training(1).seed or 0  # one for all of a course
        self._kept = 0
        self.past: list[Epoch] = []
        self.state: State | None = None
        for epochs in range(course.epochs, 0, -1):
            kept = grounds.checkpoints.load(self._key(epochs))
            if kept is not None:
                self.past = [Epoch(one["scores"], one["loss"]) for one in kept.facts["past"]]
                self.state, self._kept = _state(kept), epochs
                break

    def after(self, epochs: int) -> Epoch:
        """Give what is known after so many epochs.

        Raises:
            DivergedError: the training does not get there.
        """
        while len(self.past) < epochs:
            self._train()
        return self.past[epochs - 1]

    def keep(self) -> None:
        """Keep the state as it is."""
        done = len(self.past)
        if self.state is not None and done > self._kept:
            self._grounds.checkpoints.save(self._key(done), _checkpoint(self.state, self.past))
            self._kept = done

    def projection(self) -> Projection:
        """Give the adapter after the whole course."""
        self.after(self._course.epochs)
        assert self.state is not None  # a course has epochs
        return projection(self._course.training(self._course.epochs), self.state)

    def _train(self) -> None:
        number = len(self.past) + 1
        training, pairs = self._course.training(number), self._grounds.pairs
        before = self.state or beginning(training, pairs.queries.shape[1], self._seed)
        with self._meter.stage("train"):
            self.state, loss = epoch(before, training, pairs, self._seed)
        self._meter.count("epochs trained")
        with self._meter.stage("validate"):
            scores = self._grounds.scores(projection(training, self.state))
        self.past.append(Epoch(dict(scores), loss))
        if number % KEPT_EVERY == 0 or number == self._course.epochs:
            self.keep()

    def _key(self, epochs: int) -> str:
        return digest("adapter state", self._grounds.key, self._course.first(epochs).plain())


def projection(training: Training, state: State) -> Projection:
    """Give a state as the adapter that it is."""
    adapter = training.adapter
    return Projection(adapter.kind, adapter.sides, dict(state.weights))


def _checkpoint(state: State, past: Sequence[Epoch]) -> Checkpoint:
    arrays = {
        f"{part}.{name}": values for part in _PARTS for name, values in getattr(state, part).items()
    }
    known = [{"scores": dict(one.scores), "loss": one.loss} for one in past]
    return Checkpoint(arrays, {"past": known, "updates": state.updates, "epochs": state.epochs})


def _state(kept: Checkpoint) -> State:
    parts: dict[str, dict[str, Any]] = {part: {} for part in _PARTS}
    for name, values in kept.arrays.items():
        part, _, inner = name.partition(".")
        parts[part][inner] = values
    weights, first, second = (parts[part] for part in _PARTS)
    return State(weights, first, second, kept.facts["updates"], kept.facts["epochs"])
