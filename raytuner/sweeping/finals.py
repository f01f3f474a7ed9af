"""The last round of a study: finalists and trial 0 answer questions that no search has seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raytuner.events import look_event
from raytuner.journal import Journal
from raytuner.objective import UnitScore
from raytuner.record import Record
from raytuner.trial import Trial

KEPT = 0.25
"""Share of the dollars, tokens and seconds that is kept for this round until costs are known.

Four configurations on 60 % of the questions are a quarter of what twenty complete trials on the
other 40 % and they take together.
"""
_MOST = 0.6
"""Share of a budget that is kept at most; a search needs something, too."""
COMPARED = 4
"""Trials that answer the held-out questions, the configuration as it stands among them."""
_DEARER = 1.25
"""How much more than the average trial they may cost."""


class Aside:
    """Says how much of a budget the finals need, going by what answers have cost so far.

    Args:
        usd: dollars of the whole sweep, or None.
        tokens: tokens of the whole sweep, or None.
        held_out: questions that are held out.
    """

    def __init__(self, usd: float | None, tokens: int | None, held_out: int) -> None:
        self._limits = (usd, tokens)
        self._needed = COMPARED * held_out * _DEARER
        self._spent = [0.0, 0.0]
        self._answers = 0

    def add(self, scores: Sequence[UnitScore]) -> None:
        """Take in what answers have cost; those that cost nothing were on record."""
        for score in scores:
            if score.cost.usd or score.cost.calls:
                self._spent[0] += score.cost.usd
                self._spent[1] += score.cost.tokens_in + score.cost.tokens_out
                self._answers += 1

    @property
    def share(self) -> float:
        """The share of both limits to keep."""
        if not self._answers:
            return KEPT
        shares = [
            self._needed * spent / self._answers / limit
            for spent, limit in zip(self._spent, self._limits, strict=True)
            if limit is not None
        ]
        return min(_MOST, max(shares, default=0.0))


Choose = Callable[[], Sequence[Trial]]
"""Gives the configuration as it stands, which answers every question, and then the finalists."""


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
        if len(trials) > 1 and keys not in self._record.looks:
            self._journal.append(look_event(keys, self._record.held_out))
            self._record.look(keys)
        self._waiting = [trial for trial in trials if trial.held.missing()]
        return len(self._waiting)

    def comparable(self) -> bool:
        """Tell whether there is anybody to compare the configuration as it stands with."""
        return len(self._choose()) > 1

    def unfinished(self) -> bool:
        """Tell whether anybody would have questions left to answer."""
        return any(trial.held.missing() for trial in self._choose())

    def next(self) -> Trial | None:
        """Give a trial that has not begun in this session."""
        return self._waiting.pop(0) if self._waiting else None
