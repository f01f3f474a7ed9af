"""Identity: keys, the registry of kinds, messages, schemas."""

import json
import math
import os
import subprocess
import sys
from enum import IntEnum

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from raytuner.component import (
    Component,
    ConfigError,
    MissingExtraError,
    digest,
    import_plugins,
    nearest,
    require,
)

CHECK = settings(max_examples=80, deadline=None)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


class Vehicle(Component):
    """A role."""


class Car(Vehicle, kind="car"):
    doors: int = Field(default=4, ge=2, description="how many doors")
    colour: str = "red"
    threads: int = 1
    unkeyed = frozenset({"threads"})


class Bus(Vehicle, kind="bus"):
    version = 2
    seats: int = 50


class Trailer(Vehicle, kind="trailer"):
    pulled_by: Vehicle = Field(default_factory=Car)
    others: tuple[Vehicle, ...] = ()


class Road(Component):
    """Another role."""


class Lane(Road, kind="lane"):
    doors: int = 4
    colour: str = "red"
    threads: int = 1


# ---- keys


@CHECK
@given(VALUES, VALUES)
def test_keys_differ_exactly_where_values_do(one, two):
    assert digest(one) == digest(one)
    assert (digest(one) == digest(two)) == (spell(one) == spell(two))


def spell(value):
    """Types and values, floats without a sign of zero, dicts without an order."""
    if isinstance(value, float):
        return ("float", value + 0.0 if value else 0.0)
    if isinstance(value, dict):
        return ("dict", sorted((k, repr(spell(v))) for k, v in value.items()))
    if isinstance(value, list):
        return ("list", [spell(item) for item in value])
    return (type(value).__name__, value)


@CHECK
@given(VALUES)
def test_keys_ignore_order_tuples_and_numpy(value):
    assert digest(turned(value)) == digest(value)


def turned(value):
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(list(value))}
    if isinstance(value, list):
        return tuple(turned(item) for item in value)
    if isinstance(value, bool):
        return np.bool_(value)
    if isinstance(value, int) and abs(value) < 2**62:
        return np.int64(value)
    if isinstance(value, float):
        return np.float64(value)
    return np.str_(value) if isinstance(value, str) and not value.endswith("\0") else value


def test_keys_tell_types_and_structure_apart():
    values = [1, 1.0, True, "1", b"1", None, 0, 0.0, False, "", [], {}, [[]], [{}], {"a": None},
              "null", {"~float": "1.0"}, ["~float", "1.0"], {1: "a"}, {"1": "a"}]  # fmt: skip
    assert len({digest(value) for value in values}) == len(values)
    assert digest("a", "b") != digest("ab") != digest(["a", "b"])
    assert digest(-0.0) == digest(0.0)
    assert digest(np.float32(0.5)) == digest(0.5)
    assert digest(np.array(3)) == digest(3)
    assert digest(IntEnum("E", "A").A) == digest(1)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, {1, 2}, object(), [math.nan], {"a": {3}}, np.array([1, 2]),
     np.float64("nan")],
)  # fmt: skip
def test_values_without_one_spelling_are_refused(value):
    with pytest.raises(ValueError, match="a key cannot be made of"):
        digest(value)


def test_keys_are_the_same_in_every_process():
    expression = (
        "digest({'b': 1, 'a': [1.5, 'x', None, b'y']}, Trailer(others=(Car(doors=2), Bus())))"
    )
    code = f"from tests.raytuner.test_component import *; print({expression})"
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {eval(expression)}


def test_fields_kinds_roles_versions_and_nested_components_matter():
    class Truck(Vehicle, kind="truck"):
        doors: int = 4
        colour: str = "red"
        threads: int = 1

    parts = [
        Car(), Car(doors=2), Car(colour="blue"), Truck(), Bus(), Trailer(),
        Trailer(pulled_by=Car(doors=2)), Trailer(pulled_by=Bus()), Trailer(others=(Car(),)), Lane(),
    ]  # fmt: skip
    assert len({digest(part) for part in parts}) == len(parts)
    assert digest(Car(threads=8)) == digest(Car())
    assert digest(Trailer(pulled_by=Car(threads=8))) == digest(Trailer())

    class NewCar(Car, kind="newcar"):
        version = 2

    old = digest(NewCar())
    NewCar.version = 3
    assert digest(NewCar()) != old


# ---- the registry


