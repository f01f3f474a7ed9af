"""Passages: what is marked, what is cut, what fits."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.report.passages import Budget, marked, passages


def plain(markup):
    return re.sub(r"</?mark>", "", markup)


@settings(deadline=None)
@given(st.data())
def test_marks_stand_where_they_belong(data):
    text = data.draw(st.text(alphabet="abc \n", max_size=200))
    ends = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    found = re.findall(r"<mark>(.*?)</mark>", marked(text, pairs), re.DOTALL)
    assert [text[start:end] for start, end in pairs][: len(found)] == found or not pairs
    assert plain(marked(text, [])) == text


def test_a_long_passage_begins_shortly_before_its_evidence():
    text = "x" * 5_000 + "evidence" + "y" * 5_000
    shown = marked(text, [(5_000, 5_008)])
    assert "<mark>evidence</mark>" in shown
    assert shown.startswith("… x")
    assert shown.index("<mark>") < 200
    assert len(shown) < 800


def test_evidence_at_the_end_is_in_sight():
    shown = marked("x" * 600 + "evidence", [(600, 608)])
    assert shown.index("<mark>evidence</mark>") < 200


def test_many_passages_unfold():
    shown = passages([{"document": f"d{n}", "text": "t"} for n in range(14)])
    assert shown.count("<li") == 10
    assert "7 more (4 others are not shown)" in shown
    assert passages([]) == '<p class="caption">nothing</p>'


def test_once_a_budget_is_used_up_nothing_goes_first():
    budget = Budget(10)
    assert budget.take(["12345", "6"])
    assert not budget.take(["12345"])
    assert not budget.take(["1"])
    assert budget.refused == 2
