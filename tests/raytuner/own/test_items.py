"""Items of an objective of one's own: read from where they are, named, ordered, grouped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.own.items import Fields, Items

FIELDS = Fields()


def items(rows, **fields):
    return Items.read(rows, None, Fields(**fields))


def test_files_lists_and_functions_give_the_same(tmp_path):
    rows = [{"id": "a", "q": "Ä?"}, {"id": 7, "q": 1.5}]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "data.jsonl").write_bytes(b"\xef\xbb\xbf" + lines.encode() + b"\r\n")
    read = Items.read("data.jsonl", tmp_path, FIELDS)
    assert read.ids == ("a", "7")
    assert read["7"] == {"id": 7, "q": 1.5}
    sources = [rows, tuple(rows), lambda: iter(rows), tmp_path / "data.jsonl"]
    assert {Items.read(source, tmp_path, FIELDS).key for source in sources} == {read.key}
    assert Items.unpacked(read.packed(), FIELDS).key == read.key


def test_items_without_ids_are_numbered():
    assert items([{"q": 1}, {"q": 2}]).ids == ("1", "2")
    assert items([{"q": "x"}, {"q": "y"}], id="q").ids == ("x", "y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there are none"), ("\n \n", "there are none"),
        ('{"a": 1}\n{"a": 1', r"data\.jsonl, line 2, column 8: not JSON"),
        ('{"a": 1}\n[1]', r"data\.jsonl, line 2: '\[1\]' is no JSON object"),
        ('{"a": NaN}', "line 1: holds what cannot be read: NaN is no JSON"),
        ('{"a": 1e999}', "line 1: holds what cannot be read"),
        ('{"a": "\\ud800"}', "line 1: holds what cannot be read"),
        ('{"a": ' + "9" * 5000 + "}", "line 1: holds what cannot be read"),
        ("[" * 100_000, "line 1"),
        ('{"id": "x"}\n\n{"id": "x"}', r"line 3: the id 'x' is there twice, first in .*line 1"),
        ('{"id": 1}\n{"id": "1"}', "line 2: the id '1' is there twice"),
        ('{"id": "x"}\n{"q": 1}', "line 2: the id is None; give a text or a whole number"),
        ('{"id": true}', "line 1: the id is True"), ('{"id": ""}', "line 1: the id is ''"),
        (b"\xff\xfe{", "not UTF-8 at byte 0"), (b'{"a": "\xe4"}', "not UTF-8 at byte 7"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named(tmp_path, text, message):
    (tmp_path / "data.jsonl").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=message) as caught:
        Items.read("data.jsonl", tmp_path, FIELDS)
    assert caught.value.field == ("items",)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("none.jsonl", "none.jsonl cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
        ("../data.jsonl", "leads out of the folder of the study"),
        ("a\0b", "is no path"),
        ([], "there are none"), ([1], "number 1: 1 is no mapping"), ({"a": 1}, "got {'a': 1}"),
        (5, "give a file of JSON lines or a list of mappings, got 5"),
        (lambda: None, "give a file of JSON lines or a list of mappings, got None"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_refused(tmp_path, source, message):
    with pytest.raises(ConfigError, match=message):
        Items.read(source, tmp_path, FIELDS)


def test_fields_that_no_item_has_are_named():
    rows = [{"doc": "a"}]
    with pytest.raises(ConfigError, match=r"none has a field 'docs'; .* Did you mean 'doc'\?"):
        items(rows, group="docs")
    with pytest.raises(ConfigError, match="none has the field 'name'"):
        items(rows, id="name")


def test_groups_and_kinds():
    rows = [{"d": "x", "t": ["b", "a"]}, {"d": 3, "t": "b"}, {"d": None}]
    found = items(rows, group="d", stratum="t")
    assert found.groups() == {"1": "x", "2": "3"}
    assert found.strata() == {"1": "a b", "2": "b"}
    assert items(rows).groups() == {}


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(0, 5))
def test_every_beginning_meets_all_kinds_alike(kinds, seed):
    rows = [{"t": kind} for kind in kinds]
    found = items(rows, stratum="t")
    order = found.ordered(seed)
    assert sorted(order) == sorted(found.ids)
    assert order == items(rows, stratum="t").ordered(seed)
    for length in range(1, len(order) + 1):
        for kind in set(kinds):
            share = sum(found[unit]["t"] == kind for unit in order[:length])
            assert abs(share - length * kinds.count(kind) / len(kinds)) <= len(set(kinds)) / 2 + 0.5


def test_content_counts_and_order_and_layout_do_not():
    one = items([{"id": "a", "q": 1}, {"id": "b", "q": 2}])
    two = items([{"id": "b", "q": 2}, {"q": 1, "id": "a"}])
    assert one.key == two.key
    assert one.ordered(0) == two.ordered(0)
    changed = items([{"id": "a", "q": 1}, {"id": "b", "q": 2.0}])
    assert changed.key != one.key
    assert changed.contents()["a"] == one.contents()["a"]
