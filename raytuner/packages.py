"""Finds out whether `pipelines` and `cluster` are ours, not PyPI's distributions of those names."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from raytuner.component import ConfigError

SIBLINGS = ("pipelines", "cluster")
"""Packages that this project installs beside `raytuner`."""


def check_packages() -> None:
    """Refuse to start when another distribution's package would be imported instead of ours.

    Raises:
        ConfigError: naming the package, where it comes from, and how to mend it.
    """
    home = Path(__file__).resolve().parent.parent
    for name in SIBLINGS:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is not None and origin.parent.parent == home:
            continue
        owner = _owner(name)
        blame = f" (distribution {owner!r}: pip uninstall {owner})" if owner else ""
        raise ConfigError(
            f"the package `{name}` that Python finds is not raytuner's but {origin or 'missing'}"
            f"{blame}; raytuner needs its own `{name}` from {home}"
        )


def _owner(name: str) -> str | None:
    """Name a foreign distribution that installs a package called `name`."""
    for owner in importlib.metadata.packages_distributions().get(name, []):
        if owner != "raytuner":
            return owner
    return None
