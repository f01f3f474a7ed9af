"""A deceptive mixed space with a known optimum: what leads uphill leads away from it.

Traps: K. Deb and D. E. Goldberg, "Analyzing deception in trap functions", FOGA 2 (1993): every
step towards the optimum but the last one makes a block worse. Numbers are rugged: each has several
local optima on the way to the best one.
"""

from __future__ import annotations

import math
from typing import Any

from raytuner.objective import Params
from raytuner.space import Space

FLAGS = [f"flag.{number}" for number in range(8)]
GOOD = frozenset({"python", "search", "sql"})
PROMPTS = {"terse": 0.6, "steps": 0.3, "cite": 1.0, "json": 0.7, "refuse": 0.0, "story": 0.2}
ROUTES = {"keyword": 0.6, "llm": 0.5}

SPACE = Space.parse(
    {
        **dict.fromkeys(FLAGS, "bool"),
        "tools": {"subset": ["calc", "files", "mail", "python", "search", "sql"], "max": 4},
        "prompt": list(PROMPTS),
        "route": ["keyword", "embedding", "llm"],
        "threshold": {"float": [0.0, 1.0], "points": 5, "when": {"route": "embedding"}},
        "top_k": {"int": [1, 40]},
        "rate": {"float": [1e-4, 1.0], "log": True, "points": 5},
        "temperature": {"float": [0.0, 2.0], "points": 5},
    }
)
OPTIMUM: Params = {
    **dict.fromkeys(FLAGS, True),
    "tools": ("python", "search", "sql"),
    "prompt": "cite",
    "route": "embedding",
    "threshold": 0.8,
    "top_k": 29,
    "rate": 0.005,
    "temperature": 0.35,
}
"""The only point with a score of 1."""


def score(point: Params) -> float:
    """Give the score of a point, from below 0 to 1."""
    values: dict[str, Any] = dict(point)
    flags = [values[name] for name in FLAGS]
    tools = set(values["tools"])
    parts = [
        trap(sum(flags[:4]), 4),
        trap(sum(flags[4:]), 4),
        trap(len(GOOD & tools), 3) - 0.1 * len(tools - GOOD),
        PROMPTS[values["prompt"]],
        routed(values["route"], values.get("threshold")),
        rugged(abs(values["top_k"] - 29) / 39),
        rugged(abs(math.log10(values["rate"] / 0.005)) / 4),
        rugged(abs(values["temperature"] - 0.35) / 2),
    ]
    return sum(parts) / len(parts)


def trap(ones: int, size: int) -> float:
    """Give 1 for all ones, else the more the fewer there are: 0.75 for none, 0 for all but one."""
    return 1.0 if ones == size else 0.75 * (size - 1 - ones) / (size - 1)


def routed(route: str, threshold: float | None) -> float:
    """Give what a route is worth; the best one is bad but for a narrow range of its threshold."""
    if threshold is None:
        return ROUTES[route]
    return max(1.0 - 3 * abs(threshold - 0.8), 0.2)


def rugged(distance: float) -> float:
    """Give 1 at a distance of 0, less with every other, in waves."""
    return (1 - distance) * (0.7 + 0.3 * math.cos(6 * math.pi * distance))
