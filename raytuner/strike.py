"""Strikes secrets out of texts that are kept or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

STRUCK = "***"
_LOOKS = re.compile(
    r"\b(?:sk|pk|hf|ghp|gho|xox[abp])[-_][A-Za-z0-9_*-]{12,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
)
_LOGIN = re.compile(r"(?<=://)[^/\s@\"']+@")
_UNMISTAKABLE = re.compile(r"[^\s/]{16,}")
"""What a variable must hold for its value in a study to be no chance: long, and no path."""
Place = tuple[str | int, ...]
_VARIABLE = ("KEY", "SECRET", "TOKEN", "PASSWORD")


def strike(text: str, secrets: Sequence[str] | None = None) -> str:
    """Strike out what looks like a secret, logins in addresses, and given secrets.

    Args:
        text: of whatever origin.
        secrets: what must not be shown; default: those of this process's environment.
    """
    for secret in own_secrets() if secrets is None else secrets:
        text = text.replace(secret, STRUCK)
    return _LOGIN.sub(f"{STRUCK}@", _LOOKS.sub(STRUCK, text))


def struck(value: Any, secrets: Sequence[str] | None = None) -> Any:
    """Strike secrets out of every text of a plain value; see `strike`."""
    if isinstance(value, str):
        return strike(value, secrets)
    if isinstance(value, Mapping):
        return {struck(name, secrets): struck(item, secrets) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [struck(item, secrets) for item in value]
    return value


def own_secrets() -> list[str]:
    """List the secrets of the environment, the longest first."""
    found = {value for _, value in _secrets()}
    return sorted(found, key=lambda value: (-len(value), value))


def exposed(value: Any) -> tuple[Place, str] | None:
    """Find a secret of the environment in what will be on record and may be shown.

    Args:
        value: mappings, lists, pydantic models and plain values, however deep.

    Returns:
        Where the text stands that holds it, and the variable whose value it is.
    """
    known = [(name, one) for name, one in _secrets() if _UNMISTAKABLE.fullmatch(one)]
    for path, text in _texts(value, ()) if known else ():
        for name, one in known:
            if one in text:
                return path, name
    return None


def _texts(value: Any, path: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, BaseModel):
        yield from _texts({name: getattr(value, name) for name in type(value).model_fields}, path)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield (*path, str(name)), str(name)
            yield from _texts(item, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for place, item in enumerate(value):
            yield from _texts(item, (*path, place))


def _secrets() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if len(value) >= 8 and any(part in name.upper() for part in _VARIABLE):
            yield name, value
