"""What paid calls have come to, by what they were for and who was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from raytuner.ports.gate import read_counter

_NANO = 1e9


class Account(NamedTuple):
    """The calls of one stage to one model.

    Attributes:
        stage: what for: answer, judge, query, rerank, embed, ...
        model: who was asked.
        calls: that reached the wire, retries included.
        reused: answers that were there already.
        retries: calls after the first of the same request.
        failures: requests without an answer in the end.
        tokens_in: sent.
        tokens_out: received.
        usd: dollars spent.
        saved: dollars that the reused answers would have cost.
    """

    stage: str
    model: str
    calls: int = 0
    reused: int = 0
    retries: int = 0
    failures: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    usd: float = 0.0
    saved: float = 0.0


def accounts(counts: Mapping[str, int]) -> list[Account]:
    """Read work counters; the dearest account first."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for name, amount in counts.items():
        read = read_counter(name)
        if read is not None:
            stage, model, what = read
            own = found.setdefault((stage, model), {})
            own[what] = own.get(what, 0) + amount
    rows = [
        Account(
            stage,
            model,
            calls=own.get("calls", 0),
            reused=own.get("reused", 0),
            retries=own.get("retries", 0),
            failures=own.get("failures", 0),
            tokens_in=own.get("tokens in", 0),
            tokens_out=own.get("tokens out", 0),
            usd=own.get("nanodollars", 0) / _NANO,
            saved=own.get("nanodollars saved", 0) / _NANO,
        )
        for (stage, model), own in found.items()
    ]
    return sorted(rows, key=lambda row: (-row.usd, -row.calls, row.stage, row.model))


def plain_work(counts: Mapping[str, int]) -> dict[str, int]:
    """Give the counters that are not of paid calls."""
    return {name: amount for name, amount in counts.items() if read_counter(name) is None}


def spoken(rows: Sequence[Account]) -> list[str]:
    """Say in a sentence each what calls have come to."""
    return [f"Calls: {_row(row)}." for row in rows]


def _row(row: Account) -> str:
    said = f"{row.stage}, {row.model}: {row.calls:,} made"
    if row.reused:
        said += f", {row.reused:,} answers reused"
    if row.retries:
        said += f", {row.retries:,} retries"
    if row.failures:
        said += f", {row.failures:,} failed"
    said += f"; {row.tokens_in:,} + {row.tokens_out:,} tokens"
    if row.usd or row.saved:
        said += f", ${row.usd:.4f}"
    return f"{said} (${row.saved:.4f} saved)" if row.saved else said
