"""How far raters agree on the comparisons that more than one of them has judged.

Which of two configurations is called the first is chance, so every judgement is counted both ways
round: then no figure depends on it.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Judged = Mapping[str, Mapping[str, int]]
"""Per comparison (a pair on a question), the outcome that every rater saw: 1, 0 or -1."""


class Agreement(NamedTuple):
    """Figures of agreement; NaN where nothing is shared, or nothing differs that could.

    Attributes:
        shared: comparisons that two raters or more have judged.
        percent: share of the pairs of judgements that are equal.
        alpha: Krippendorff's alpha for nominal data (K. Krippendorff, "Content Analysis", 2004):
            1: they always agree, 0: as chance would have it.
        kappa: Cohen's kappa of every two raters who share comparisons (J. Cohen, 1960).
    """

    shared: int
    percent: float
    alpha: float
    kappa: Mapping[tuple[str, str], float]


def agreement(judged: Judged) -> Agreement:
    """Say how far raters agree."""
    rows = [list(by.values()) for by in judged.values() if len(by) > 1]
    equal = [a == b for row in rows for a, b in itertools.combinations(row, 2)]
    percent = sum(equal) / len(equal) if equal else math.nan
    raters = sorted({rater for by in judged.values() for rater in by})
    kappa = {}
    for one, other in itertools.combinations(raters, 2):
        both = [(by[one], by[other]) for by in judged.values() if one in by and other in by]
        if both:
            kappa[one, other] = cohen(both)
    return Agreement(len(rows), percent, krippendorff(rows), kappa)


def cohen(pairs: Iterable[tuple[int, int]]) -> float:
    """Give Cohen's kappa of two raters' outcomes, counted both ways round."""
    listed = [(sign * a, sign * b) for a, b in pairs for sign in (1, -1)]
    count = len(listed)
    if not count:
        return math.nan
    seen = sum(a == b for a, b in listed) / count
    first, second = Counter(a for a, _ in listed), Counter(b for _, b in listed)
    chance = sum(first[value] * second[value] for value in first) / count**2
    return (seen - chance) / (1 - chance) if chance < 1 else math.nan


def krippendorff(rows: Iterable[list[int]]) -> float:
    """Give Krippendorff's alpha, nominal, of outcomes per comparison, counted both ways round."""
    kept = [[sign * v for v in row] for row in rows if len(row) > 1 for sign in (1, -1)]
    totals = Counter(value for row in kept for value in row)
    count = sum(totals.values())
    if not count:
        return math.nan
    observed = sum(
        sum(a != b for a, b in itertools.permutations(row, 2)) / (len(row) - 1) for row in kept
    )
    expected = sum(totals[a] * totals[b] for a, b in itertools.permutations(totals, 2))
    return 1 - observed * (count - 1) / expected if expected else math.nan
