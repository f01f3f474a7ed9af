"""Strikes secrets out of texts that are kept or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

STRUCK = "***"
_LOOKS = re.compile(
    r"\b(?:sk|pk|hf|ghp|gho|xox[abp])[-_][A-Za-z0-9_*-]{12,}|\bAKIA[0-9A-Z]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*"
)
_LOGIN = re.compile(r"(?<=://)[^/\s@\"']+@")
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


def own_secrets() -> list[str]:
    """List the secrets of the environment, the longest first."""
    found = {
        value
        for name, value in os.environ.items()
        if len(value) >= 8 and any(part in name.upper() for part in _VARIABLE)
    }
    return sorted(found, key=lambda value: (-len(value), value))
