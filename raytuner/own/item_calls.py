"""Calls a function of the user's own for units, and makes scores or failures of what it gives."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
import traceback
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from raytuner.budget import BudgetExhaustedError
from raytuner.objective import LATENCY, Cost, Failure, Meter, UnitScore
from raytuner.own.awaiting import drained, run_apart
from raytuner.own.concurrent_items import in_thread, one_by_one, side_by_side
from raytuner.own.configuration import Config
from raytuner.own.identity import bare
from raytuner.own.items import Items
from raytuner.own.reading import read_result, spent
from raytuner.own.settings import OwnSettings
from raytuner.scores import failure_of

_AT_A_TIME = 8
NOTHING = Cost()


class ItemCalls:
    """Calls `function(item, config)`, or `function(config)` where there are no items.

    Args:
        function: sync or async; gives metrics (see `raytuner.own.reading`).
        settings: how it is called, and which metrics must be there.
    """

    def __init__(self, function: Callable[..., Any], settings: OwnSettings) -> None:
        self._function = function
        self._settings = settings
        self._dearest = 0.0

    def evaluate(
        self, config: Config, items: Items | None, units: Sequence[str], meter: Meter
    ) -> Iterator[list[UnitScore]]:
        """Call for every unit; several at the same time if the function is async."""
        if self._at_a_time > 1 or self._is_async or self._settings.timeout is not None:
            yield from drained(self.aevaluate(config, items, units, meter))
            return
        yield from one_by_one(
            lambda unit: self._call(config, items, unit, meter), units, lambda: meter.cancelled
        )

    async def aevaluate(
        self, config: Config, items: Items | None, units: Sequence[str], meter: Meter
    ) -> AsyncIterator[list[UnitScore]]:
        """Do it in the running loop; a function that is not async gets a thread."""

        async def call(unit: str) -> UnitScore:
            return await self._acall(config, items, unit, meter)

        batches = side_by_side(call, units, lambda: meter.cancelled, self._at_a_time)
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()

    @property
    def _is_async(self) -> bool:
        return inspect.iscoroutinefunction(inspect.unwrap(bare(self._function)))

    @property
    def _at_a_time(self) -> int:
        return self._settings.concurrency or (_AT_A_TIME if self._is_async else 1)

    def _call(self, config: Config, items: Items | None, unit: str, meter: Meter) -> UnitScore:
        held = self._hold(meter)
        began = time.perf_counter()
        try:
            given = self._function(*_arguments(config, items, unit))
        except (BudgetExhaustedError, KeyboardInterrupt):
            self._settle(held, Cost(), meter)
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit, a panic in Rust: it is this item's
            return self._broken(unit, error, began, held, meter)
        if inspect.isawaitable(given):  # a function that is not async may give one all the same
            try:
                given = run_apart(given)
            except Exception as error:  # noqa: BLE001
                return self._broken(unit, error, began, held, meter)
        return self._score(unit, given, began, held, meter)

    async def _acall(
        self, config: Config, items: Items | None, unit: str, meter: Meter
    ) -> UnitScore:
        held = self._hold(meter)
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._settings.timeout) as limit:
                arguments = _arguments(config, items, unit)
                if self._is_async:
                    given = await self._function(*arguments)
                else:
                    given = await in_thread(self._function, *arguments)
                    given = await given if inspect.isawaitable(given) else given
        except BudgetExhaustedError:
            self._settle(held, Cost(), meter)
            raise
        except BaseException as error:
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                self._settle(held, Cost(), meter)
                raise
            if isinstance(error, TimeoutError) and limit.expired():
                error = TimeoutError(f"it took more than {self._settings.timeout:g} seconds")
            return self._broken(unit, error, began, held, meter)
        return self._score(unit, given, began, held, meter)

    # ---- money, and what is made of a result

    def _hold(self, meter: Meter) -> float:
        """Set aside what the dearest call so far has cost: the budget has to have room for it."""
        dearest = self._dearest
        if dearest:
            meter.reserve(dearest)
        return dearest

    def _score(self, unit: str, given: Any, began: float, held: float, meter: Meter) -> UnitScore:
        seconds = time.perf_counter() - began
        try:
            found = read_result(given, self._settings.metrics)
        except Exception as error:  # noqa: BLE001 - a mapping of the user's own may raise anything
            return self._broken(unit, error, began, held, meter, _paid(given))
        self._settle(held, found.cost, meter)
        notes = {LATENCY: round(seconds, 6), **found.notes}
        return UnitScore(unit, found.scores, found.cost, seconds, notes=notes)

    def _broken(
        self,
        unit: str,
        error: BaseException,
        began: float,
        held: float,
        meter: Meter,
        cost: Cost = NOTHING,
    ) -> UnitScore:
        self._settle(held, cost, meter)
        failure = failure_of(error)
        message = failure.message + _place(error, self._function)
        if self._settings.items is not None:
            message = f"item {unit!r:.80}: {message}"
        failure = Failure(failure.kind, message, failure.retryable)
        return UnitScore(unit, {}, cost, time.perf_counter() - began, failure)

    def _settle(self, held: float, cost: Cost, meter: Meter) -> None:
        if held or any(cost):
            meter.settle(held, cost)
        self._dearest = max(self._dearest, cost.usd)


def _paid(given: Any) -> Cost:
    """Tell what a result has cost that cannot be used."""
    with contextlib.suppress(Exception):  # a mapping of the user's own may raise anything
        return spent(given)
    return NOTHING


def _arguments(config: Config, items: Items | None, unit: str) -> tuple[Any, ...]:
    own = Config(config)  # a function may change what it is given
    return (own,) if items is None else (dict(items[unit]), own)


def _place(error: BaseException, function: Any) -> str:
    """Say where in the user's file an exception comes from."""
    code = getattr(bare(function), "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if code and frame.filename == code.co_filename]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
