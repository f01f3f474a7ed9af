"""Who is ahead in the ratings of a run, and whether that is sure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from raytuner.rating.agreement import Agreement, agreement
from raytuner.rating.ballots import Ballot
from raytuner.rating.pairing import strengths

ALPHA = 0.05
_Z = 1.959963984540054


class Standing(NamedTuple):
    """One configuration.

    Attributes:
        key: of the trial.
        number: of the trial.
        strength: log odds against the average of all that are rated.
        low, high: 95 % interval of the strength.
        wins, ties, losses: judgements.
        p_behind: p-value of being as good as the leader, corrected for all pairs (Holm); NaN for
            the leader.
    """

    key: str
    number: int
    strength: float
    low: float
    high: float
    wins: int
    ties: int
    losses: int
    p_behind: float

    @property
    def comparisons(self) -> int:
        """How many judgements it rests on."""
        return self.wins + self.ties + self.losses


@dataclass(frozen=True)
class Standings:
    """The outcome of a rating.

    Attributes:
        rows: the strongest first; of equals the one with the lower number.
        agreement: of the raters.
        raters: how many judgements each has given, ties included, skips not.
        skipped: comparisons that somebody could not judge.
    """

    rows: tuple[Standing, ...]
    agreement: Agreement
    raters: Mapping[str, int]
    skipped: int

    @property
    def sure(self) -> bool:
        """Whether the leader is better than everybody else, at 5 % for all pairs together."""
        return len(self.rows) > 1 and all(row.p_behind < ALPHA for row in self.rows[1:])

    @property
    def sentence(self) -> str:
        """Who is ahead, and whether it is sure."""
        if not self.rows:
            return "Nothing has been rated yet."
        first, rest = self.rows[0], self.rows[1:]
        close = [row for row in rest if not row.p_behind < ALPHA]
        if not close:
            return f"Trial {first.number} is ahead of all others, and that is sure (p < {ALPHA:g})."
        named = ", ".join(str(row.number) for row in close[:5])
        more = f" and {len(close) - 5} more" if len(close) > 5 else ""
        worst = max(row.p_behind for row in close)
        word = "trial" if len(close) == 1 else "trials"
        return (
            f"Trial {first.number} is ahead, but it is not sure that it is better than {word} "
            f"{named}{more} (p = {worst:.2g}); more comparisons would tell."
        )

    def to_dict(self) -> dict[str, Any]:
        """Spell it as plain values."""
        return {
            "sentence": self.sentence,
            "sure": self.sure,
            "configurations": [
                {**row._asdict(), "comparisons": row.comparisons} for row in self.rows
            ],
            "raters": dict(self.raters),
            "skipped": self.skipped,
            "agreement": {
                "shared": self.agreement.shared,
                "percent": self.agreement.percent,
                "krippendorff_alpha": self.agreement.alpha,
                "cohen_kappa": {" and ".join(k): v for k, v in self.agreement.kappa.items()},
            },
        }


def standings(ballots: Sequence[Ballot], numbers: Mapping[str, int]) -> Standings:
    """Sum up judgements.

    Args:
        ballots: of any trials.
        numbers: of the trials that count, by key.
    """
    counted = [b for b in ballots if b.left in numbers and b.right in numbers]
    judged = [b for b in counted if b.outcome is not None]
    keys = sorted({key for ballot in judged for key in ballot.pair}, key=lambda key: numbers[key])
    known = strengths(keys, judged)
    order = sorted(range(len(keys)), key=lambda n: (-round(float(known.values[n]), 9), n))
    corrected = _holm(
        {(a, b): known.p_value(a, b) for a, b in itertools.combinations(range(len(keys)), 2)}
    )
    rows = []
    for n in order:
        value, error = float(known.values[n]), known.error(n)
        lead = order[0]
        p = math.nan if n == lead else corrected[min(n, lead), max(n, lead)]
        outcomes = _outcomes(keys[n], judged)
        low, high = value - _Z * error, value + _Z * error
        rows.append(Standing(keys[n], numbers[keys[n]], value, low, high, *outcomes, p))
    raters: dict[str, int] = {}
    shared: dict[str, dict[str, int]] = {}
    for ballot in judged:
        raters[ballot.rater] = raters.get(ballot.rater, 0) + 1
        name = repr((ballot.pair, ballot.unit))
        shared.setdefault(name, {})[ballot.rater] = ballot.outcome or 0
    return Standings(
        tuple(rows),
        agreement(shared),
        dict(sorted(raters.items())),
        sum(ballot.choice == "skip" for ballot in counted),
    )


def _outcomes(key: str, judged: Sequence[Ballot]) -> tuple[int, int, int]:
    """Count wins, ties and losses of a trial."""
    signs = [(b.outcome or 0) * (1 if b.pair[0] == key else -1) for b in judged if key in b.pair]
    return signs.count(1), signs.count(0), signs.count(-1)


def _holm(values: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """Correct p-values for their number (S. Holm, 1979)."""
    found: dict[tuple[int, int], float] = {}
    least = 0.0
    for rank, (pair, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        least = max(least, min(1.0, value * (len(values) - rank)))
        found[pair] = least
    return found
