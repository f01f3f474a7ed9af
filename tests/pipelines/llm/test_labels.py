import pytest

from pipelines.llm.labels import read_sample
from pipelines.llm.types import Sample

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer", "minimum": 1}},
    "required": ["score"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("sample", "label"),
    [
        (Sample("fine"), None),
        (Sample("fine", "stop"), None),
        (Sample("fine", "tool_calls"), None),
        (Sample(""), "empty"),
        (Sample(" \n\t"), "empty"),
        (Sample("cut", "length"), "truncated"),
        (Sample("", "length"), "truncated"),
        (Sample("no", "content_filter", refused=True), "filtered"),
        (Sample("", "length", refused=True), "filtered"),
    ],
)
def test_free_text(sample, label):
    assert read_sample(sample, None) == (label, None)


@pytest.mark.parametrize(
    "text",
    ['{"score": 3}', ' {"score": 3}\n', '```json\n{"score": 3}\n```', '```\n{"score": 3}```',
     '\n```json\n{"score":\n3}\n```\n'],
)  # fmt: skip
def test_json_that_fits_is_read(text):
    assert read_sample(Sample(text, "stop"), SCHEMA) == (None, {"score": 3})


@pytest.mark.parametrize(
    "text",
    ["three", '{"score": "3"}', '{"score": 0}', "{}", '{"score": 3, "why": ""}', "[3]", "null",
     '{"score": 3', '{"score": 3} indeed', '```json\n{"score": 3}\n``` indeed', "[" * 100_000],
)  # fmt: skip
def test_json_that_does_not_fit_is_invalid(text):
    assert read_sample(Sample(text), SCHEMA) == ("invalid", None)


def test_a_cut_counts_before_json_that_does_not_fit():
    assert read_sample(Sample('{"score": 3', "length"), SCHEMA) == ("truncated", None)


def test_null_can_be_what_was_asked_for():
    assert read_sample(Sample("null"), {"type": "null"}) == (None, None)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_no_json(text):
    assert read_sample(Sample(text), {"type": "number"}) == ("invalid", None)
