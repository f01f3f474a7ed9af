"""The arithmetic of benchmarks/search_efficiency.py, on a grid that is made up, not recorded."""

import importlib
import itertools
import json
import math
from dataclasses import asdict
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from pipelines.types import Question
from raytuner import ConfigError, Space

FOLDER = Path(__file__).parents[1] / "benchmarks"
SPACE = {"size": {"choice": list(range(8))}, "kind": {"choice": ["a", "b", "c"]}}


@pytest.fixture(scope="module")
def grids(benchmarks):
    return importlib.import_module("search_grids")


@pytest.fixture(scope="module")
def replays(benchmarks):
    return importlib.import_module("search_replay")


@pytest.fixture(scope="module")
def outcomes(benchmarks):
    return importlib.import_module("search_outcome")


@pytest.fixture(scope="module")
def tables(benchmarks):
    return importlib.import_module("search_tables")


@pytest.fixture(scope="module")
def grid(grids):
    """24 points, 60 questions of 20 documents; a point's quality shows in every question."""
    points = [dict(point) for point in Space.parse(SPACE).every()]
    questions = tuple(Question(f"q{n}", "?", group=f"d{n % 20}") for n in range(60))
    quality = np.array([0.1 + p["size"] / 10 + 0.1 * (p["kind"] == "b") for p in points])
    noise = np.random.default_rng(0).normal(0, 0.05, (len(points), len(questions)))
    keys = {grids.point_key(point): row for row, point in enumerate(points)}
    prices = grids.bill(
        [100 * (p["size"] + 1) for p in points],
        [p["kind"] for p in points],
        [1000.0 * (p["kind"] != "c") for p in points],
    )
    return grids.Grid("made-up", "score", SPACE, keys, questions, quality[:, None] + noise, prices)


@pytest.fixture(scope="module")
def replay(replays, grid):
    def call(method="random+none", seed=0, share=1.0):
        return replays.replay(grid, replays.Task("made-up", "", "score", method, seed, share))

    return call


def outcome(outcomes, steps, *, seed=0, method="random+none", asked=1000):
    truth = outcomes.Truth(100, 20, 30, 0.8, leader=0.02, advice=0.005, usd=10.0)
    held = tuple(outcomes.Step(*step) for step in steps)
    return outcomes.Outcome("made-up", method, seed, held, asked, 5.0, truth)


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
    def test_a_search_that_asks_everything_recommends_what_the_grid_does(self, replay, grid):
        found = replay("grid+none")
        assert found.asked == found.truth.evaluations == len(grid) * found.truth.questions
        assert found.gap() == found.truth.advice <= found.truth.leader == found.gap(part="leader")
        assert found.usd == pytest.approx(found.truth.usd)

    def test_nothing_is_recommended_before_a_trial_is_complete(self, replay):
        found = replay()
        assert found.steps[0].asked == found.truth.questions
        assert found.gap(found.truth.questions - 1) == 1
        assert all(
            before.asked < after.asked and before.usd < after.usd
            for before, after in itertools.pairwise(found.steps)
        )

    def test_the_best_of_the_finalists_is_never_behind_the_leader(self, replay):
        assert all(step.advice <= step.leader for step in replay("grid+race").steps)

    def test_the_budget_is_counted_in_questions(self, replay):
        whole, part = replay(), replay(share=0.1)
        assert part.asked == 2 * part.truth.questions
        assert part.steps == tuple(step for step in whole.steps if step.asked <= part.asked)

    def test_trials_stopped_early_cost_what_they_were_asked(self, replay):
        found = replay("grid+race")
        assert found.asked % found.truth.questions
        assert found.asked < 0.7 * found.truth.evaluations

    def test_equal_seeds_give_equal_outcomes(self, replay):
        assert replay("hyperopt+asha", seed=3) == replay("hyperopt+asha", seed=3)

    def test_ingestion_is_paid_once(self, replay, grid):
        found = replay("grid+none")
        apart = found.truth.questions * sum(grid.bill.question)
        assert found.usd - apart == pytest.approx(2 * 1000 * 0.02e-6)


