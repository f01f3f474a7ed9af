"""How many calls at once an endpoint takes, learned from what it accepts and refuses. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable

_BRIEF = 0.01
"""A shorter time asks nobody to stay away."""
_QUIET = 60.0
"""Seconds without a refusal before one more call at once is tried; doubled when that fails."""
_LONGEST_QUIET = 3600.0
_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 30.0
_JITTER = 0.1


class Pace:
    """The number of calls that may be under way, and until when there may be no new ones.

    A refusal tells one of three things. The endpoint serves nobody else: it wants fewer calls a
    minute, not fewer at once. It serves others, and names no time: those are as many as it
    serves at once. It names a time: everybody stays away that long and comes back gently; if it
    refuses again soon, those that it serves then are as many as it serves at once.

    Calls are numbered in the order of their starts.

    Args:
        most: calls at once that are never exceeded.
        chance: gives numbers from 0 to 1, so that pauses of several callers differ.

    Attributes:
        effective: calls at once that the endpoint is believed to take.
        paused_until: no call may start before.
    """

    def __init__(self, most: int, chance: Callable[[], float] = random.random) -> None:
        self.effective = most
        self.paused_until = 0.0
        self._most = most
        self._chance = chance
        self._ramp: int | None = None  # calls at once for now, while it comes back from a pause
        self._steep = 0  # up to here it comes back fast
        self._before: int | None = None  # `effective` before the refusals of this moment
        self._refused_at = 0.0
        self._refused_number = 0  # calls up to here had started at the latest refusal
        self._accepted: int | None = None  # calls since the latest refusal; None: never any
        self._narrows = False  # whether the refusals of this moment mean too many at once
        self._in_vain = 0  # refusals with nobody being served, since one was accepted
        self._quiet = _QUIET
        self._grown = False
        self._successes = 0

    @property
    def at_once(self) -> int:
        """Calls that may be under way now."""
        return self.effective if self._ramp is None else min(self._ramp, self.effective)

    def lower(self, most: int) -> None:
        """Keep to `most` too."""
        self._most = min(self._most, most)
        self.effective = min(self.effective, most)

    def accepted(self, number: int, now: float) -> None:
        """Note that a call was served: grow back, step by step."""
        if number <= self._refused_number:
            return  # it started before the latest refusal, and says nothing about after
        self._before = None
        self._in_vain = 0
        if self._accepted is not None:
            self._accepted += 1
        if self._ramp is not None:
            self._climb(self._ramp)
        elif self.effective < self._most and now >= self._refused_at + self._quiet:
            self._successes += 1
            if self._successes >= self.effective:
                self.effective += 1
                self._successes = 0
                self._grown = True

    def _climb(self, ramp: int) -> None:
        """Come back from a pause: a step for every call at first, then for every round of them."""
        self._successes += 1
        if ramp < self._steep or self._successes >= ramp:
            self._successes = 0
            self._ramp = ramp + 1 if ramp + 1 < self.effective else None

    def refused(self, number: int, *, started: int, others: int, asked: float, now: float) -> None:
        """Note that a call was refused as one too many: slow down.

        Args:
            number: of the call.
            started: number of the latest call.
            others: calls that are under way beside it.
            asked: seconds for which the endpoint wants to be left alone; 0: it names none.
            now: time in seconds.
        """
        if number > self._refused_number:  # else it started together with the one before
            self._begin(timed=asked >= _BRIEF)
        if not others:
            self.effective = self._before or self.effective
        elif self._narrows:
            self._before = self._before or self.effective
            self.effective = min(self.effective, others)
        if asked >= _BRIEF:
            self._set_ramp(others)
            self._pause(now + asked * (1 + _JITTER * self._chance()))
        elif not others:
            self._set_ramp(0)
            backoff = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0**self._in_vain)
            self._in_vain = min(self._in_vain + 1, 10)
            self._pause(now + backoff * (0.5 + 0.5 * self._chance()))
        self._refused_at = now
        self._refused_number = started
        self._successes = 0

    def _begin(self, *, timed: bool) -> None:
        """Decide what the refusals of this moment mean."""
        soon = self._accepted is not None and self._accepted < 2 * self.effective
        self._narrows = soon or not timed
        self._accepted = 0
        if self._grown:
            self._quiet = min(_LONGEST_QUIET, 2 * self._quiet)
            self._grown = False

    def _set_ramp(self, served: int) -> None:
        self._ramp = max(1, served)
        self._steep = served if served > self.effective // 8 else self.effective // 2

    def _pause(self, until: float) -> None:
        self.paused_until = max(self.paused_until, until)
