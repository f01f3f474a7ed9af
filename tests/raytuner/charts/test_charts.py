"""Charts are well-formed, harmless and never fail, whatever numbers and names they are given."""

import math
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner import charts
from raytuner.charts.svg import Scale, number, signed, span, tick_label, ticks

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.text(max_size=30) | st.just('"><script>alert(1)</script>\x00\ud800 onload=x')
SVG = "{http://www.w3.org/2000/svg}"
NAMES = {
    f"{SVG}{name}"
    for name in (
        "svg", "title", "desc", "g", "a", "line", "text", "tspan", "circle", "rect", "path",
    )
}  # fmt: skip


def check(drawn):
    """Parse a chart; it has a title, a description, and no elements but those of charts."""
    drawn.encode()
    root = ET.fromstring(drawn)
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    for one in root.iter():
        assert one.tag in NAMES
        for name, value in one.attrib.items():
            assert not name.startswith("on")
            assert "nan" not in value.split()
            assert "inf" not in value.split()
            if name == "href":
                assert value.startswith("#")
    return root


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, NUMBERS, NUMBERS, NUMBERS, TEXTS), max_size=5), TEXTS)
def test_forests(rows, title):
    rows = [charts.Estimate(*row[:4], note=row[4], link="#trial-1") for row in rows]
    for width in (320, 880):
        check(charts.forest(rows, title=title, width=width))


@settings(max_examples=40, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_whiskers(value, low, high, reference):
    check(charts.whisker(value, low, high, domain=(0.0, 1.0), reference=reference))
    check(charts.whisker(value, None, None, domain=span([value]), reference=None))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, NUMBERS, NUMBERS, NUMBERS, st.integers(0)), max_size=5), TEXTS)
def test_effects(rows, title):
    check(charts.effects([charts.Level(*row, few=row[4] < 3) for row in rows], title=title))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_heatmaps(data):
    rows = data.draw(st.lists(TEXTS, max_size=4))
    columns = data.draw(st.lists(TEXTS, max_size=4))
    cell = st.none() | NUMBERS
    values = [[data.draw(cell) for _ in columns] for _ in rows]
    counts = [[1 for _ in columns] for _ in rows]
    for given_counts in (None, counts):
        drawn = charts.heatmap(
            rows, columns, values, row_name="r", column_name="c<", title="t", counts=given_counts,
            maximise=data.draw(st.booleans()),
        )  # fmt: skip
        check(drawn)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_parallel_coordinates(data):
    names = data.draw(st.lists(TEXTS, min_size=1, max_size=4))
    axes = [charts.Axis(name, ["a", "<b>"], [0.0, 1.0], 0.05) for name in names]
    place = st.none() | NUMBERS
    lines = [
        charts.Line(n, [data.draw(place) for _ in axes], data.draw(NUMBERS), data.draw(TEXTS))
        for n in range(data.draw(st.integers(0, 4)))
    ]
    root = check(charts.parallel(axes, lines, title="t"))
    drawn = [one for one in root.iter(f"{SVG}path") if one.get("data-trial")]
    assert sorted(int(one.get("data-trial")) for one in drawn) == list(range(len(lines)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS, st.booleans(), st.booleans(), TEXTS), max_size=6))
def test_scatters(rows):
    points = [charts.Point(n, *row, baseline=n == 0) for n, row in enumerate(rows)]
    root = check(charts.scatter(points, x_label="$", y_label="<hit>", title="t"))
    finite = sum(math.isfinite(p.x) and math.isfinite(p.y) for p in points)
    assert len(list(root.iter(f"{SVG}a"))) == finite


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6), st.none() | NUMBERS)
def test_steps(pairs, reference):
    series = charts.Series([x for x, _ in pairs], [y for _, y in pairs], ["<"], 10.0)
    check(charts.steps(series, x_label="x", y_label="y", title="t", reference=reference))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, NUMBERS, TEXTS, NUMBERS), max_size=6))
def test_bars(rows):
    check(charts.bars([charts.Part(*row) for row in rows], title="t"))


def test_an_interval_is_drawn_where_it_lies():
    root = check(charts.forest([charts.Estimate("t", 0.5, 0.0, 1.0)], title="t", reference=0.0))
    circle = next(root.iter(f"{SVG}circle"))
    whisker = next(one for one in root.iter(f"{SVG}line") if one.get("stroke-linecap"))
    middle = (float(whisker.get("x1")) + float(whisker.get("x2"))) / 2
    assert float(circle.get("cx")) == pytest.approx(middle, abs=0.02)


def test_colour_says_which_side_of_the_reference():
    def colour(low, high):
        drawn = charts.forest([charts.Estimate("t", (low + high) / 2, low, high)], title="t")
        return next(check(drawn).iter(f"{SVG}circle")).get("fill")

    assert "green" in colour(0.1, 0.2)
    assert "vermillion" in colour(-0.2, -0.1)
    assert colour(-0.1, 0.1) == "currentColor"