class TestOutcome:
    def test_first_near_is_the_first_recommendation_within_one_percent(self, outcomes):
        found = outcome(outcomes, [(10, 0.1, 0.3, 0.2), (30, 0.5, 0.02, 0.01), (50, 0.9, 0.0, 0.0)])
        assert found.first_near() == 30
        assert found.first_near("leader") == 50
        assert found.first_near(by="usd") == 0.5
        assert outcome(outcomes, [(10, 0.1, 0.3, 0.2)]).first_near() == math.inf

    def test_gap_follows_the_recommendation_down_and_up(self, outcomes):
        found = outcome(outcomes, [(10, 0.1, 0.3, 0.2), (30, 0.5, 0.1, 0.0), (50, 0.9, 0.2, 0.1)])
        assert [found.gap(asked) for asked in (9, 10, 49, math.inf)] == [1.0, 0.2, 0.0, 0.1]
        assert found.gap(0.5, "leader", "usd") == 0.1

    def test_finals_are_counted_against_all_questions(self, outcomes):
        found = outcome(outcomes, [], asked=200)
        assert found.share == 0.1
        assert found.with_finals(found.asked) == (200 + 4 * 30) / (100 * 50)

    def test_quantiles_are_counts_that_occurred_and_never_stays_never(self, outcomes):
        counts = [4, 1, math.inf, 3, math.inf, 2]
        assert [outcomes.quantile(counts, share) for share in (0.0, 0.25, 0.5, 0.75)] == [
            1, 2, 3, math.inf,
        ]  # fmt: skip

    def test_what_is_kept_is_read_back(self, outcomes):
        found = outcome(outcomes, [(10, 0.1, 0.3, 0.2)])
        assert outcomes.restored(json.loads(json.dumps(asdict(found)))) == found


class TestTable:
    def test_a_line_says_when_what_is_recommended_was_near(self, outcomes, tables):
        found = [
            outcome(outcomes, [(near, near / 200, 0.02, 0.01)], seed=near)
            for near in (50, 100, 200, 300)
        ]
        found.append(outcome(outcomes, [(10, 0.1, 0.5, 0.5)], seed=0))
        assert tables.row("grid+race", found) == (
            "grid + race", "5", "10.0%", "4", "10.0%", "50.0%", "1.0%", "1.0%",
            "50.0%", "1.0%", "2.0%",
        )  # fmt: skip

    def test_what_less_than_half_have_found_is_no_number(self, outcomes, tables):
        found = [outcome(outcomes, [(900, 1.0, 0.5, 0.4)], seed=seed) for seed in range(3)]
        assert tables.row("random+none", found)[:7] == ("random", "3", "-", "0", "-", "-", "-")

    def test_others_are_compared_after_as_many_evaluations(self, outcomes, tables):
        ours = [outcome(outcomes, [(90, 1.0, 0.0, 0.0)], method=tables.OURS, asked=100)]
        other = [outcome(outcomes, [(50, 1.0, 0.3, 0.2), (101, 2.0, 0.0, 0.0)])]
        line = tables.side("made-up", {tables.OURS: ours, "random+none": other})
        assert line == (
            "made-up", "5.0%", "4.4%", "0.0%", "0.5%", "20.0%; ours 0.0% (1 seeds)", "-",
            "yes, 4.5%",
        )  # fmt: skip

    def test_it_is_markdown(self, replay, tables):
        text = tables.table("made-up", [replay(seed=seed) for seed in range(2)])
        *_, head, rule, row = text.splitlines()
        assert head.count("|") == rule.count("|") == row.count("|") == len(tables.HEAD) + 1
        assert tables.overview({"made-up": [replay()]}).splitlines()[-1].startswith("|---")

    def test_the_plot_is_valid_svg(self, replay):
        draw = importlib.import_module("search_plot").draw
        root = ET.fromstring(draw([replay(), replay("random+asha")]))
        texts = [element.text for element in root.iter() if element.tag.endswith("text")]
        assert {"made-up, by evaluations", "made-up, by dollars", "random", "random + asha"} <= {
            *texts
        }


class TestMethods:
    def test_what_is_registered_can_be_run(self):
        methods = importlib.import_module("search_methods")
        assert {"random+none", "hyperopt+asha", "grid+race"} <= set(methods.registered())
        with pytest.raises(ConfigError, match="nobody"):
            methods.named("nobody+race")

    def test_ours_are_sized_by_grid_and_questions(self):
        named = importlib.import_module("search_methods").named
        assert named("bayes+race*").sized(216, 88) == (
            {"kind": "bayes", "samples": 48},
            {"kind": "race", "grace": 16},
        )
        assert named("bayes+race*").sized(27, 43) == (
            {"kind": "bayes", "samples": 14},
            {"kind": "race", "grace": 16},
        )
        assert named("grid+race").sized(27, 43) == ({"kind": "grid"}, {"kind": "race"})


def test_measured_grids_are_whole():
    measured = importlib.import_module("search_measured")
    if not measured.available("aragog"):
        pytest.skip("the measurements are not part of the repository")
    grid = measured.load("aragog")
    assert grid.scores.shape == (27, 107)
    assert not np.isnan(grid.scores).any()
    assert len(set(grid.bill.ingestion)) == 9


def test_a_recording_that_is_not_there_is_one_sentence(grids, tmp_path):
    with pytest.raises(SystemExit, match=r"no recording of chunking .* --record"):
        grids.load("chunking", tmp_path, "iou")
