"""Limits per minute over a sliding window, and how OpenAI tells of them in headers."""

import math
import time
from collections import deque


class Window:
    """One limit: amounts that were let through in the last `seconds`."""

    def __init__(self, per_minute, seconds, clock=time.monotonic):
        self.per_minute = per_minute
        self.seconds = seconds
        self.room = per_minute * seconds / 60
        self._clock = clock
        self._taken = deque()
        self._sum = 0.0

    def wait(self, amount):
        """Give seconds until so much can be let through; infinite for more than ever fits."""
        self._forget()
        over = self._sum + amount - self.room
        if over <= 1e-9:
            return 0.0
        for moment, taken in self._taken:
            over -= taken
            if over <= 1e-9:
                return max(moment + self.seconds - self._clock(), 0.001)
        return math.inf

    def take(self, amount):
        """Let it through."""
        self._taken.append((self._clock(), amount))
        self._sum += amount

    def left(self):
        """Give what is left, and the seconds until all of it is there again."""
        self._forget()
        reset = self._taken[-1][0] + self.seconds - self._clock() if self._taken else 0.0
        return max(int(self.room - self._sum), 0), max(reset, 0.0)

    def _forget(self):
        old = self._clock() - self.seconds
        while self._taken and self._taken[0][0] <= old:
            self._sum -= self._taken.popleft()[1]


class Limits:
    """The windows of an endpoint."""

    def __init__(self, settings):
        given = {
            "requests": settings.requests_per_minute,
            "tokens": settings.tokens_per_minute,
        }
        self.windows = {
            name: Window(limit, settings.window) for name, limit in given.items() if limit
        }

    def refused(self, tokens):
        """Let a request through, or give the name of the limit and seconds to wait."""
        amounts = {"requests": 1, "tokens": tokens}
        waits = {name: window.wait(amounts[name]) for name, window in self.windows.items()}
        name = max(waits, key=waits.get, default=None)
        if name is not None and waits[name] > 0:
            return name, waits[name]
        for each, window in self.windows.items():
            window.take(amounts[each])
        return None

    def headers(self):
        """Spell limits, what is left of them, and when they are whole again."""
        found = {}
        for name, window in self.windows.items():
            left, reset = window.left()
            found[f"x-ratelimit-limit-{name}"] = str(int(window.per_minute))
            found[f"x-ratelimit-remaining-{name}"] = str(left)
            found[f"x-ratelimit-reset-{name}"] = duration(reset)
        return found


def duration(seconds):
    """Spell seconds as OpenAI does: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    spelled = f"{round(rest, 3):g}s"
    return f"{int(minutes)}m{spelled}" if minutes else spelled
