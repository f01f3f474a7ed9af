"""The last round of a study: finalists and trial 0 answer questions that no search has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raytuner.events import look_event
from raytuner.journal import Journal
from raytuner.record import Record
from raytuner.trial import Trial

KEPT = 0.25
"""Share of the dollars, tokens and seconds that is kept for this round while a search goes on.

Four configurations on 60 % of the questions are a quarter of what twenty complete trials on the
other 40 % and they take together.
"""

Choose = Callable[[], Sequence[Trial]]
"""Gives the configuration as it stands and the finalists; nothing if there are none to compare."""


class Finals:
    """Hands out the trials that answer the held-out questions, and puts the look on record.

    Args:
        record: what is known of every trial.
        journal: where the look is recorded, before anything is asked.
        choose: names the trials, once the search is over.
    """

    def __init__(self, record: Record, journal: Journal, choose: Choose) -> None:
        self._record = record
        self._journal = journal
        self._choose = choose
        self._waiting: list[Trial] = []

    def open(self) -> int:
        """Choose who is compared; give how many of them have questions left to answer."""
        trials = self._choose()
        keys = frozenset(trial.key for trial in trials)
        if trials and keys not in self._record.looks:
            self._journal.append(look_event(keys, self._record.held_out))
            self._record.look(keys)
        self._waiting = [trial for trial in trials if trial.held.missing()]
        return len(self._waiting)

    def unfinished(self) -> bool:
        """Tell whether anybody would have questions left to answer."""
        return any(trial.held.missing() for trial in self._choose())

    def next(self) -> Trial | None:
        """Give a trial that has not begun in this session."""
        return self._waiting.pop(0) if self._waiting else None
