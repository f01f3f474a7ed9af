"""What a report says where there is no verdict."""

import re

import raytuner
from raytuner.report.data import collect
from raytuner.report.sections.verdict import render
from tests.raytuner.insight.sheet import made, over_a_limit


def test_the_reason_for_no_verdict_stands_once():
    text = render(collect(raytuner.run(over_a_limit(), in_memory=True)))
    assert text.lower().count("no other configuration is complete") == 1
    assert "No other configuration is complete" in text
    assert "tried instead" not in text
    assert "trial 1" not in text


def test_where_nothing_is_recommended_nothing_was_tried_instead():
    few = made(lambda p, q: p["x"] / 4 + q / 100, {"x": [0, 1]}, units=6, base={"x": 0})
    text = render(collect(raytuner.run(few, in_memory=True)))
    assert "What trial 1 (best so far) changes" in text
    assert "recommended" not in re.sub(r"<[^>]*>", " ", text)
