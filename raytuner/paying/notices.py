"""Says so when calls wait long for an endpoint: silence looks like a hang."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

LONG = 10.0
"""Seconds from which a wait is worth a word."""
_EVERY = 30.0
"""Seconds, at least, between two words on it."""

Told = Callable[[str], None]


class Notices:
    """Turns the waits of one limiter into sentences, now and then.

    Args:
        told: gets a sentence. Is called on the event loop of the gate, and must return fast.
        clock: seconds, monotonic.
    """

    def __init__(self, told: Told, clock: Callable[[], float] = time.monotonic) -> None:
        self._told = told
        self._clock = clock
        self._silent_until = 0.0

    def waits(self, seconds: float) -> None:
        """Note that no call can be made for so long."""
        now = self._clock()
        if seconds < LONG or now < self._silent_until:
            return
        self._silent_until = now + max(seconds, _EVERY)
        with contextlib.suppress(Exception):  # a courtesy, which must not hold anybody up
            self._told(f"a rate limit holds calls back: the next one in {seconds:.0f} s")
