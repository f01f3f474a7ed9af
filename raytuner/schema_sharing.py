"""Makes a JSON Schema small: what stands in it more than once becomes a definition.

Every kind of objective describes the whole of what it is made of. Written out each time, that
makes a file that no editor likes to load.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("$defs", "dependentSchemas", "patternProperties", "properties")
_LEAST = 240
"""Characters of JSON from which on a schema is worth a definition."""

Schema = dict[str, Any]


def shared(schema: Mapping[str, Any]) -> Schema:
    """Give an equal schema in which nothing large stands twice.

    Args:
        schema: draft 2020-12; its references lead to its own `$defs`.
    """
    return _Sharing(schema).result()


class _Sharing:
    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions: dict[str, Any] = dict(schema.get("$defs", {}))
        self._whole = {key: value for key, value in schema.items() if key != "$defs"}
        self._names: dict[str, str] = {}
        self._made: dict[str, Schema] = {}

    def result(self) -> Schema:
        self._merge()
        counts: Counter[str] = Counter()
        for root in (self._whole, *self._definitions.values()):
            _count(root, counts)
        self._often = {text for text, number in counts.items() if number > 1}
        for name, definition in self._definitions.items():
            self._names.setdefault(_text(definition), name)
        for name, definition in self._definitions.items():
            self._made[name] = self._below(definition, name)
        whole = self._below(self._whole, "study")
        return {"$defs": dict(sorted(self._made.items())), **whole}

    def _merge(self) -> None:
        """Let equal definitions be one, until none are equal."""
        while True:
            kept: dict[str, str] = {}
            renamed = {}
            for name, definition in self._definitions.items():
                first = kept.setdefault(_text(definition), name)
                if first != name:
                    renamed[name] = first
            if not renamed:
                break
            left = {n: d for n, d in self._definitions.items() if n not in renamed}
            self._definitions = {n: _referring(d, renamed) for n, d in left.items()}
            self._whole = _referring(self._whole, renamed)
        plain = [name.rpartition(".")[2] for name in self._definitions]
        renamed = {
            name: short
            for name, short in zip(self._definitions, plain, strict=True)
            if short != name and plain.count(short) == 1
        }
        found = {renamed.get(n, n): _referring(d, renamed) for n, d in self._definitions.items()}
        self._definitions, self._whole = found, _referring(self._whole, renamed)

    def _share(self, schema: Any, hint: str) -> Any:
        """Give a schema, or a reference to it if it stands elsewhere as well."""
        if not isinstance(schema, Mapping):
            return schema
        told = {key: schema[key] for key in ("description", "default", "title") if key in schema}
        for kept in ({}, told):
            bare = {key: value for key, value in schema.items() if key not in kept}
            text = _text(bare)
            if len(text) >= _LEAST and text in self._often:
                return {"$ref": f"#/$defs/{self._named(text, bare, hint)}", **kept}
        return self._below(schema, hint)

    def _named(self, text: str, schema: Mapping[str, Any], hint: str) -> str:
        if text not in self._names:
            name = _kind(schema, hint)
            number = 1
            while (chosen := name if number == 1 else f"{name}-{number}") in self._taken():
                number += 1
            self._names[text] = chosen
            self._made[chosen] = {}
            self._made[chosen] = self._below(schema, hint)
        return self._names[text]

    def _taken(self) -> set[str]:
        return {*self._made, *self._definitions}

    def _below(self, schema: Mapping[str, Any], hint: str) -> Schema:
        """Share what a schema is made of."""
        made = dict(schema)
        for key, value in schema.items():
            if key in _ONE:
                made[key] = self._share(value, hint)
            elif key in _LISTS:
                made[key] = [self._share(one, hint) for one in value]
            elif key in _NAMED:
                made[key] = {name: self._share(one, name) for name, one in value.items()}
        return made


def _kind(schema: Mapping[str, Any], hint: str) -> str:
    """Name a definition: by where it first stands, and the kind that it describes."""
    kind = schema.get("properties", {}).get("kind", {})
    const = kind.get("const") if isinstance(kind, Mapping) else None
    return f"{hint}.{const}" if isinstance(const, str) else hint


def _parts(schema: Any) -> Iterator[Any]:
    """Give the schemas that a schema is made of: not data that only looks like one."""
    for key, value in schema.items() if isinstance(schema, Mapping) else ():
        if key in _ONE:
            yield value
        elif key in _LISTS:
            yield from value
        elif key in _NAMED:
            yield from value.values()


def _count(schema: Any, counts: Counter[str]) -> None:
    """Count how often each schema stands somewhere, with and without what only tells of it."""
    for part in _parts(schema):
        if isinstance(part, Mapping):
            bare = {k: v for k, v in part.items() if k not in {"description", "default", "title"}}
            counts.update({_text(part), _text(bare)})
            _count(part, counts)


def _referring(node: Any, renamed: Mapping[str, str]) -> Any:
    """Let references lead to new names."""
    if isinstance(node, list):
        return [_referring(item, renamed) for item in node]
    if not isinstance(node, Mapping):
        return node
    found = {key: _referring(value, renamed) for key, value in node.items()}
    reference = found.get("$ref")
    if isinstance(reference, str):
        name = reference.removeprefix("#/$defs/")
        found["$ref"] = f"#/$defs/{renamed.get(name, name)}"
    return found


def _text(schema: Any) -> str:
    return json.dumps(schema, sort_keys=True)
