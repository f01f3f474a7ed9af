"""Canonical names of metrics, as the literature writes them: composing and reading them.

A name is a kind, options that differ from their default in parentheses, and a cut-off:
`recall`, `ndcg@10`, `ndcg(coverage=0.8)@10`, `recall@1000tok`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pipelines.roles import Metric
from raytuner.component import ConfigError, nearest

_NAME = re.compile(
    r"(?P<kind>[a-z0-9-]+)(?:\((?P<options>[^()]*)\))?(?:@(?P<cut>[0-9]+)(?P<unit>tok)?)?",
    re.IGNORECASE,
)
_EXAMPLES = ("recall", "recall@5", "ndcg@10", "recall@1000tok", "exact-match", "token-f1")
_BUDGETED = {"recall": "context-recall", "context-recall": "context-recall"}


def canonical(
    kind: str, options: Mapping[str, Any] | None = None, cut: str | int | None = ""
) -> str:
    """Compose a name from a kind, its options that are not at their default, and a cut-off."""
    inner = ",".join(f"{name}={value}" for name, value in (options or {}).items())
    return kind + (f"({inner})" if inner else "") + (f"@{cut}" if cut else "")


def parse_metric(text: str) -> Metric:
    """Make the metric that a canonical name stands for; `parse_metric(m.name) == m`.

    Upper and lower case are the same in the kind, so `nDCG@10` is read too. Metrics of plugins
    are read like built-in ones; `@5` sets their field `k`.

    Raises:
        ConfigError: for an unknown kind (with the nearest one), a cut-off or option that the
            metric does not take, or a value out of range.
    """
    match = _NAME.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"metric {text!r} is not written like recall, ndcg@10, recall@1000tok or "
            f"ndcg(coverage=0.8)@10.{nearest(text, _EXAMPLES)}"
        )
    kind, cut = match["kind"].lower(), match["cut"]
    fields = _options(text, match["options"] or "")
    if match["unit"]:
        if kind not in _BUDGETED:
            raise ConfigError(
                f"metric {text!r}: only recall is defined within a number of tokens; write "
                f"recall@{cut}tok, or {kind}@5 for the first five hits"
            )
        kind, fields = _BUDGETED[kind], {**fields, "tokens": int(cut)}
    elif cut:
        if "k" not in Metric.named(kind).model_fields:
            raise ConfigError(f"metric {text!r}: {kind} takes no cut-off; leave @{cut} away")
        fields = {**fields, "k": int(cut)}
    return _build(text, kind, fields)


def _options(text: str, inner: str) -> dict[str, Any]:
    """Read `name=value, part.name=value`; a dotted name goes into the part it begins with."""
    fields: dict[str, Any] = {}
    for item in filter(None, (piece.strip() for piece in inner.split(","))):
        name, equals, value = (piece.strip() for piece in item.partition("="))
        if not (name and equals and value):
            raise ConfigError(f"metric {text!r}: {item!r} is not written like coverage=0.8")
        part, dot, field = name.partition(".")
        if not dot:
            fields[name] = value
        elif isinstance(fields.get(part), dict):
            fields[part][field] = value
        else:
            kind = {"kind": fields[part]} if part in fields else {}
            fields[part] = {**kind, field: value}
    return fields


def _build(text: str, kind: str, fields: Mapping[str, Any]) -> Metric:
    implementation = Metric.named(kind)
    try:
        return implementation.model_validate(fields)
    except ValidationError as error:
        reason = ConfigError.of(error)
        raise ConfigError(f"metric {text!r}: {str(reason).removeprefix(': ')}") from error
