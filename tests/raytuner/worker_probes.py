"""Objectives that play a script, for the tests of the trial boundary."""

import asyncio

from raytuner.objective import Cost, Failure, Objective, UnitScore

UNITS = ("a", "b", "c", "d")


class Script(Objective):
    """Plays one function per attempt; each gives batches from (units, meter)."""

    def __init__(self, *attempts):
        self.attempts = list(attempts)
        self.asked = []

    def units(self):
        return UNITS

    def key(self, params):
        return "k"

    def evaluate(self, params, units, meter):
        self.asked.append(tuple(units))
        return iter(self.attempts[min(len(self.asked), len(self.attempts)) - 1](units, meter))


class Closing(Script):
    """Gives its batches as a generator and notes that it was closed."""

    closed = False

    def evaluate(self, params, units, meter):
        try:
            yield from super().evaluate(params, units, meter)
        finally:
            self.closed = True

    async def aevaluate(self, params, units, meter):
        try:
            for batch in super().evaluate(params, units, meter):
                await asyncio.sleep(0)
                yield batch
        finally:
            self.closed = True


def good(units, meter):
    return [[UnitScore(unit, {"hit": 1.0})] for unit in units]


def fails(*bad, kind="rate_limit", retryable=True):
    def attempt(units, meter):
        failure = Failure(kind, "no", retryable)
        for unit in units:
            if unit in bad:
                yield [UnitScore(unit, {}, Cost(0.25, calls=1), 1.0, failure)]
            else:
                yield [UnitScore(unit, {"hit": 1.0}, Cost(0.5, calls=1))]

    return attempt


def raises(error, after=0):
    def attempt(units, meter):
        yield from good(units[:after], meter)
        raise error

    return attempt
