"""Plots show themselves and can be saved."""

import xml.etree.ElementTree as ET

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.insight import Plots
from tests.raytuner.insight.sheet import over_a_limit

SPACE = {"chunk.size": [128, 256, 512], "model": ["a", "<script>"], "rate": [0.1, 0.2]}
GOALS = {"score": "max", "price": "min"}


def function(params, question):
    worth = params["chunk.size"] / 1000 + 0.1 * (params["model"] == "a") + params["rate"]
    return {"score": min(1.0, worth + question / 100), "price": params["chunk.size"]}


@pytest.fixture
def plot(run):
    return Plots(run(function, SPACE, metric="score"))


def parsed(svg):
    return ET.fromstring(svg)


@pytest.mark.parametrize(
    "draw",
    [
        lambda p: p.pareto(GOALS),
        lambda p: p.curve(),
        lambda p: p.curve("usd"),
        lambda p: p.heatmap("chunk.size", "model"),
        lambda p: p.questions(),
        lambda p: p.parallel(),
    ],
    ids=["pareto", "curve", "usd", "heatmap", "questions", "parallel"],
)
def test_a_single_drawing_is_svg(plot, draw, tmp_path):
    chart = draw(plot)
    svg = chart._repr_svg_()
    assert parsed(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert svg in chart._repr_html_()
    assert "<script>" not in svg
    assert chart.save(tmp_path / "a.svg").read_text() == svg
    assert svg in chart.save(str(tmp_path / "a.html")).read_text()
    with pytest.raises(ConfigError, match=r"must end in \.svg or \.html"):
        chart.save(tmp_path / "a.png")


def test_a_place_that_cannot_be_written_is_one_sentence(plot, tmp_path):
    for name in ("v.svg", "v.html"):
        path = tmp_path / "nowhere" / name
        with pytest.raises(ConfigError, match=f"nowhere/{name} cannot be written: No such file"):
            plot.parallel().save(path)


def test_importance_is_a_drawing_a_parameter(plot, tmp_path):
    chart = plot.importance()
    assert chart._repr_svg_() is None
    shown = chart._repr_html_()
    assert shown.count("<svg") == 3
    assert shown.index("<b>chunk.size</b>") < shown.index("<b>rate</b>")
    assert "<script>" not in shown
    with pytest.raises(ConfigError, match=r"end in \.html: there are 3 drawings"):
        chart.save(tmp_path / "a.svg")


def test_every_trial_is_a_line_and_a_point(plot):
    assert plot.parallel()._repr_svg_().count("trial ") >= 12
    assert plot.pareto(GOALS)._repr_svg_().count("<circle") >= 12


def test_what_is_over_a_limit_is_not_drawn_as_the_best():
    found = raytuner.run(over_a_limit(), in_memory=True)
    svg = Plots(found).parallel()._repr_svg_()
    assert found.ranked[0] is not found.best
    width = {one.get("data-trial"): one.get("stroke-width") for one in parsed(svg).iter()}
    assert float(width[str(found.best.number)]) > float(width[str(found.ranked[0].number)])


def test_heatmap_has_the_mean_of_every_cell(run):
    chart = Plots(run(lambda p, q: p["a"] / 4 + p["b"] / 16, {"a": [0, 1], "b": [0, 1]}))
    svg = chart.heatmap("a", "b")._repr_svg_()
    for mean in (0.25, 0.0625, 0.3125):
        assert f"{mean:.3f}"[:5] in svg


def test_bad_names(plot):
    with pytest.raises(ConfigError, match=r"'chunk\.siz' is no parameter of this run.*chunk\.size"):
        plot.heatmap("chunk.siz", "model")
    with pytest.raises(ConfigError, match="'money' is none of questions, usd, seconds"):
        plot.curve("money")


def test_one_configuration_has_no_effects(run):
    with pytest.raises(ConfigError, match="no parameter has two levels yet"):
        Plots(run(lambda p, q: 0.5, {"x": [1]})).importance()


def test_a_verdict_needs_finalists(plot):
    if not plot._results.verdict.finalists:
        with pytest.raises(ConfigError, match=plot._results.name):
            plot.verdict()


def test_the_verdict_is_drawn(run):
    def better(params, question):
        return 0.3 + 0.4 * params["x"] + 0.1 * (question % 2)

    found = run(better, {"x": [0, 1]}, units=60, base={"x": 0})
    svg = Plots(found).verdict()._repr_svg_()
    assert f"trial {found.verdict.recommended}" in svg
