"""The tables of benchmarks/search_efficiency.py, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from search_methods import OURS, RANDOM, TUNER
from search_outcome import FINALISTS, NEAR, Outcome, Truth, by_method, median, quantile

MARKS = (0.05, 0.1, 0.15)
"""Shares of a grid's evaluations at which gaps are shown."""
HEAD = (
    "search + scheduler", "seeds", "near after", "near", "dollars",
    *(f"gap at {mark:.0%}" for mark in MARKS), "asked", "gap", "leader",
)  # fmt: skip
SIDE = (
    "grid",
    "asked",
    "of all",
    "gap",
    "asking all",
    "random then",
    "hyperopt + asha then",
    "near",
)
TARGET = 0.15
"""The most that coming near may take, as a share of the grid's evaluations."""


def legend() -> str:
    """Say what the columns are."""
    return f"""\
*Near after*: evaluations, as a share of the whole grid's on the questions searched on, until the
best of {FINALISTS} finalists is within {NEAR:.0%} of the best of the grid on the held-out
questions: median of seeds; "-": less than half of them. *Near*: how many of the seeds ever were.
*Dollars*: the same as *near after*, in dollars, as a share of the grid's. *Gap at*: median gap of
the best finalist at that share; "-": nobody complete. *Asked*: evaluations when the search ended,
or was at its limit. *Gap*: then. *Leader*: gap of the best trial by the questions searched on."""


def table(grid: str, outcomes: Sequence[Outcome]) -> str:
    """Write the table of a grid."""
    truth = [outcome.truth for outcome in by_method(outcomes)[outcomes[0].method]]
    lines = [_facts(grid, truth), f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}"]
    rows = by_method(outcomes).items()
    return "\n".join([*lines, *(f"| {' | '.join(row(name, mine))} |" for name, mine in rows)])


def _facts(grid: str, truth: Sequence[Truth]) -> str:
    """Say what a grid is, and what asking everything comes to."""
    near = sum(one.advice <= NEAR for one in truth)
    return (
        f"**{grid}**: {truth[0].size} configurations, "
        f"{between([one.questions for one in truth])} questions searched on, "
        f"{between([one.evaluations for one in truth])} evaluations and "
        f"${median(one.usd for one in truth):.2f} for all of them. Asking everything ends with a "
        f"gap of {median(one.advice for one in truth):.1%} (leader "
        f"{median(one.leader for one in truth):.1%}), near with {near} of {len(truth)} seeds.\n"
    )


def row(method: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Write one line: a method on one grid, by seed."""
    evaluations = [outcome.first_near() / outcome.truth.evaluations for outcome in outcomes]
    dollars = [outcome.first_near(by="usd") / outcome.truth.usd for outcome in outcomes]
    return (
        method.replace("+", " + ").removesuffix(" + none").replace("*", " (sized)"),
        str(len(outcomes)),
        percent(quantile(evaluations, 0.5)),
        str(sum(map(math.isfinite, evaluations))),
        percent(quantile(dollars, 0.5)),
        *(gap(outcomes, mark) for mark in MARKS),
        f"{median(outcome.share for outcome in outcomes):.1%}",
        f"{median(outcome.gap() for outcome in outcomes):.1%}",
        f"{median(outcome.gap(part='leader') for outcome in outcomes):.1%}",
    )


def gap(outcomes: Sequence[Outcome], share: float) -> str:
    """Write the median gap at a share of the grid's evaluations."""
    middle = median(outcome.gap(share * outcome.truth.evaluations) for outcome in outcomes)
    return "-" if middle == 1 else f"{middle:.1%}"


def overview(grids: Mapping[str, Sequence[Outcome]]) -> str:
    """Write what is asked of ours, grid by grid."""
    said = (
        f"`{OURS.replace('+', ' + ')}`, where it ends. *Of all*: evaluations with the finals "
        f"({FINALISTS} finalists and the configuration as it stands on the held-out questions), as "
        "a share of all configurations times all questions. *Then*: median gap of others on the "
        f"same seeds after as many evaluations. *Near*: within {NEAR:.0%} of the best for at most "
        f"{TARGET:.0%} of the grid's evaluations, as the median of seeds.\n"
    )
    lines = [said, f"| {' | '.join(SIDE)} |\n|{'---|' * len(SIDE)}"]
    for grid, outcomes in grids.items():
        methods = by_method(outcomes)
        if OURS in methods:
            lines.append(f"| {' | '.join(side(grid, methods))} |")
    return "\n".join(lines)


def side(grid: str, methods: Mapping[str, Sequence[Outcome]]) -> tuple[str, ...]:
    """Put ours beside the others on one grid."""
    ours = methods[OURS]
    shares = [outcome.first_near() / outcome.truth.evaluations for outcome in ours]
    near = quantile(shares, 0.5)
    return (
        grid,
        f"{median(outcome.share for outcome in ours):.1%}",
        f"{median(outcome.with_finals(outcome.asked) for outcome in ours):.1%}",
        f"{median(outcome.gap() for outcome in ours):.1%}",
        f"{median(outcome.truth.advice for outcome in ours):.1%}",
        *(then(ours, methods.get(other, ())) for other in (RANDOM, TUNER)),
        f"yes, {near:.1%}" if near <= TARGET else f"no, {percent(near)}",
    )


def then(ours: Sequence[Outcome], others: Sequence[Outcome]) -> str:
    """Write the median gap of others after as many evaluations as ours, and ours on those seeds."""
    mine = {outcome.seed: outcome for outcome in ours}
    both = [(mine[other.seed], other) for other in others if other.seed in mine]
    if not both:
        return "-"
    theirs = median(other.gap(our.asked) for our, other in both)
    return f"{theirs:.1%}; ours {median(our.gap() for our, _ in both):.1%} ({len(both)} seeds)"


def percent(share: float) -> str:
    """Write a share that may be infinite."""
    return f"{share:.1%}" if math.isfinite(share) else "-"


def between(counts: Sequence[int]) -> str:
    """Write the range of some counts."""
    ends = dict.fromkeys(f"{count:,}" for count in (min(counts), max(counts)))
    return " to ".join(ends)
