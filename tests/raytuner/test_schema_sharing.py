"""What stands twice in a schema becomes a definition; data that looks like a schema does not."""

import json

import pytest
from jsonschema import Draft202012Validator

from raytuner.schema_sharing import shared

LONG = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": "string", "description": "what it is for, in some words"} for name in "abcde"
    },
}
KIND = {**LONG, "properties": {"kind": {"const": "x"}, **LONG["properties"]}}


def test_what_stands_once_stays_where_it_is():
    schema = {"properties": {"one": LONG}}
    assert shared(schema) == {"$defs": {}, **schema}


def test_what_stands_twice_is_named_by_where_and_what_it_is():
    small = shared({"properties": {"one": KIND, "two": {"anyOf": [KIND, {"type": "null"}]}}})
    assert list(small["$defs"]) == ["one.x"]
    assert small["$defs"]["one.x"] == KIND
    assert small["properties"]["two"]["anyOf"][0] == {"$ref": "#/$defs/one.x"}


def test_what_only_tells_of_it_stays_beside_the_reference():
    small = shared({"properties": {"one": {**LONG, "description": "first"}, "two": LONG}})
    assert small["properties"]["one"] == {"$ref": "#/$defs/one", "description": "first"}
    assert small["properties"]["two"] == {"$ref": "#/$defs/one"}


def test_equal_definitions_become_one_also_through_each_other():
    schema = {
        "$defs": {
            "a.Inner": LONG,
            "b.Inner": LONG,
            "a.Outer": {"items": {"$ref": "#/$defs/a.Inner"}},
            "b.Outer": {"items": {"$ref": "#/$defs/b.Inner"}},
            "a.Other": {"type": "string"},
            "b.Other": {"type": "number"},
        },
        "properties": {
            "one": {"$ref": "#/$defs/a.Outer"}, "two": {"$ref": "#/$defs/b.Outer"},
            "three": {"$ref": "#/$defs/a.Other"}, "four": {"$ref": "#/$defs/b.Other"},
        },
    }  # fmt: skip
    small = shared(schema)
    assert list(small["$defs"]) == ["Inner", "Outer", "a.Other", "b.Other"]
    assert small["properties"]["two"] == {"$ref": "#/$defs/Outer"}
    assert small["properties"]["four"] == {"$ref": "#/$defs/b.Other"}


@pytest.mark.parametrize("key", ["default", "examples", "const", "enum"])
def test_data_stays_data(key):
    data = [LONG, LONG]
    assert shared({"properties": {"one": {key: data}}})["properties"]["one"] == {key: data}


def test_fields_may_be_called_as_keywords_are():
    schema = {"properties": {"properties": LONG, "items": LONG, "$defs": LONG, "anyOf": LONG}}
    small = shared(schema)
    Draft202012Validator.check_schema(small)
    assert len(json.dumps(small)) < len(json.dumps(schema))
    validator = Draft202012Validator(small)
    assert validator.is_valid({"items": {"a": "x"}, "$defs": {}})
    assert not validator.is_valid({"items": {"f": "x"}})
