"""What every search that learns has to stand up to, whichever library is behind it."""

import math
import random

from hypothesis import assume

from raytuner.component import digest
from raytuner.search import Exhausted
from raytuner.space import Space

RAG = Space.parse(
    {
        "chunker": ["fixed", "sentence", "whole"],
        "size": {"int": [64, 1024], "log": True, "when": {"chunker": ["fixed", "sentence"]}},
        "overlap": {"float": [0.0, 0.5], "step": 0.05, "when": {"chunker": "fixed"}},
        "top_k": {"int": [1, 20]},
        "temperature": {"float": [0.01, 2.0], "log": True},
        "tools": {"subset": ["search", "sql", "web"], "min": 1, "max": 2},
        "rounds": {"int": [1, 3], "when": {"tools": "sql"}},
        "fixed": {"choice": ["only"]},
        "rerank": "bool",
    },
    ["top_k >= 2 * rounds"],
)


def lead(proposer, score, steps, first=0):
    """Ask and tell; a trial now and then fails, rungs are reported before the end."""
    found = []
    for step in range(first, first + steps):
        point = proposer.ask()
        found.append(point)
        if step % 7 == 3:
            proposer.tell(point, None, units=4 if step % 2 else None)
            continue
        proposer.tell(point, score(point) - 0.1, units=4, ended=step % 3 == 0)
        if step % 3:
            proposer.tell(point, score(point))
    return found


def worth(point):
    """A score that depends on the point and on nothing else."""
    return random.Random(digest(point)).random()


def exhaust(search, space, seed=0):
    """Ask until there is nothing left."""
    proposer, found = search.start(space, seed), []
    while True:
        try:
            found.append(proposer.ask())
        except Exhausted:
            return found
        proposer.tell(found[-1], worth(found[-1]) if len(found) % 5 else None)


def check_covers(search, spelled, seed):
    """A finite space is proposed exactly once."""
    space = Space.parse(*spelled)
    assume(space.total() and space.total() <= 20)
    found = exhaust(search, space, seed)
    assert sorted(map(repr, found)) == sorted(map(repr, space.every()))


def check_points(search, space, steps, seed=0):
    """Every proposal is an active point inside the constraints, and a new one."""
    found = lead(search.start(space, seed), worth, steps)
    for point in found:
        assert space.active(point) == point
        assert list(space.active(point)) == list(point)
        assert space.contains(point)
    assert len({digest(point) for point in found}) == steps


def check_resume(search, space, steps, seed=0):
    """One that is led through the record goes on like the one that was never away."""
    undisturbed, resumed = search.start(space, seed), search.start(space, seed)
    baseline = space.sample(random.Random(seed))
    undisturbed.tell(baseline, 0.5)
    resumed.tell(baseline, 0.5)
    before = lead(undisturbed, worth, steps)
    replay = iter(before)

    class Recorded:
        def ask(self):
            point = next(replay)
            resumed.recall(point)
            return point

        tell = staticmethod(resumed.tell)

    assert lead(Recorded(), worth, steps) == before
    again = lead(undisturbed, worth, 6, steps)
    assert lead(resumed, worth, 6, steps) == again


def bowl(point):
    """Best at 0.3, 0.7."""
    return -((point["x"] - 0.3) ** 2) - (point["y"] - 0.7) ** 2


SQUARE = Space.parse({"x": {"float": [0, 1]}, "y": {"float": [0, 1]}})


def best(search, seed, steps, score=bowl, space=SQUARE):
    proposer, found = search.start(space, seed), -math.inf
    for _ in range(steps):
        point = proposer.ask()
        value = score(point)
        proposer.tell(point, value)
        found = max(found, value)
    return found
