"""One rater going through comparisons: what is shown next, and what was chosen, kept at once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from raytuner.component import digest
from raytuner.manual.answers import Answer, Answers, rated_trials
from raytuner.rating.ballots import CHOICES, Ballot, BallotBox, Choice, read_all
from raytuner.rating.pairing import Comparing, Pairing
from raytuner.rating.scoring import standing
from raytuner.results import Results


class Card(NamedTuple):
    """A comparison as a rater sees it: nothing in it names a configuration.

    Attributes:
        name: identifies the card, to tell late clicks from new ones.
        question, reference: empty where they are not known.
        left, right: the answers.
    """

    name: str
    question: str
    reference: str
    left: str
    right: str


class Round:
    """Comparisons of one run, for one rater. Not thread-safe.

    Args:
        folder: the run folder; read only, but for the rater's own file.
        rater: names that file; what is in it goes on.
        trials: numbers of the configurations; see `rated_trials`.

    Raises:
        ConfigError: no run, no answers, or a file of ratings that was edited.
    """

    def __init__(self, folder: Path, rater: str, trials: Sequence[int] = ()) -> None:
        results = Results.open(folder)
        self._folder = folder
        self._scope = results.record.scope
        self._answers = Answers(results)
        chosen = rated_trials(results, self._answers, trials)
        self._trials = {trial.key: trial for trial in chosen}
        units = {key: self._answers.units(trial) for key, trial in self._trials.items()}
        pairs = {
            (one, other): [unit for unit in units[one] if unit in set(units[other])]
            for one, other in itertools.combinations(sorted(units), 2)
        }
        self._pairing = Pairing(pairs, results.record.study)
        self._lacking: list[Ballot] = []
        self._current: tuple[Card, Comparing, tuple[str, str], float] | None = None
        read_all(folder)  # an edited file is told before anybody has rated in vain
        self._box = BallotBox(folder, rater)

    @property
    def rated(self) -> int:
        """How many comparisons the rater has judged, all sessions together; skipped ones not."""
        return sum(ballot.outcome is not None for ballot in self._own())

    @property
    def total(self) -> int:
        """How many comparisons there are at most."""
        return self._pairing.total

    def card(self) -> Card | None:
        """Give the comparison to be judged now; the same one until it is. None: all are done."""
        while self._current is None:
            comparing = self._pairing.next(self._box.rater, self._ballots())
            if comparing is None:
                return None
            left = self._answers.of(self._trials[comparing.left], comparing.unit)
            right = self._answers.of(self._trials[comparing.right], comparing.unit)
            if left is None or right is None:  # it may be there another time
                self._lacking.append(self._ballot(comparing, "skip", ("", "")))
            elif left.text == right.text:
                self._box.add(self._ballot(comparing, "same", (left.digest, right.digest)))
            else:
                self._current = self._shown(comparing, left, right)
        return self._current[0]

    def rate(self, name: str, choice: str) -> bool:
        """Keep a judgement; it is on disk once this returns.

        Args:
            name: of the card that was judged.
            choice: one of `CHOICES`.

        Returns:
            Whether it was taken: not if another card is shown by now.
        """
        if self._current is None or self._current[0].name != name or choice not in CHOICES:
            return False
        _, comparing, answers, began = self._current
        given: Choice = choice
        self._box.add(self._ballot(comparing, given, answers), time.monotonic() - began)
        self._current = None
        return True

    def close(self) -> None:
        """Let the rater go on elsewhere."""
        self._box.close()

    def __enter__(self) -> Round:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _shown(
        self, comparing: Comparing, left: Answer, right: Answer
    ) -> tuple[Card, Comparing, tuple[str, str], float]:
        name = digest("card", self._box.rater, comparing.unit, comparing.pair)
        question, reference = left.question or right.question, left.reference or right.reference
        card = Card(name, question, reference, left.text, right.text)
        return card, comparing, (left.digest, right.digest), time.monotonic()

    def _ballot(self, comparing: Comparing, choice: Choice, answers: tuple[str, str]) -> Ballot:
        rater = self._box.rater
        unit, left, right = comparing
        return Ballot(rater, unit, left, right, choice, answers, self._scope)

    def _own(self) -> list[Ballot]:
        return standing(self._box, self._trials, self._scope)

    def _ballots(self) -> list[Ballot]:
        others = [b for b in read_all(self._folder) if b.rater != self._box.rater]
        held = standing([*others, *self._box], self._trials, self._scope)
        return [*held, *self._lacking]
