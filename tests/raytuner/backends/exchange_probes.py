"""Actors that stand for workers on nodes of their own, for the tests of the exchange on Ray."""

import os
import signal
import time

import numpy as np
import ray

from raytuner.backends.ray_exchange import join_exchange
from raytuner.objective import Objective, Tally


class Stages(Objective):
    """Keeps the exchange it is given."""

    exchange = None

    def units(self):
        return ("only",)

    def key(self, params):
        return str(dict(params))

    def evaluate(self, params, units, meter):
        yield []

    def share(self, exchange):
        self.exchange = exchange


def made(length):
    """An artifact of `length` numbers."""
    return {"row": np.arange(length, dtype=np.float32), "table": np.ones((2, 3))}


def plant(registry, key, boxed):
    """Make the registry keep another object for a key."""
    registry._places[key].kept = boxed[0]


class Worker:
    """Joins an exchange and asks for artifacts."""

    def __init__(self, handle, objective=None):
        self.objective = objective or Stages()
        join_exchange(handle, self.objective)

    def pid(self):
        return os.getpid()

    def put(self):
        """Give an object that is lost with this process."""
        return [ray.put(made(10))]

    def obtain(self, key, log, length=10, seconds=0.0, fault=None):
        """Give the sum of what came, whether it was built here, and whether it may be written.

        `log` gets a line for each build; `fault` happens to the first one.
        """
        here = []

        def build():
            here.append(key)
            first = not log.exists()
            with log.open("a") as file:
                file.write(f"{os.getpid()}\n")
            time.sleep(seconds)
            if first and fault == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if first and fault == "raise":
                raise LookupError("nothing to build from")
            return made(length)

        arrays = self.objective.exchange.obtain(key, build)
        own = any(a.flags.writeable or a.flags.owndata for a in arrays.values())
        return arrays["row"].sum(), bool(here), own

    def move(self, cache, handle, objective):
        """Take part in another exchange, as if on a node with a cache of its own."""
        os.environ["RAYTUNER_CACHE"] = cache
        join_exchange(handle, objective)
        self.objective = objective

    def score(self, points):
        """Evaluate a shared objective: scores by point and question, and work done."""
        tally, found = Tally(), {}
        for point in points:
            for batch in self.objective.evaluate(point, self.objective.units(), tally):
                rows = {(self.objective.key(point), row.unit): dict(row.scores) for row in batch}
                found |= rows
        return found, tally.counts
