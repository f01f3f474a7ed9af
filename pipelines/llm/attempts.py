"""One paid call, tried until it succeeds or there is no point: leave first, then money, then wire.

Everything that costs money or is rate-limited comes through here: chat and embeddings alike. The
gate paces calls, so that a refused call simply asks it again; failures of other kinds wait.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from raytuner.objective import Cost, Failure, ObjectiveFailure
from raytuner.ports.gate import Demand, Gate, Permit, Report

_Value = TypeVar("_Value")
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 20.0
_jitter = random.Random()


class Policy(NamedTuple):
    """How long and how often to try.

    Attributes:
        timeout: seconds for one attempt.
        deadline: seconds for all attempts and the pauses between, waiting for leave aside.
        retries: further attempts after the first.
    """

    timeout: float = 60.0
    deadline: float = 300.0
    retries: int = 4


@dataclass
class Outcome(Generic[_Value]):
    """What became of a call.

    Attributes:
        value: what it brought, or None.
        answer: what an equal call elsewhere has brought, or None.
        failure: why there is neither.
        paid: what all attempts have cost; where nobody knows, what was set aside.
        calls: attempts that reached the wire.
        seconds: the last attempt took.
    """

    value: _Value | None = None
    answer: bytes | None = None
    failure: Failure | None = None
    paid: Cost = field(default_factory=Cost)
    calls: int = 0
    seconds: float = 0.0

    def failed(self, error: ObjectiveFailure) -> Outcome[_Value]:
        """Note the failure."""
        self.failure = error.failure
        return self


Attempting = Callable[[], Awaitable[tuple[_Value, Report]]]
Translating = Callable[[Exception], tuple[Exception, Report]]


async def persist(
    gate: Gate,
    demand: Demand,
    attempt: Attempting[_Value],
    translate: Translating,
    policy: Policy,
    outcome: Outcome[_Value] | None = None,
) -> Outcome[_Value]:
    """Try a call.

    Args:
        gate: gives leave for every attempt.
        demand: what is asked of it.
        attempt: makes the call once; its report holds cost and limits.
        translate: says what an exception of `attempt` means.
        policy: when to give up.
        outcome: a new one, to be filled: it says what was paid also where this raises.

    Raises:
        BudgetExhaustedError: there is no money for (another) attempt, or the sweep is ending.
        ConfigError: the endpoint refuses key or model: no use in trying anything else there.
    """
    outcome = Outcome() if outcome is None else outcome
    used = 0.0
    for number in range(policy.retries + 1):
        permit = await gate.admit(demand)
        if permit.answer is not None:
            outcome.answer = permit.answer
            return outcome
        began = time.monotonic()
        error = await _once(gate, permit, demand, attempt, translate, policy, outcome)
        outcome.seconds = time.monotonic() - began
        used += outcome.seconds
        if error is None:
            return outcome
        if not error.failure.retryable or number == policy.retries:
            return outcome.failed(error)
        pause = 0.0 if error.failure.kind == "rate_limit" else _pause(number)
        if used + pause > policy.deadline:
            return outcome.failed(error)
        used += pause
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")


async def _once(
    gate: Gate,
    permit: Permit,
    demand: Demand,
    attempt: Attempting[_Value],
    translate: Translating,
    policy: Policy,
    outcome: Outcome[_Value],
) -> ObjectiveFailure | None:
    """Make one attempt and give its permit back, whatever happens."""
    report = Report(cost=None)  # of a call that is broken off nobody knows the cost
    outcome.calls += 1
    try:
        async with asyncio.timeout(policy.timeout):
            outcome.value, report = await attempt()
    except Exception as raised:  # noqa: BLE001 - `translate` tells them apart
        error, report = translate(raised)
        if not isinstance(error, ObjectiveFailure):
            raise error from None
        return error
    finally:
        gate.settle(permit, report)
        cost = report.cost
        if cost is None:
            cost = Cost(demand.usd, calls=1)
        outcome.paid = outcome.paid.plus(cost)
    return None


def _pause(number: int) -> float:
    """Give seconds before the next attempt: doubled every time, half of it by chance."""
    whole: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**number)
    return whole * (0.5 + 0.5 * _jitter.random())
