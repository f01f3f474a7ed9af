"""The part of a report that says where configurations descend from."""

import html
import re

import pytest

import raytuner
from raytuner.lineage import Origin
from raytuner.report import render
from raytuner.report.sections.lineage import ancestors, descent
from raytuner.results import Results
from raytuner.trial import Trial
from tests.raytuner.report.conftest import HOSTILE
from tests.raytuner.report.test_page import Outline
from tests.raytuner.test_lineage import evolved


def section(results):
    found = re.search(r'<section id="lineage".*?</section>', render(results), re.DOTALL)
    return found and found[0]


@pytest.fixture(scope="module")
def family(tmp_path_factory):
    root = tmp_path_factory.mktemp("family")
    return raytuner.run(evolved(24), root).folder


def test_a_bred_study_has_a_family_tree_and_the_descent_of_its_best(family):
    results = Results.open(family)
    drawn = section(results)
    page = Outline(render(results))
    assert "lineage" in page.ids
    assert drawn.count("rt-family") == 2
    assert "trials in" in drawn
    best = results.best
    line = descent(best, {trial.key: trial for trial in results.record.current})
    rows = re.findall(r"<tr><td>(\d+)</td>", drawn.split("How the best one came about")[-1])
    assert [int(row) for row in rows] == [trial.number for trial in line][-12:]
    generations = {t.origin.generation for t in results.record.current if t.origin}
    assert f"The best of {len(generations)} generations" in drawn


def test_any_other_study_has_none(results):
    assert section(results) is None


def test_a_note_is_harmless_whatever_a_model_wrote(family, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-live-0123456789abcdef")
    results = Results.open(family)
    best = results.best
    note = f"key sk-live-0123456789abcdef {HOSTILE}"
    parent = next(t for t in results.record.current if t is not best)
    best.origin = Origin(f"reflection{HOSTILE}", (parent.key,), 3, note)
    drawn = section(results)
    Outline(drawn)
    assert "<img" not in drawn
    assert "sk-live" not in drawn
    assert html.escape("<img src=x") in drawn


def test_ancestors_are_found_once_and_a_circle_ends():
    trials = {
        "a": Trial("a", {}, ()),
        "b": Trial("b", {}, (), origin=Origin("mutation", ("a",), 1)),
        "c": Trial("c", {}, (), origin=Origin("crossover", ("b", "a"), 2)),
        "d": Trial("d", {}, (), origin=Origin("mutation", ("gone",), 1)),
        "e": Trial("e", {}, (), origin=Origin("mutation", ("e",), 1)),
    }
    assert ancestors(trials["c"], trials) == {"a", "b", "c"}
    assert [trial.key for trial in descent(trials["c"], trials)] == ["a", "b", "c"]
    assert descent(trials["a"], trials) == descent(trials["d"], trials) == []
    assert descent(trials["e"], trials) == []
