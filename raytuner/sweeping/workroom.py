"""Where a search makes proposals in the background of a sweep: meters, the record, the wake-up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from raytuner.budget import BudgetExhaustedError
from raytuner.events import begun_event, made_event
from raytuner.journal import Journal
from raytuner.meter import WorkMeter
from raytuner.objective import Meter, Tally
from raytuner.record import Record
from raytuner.search.port import Unaffordable


class Room:
    """The workroom of one session; see `raytuner.search.port.Workroom`.

    Args:
        journal: where beginnings and ends are recorded.
        record: takes in what it has cost.
        meter: makes the meter of one piece of work.
        wake: makes a change to the record, and has the sweep ask again.
    """

    def __init__(
        self,
        journal: Journal,
        record: Record,
        meter: Callable[[], WorkMeter],
        wake: Callable[[Callable[[], None] | None], None],
    ) -> None:
        self._wake = wake
        self._journal = journal
        self._record = record
        self._meter = meter
        self._meters: dict[int, WorkMeter] = {}
        self._lock = threading.Lock()
        self._closed = False

    @property
    def units(self) -> Sequence[str]:
        """Every question that is searched with."""
        return self._record.units

    def begin(self, number: int, *, again: bool) -> Meter:
        """Record that a proposal is begun, unless that is on record; give its meter."""
        with self._lock:
            if not again and not self._closed:
                self._journal.append(begun_event(number), durable=False)
            self._meters[number] = self._meter()
            return self._meters[number]

    def made(self, number: int, point: str, failure: str = "") -> None:
        """Record that a proposal is made, and what that took; nothing once the session is over."""
        with self._lock:
            if self._closed:
                return
            meter = self._meters.pop(number)
            tally = Tally(dict(meter.counts), meter.cost)
            self._journal.append(made_event(number, point, tally, failure), durable=False)
        # Not under the lock: a sweep that asks holds its own, and may be waiting for this one.
        self._wake(lambda: self._record.made(tally.cost, tally.counts))

    @contextlib.contextmanager
    def paying(self) -> Iterator[None]:
        """Say `Unaffordable` where the budget has no room."""
        try:
            yield
        except BudgetExhaustedError as error:
            raise Unaffordable(str(error)) from error

    def wake(self) -> None:
        """Have the sweep ask again."""
        self._wake(None)

    def close(self) -> None:
        """Record nothing more."""
        with self._lock:
            self._closed = True
