"""The JSON Schema of study files: what editors complete and check against."""

from __future__ import annotations

from typing import Any

from raytuner.search import Search
from raytuner.space import Space
from raytuner.study import Study, objectives


def study_schema() -> dict[str, Any]:
    """Describe a study, with the settings of every installed objective."""
    schema = Study.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "raytuner study"
    properties = schema["properties"]
    space = Space.model_json_schema()
    schema.setdefault("$defs", {}).update(space.pop("$defs", {}))
    properties["space"] = {**space, "description": properties["space"]["description"]}
    properties["search"]["anyOf"] = Search.model_json_schema()["anyOf"]
    properties["search"].pop("$ref", None)
    properties["objective"] = _objective(properties["objective"]["description"])
    return schema


def _objective(description: str) -> dict[str, Any]:
    options: list[dict[str, Any]] = []
    for name, entry in sorted(objectives().items()):
        describe = getattr(entry.load(), "schema", None)
        if describe is None:
            continue
        section = describe()
        section["properties"] = {"kind": {"const": name}, **section["properties"]}
        section["required"] = ["kind", *section.get("required", [])]
        options.append(section)
    own = {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string", "pattern": ":"}},
    }
    return {"description": description, "anyOf": [*options, own]}
