"""Makes values of any origin fit for a terminal: one line, harmless, not too long.

Parameter values may be prompts, file names and error texts that somebody else wrote.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from raytuner.schedule import changes, current


def plain(text: object) -> str:
    r"""Spell a text on one line; control and invisible characters as escapes (`\x1b`, `\n`)."""
    return "".join(c if c.isprintable() else _escape(c) for c in str(text))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def shorten(text: str, width: int) -> str:
    """Cut the middle out of a long text: prompts often differ at their ends only."""
    if len(text) <= width:
        return text
    tail = (width - 3) // 3
    return f"{text[: width - 3 - tail]}...{text[len(text) - tail :]}"


def spell(value: Any, width: int = 40) -> str:
    """Spell one parameter value as YAML would have it, in at most `width` characters."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return shorten(f"[{', '.join(spell(item, width) for item in value)}]", width)
    return shorten(plain(value), width)


def spell_params(params: Mapping[str, Any], width: int = 40) -> str:
    """Spell parameters as `name = value, ...`, and after which steps of a training they changed."""
    pairs = [f"{plain(name)} = {spell(value, width)}" for name, value in current(params).items()]
    steps = ", ".join(map(str, changes(params)))
    return (", ".join(pairs) or "no parameters") + (f" (changed after {steps})" if steps else "")


def near(path: Path) -> Path:
    """Spell a path from the current folder where it lies below it."""
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here) if absolute.is_relative_to(here) else path


def json_ready(value: Any) -> Any:
    """Give JSON values only: what is not a finite number is null."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    item = getattr(value, "item", None)  # a NumPy scalar
    return json_ready(item()) if callable(item) else value


def print_json(value: Any) -> None:
    """Print JSON on standard output; what is not a finite number is null."""
    click.echo(json.dumps(json_ready(value), indent=2, allow_nan=False))
