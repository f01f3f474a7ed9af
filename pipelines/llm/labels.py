"""Tells what is wrong with an answer, and reads JSON that must fit a schema."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pipelines.llm.types import Label, Sample
from raytuner.component import ConfigError

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


def read_sample(sample: Sample, schema: Mapping[str, Any] | None) -> tuple[Label | None, Any]:
    """Give the label of an answer, and its parsed JSON where a schema asks for any.

    A refusal counts before a cut, a cut before emptiness, and that before JSON that does not fit.
    """
    if sample.refused:
        return "filtered", None
    if sample.finish == "length":
        return "truncated", None
    if sample.calls:  # there is no answer yet
        return None, None
    if not sample.text.strip():
        return "empty", None
    if schema is None:
        return None, None
    return _parsed(sample.text, schema)


def _parsed(text: str, schema: Mapping[str, Any]) -> tuple[Label | None, Any]:
    fenced = _FENCED.fullmatch(text)
    try:
        data = json.loads(
            fenced[1] if fenced else text, parse_float=_finite, parse_constant=_finite
        )
    except (ValueError, RecursionError):
        return "invalid", None
    fits = _validator(json.dumps(schema, sort_keys=True)).is_valid(data)
    return (None, data) if fits else ("invalid", None)


def _finite(text: str) -> float:
    """Read a number; Python would take NaN, Infinity and 1e999 too."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no JSON")
    return number


def check_schema(schema: Mapping[str, Any] | None) -> None:
    """Refuse what is no JSON Schema.

    Raises:
        ConfigError: it is none; says where.
    """
    if schema is None:
        return
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = "".join(f".{part}" for part in error.path)
        message = f"response_schema{place} is no JSON Schema: {error.message:.200}"
        raise ConfigError(message, ("response_schema",)) from None


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))
