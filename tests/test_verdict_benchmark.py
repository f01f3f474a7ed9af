"""benchmarks/verdict.py: the truth of what it draws, and the arithmetic of its targets."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def models(benchmarks):
    return importlib.import_module("verdict_models")


@pytest.fixture(scope="module")
def bench(benchmarks):
    # by its path: `verdict` is a common name
    spec = importlib.util.spec_from_file_location("verdict_benchmark", FOLDER / "verdict.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def row(bench, **changed):
    values = {
        "block": "made up", "metric": "binary", "questions": 50, "configurations": 32,
        "spread": "5 pt", "quality": 0.9, "replicates": 1000, "equal": False,
    } | changed  # fmt: skip
    return bench.Row(**values)


@pytest.mark.parametrize("graded", [False, True])
@pytest.mark.parametrize("documents", [False, True])
def test_mean_scores_come_near_the_truth(models, graded, documents):
    model = models.MadeUp(8, 0.1, 0.5, graded, documents)
    draw = model.draw(np.random.default_rng(0), 20_000)
    np.testing.assert_allclose(draw.scores.mean(axis=0), draw.truth, atol=0.025)
    assert draw.truth.std() > 0.05
    assert set(np.unique(draw.scores)) <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert (draw.groups is None) != documents


def test_what_the_user_has_is_at_its_quantile(models):
    model = models.MadeUp(11, 0.1, 0.9, graded=True)
    draw = model.draw(np.random.default_rng(0), 10)
    assert (draw.truth < draw.truth[draw.base]).sum() == 9
    equal = models.MadeUp(11, 0.0, 0.9, graded=True).draw(np.random.default_rng(0), 10)
    assert np.ptp(equal.truth) == 0


def test_a_real_table_is_its_own_truth_and_shuffled_nobody_is_better(models):
    table = np.random.default_rng(0).random((40, 5))
    draw = models.Real(table, (1.0,) * 5, 0.5).draw(np.random.default_rng(1), 5000)
    np.testing.assert_allclose(draw.scores.mean(axis=0), table.mean(axis=0), atol=0.02)
    assert (draw.truth < draw.truth[draw.base]).sum() == 2
    null = models.Real(table, (1.0,) * 5, 0.5, shuffled=True)
    drawn = null.draw(np.random.default_rng(1), 5000)
    assert np.ptp(drawn.truth) == 0
    np.testing.assert_allclose(drawn.scores.mean(axis=0), table.mean(), atol=0.02)


@pytest.mark.needs_shared
def test_recorded_grids_are_read(models):
    if not models.DATA.exists():
        pytest.skip("no shared/data/haystack-grids beside the repository")
    table, costs = models.haystack("squad", "doc_recall_single_hit")
    assert table.shape == (100, 27)
    assert len(costs) == 27
    assert min(costs) == 5.0


def test_a_case_gives_the_same_row_twice_and_a_large_gain_is_found(bench, models):
    model = models.MadeUp(8, 0.15, 0.0, graded=True)
    case = bench.Case("made up", "graded", 100, 8, "15 pt", 0.0, model)
    first, second = bench.measure((case, 5)), bench.measure((case, 5))
    assert first == second
    assert first.proven >= 0.8
    assert first.gain > 5.0
    assert first.worse == 0.0


def test_targets_hold_and_miss(bench):
    good = [row(bench, naive_worse=0.5, worse=0.01), row(bench, equal=True, proven=0.05)]
    assert bench.targets(good).startswith("Targets hold")
    bad = row(bench, naive_worse=0.2, worse=0.1)
    assert bench.targets([*good, bad]).startswith("Targets MISSED")
    liar = row(bench, equal=True, proven=0.2)
    assert bench.targets([*good, liar]).startswith("Targets MISSED")
    # naive does no harm there, so nothing is to be improved
    harmless = row(bench, naive_worse=0.04, worse=0.03)
    assert bench.targets([*good, harmless]).startswith("Targets hold")


def test_the_table_has_a_line_a_row(bench):
    text = bench.table([row(bench), row(bench, equal=True, proven=0.04)])
    head, rule, first, second = text.splitlines()
    assert {line.count("|") for line in (head, rule, first, second)} == {15}
    assert "**4.0%** (" in second


def test_all_blocks_are_listed(bench):
    blocks = [case.block for case in bench.cases(real=False)]
    assert set(blocks) == {"made up", "few questions", "documents"}
    assert blocks.count("made up") == 2 * 4 * 2 * 7
