"""What a piece of work consumed."""

from __future__ import annotations

from typing import NamedTuple


class Cost(NamedTuple):
    """What a piece of work consumed: US dollars, tokens in and out, paid calls."""

    usd: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    calls: int = 0

    def plus(self, other: Cost) -> Cost:
        """Add two costs field by field."""
        return Cost(
            self.usd + other.usd,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.calls + other.calls,
        )
