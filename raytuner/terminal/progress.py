"""Shows a running sweep: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from raytuner.printable import plain
from raytuner.printable import spell as spell_value
from raytuner.schedule import current
from raytuner.sweeping.listener import Listener
from raytuner.trial import Trial


class Tracker:
    """What both faces show: how far, best so far, time left."""

    def __init__(self, total: int | None, metric: str | None, *, maximise: bool) -> None:
        self.total = total
        self.metric = metric
        self.maximise = maximise
        self.done = 0
        self.known = 0
        self.failed = 0
        self.pruned = 0
        self.answered = 0
        self._asked = "questions"
        self.best: tuple[float, Trial] | None = None
        self._costs: dict[str, float] = {}
        self._began = time.monotonic()
        self._new: set[str] = set()

    def started(self, trial: Trial) -> None:
        """Note that a trial needs work."""
        self._new.add(trial.key)

    def scored(self, trial: Trial, units: int) -> None:
        """Note questions answered; what they cost is the trial's."""
        if len(trial.units) > 1:  # else trials say it already
            self.answered += units
            self._asked = "steps" if trial.curve else "questions"
        self._costs[trial.key] = trial.cost.usd

    def ended(self, trial: Trial) -> None:
        """Note an end; trials that never started were known before."""
        self.done += 1
        self.pruned += trial.status == "pruned"
        self.known += trial.key not in self._new
        self.failed += trial.status == "failed"
        metric = self.metric or (trial.metrics[0] if trial.metrics else None)
        value = trial.mean(metric) if metric else None
        if value is None:
            return
        self.metric = metric
        better = self.best is None or (
            value > self.best[0] if self.maximise else value < self.best[0]
        )
        if better:
            self.best = (value, trial)

    def finals(self, trials: int, units: int) -> str:
        """Say what comes after the search."""
        who = "1 trial answers" if trials == 1 else f"{trials} trials answer"
        return f"the search is over: {who} {units} questions it has not seen"

    def left(self) -> float | None:
        """Estimate the seconds left from the trials that needed work."""
        worked = self.done - self.known
        if self.total is None or worked < 5:
            return None
        pace = (time.monotonic() - self._began) / worked
        return max(0.0, pace * (self.total - self.done))

    def line(self) -> str:
        """Say it in one line."""
        of = f"/{self.total}" if self.total is not None else ""
        parts = [f"{self.done}{of} trials"]
        if self.known:
            parts.append(f"{self.known} known before")
        if self.pruned:
            parts.append(f"{self.pruned} stopped early")
        if self.failed:
            parts.append(f"{self.failed} failed")
        if self.answered:
            parts.append(f"{self.answered:,} {self._asked}")
        if usd := sum(list(self._costs.values())):  # a copy: other threads draw too
            parts.append(f"${usd:.4f}")
        if self.best is not None:
            parts.append(f"best {self.metric} {self.best[0]:.4f} ({spell(self.best[1])})")
        left = self.left()
        if left is not None and self.done < (self.total or 0):
            parts.append(f"about {duration(left)} left")
        return ", ".join(parts)


def spell(trial: Trial) -> str:
    """Spell a trial's parameters shortly, by the last part of their names."""
    pairs = current(trial.params).items()
    return ", ".join(f"{plain(n).split('.')[-1]}={spell_value(v, 24)}" for n, v in pairs)


def duration(seconds: float) -> str:
    """Spell a duration: 42 s, 3 min, 2.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class PlainProgress:
    """Prints a line now and then, for logs and pipes."""

    def __init__(
        self, tracker: Tracker, stream: TextIO, every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._tracker = tracker
        self._stream = stream
        self._every = every
        self._clock = clock
        self._last = clock()

    def started(self, trial: Trial) -> None:
        """Note the start."""
        self._tracker.started(trial)

    def scored(self, trial: Trial, units: int) -> None:
        """Count, and show nothing: an end follows."""
        self._tracker.scored(trial, units)

    def ended(self, trial: Trial) -> None:
        """Print if it is time, or if this was the last one."""
        self._tracker.ended(trial)
        now = self._clock()
        if now - self._last >= self._every or self._tracker.done == self._tracker.total:
            self._last = now
            print(self._tracker.line(), file=self._stream, flush=True)

    def finals(self, trials: int, units: int) -> None:
        """Print that the search is over."""
        print(self._tracker.finals(trials, units), file=self._stream, flush=True)

    def waits(self, why: str) -> None:
        """Print what is waited for."""
        print(f"waiting: {why}", file=self._stream, flush=True)


class LiveProgress:
    """Redraws one line on a terminal."""

    def __init__(self, tracker: Tracker, stream: TextIO) -> None:
        from rich.console import Console
        from rich.status import Status

        self._tracker = tracker
        self._status = Status("starting", console=Console(file=stream))
        self._status.start()

    def started(self, trial: Trial) -> None:
        """Show what runs."""
        self._tracker.started(trial)
        self._draw(f"running {spell(trial)}")

    def scored(self, trial: Trial, units: int) -> None:
        """Show the questions answered."""
        self._tracker.scored(trial, units)
        self._draw(f"running {spell(trial)}")

    def ended(self, trial: Trial) -> None:
        """Show how far it is."""
        self._tracker.ended(trial)
        self._draw("")
        if self._tracker.done == self._tracker.total:
            self.close()

    def finals(self, trials: int, units: int) -> None:
        """Show what comes after the search."""
        self._status.start()
        self._draw(self._tracker.finals(trials, units))

    def waits(self, why: str) -> None:
        """Show what is waited for, until something else happens."""
        self._draw(f"waiting: {why}")

    def close(self) -> None:
        """Take the line away."""
        self._status.stop()

    def _draw(self, now: str) -> None:
        from rich.markup import escape

        text = self._tracker.line() + (f" | {now}" if now else "")
        self._status.update(escape(text))


def listener_for(
    total: int | None,
    metric: str | None = None,
    *,
    maximise: bool = True,
    stream: TextIO | None = None,
) -> Listener:
    """Choose the face that fits the stream (default: standard error)."""
    stream = stream or sys.stderr
    tracker = Tracker(total, metric, maximise=maximise)
    if stream.isatty():
        return LiveProgress(tracker, stream)
    return PlainProgress(tracker, stream)
