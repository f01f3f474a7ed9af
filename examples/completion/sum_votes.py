"""Votes among several answers to one sum."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

BOXED = re.compile(r"\\boxed\{(-?\d+)\}")


def voted(responses: list[str], solution: str, **_: Any) -> dict[str, Any]:
    """Take the answer that most responses give; the earliest among equals."""
    found = [match[1] for text in responses if (match := BOXED.search(text))]
    best = Counter(found).most_common(1)[0][0] if found else None
    return {"right": best == solution, "agreed": found.count(best) / len(responses), "voted": best}
