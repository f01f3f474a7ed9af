"""Strikes secrets out of messages of others, before they reach a log, a journal or a report."""

from __future__ import annotations

import os
import re

LONGEST_MESSAGE = 300
SECRET = re.compile(r"\b(sk|pk|hf|ghp|xox[abp])[-_][A-Za-z0-9_*-]{12,}")
"""What the keys of well-known services look like."""


def scrubbed(message: object, key_name: str | None = None) -> str:
    """Shorten a message of others and strike out every secret of the environment it quotes.

    Args:
        message: anything; its text is used.
        key_name: an environment variable that holds a secret, whatever it is called.
    """
    text = " ".join(str(message).split())
    for name, value in os.environ.items():
        secret = name == key_name or any(p in name.upper() for p in ("KEY", "SECRET", "TOKEN"))
        if secret and len(value) >= 8:
            text = text.replace(value, "***")
    text = SECRET.sub("***", text)
    return text if len(text) <= LONGEST_MESSAGE else text[:LONGEST_MESSAGE] + " ..."
