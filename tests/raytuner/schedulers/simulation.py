"""A driver without workers: carries out what a judge decides, and holds it to its contract."""

import itertools
import random
from dataclasses import dataclass, field

from hypothesis import strategies as st

from raytuner.schedulers import Asha, Bohb, Full, Halving, HyperBand, Median, PopulationBased, Race

MANY = 10_000
"""Drains that no study can need."""


@dataclass
class Outcome:
    """What became of all trials: units answered by key, and every call with its answer."""

    complete: list = field(default_factory=list)
    stopped: dict = field(default_factory=dict)
    failed: dict = field(default_factory=dict)
    answered: dict = field(default_factory=dict)
    calls: list = field(default_factory=list)

    @property
    def cost(self):
        """Questions answered by all trials together; a rung is paid once."""
        return sum(self.answered.values())


class Driver:
    """Runs trials to their rungs in an order that chance chooses.

    Args:
        scheduler: the scheduler to drive.
        units: questions.
        score: gives the score of a key over its first questions.
        waves: lists of keys; a wave is proposed when the one before it came to rest.
        workers: trials under way at once.
        fails: tells whether a key fails on its way to a number of questions.
        chance: a source of random choices; None takes what came first.
    """

    def __init__(
        self, scheduler, units, score, waves, *, workers=1, fails=None, chance=None, seed=0
    ):
        self.units = units
        self.rungs = scheduler.rungs(units)
        self.judge = scheduler.start(units, seed)
        self.score = score
        self.waves = [list(wave) for wave in waves]
        self.workers = workers
        self.fails = fails or (lambda key, units: False)
        self.chance = chance
        self.outcome = Outcome()
        self.ready = {}
        self.running = {}
        self.paused = {}

    def run(self):
        for wave in self.waves:
            waiting = iter(wave)
            drains = 0
            while True:
                self.fill(waiting)
                if self.running:
                    self.finish()
                    continue
                drains += 1
                assert drains < MANY, "an endless drain"
                decided = self.call("drain")
                self.carry(decided)
                if not decided:
                    self.outcome.stopped |= self.paused
                    self.paused = {}
                    break
        assert not self.ready
        return self.outcome

    def fill(self, waiting):
        while len(self.running) < self.workers:
            if self.ready:
                key = next(iter(self.ready))
                self.running[key] = self.ready.pop(key)
            elif (key := next(waiting, None)) is not None:
                self.outcome.answered[key] = 0
                self.running[key] = self.call("add", key)
                assert self.running[key] in self.rungs
            else:
                return

    def finish(self):
        keys = list(self.running)
        key = self.chance.choice(keys) if self.chance else keys[0]
        units = self.running.pop(key)
        if self.fails(key, units):
            self.outcome.failed[key] = units
            self.carry(self.call("drop", key))
            return
        self.outcome.answered[key] = units
        if units == self.units:
            self.outcome.complete.append(key)
        else:
            self.paused[key] = units
        self.carry(self.call("report", key, units, self.score(key, units)))

    def call(self, name, *args):
        answer = getattr(self.judge, name)(*args)
        self.outcome.calls.append((name, args, answer))
        return answer

    def carry(self, decisions):
        for key, units in decisions.items():
            reached = self.paused.pop(key, None)
            assert reached is not None, f"{key} is not paused"
            if units is None:
                self.outcome.stopped[key] = reached
            else:
                assert units > reached
                assert units in self.rungs
                self.ready[key] = units


def replayed(scheduler, units, outcome):
    """Repeat recorded calls to a fresh judge; give its answers."""
    judge = scheduler.start(units, 0)
    return [(name, args, getattr(judge, name)(*args)) for name, args, _ in outcome.calls]


def keys(count, prefix="t"):
    return [f"{prefix}{number:05d}" for number in range(count)]


def noisy(seed, grain=None):
    """Give scores that get closer to each trial's own worth with more questions."""

    def score(key, units):
        worth = random.Random(f"{seed} {key}").random()
        value = worth + random.Random(f"{seed} {key} {units}").gauss(0, 0.5) / units**0.5
        return value if grain is None else round(value / grain) * grain

    return score


def fraction(seed, rate):
    """Let a share of all attempts fail."""
    return lambda key, units: random.Random(f"{seed} {key} {units} fails").random() < rate


REDUCTIONS = st.integers(2, 5)
GRACES = st.none() | st.integers(1, 6)
INTERVALS = st.none() | st.integers(1, 6)
SCHEDULERS = st.one_of(
    st.just(Full()),
    st.builds(
        Asha, grace=GRACES, reduction=REDUCTIONS, variant=st.sampled_from(["promote", "stop"])
    ),
    st.builds(Halving, grace=GRACES, reduction=REDUCTIONS, trials=st.none() | st.integers(1, 20)),
    st.builds(HyperBand, grace=GRACES, reduction=REDUCTIONS),
    st.builds(Bohb, grace=GRACES, reduction=REDUCTIONS),
    st.builds(
        Race,
        grace=st.none() | st.integers(2, 6),
        risk=st.sampled_from([0.05, 0.3]),
        contenders=st.integers(1, 6),
        trials=st.none() | st.integers(1, 20),
    ),
    st.builds(Median, grace=GRACES, interval=INTERVALS, min_trials=st.integers(1, 6)),
    st.builds(
        PopulationBased,
        population=st.integers(4, 9),
        interval=INTERVALS,
        quantile=st.sampled_from([0.25, 0.5]),
    ),
)
EVERY = [
    Asha(),
    Asha(variant="stop"),
    Halving(),
    Halving(trials=27),
    HyperBand(),
    Bohb(),
    Median(),
    Race(),
    Race(trials=20),
    PopulationBased(population=20, quantile=0.5),
]


def label(scheduler):
    fields = itertools.chain([scheduler.kind], sorted(scheduler.model_fields_set))
    return " ".join(fields)
