"""The arithmetic of benchmarks/search_efficiency.py, on a grid that is made up, not recorded."""

import importlib
import math
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipelines.types import Question
from raytuner import Space

FOLDER = Path(__file__).parents[1] / "benchmarks"
SPACE = {"size": {"choice": list(range(8))}, "kind": {"choice": ["a", "b", "c"]}}


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def grids(_importable):
    return importlib.import_module("search_grids")


@pytest.fixture(scope="module")
def replays(_importable):
    return importlib.import_module("search_replay")


@pytest.fixture(scope="module")
def tables(_importable):
    return importlib.import_module("search_efficiency")


@pytest.fixture(scope="module")
def grid(grids):
    """24 points, 60 questions of 20 documents; a point's quality shows in every question."""
    points = [dict(point) for point in Space.parse(SPACE).every()]
    questions = tuple(Question(f"q{n}", "?", group=f"d{n % 20}") for n in range(60))
    quality = np.array([p["size"] / 10 + 0.1 * (p["kind"] == "b") for p in points])
    noise = np.random.default_rng(0).normal(0, 0.05, (len(points), len(questions)))
    keys = {grids.point_key(point): row for row, point in enumerate(points)}
    return grids.Grid("made-up", "score", SPACE, keys, questions, quality[:, None] + noise)


@pytest.fixture(scope="module")
def replay(replays, grid):
    def call(search="random", scheduler="none", seed=0, share=1.0):
        return replays.replay(
            grid, replays.Task("made-up", "", "score", search, scheduler, seed, share)
        )

    return call


def outcome(replays, steps, *, seed=0, method=("random", "none"), asked=1000):
    task = replays.Task("made-up", "", "score", *method, seed, 1.0)
    held = tuple(replays.Step(*step) for step in steps)
    return replays.Outcome(task, held, asked, asked, 1.0, 0.8, chosen=0.8, questions=10)


class TestSplit:
    def test_documents_stay_whole_and_two_fifths_of_the_questions_are_searched_on(
        self, grids, grid
    ):
        searched, held_out = grids.split(grid.questions, 0)
        groups = [{grid.questions[at].group for at in part} for part in (searched, held_out)]
        assert not groups[0] & groups[1]
        assert sorted(searched + held_out) == list(range(60))
        assert len(searched) == 24

    def test_seeds_differ_and_repeat(self, grids, grid):
        assert grids.split(grid.questions, 1) == grids.split(grid.questions, 1)
        assert set(grids.split(grid.questions, 1)[0]) != set(grids.split(grid.questions, 2)[0])

    def test_questions_of_few_documents_are_split_one_by_one(self, grids):
        questions = [Question(f"q{n}", "?", group=f"d{n % 2}") for n in range(50)]
        searched, held_out = grids.split(questions, 0)
        assert len(searched) == 20
        assert {questions[at].group for at in held_out} == {"d0", "d1"}


class TestReplay:
    def test_a_run_ends_when_it_has_the_best_point_that_there_is(self, replay, grid):
        found = replay()
        assert found.asked == found.steps[-1].asked < found.limit == len(grid) * found.questions
        assert found.steps[-1].searched == pytest.approx(found.best_searched)
        assert found.steps[-1].held_out == found.chosen
        assert math.isfinite(found.first_near("searched"))

    def test_the_first_complete_trial_leads_after_as_many_questions_as_there_are(self, replay):
        found = replay()
        assert found.steps[0].asked == found.questions
        assert all(
            a.asked < b.asked and a.searched <= b.searched
            for a, b in zip(found.steps, found.steps[1:], strict=False)
        )

    def test_the_budget_is_counted_in_questions(self, replay):
        whole, part = replay(), replay(share=0.1)
        assert part.limit == int(2.4 * part.questions)
        assert part.asked == 2 * part.questions
        assert part.steps == tuple(step for step in whole.steps if step.asked <= part.asked)

    def test_trials_stopped_early_cost_what_they_were_asked(self, replay, grid):
        found = replay(scheduler="asha")
        assert found.asked % found.questions
        assert found.questions < found.asked < len(grid) * found.questions / 2

    def test_equal_seeds_give_equal_outcomes(self, replay):
        assert replay("hyperopt", "asha", seed=3) == replay("hyperopt", "asha", seed=3)


class TestOutcome:
    def test_first_near_is_the_first_incumbent_within_one_percent(self, replays):
        found = outcome(replays, [(10, 0.5, 0.7), (30, 0.99, 0.793), (50, 1.0, 0.6)])
        assert found.first_near("held_out") == 30
        assert found.first_near("searched") == 30
        assert outcome(replays, [(10, 0.5, 0.7)]).first_near("held_out") == math.inf

    def test_gap_follows_the_incumbent_down_and_up(self, replays):
        found = outcome(replays, [(10, 0.5, 0.4), (30, 0.9, 0.8), (50, 1.0, 0.6)])
        assert [found.gap(asked) for asked in (9, 10, 49, math.inf)] == pytest.approx(
            [1.0, 0.5, 0.0, 0.25]
        )

    def test_quantiles_are_counts_that_occurred_and_never_stays_never(self, replays):
        counts = [4, 1, math.inf, 3, math.inf, 2]
        assert [replays.quantile(counts, share) for share in (0.0, 0.25, 0.5, 0.75)] == [
            1, 2, 3, math.inf,
        ]  # fmt: skip


class TestTable:
    def test_medians_are_compared_with_random_search(self, replays, tables):
        random = [outcome(replays, [(400, 1.0, 0.8)], seed=seed) for seed in range(4)]
        ours = [outcome(replays, [(n, 1.0, 0.8)]) for n in (50, 100, 200, 300)]
        assert tables.cells(ours, random, "held_out") == ("100 [50 to 200]", "0.25 x", "4")

    def test_what_was_not_found_is_a_bound(self, replays, tables):
        never = [outcome(replays, [(10, 0.5, 0.5)], asked=1000) for _ in range(4)]
        always = [outcome(replays, [(250, 1.0, 0.8)]) for _ in range(4)]
        assert tables.cells(never, always, "held_out")[:2] == (
            "> 1,000 [never to never]",
            "> 4.00 x",
        )
        assert tables.cells(always, never, "held_out")[1] == "< 0.25 x"
        assert tables.cells(never, never, "held_out")[1:] == ("-", "0")

    def test_it_prints_markdown(self, replay, tables, capsys):
        outcomes = [replay(seed=seed) for seed in range(2)]
        tables.show("made-up", outcomes, 24)
        *_, head, rule, row = capsys.readouterr().out.splitlines()
        assert head.count("|") == rule.count("|") == row.count("|") == len(tables.HEAD) + 1

    def test_the_plot_is_valid_svg(self, replay, tables):
        root = ET.fromstring(tables.draw([replay(), replay(scheduler="asha")]))
        texts = [element.text for element in root.iter() if element.tag.endswith("text")]
        assert {"made-up", "random", "random + asha"} <= set(texts)


def test_a_recording_that_is_not_there_is_one_sentence(grids, tmp_path):
    with pytest.raises(SystemExit, match=r"no recording of chunking .* --record"):
        grids.load("chunking", tmp_path, "iou")