def test_mappings_and_names_become_components():
    assert Vehicle.model_validate("bus") == Bus()
    assert Vehicle.model_validate({"kind": "car", "doors": 3}) == Car(doors=3)
    assert Vehicle.model_validate(Car()) == Car()
    assert Car.model_validate({"kind": "car", "doors": 3}) == Car(doors=3)
    assert Car(doors=3).model_dump() == {"kind": "car", "doors": 3, "colour": "red", "threads": 1}
    nested = Trailer(pulled_by="bus", others=["car", {"kind": "bus", "seats": 3}])
    assert nested.others == (Car(), Bus(seats=3))
    assert Vehicle.model_validate(nested.model_dump()) == nested
    assert Vehicle.model_validate(json.loads(nested.model_dump_json())) == nested
    assert {"bus", "car", "trailer"} <= set(Vehicle.kinds())
    assert Vehicle.named("car") is Car
    assert Car.role() == "Vehicle"


class Garage(BaseModel):
    inside: Vehicle
    road: Road = Lane()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("cra", r"inside: no Vehicle of kind 'cra'; known: .*Did you mean 'car'\?$"),
        ({"kind": "buss"}, r"Did you mean 'bus'\?"),
        ({"doors": 3}, r"a Vehicle needs a `kind`: one of bus, car"),
        ({"kind": "car", "dors": 3}, r"'car' has no field 'dors'; it has: doors, .* 'doors'"),
        ({"kind": "car", "doors": 1}, r"inside\.?.*doors: Input should be greater .* got 1"),
        ({"kind": "car", "doors": "many"}, r"doors: Input should be a valid integer.*'many'"),
        ({"kind": None}, "no Vehicle of kind None"),
        ({"kind": ["car"]}, "no Vehicle of kind"),
        (7, "inside: .*"),
        ({"kind": "trailer", "pulled_by": "plane"}, "no Vehicle of kind 'plane'"),
    ],
)  # fmt: skip
def test_wrong_components_are_named(given, message):
    with pytest.raises(ValidationError) as caught:
        Garage(inside=given)
    error = ConfigError.of(caught.value)
    assert __import__("re").search(message, str(error)), str(error)
    assert "\n" not in str(error)
    assert error.field[0] == "inside"


def test_an_implementation_refuses_another_kind():
    with pytest.raises(ValidationError, match="expected a Vehicle of kind 'car', got 'bus'"):
        Car.model_validate({"kind": "bus"})


def test_a_kind_is_taken_once():
    with pytest.raises(TypeError, match="Vehicle kind 'car' is already taken by"):

        class Other(Vehicle, kind="car"):
            pass

    class Track(Road, kind="car"):  # another role has its own kinds
        pass

    assert Vehicle.named("car") is Car
    assert Road.named("car") is Track


def test_components_are_frozen_and_strict_about_numbers():
    with pytest.raises(ValidationError, match="frozen"):
        Car().doors = 2

    class Slope(Road, kind="slope"):
        angle: float = 0.0

    with pytest.raises(ValidationError, match="finite"):
        Slope(angle=math.nan)


# ---- schemas


def test_schema_describes_every_kind_and_nests_in_itself():
    schema = Garage.model_json_schema()
    text = json.dumps(schema)
    assert "how many doors" in text
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for good in ("car", {"kind": "car", "doors": 3}, {"kind": "trailer", "pulled_by": "bus"},
                 {"kind": "trailer", "pulled_by": {"kind": "trailer"}}):  # fmt: skip
        assert validator.is_valid({"inside": good}), good
    for bad in ("plane", {"kind": "plane"}, {"doors": 3}, {"kind": "car", "doors": 1},
                {"kind": "car", "dors": 3}, 7):  # fmt: skip
        assert not validator.is_valid({"inside": bad}), bad


# ---- small parts


@given(st.text(max_size=5), st.lists(st.text(max_size=5), max_size=4))
@CHECK
def test_nearest_only_gives_known_words(word, known):
    hint = nearest(word, known)
    assert hint == "" or any(repr(one) in hint for one in known)
    assume(known)
    assert nearest(known[0] * 2 + "sized", [known[0] * 2 + "size"]).startswith(" Did you mean")


def test_missing_extras_and_plugins(tmp_path, monkeypatch):
    assert require("json", extra="x") is json
    with pytest.raises(MissingExtraError, match=r"nosuch is not .* pip install 'raytuner\[some\]'"):
        require("nosuch.inner", extra="some")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_plugin.py").write_text("import not_there_at_all")
    with pytest.raises(ModuleNotFoundError, match="not_there_at_all"):
        require("broken_plugin", extra="some")  # its own mistake is not a missing extra
    with pytest.raises(ConfigError, match="plugin 'broken_plugin' cannot be imported: No module"):
        import_plugins(["json", "broken_plugin"])
