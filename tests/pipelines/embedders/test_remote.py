import numpy as np
import pytest

from pipelines.embedders.remote import unit_vectors
from pipelines.scrub import scrubbed
from raytuner.objective import ObjectiveFailure


def vectors(rows, expected, dimensions=None):
    return unit_vectors(rows, expected=expected, dimensions=dimensions, source="the server")


def test_rows_become_unit_float32_and_zero_stays_zero():
    found = vectors([[3, 4], [0, 0], [1e-30, 0]], 3)
    assert found.dtype == np.float32
    assert np.allclose(found, [[0.6, 0.8], [0, 0], [1, 0]])


@pytest.mark.parametrize(
    ("rows", "expected", "message"),
    [
        ([[1.0]], 2, "1 vectors for 2 texts"),
        ([[1.0], [1.0, 2.0]], 2, "unequal width"),
        ([["x"]], 1, "not of numbers"),
        ([None], 1, "empty vectors|not of numbers"),
        ([[]], 1, "empty vectors"),
        ([[float("nan")]], 1, "not finite"),
    ],
)
def test_what_is_wrong_is_said(rows, expected, message):
    with pytest.raises(ObjectiveFailure, match=f"the server gave .*({message})"):
        vectors(rows, expected)


def test_secrets_of_the_environment_and_key_shapes_are_struck_out(monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "abcdefgh12345")
    monkeypatch.setenv("PLAIN", "also-hidden-value")
    text = "sent abcdefgh12345, also-hidden-value and sk-proj-0123456789abcdef"
    assert scrubbed(text, "PLAIN") == "sent ***, *** and ***"
    assert scrubbed("x\n" * 999).endswith(" ...")


def test_nothing_but_zeros_is_no_answer():
    with pytest.raises(ObjectiveFailure, match="nothing but zeros") as caught:
        unit_vectors([[0, 0], [0, 0]], expected=2, dimensions=None, source="the server")
    assert caught.value.failure.kind == "provider"
