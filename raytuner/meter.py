"""Accounts the work of one trial while it is done: counters, stage times, money."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.objective import Cost
from raytuner.ports.gate import Demand, Gate, Permit, Report, background, run_in_background


class WorkMeter:
    """The meter that workers hand to an objective. Thread-safe.

    Args:
        purse: the sweep's money; None: it is reached through the gate, or there is none to spend.
        cancel: set when the sweep wants its workers to end.
        clock: seconds, monotonic.
        gate: the sweep's gate for paid calls.
    """

    def __init__(
        self,
        purse: Purse | None = None,
        cancel: threading.Event | None = None,
        clock: Callable[[], float] = time.perf_counter,
        gate: Gate | None = None,
    ) -> None:
        self._purse = purse or (Purse(None) if gate is None else _FarPurse(gate))
        self._cancel = cancel or threading.Event()
        self._clock = clock
        self._lock = threading.Lock()
        self._open = threading.local()
        self.gate = gate
        self.counts: dict[str, int] = {}
        self.stages: dict[str, float] = {}
        self.cost = Cost()

    def reserve(self, usd: float) -> None:
        """Set money aside for a call; see `Purse.reserve`. Not from the loop of paid calls."""
        self._purse.reserve(usd)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Replace a reservation by the real cost."""
        self._purse.settle(reserved, cost)
        with self._lock:
            self.cost = self.cost.plus(cost)

    def spend(self, cost: Cost) -> None:
        """Note what calls have cost whose money went through the gate."""
        with self._lock:
            self.cost = self.cost.plus(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + int(amount)

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; time inside a nested stage counts for the nested one only."""
        outer: list[float] = getattr(self._open, "nested", [])
        self._open.nested = nested = [0.0]
        started = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - started
            self._open.nested = outer
            if outer:
                outer[0] += seconds
            with self._lock:
                self.stages[name] = self.stages.get(name, 0.0) + seconds - nested[0]

    @property
    def cancelled(self) -> bool:
        """Whether the sweep is ending."""
        return self._cancel.is_set()

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the sweep."""
        self._cancel.wait(seconds)


class _FarPurse:
    """The sweep's purse as a worker elsewhere sees it: by asking the gate. Thread-safe."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._reserved: dict[float, list[Permit]] = {}

    def reserve(self, usd: float) -> None:
        """Set `usd` aside; see `Purse.reserve`."""
        permit = self._ask(usd)
        with self._lock:
            self._reserved.setdefault(usd, []).append(permit)

    def settle(self, reserved: float, cost: Cost) -> None:
        """Turn a reservation into what the call cost; a cost without one is counted too."""
        with self._lock:
            permits = self._reserved.get(reserved)
            permit = permits.pop() if permits else None
            if not permits:
                self._reserved.pop(reserved, None)
        if permit is None:
            if not cost.usd and not cost.tokens_in and not cost.tokens_out:
                return
            try:
                permit = self._ask(0.0)
            except BudgetExhaustedError:  # the sweep ends; the unit's cost goes on record
                return
        background().call_soon_threadsafe(self._gate.settle, permit, Report(cost=cost))

    def _ask(self, usd: float) -> Permit:
        return run_in_background(self._gate.admit(Demand(lane="", usd=usd, patient=False)))
