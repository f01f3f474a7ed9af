"""What calls of models took: counted by model, in whole numbers, told to the meter by stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.llm.attempts import Outcome
from pipelines.llm.types import Completion
from raytuner.objective import Cost, Meter
from raytuner.ports.gate import paid_counter

NANO = 1e9
"""Counters are whole numbers: dollars are counted in billionths."""

Counts = dict[str, dict[str, int]]
"""What happened, by model and by what: calls, tokens, ..."""


@dataclass
class Account:
    """What an ask took so far: kept up while it goes on, so that it holds where it breaks off.

    Attributes:
        counts: what happened.
        paid: what was really spent; where nobody knows, what was set aside.
    """

    counts: Counts = field(default_factory=dict)
    paid: Cost = field(default_factory=Cost)

    def note(self, model: str, outcome: Outcome[Any]) -> None:
        """Note a call and its retries."""
        count_calls(self.counts, model, outcome)
        self.paid = self.paid.plus(outcome.paid)


def add(counts: Counts, model: str, what: str, amount: int) -> None:
    """Add to a count; nothing adds no entry."""
    if amount:
        own = counts.setdefault(model, {})
        own[what] = own.get(what, 0) + amount


def count_calls(counts: Counts, model: str, outcome: Outcome[Any]) -> None:
    """Count what a call and its retries took."""
    add(counts, model, "calls", outcome.calls)
    add(counts, model, "retries", max(0, outcome.calls - 1))
    add(counts, model, "failures", outcome.failure is not None)
    add(counts, model, "tokens in", outcome.paid.tokens_in)
    add(counts, model, "tokens out", outcome.paid.tokens_out)
    add(counts, model, "nanodollars", round(outcome.paid.usd * NANO))


def count_reply(counts: Counts, model: str, samples: Sequence[Completion], usage: Cost) -> None:
    """Count what is wrong with answers, and what those saved that were there already."""
    for sample in samples:
        if sample.label is not None:
            add(counts, model, sample.label, 1)
    reused = [sample for sample in samples if sample.cached]
    add(counts, model, "reused", len(reused))
    share = len(reused) / len(samples)
    add(counts, model, "nanodollars saved", round(usage.usd * share * NANO))


def merged(all_counts: Iterable[Counts]) -> Counts:
    """Add up counts."""
    total: Counts = {}
    for counts in all_counts:
        for model, own in counts.items():
            for what, amount in own.items():
                add(total, model, what, amount)
    return total


def told(counts: Counts, meter: Meter, stage: str) -> None:
    """Tell a meter what was counted.

    Args:
        counts: by model.
        meter: of the trial.
        stage: what the calls were for.
    """
    for model, own in counts.items():
        for what, amount in own.items():
            meter.count(paid_counter(stage, model, what), amount)
