"""Values of parameters as levels of a chart."""

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.report.levels import MOST, levels

VALUES = st.lists(
    st.none() | st.integers(-5, 40) | st.floats(-1, 1) | st.booleans() | st.text(max_size=3),
    max_size=40,
)


@settings(deadline=None)
@given(VALUES | st.lists(st.floats(-1e6, 1e6), max_size=40))
def test_every_value_has_a_level_and_a_place(values):
    found = levels(values)
    assert len(found.labels) <= MOST
    for value, place, share in zip(values, found.places, found.shares, strict=True):
        assert (place is None) == (share is None) == (value is None)
        if value is not None:
            assert 0 <= place < len(found.labels)
            assert 0 <= share <= 1
    assert all(-1e-9 <= at <= 1 + 1e-9 for _, at in found.marks)


def test_numbers_are_ordered_and_words_stay_as_they_came():
    assert levels([512, 64, 128]).labels == ["64", "128", "512"]
    assert levels(["b", "a", None, "b"]).labels == ["b", "a"]
    assert levels([True, 1]).labels == ["true", "1"]


def test_many_numbers_are_binned_and_many_words_joined():
    found = levels(list(range(60)))
    assert len(found.labels) == 6
    assert [found.places.count(place) for place in range(6)] == [10] * 6
    assert [label for label, _ in found.marks] == ["0", "20", "40"]
    assert levels([f"w{n}" for n in range(20)]).labels[-1] == "13 others"


def test_equal_values_are_one_level_in_the_middle():
    assert levels([3, 3]).shares == [0.5, 0.5]
