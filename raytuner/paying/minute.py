"""What has been asked of an endpoint in the last minute, and when there will be room again."""

from __future__ import annotations

from collections import deque

from raytuner.ports.gate import Limits

WINDOW = 60.1
"""Seconds; a little more than a minute, because calls overtake each other on the wire."""


class Slot:
    """Leave for one call.

    Attributes:
        number: slots are numbered in the order of their starts.
        time: when it was given.
        tokens: what the call is taken to use.
        counted: whether it still counts for the limits per minute.
    """

    __slots__ = ("counted", "number", "time", "tokens")

    def __init__(self, number: int, now: float, tokens: int) -> None:
        self.number = number
        self.time = now
        self.tokens = tokens
        self.counted = True


class Minute:
    """Counts the requests and tokens of the slots given within a window.

    Args:
        window: seconds over which they are counted.
    """

    def __init__(self, window: float = WINDOW) -> None:
        self._window = window
        self._log: deque[Slot] = deque()
        self._requests = 0
        self._tokens = 0

    def add(self, slot: Slot) -> None:
        """Count a slot that is given now."""
        self._log.append(slot)
        self._requests += 1
        self._tokens += slot.tokens

    def correct(self, slot: Slot, used: int) -> None:
        """Take what a call has used for what it was taken to use, if it counts still."""
        if slot.counted:
            self._tokens += used - slot.tokens
            slot.tokens = used

    def uncount(self, slot: Slot) -> None:
        """Count a slot no more."""
        if slot.counted:
            slot.counted = False
            self._requests -= 1
            self._tokens -= slot.tokens

    def forget(self, now: float) -> None:
        """Drop what is older than the window."""
        while self._log and now >= self._log[0].time + self._window:
            self.uncount(self._log.popleft())

    def full(self, tokens: int, limits: Limits) -> bool:
        """Tell whether there is no room for a call of so many tokens."""
        return _exceeds(limits, self._requests, self._tokens, tokens)

    def room_at(self, tokens: int, limits: Limits) -> float | None:
        """Give the moment at which enough is dropped for a call; None: there is room."""
        requests, used, moment = self._requests, self._tokens, None
        for slot in self._log:
            if not _exceeds(limits, requests, used, tokens):
                break
            moment = slot.time + self._window
            if slot.counted:
                requests, used = requests - 1, used - slot.tokens
        return moment


def _exceeds(limits: Limits, made: int, used: int, tokens: int) -> bool:
    """Tell whether a call is too much after others; one larger than the limit may be alone."""
    if limits.requests is not None and made >= limits.requests:
        return True
    return limits.tokens is not None and used > 0 and used + tokens > limits.tokens
