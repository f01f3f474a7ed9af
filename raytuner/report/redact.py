"""Keeps secrets out of a report: it is a file that people send each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import raytuner.strike
from raytuner.strike import STRUCK, own_secrets

_NAME = re.compile(
    r"(^|[_.-])(api_?key|key|secret|password|passwd|token|credentials?|authorization)$",
    re.IGNORECASE,
)


def clean(value: Any, name: str = "") -> Any:
    """Give plain values back without secrets: by the field's name, by their look, by login.

    Args:
        value: JSON values, however deep.
        name: of the field.
    """
    if isinstance(value, Mapping):
        return {str(key): clean(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item, name) for item in value]
    if not isinstance(value, str):
        return value
    return STRUCK if _NAME.search(name) and value else strike(value)


def strike(text: str) -> str:
    """Strike out what looks like a secret, logins in addresses, and secrets of this process."""
    return raytuner.strike.strike(text, _own())


def begin() -> None:
    """Look at the environment again; it is looked at once a report."""
    _own.cache_clear()


@cache
def _own() -> list[str]:
    return own_secrets()
