"""What the help desk wants beside the right answer."""

from __future__ import annotations

from typing import Any


def manners(answer: str, turn: dict[str, Any]) -> dict[str, float]:
    """Count words; see whether a customer who has asked twice is told the same twice."""
    earlier = [said for _, said in turn["history"]]
    return {"words": len(answer.split()), "new": float(answer not in earlier)}
