"""Stored and local journal are one: whatever was copied comes back byte for byte, or is refused."""

import itertools
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.storage.place import place_at
from raytuner.storage.segments import (
    Digest,
    Segment,
    merge,
    reunite,
    stored_segments,
    whole_lines,
)

JOURNALS = st.lists(st.integers(0, 99).map(lambda n: b"%d\n" % n), min_size=1, max_size=12)


def store(place, whole, start, end):
    segment = Segment(start, end, Digest().add(whole[:end]))
    place.write(segment.name, whole[start:end])
    return segment


def fresh():
    return place_at(f"memory://{uuid.uuid4().hex}")


def together(place, local=b""):
    return reunite(place, stored_segments(place), local)


def offsets(lines):
    return [sum(map(len, lines[:count])) for count in range(len(lines) + 1)]


@settings(max_examples=100, deadline=None)
@given(JOURNALS, st.data())
def test_any_segments_and_any_local_prefix_give_the_whole(lines, data):
    whole, cuts = b"".join(lines), offsets(lines)
    place = fresh()
    inner = data.draw(st.sets(st.sampled_from(cuts))) | {0, len(whole)}
    chain = sorted(inner)
    for start, end in itertools.pairwise(chain):
        store(place, whole, start, end)
    pairs = st.tuples(st.sampled_from(cuts), st.sampled_from(cuts))
    for start, end in data.draw(st.lists(pairs.filter(lambda p: p[0] < p[1]), max_size=3)):
        store(place, whole, start, end)  # what came through late
    local = whole[: data.draw(st.sampled_from(cuts))]
    assert together(place, local) == whole
    assert together(place, whole + b"more\n") == whole + b"more\n"


@settings(max_examples=100, deadline=None)
@given(JOURNALS, st.data())
def test_any_damage_is_refused_and_never_returned(lines, data):
    whole, cuts = b"".join(lines), offsets(lines)
    place = fresh()
    segments = [store(place, whole, start, end) for start, end in itertools.pairwise(cuts)]
    victim = data.draw(st.sampled_from(segments))
    content = place.read(victim.name)
    position = data.draw(st.integers(0, len(content) - 1))
    harm = data.draw(st.sampled_from(["cut", "flip", "gone"]))
    if harm == "gone":
        place.remove(victim.name)
    elif harm == "cut":
        place.write(victim.name, content[:position])
    else:
        place.write(victim.name, content[:position] + b"#" + content[position + 1 :])
    if harm == "gone" and victim == segments[-1]:
        assert together(place) == whole[: victim.start]
    else:
        with pytest.raises(ConfigError, match="is damaged"):
            together(place)
    local_end = data.draw(st.sampled_from([cut for cut in cuts if cut >= victim.end]))
    assert together(place, whole[:local_end]) == whole, "what is here already is not asked for"


@settings(max_examples=100, deadline=None)
@given(JOURNALS, st.data())
def test_a_local_journal_that_went_another_way_is_refused(lines, data):
    whole, cuts = b"".join(lines), offsets(lines)
    place = fresh()
    chain = sorted(data.draw(st.sets(st.sampled_from(cuts))) | {0, len(whole)})
    for start, end in itertools.pairwise(chain):
        store(place, whole, start, end)
    at = data.draw(st.sampled_from(cuts[:-1]))
    local = whole[:at] + b"other\n" + whole[at:]
    with pytest.raises(ConfigError, match="different ways") as caught:
        together(place, local)
    assert f"({len(whole)} bytes, last written 2" in str(caught.value)
    assert f"({len(local)} bytes, {len(lines) + 1} events)" in str(caught.value)


def test_two_writers_of_one_place_are_refused(lines):
    place, whole = fresh(), lines(4)
    store(place, whole, 0, len(whole))
    other = whole[: whole.find(b"\n") + 1] + lines(2)
    store(place, other, whole.find(b"\n") + 1, len(other))
    with pytest.raises(ConfigError, match="is damaged"):
        together(place)


def test_local_and_equal_fetches_nothing(lines):
    place, whole = fresh(), lines(4)
    segment = store(place, whole, 0, len(whole))
    place.write(segment.name, b"nobody reads this")
    assert together(place, whole) == whole


@settings(max_examples=30, deadline=None)
@given(JOURNALS, st.integers(0, 12))
def test_merging_keeps_the_whole_wherever_it_is_cut_short(lines, removed):
    whole, cuts = b"".join(lines), offsets(lines)
    place = fresh()
    segments = [store(place, whole, start, end) for start, end in itertools.pairwise(cuts)]
    one = Segment(0, len(whole), Digest().add(whole))
    place.write(one.name, whole)
    for segment in segments[:removed]:  # and then it was killed
        if segment != one:
            place.remove(segment.name)
    assert together(place) == whole
    merge(place, stored_segments(place), whole)
    assert stored_segments(place) == [one]
    assert together(place) == whole


def test_other_objects_are_no_segments(lines):
    place, whole = fresh(), lines(1)
    store(place, whole, 0, len(whole))
    place.write("README", b"")
    place.write("0-1-x.jsonl", b"")
    assert together(place) == whole


def test_a_torn_last_line_is_not_read(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert whole_lines(path) == b""
    path.write_bytes(b"torn")
    assert whole_lines(path) == b""
    path.write_bytes(b"one\ntwo\nto")
    assert whole_lines(path) == b"one\ntwo\n"
