"""Message templates: text with `{fields}` in it, filled from a question and its context.

A field is a plain name; `{{` and `}}` are braces. What is filled in is never read again, so that
braces in documents and questions are text like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from raytuner.component import ConfigError, nearest

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@lru_cache(maxsize=1024)
def template_fields(template: str) -> tuple[str, ...]:
    """List the fields of a template, each once.

    Raises:
        ConfigError: a brace that is not closed, or something else than a name in braces.
    """
    found: dict[str, None] = {}
    for match in _TOKEN.finditer(template):
        token = match[0]
        if token in ("{{", "}}"):
            continue
        name = match[1]
        if name is None or not _NAME.fullmatch(name):
            raise ConfigError(
                f"template {template[:60]!r}: {token[:40]!r} is no field; write {{question}}, or "
                "double a brace that is meant as one: {{ }}"
            )
        found[name] = None
    return tuple(found)


def check_template(template: str, known: Mapping[str, object] | tuple[str, ...]) -> None:
    """Refuse fields that nothing fills.

    Raises:
        ConfigError: naming the field, and those there are.
    """
    for name in template_fields(template):
        if name not in known:
            raise ConfigError(
                f"template {template[:60]!r}: nothing fills {{{name}}}; there are: "
                f"{', '.join(f'{{{one}}}' for one in known)}.{nearest(name, known)}"
            )


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values in place of fields.

    Raises:
        ConfigError: a field without a value.
    """
    check_template(template, tuple(values))
    return _TOKEN.sub(lambda match: _filled(match, values), template)


def _filled(match: re.Match[str], values: Mapping[str, str]) -> str:
    return match[0][0] if match[1] is None else values[match[1]]
