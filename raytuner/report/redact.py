"""Keeps secrets out of a report: it is a file that people send each other."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

STRUCK = "***"
_LOOKS = re.compile(
    r"\b(?:sk|pk|hf|ghp|gho|xox[abp])[-_][A-Za-z0-9_*-]{12,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
)
_LOGIN = re.compile(r"(?<=://)[^/\s@\"']+@")
_NAME = re.compile(
    r"(^|[_.-])(api_?key|key|secret|password|passwd|token|credentials?|authorization)$",
    re.IGNORECASE,
)
_VARIABLE = ("KEY", "SECRET", "TOKEN", "PASSWORD")


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
    for secret in _own():
        text = text.replace(secret, STRUCK)
    return _LOGIN.sub(f"{STRUCK}@", _LOOKS.sub(STRUCK, text))


def begin() -> None:
    """Look at the environment again; it is looked at once a report."""
    _own.cache_clear()


@cache
def _own() -> list[str]:
    """List the secrets of the environment, the longest first."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= 8 and any(part in name.upper() for part in _VARIABLE)
    }
    return sorted(found, key=lambda value: (-len(value), value))
