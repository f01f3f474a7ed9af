"""The JSON Schema of study files: what editors complete and check against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raytuner.named import objectives
from raytuner.schema_sharing import shared
from raytuner.search import Search
from raytuner.space import Space
from raytuner.study import Study


def study_schema() -> dict[str, Any]:
    """Describe a study, with the settings of every installed objective."""
    return shared(written_out())


def written_out() -> dict[str, Any]:
    """Describe a study at length: every objective has the whole of what it is made of."""
    schema = Study.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "raytuner study"
    properties = schema["properties"]
    space = Space.model_json_schema()
    schema.setdefault("$defs", {}).update(space.pop("$defs", {}))
    properties["space"] = {**space, "description": properties["space"]["description"]}
    properties["search"]["anyOf"] = Search.model_json_schema()["anyOf"]
    properties["search"].pop("$ref", None)
    description = properties["objective"]["description"]
    properties["objective"] = {"description": description, "anyOf": _objectives(schema["$defs"])}
    return schema


def _objectives(definitions: dict[str, Any]) -> list[dict[str, Any]]:
    """List the sections of all objectives; what they define goes into `definitions`."""
    options: list[dict[str, Any]] = []
    for name, entry in sorted(objectives().items()):
        describe = getattr(entry.load(), "schema", None)
        if describe is None:
            continue
        section = _lifted(describe(), f"{name}.", definitions)
        section["properties"] = {"kind": {"const": name}, **section["properties"]}
        section["required"] = ["kind", *section.get("required", [])]
        options.append(section)
    own = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string", "pattern": ":"}},
    }
    return [*options, own]


def _lifted(node: Any, prefix: str, definitions: dict[str, Any]) -> Any:
    """Move definitions to where references look for them: the top of the whole schema.

    Args:
        node: a schema, or a part of one, that may bring definitions of its own.
        prefix: keeps the names of one objective apart from those of another.
        definitions: takes them.
    """
    if isinstance(node, list):
        return [_lifted(item, prefix, definitions) for item in node]
    if not isinstance(node, Mapping):
        return node
    for name, definition in node.get("$defs", {}).items():
        definitions[prefix + name] = _lifted(definition, prefix, definitions)
    lifted = {
        key: _lifted(item, prefix, definitions) for key, item in node.items() if key != "$defs"
    }
    if "$ref" in lifted:
        lifted["$ref"] = lifted["$ref"].replace("#/$defs/", f"#/$defs/{prefix}")
    return lifted