def test_the_best_cell_is_the_strongest_whichever_way_is_better():
    for maximise, best in ((True, "3.000"), (False, "1.000")):
        drawn = charts.heatmap(
            ["a"], ["b", "c", "d"], [[1.0, 2.0, 3.0]], row_name="r", column_name="c", title="t",
            maximise=maximise,
        )  # fmt: skip
        bold = [
            one.text for one in check(drawn).iter(f"{SVG}text") if one.get("font-weight") == "700"
        ]
        assert bold == [best]
        strongest = [
            one for one in check(drawn).iter(f"{SVG}rect") if "rt-s5" in one.get("fill", "")
        ]
        assert len(strongest) == 1


def test_what_is_not_on_the_front_is_not_numbered():
    points = [charts.Point(1, 1, 1, front=True), charts.Point(2, 2, 0)]
    root = check(charts.scatter(points, x_label="$", y_label="q", title="t"))
    texts = {one.text for one in root.iter(f"{SVG}text")}
    assert "1" in texts
    assert {one.get("href") for one in root.iter(f"{SVG}a")} == {"#trial-1", "#trial-2"}


# ---- numbers


@settings(deadline=None)
@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 8))
def test_ticks_lie_inside_and_are_few(low, reach, count):
    found = ticks(low, low + reach, count)
    assert len(found) <= 2 * count + 2
    slack = reach * 1e-6
    assert all(low - slack <= tick <= low + reach + slack for tick in found)
    assert found == sorted(set(found))


@pytest.mark.parametrize(
    ("value", "plain", "with_sign"),
    [
        (0.12345, "0.123", "+0.123"),
        (-0.5, "−0.500", "−0.500"),
        (0.0, "0.000", "0.000"),
        (1234.5, "1,234", "+1,234"),
        (1e-9, "1.00e−09", "+1.00e−09"),
        (math.nan, "–", "–"),
        (math.inf, "–", "–"),
        (None, "–", "–"),
    ],
)
def test_numbers_are_spelt_for_people(value, plain, with_sign):
    assert number(value) == plain
    assert signed(value) == with_sign


@given(st.lists(st.none() | NUMBERS, max_size=5))
def test_a_span_is_never_empty(values):
    low, high = span(values)
    assert low < high or not math.isfinite(low)
    assert Scale(low, high, 0, 100)(low) == 0


def test_tick_labels_are_short():
    assert [tick_label(v) for v in (0.0, 0.25, 1000.0, -2.0)] == ["0", "0.25", "1,000", "−2"]


MEMBERS = st.lists(
    st.tuples(st.integers(0, 4), NUMBERS, TEXTS, st.lists(st.integers(0, 20), max_size=3),
              st.booleans(), TEXTS),
    max_size=12,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(MEMBERS, TEXTS, st.booleans())
def test_families(rows, title, maximise):
    members = [
        charts.Member(number, generation, score, how, tuple(parents), line, label)
        for number, (generation, score, how, parents, line, label) in enumerate(rows)
    ]
    for width in (320, 860):
        check(charts.family(members, y_label=title, title=title, maximise=maximise, width=width))


def test_a_family_shows_generations_parents_and_who_the_best_descends_from():
    root = check(
        charts.family(
            [
                charts.Member(1, 0, 0.5, "random", line=True),
                charts.Member(2, 0, 0.2, "random"),
                charts.Member(3, 1, 0.7, "mutation", (1,), line=True),
                charts.Member(4, 1, 0.4, "crossover", (1, 2)),
                charts.Member(5, 1, math.nan, "mutation", (1,)),
            ],
            y_label="hit",
            title="Family",
        )
    )
    assert root[1].text == "4 trials in 2 generations, 2 with parents; the best has 0.700."
    lines = [one for one in root.iter(f"{SVG}line") if one.get("stroke-width")]
    assert len(lines) == 3
    (strong,) = (one for one in lines if one.get("stroke-width") == "1.6")
    dots = {one[0].text: one for one in root.iter(f"{SVG}circle") if len(one)}
    assert set(dots) == {"1: 0.500", "2: 0.200", "3: 0.700", "4: 0.400"}
    ends = (dots["1: 0.500"], dots["3: 0.700"])
    assert [strong.get(n) for n in ("x1", "y1", "x2", "y2")] == [
        value for dot in ends for value in (dot.get("cx"), dot.get("cy"))
    ]
    assert float(dots["1: 0.500"].get("cx")) < float(dots["3: 0.700"].get("cx"))
    assert float(dots["3: 0.700"].get("cy")) < float(dots["1: 0.500"].get("cy"))
    words = [one.text for one in root.iter(f"{SVG}text")]
    assert {"mutation", "crossover", "generation", "hit"} <= set(words)
