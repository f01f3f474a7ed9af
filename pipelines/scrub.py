"""Keeps secrets out of messages of others, logs and journals, and out of configurations."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from raytuner.component import ConfigError

_Fields = TypeVar("_Fields", bound=Mapping[str, Any])

LONGEST_MESSAGE = 300
SECRET = re.compile(r"\b(sk|pk|hf|ghp|xox[abp])[-_][A-Za-z0-9_*-]{12,}")
"""What the keys of well-known services look like."""
_SECRET_NAME = re.compile(
    r"(^|[_-])(key|secret|password|passwd|token|credentials?|authorization)$", re.IGNORECASE
)


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


def refuse_secrets(name: str, value: _Fields) -> _Fields:
    """Give fields back that others can read: plain values without secrets.

    Args:
        name: of the mapping, for messages.
        value: fields, however deep.

    Raises:
        ConfigError: one looks like a secret, or is no plain value.
    """
    for path, item in _leaves(name, value):
        secret = isinstance(item, str) and SECRET.search(item)
        if secret or (_SECRET_NAME.search(path.rsplit(".", 1)[-1]) and item is not None):
            raise ConfigError(
                f"{path} looks like a secret; leave it out and give the key by environment"
            )
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} must be plain values as in YAML: {error}") from None
    return value


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(f"{name}.{number}", item)
    else:
        yield name, value
