"""Tables, intervals, comparisons and files of an outcome."""

import html
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import raytuner
from raytuner import Study, run
from raytuner.component import ConfigError
from raytuner.journal import JournalError, decode, encode
from raytuner.proof.confidence import mean_interval
from raytuner.proof.reach import reach_of
from raytuner.results import Results
from raytuner.tables import COLUMNS, parquet_ready
from tests.raytuner.probes import SPACE, Questions, study, table, worth
from tests.raytuner.sweeping.test_finals import Graded


@pytest.fixture(scope="module")
def results():
    return raytuner.run(study(Questions(faults={2: "raise"})), in_memory=True)


# ---- intervals


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=60))
def test_intervals_agree_with_scipy(values):
    values = np.array(values)
    n, error = len(values), values.std(ddof=1) / math.sqrt(len(values))
    found = mean_interval(values)
    assert found.estimate == values.mean()
    floor = 1 / (4 * n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=max(error, floor))
    assert found.low == pytest.approx(low, rel=1e-9, abs=1e-9)
    assert found.high == pytest.approx(high, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("n", [2, 10, 100])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_equal_answers_are_no_proof_of_zero_variance(n, value):
    found = mean_interval(np.full(n, value))
    assert found.low < value < found.high
    assert found.high - found.low > 2 * 1.9 / (4 * n)


def test_how_sure_a_mean_is_does_not_depend_on_the_unit():
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2, 40) * 0.0
    values[0] = 1.0
    for factor in (1e-6, 1.0, 1000.0):
        found = mean_interval(
            values * factor, reach_of([values * factor, np.array([np.nan])]).width
        )
        assert np.array(found) / factor == pytest.approx(np.array(mean_interval(values)))


@pytest.mark.parametrize(
    ("scores", "scale"),
    [([[0.0, 1.0]], 1.0), ([[2.0, math.nan], [5.0]], 3.0), ([[0.25, 0.25]], 0.25), ([], 1.0),
     ([[math.nan]], 1.0), ([[0.0, 0.0]], 1.0)],
)  # fmt: skip
def test_the_scale_of_scores_is_how_far_they_are_apart(scores, scale):
    assert reach_of(map(np.array, scores)).width == scale


def test_one_answer_says_nothing_of_spread():
    assert mean_interval(np.array([0.3])) == (0.3, -math.inf, math.inf)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(0)
    held = [
        found.low <= 0.5 <= found.high
        for found in (mean_interval(rng.normal(0.5, 0.2, 20)) for _ in range(2000))
    ]
    assert 0.935 < np.mean(held) < 0.965


# ---- trials


def test_table_is_best_first_and_complete(results):
    frame = results.trials
    assert list(frame.columns[:6]) == ["trial", "status", "x", "y", "hit", "loss"]
    assert set(COLUMNS) <= set(frame.columns)
    done = frame[frame.status == "complete"]
    assert list(done.hit) == sorted(done.hit, reverse=True)
    assert list(frame.status[-3:]) == ["failed"] * 3
    assert len(frame) == 12
    best = results.best
    assert best.mean("hit") == done.hit.max()
    row = frame.iloc[0]
    values = np.array([worth({"x": row.x, "y": row.y}, f"q{n}") for n in range(6)])
    assert row.hit == values.mean()
    assert (row.low, row.high) == mean_interval(values)[1:]
    assert frame[frame.status == "failed"].low.isna().all()


def test_scores_are_long_and_whole(results):
    frame = results.scores
    assert list(frame.columns) == ["trial", "unit", "metric", "score", "part"]
    assert len(frame) == 9 * 6 * 2 + 3 * 2 * 2
    assert frame.score.between(0, 1).all()
    means = frame[frame.metric == "hit"].groupby("trial").score.mean()
    done = results.trials[results.trials.status == "complete"]
    for trial, hit in zip(done.trial, done.hit, strict=True):
        assert means[trial] == pytest.approx(hit)


def test_differences_are_paired_and_signed():
    for metric, sign in (("hit", 1), ("loss", -1)):
        found = raytuner.run(study(metric=metric), in_memory=True)
        best, worst = found.ranked[0], found.ranked[-1]
        difference = found.difference(best, worst)
        values = sign * (best.values(metric) - worst.values(metric))
        assert difference == mean_interval(values)
        assert difference.estimate > 0
        assert found.difference(worst, best).estimate == -difference.estimate
        contenders = found.contenders()
        assert best not in contenders
        for trial in found.ranked[1:]:
            assert (trial in contenders) == (found.difference(best, trial).low <= 0)


def test_differences_use_common_questions(results):
    failed, best = results.failed[0], results.best
    both = results.difference(best, failed)
    assert both == mean_interval((best.values("hit") - failed.values("hit"))[:2])
    assert failed not in results.contenders()


def test_ties_are_broken_by_key():
    found = raytuner.run(study(lambda p: 0.5), in_memory=True)
    keys = [trial.key for trial in found.ranked]
    assert keys == sorted(keys)


def test_parameters_metrics_and_columns_of_one_name():
    def function(params):
        return {"score": 1.0 / params["x"], "seconds": 9.5, "usd": 2.0, "x": 99}

    found = raytuner.run(study(function, space={"x": [1, 2]}), in_memory=True)
    assert list(found.trials.x) == [1, 2]
    assert set(found.trials.seconds) == {9.5}
    assert set(found.trials.usd) == {2.0}


def test_inactive_parameters_are_empty():
    space = {"x": [1, 2], "y": {"choice": ["a"], "when": {"x": 1}}}
    frame = raytuner.run(study(space=space), in_memory=True).trials
    assert frame.set_index("x").y.isna().to_dict() == {1: False, 2: True}


def test_html_is_escaped():
    space = {"x": ["<script>alert(1)</script>", "b"]}
    shown = raytuner.run(study(space=space), in_memory=True)._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_html_says_the_verdict_and_shows_the_ends_of_a_long_table():
    results = raytuner.run(study(space={"x": {"int": [1, 80]}}), in_memory=True)
    shown = results._repr_html_()
    assert html.escape(results.verdict.sentence) in shown
    assert "<td>...</td>" in shown
    assert shown.count("<tr") < len(results.trials)


def test_nothing_yet():
    nothing = raytuner.run(study(Questions(pause=1), budget={"seconds": 1e-9}), in_memory=True)
    assert nothing.trials.empty
    assert list(nothing.scores.columns) == ["trial", "unit", "metric", "score", "part"]
    assert nothing.best is None
    assert nothing.baseline is None
    assert nothing.contenders() == nothing.failed == nothing.ranked == []
    assert nothing.work == nothing.total_work == nothing.stage_seconds == {}
    assert isinstance(nothing._repr_html_(), str)


# ---- files


def test_saved_tables_are_the_tables(tmp_path):
    found = raytuner.run(study(Questions(faults={2: "raise"})), tmp_path)
    found.save()
    folder = tmp_path / "runs/t"
    trials = pd.read_parquet(folder / "trials.parquet")
    pd.testing.assert_frame_equal(trials, found.trials, check_dtype=False)
    scores = pd.read_parquet(folder / "scores.parquet")
    pd.testing.assert_frame_equal(scores, found.scores, check_dtype=False)
    assert {path.name for path in folder.iterdir()} == {
        "journal.jsonl", "journal.lock", "trials.parquet", "scores.parquet",
    }  # fmt: skip
    raytuner.run(study(), in_memory=True).save()  # nowhere to write to


def test_mixed_values_survive_parquet(tmp_path):
    space = {"x": [1, "a", None, True, 2.5], "tools": {"subset": ["a", "b"]}}
    found = raytuner.run(study(space=space), tmp_path)
    found.save()
    back = pd.read_parquet(tmp_path / "runs/t/trials.parquet")
    for column in ("x", "tools"):
        values = [json.loads(text) for text in back[column]]
        plain = [list(v) if isinstance(v, tuple) else v for v in found.trials[column]]
        assert values == plain


def test_parquet_ready_leaves_plain_columns_alone():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [None, None]})
    pd.testing.assert_frame_equal(parquet_ready(frame), frame)


def test_reopened_results_are_the_same(tmp_path):
    found = raytuner.run(study(metric="loss"), tmp_path)
    again = Results.open(tmp_path / "runs/t")
    pd.testing.assert_frame_equal(again.trials, found.trials, check_exact=True)
    pd.testing.assert_frame_equal(again.scores, found.scores, check_exact=True)
    assert (again.metric, again.maximise, again.name) == ("loss", False, "t")
    assert again.parameters == tuple(SPACE)
    assert again.stop_reason is None
    assert again.total_work == found.total_work == {"questions": 72}


def test_opening_while_it_is_written(tmp_path):
    raytuner.run(study(), tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    answered = []
    for number in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:number]) + lines[number][:-5])
        answered.append(int(Results.open(path.parent).trials.get("answered", pd.Series([0])).sum()))
    assert answered == sorted(answered)
    assert answered[-1] == 72


def test_folders_without_a_run(tmp_path):
    with pytest.raises(ConfigError, match=r"no run here \(journal\.jsonl is missing or empty\)"):
        Results.open(tmp_path)
    (tmp_path / "journal.jsonl").touch()
    with pytest.raises(ConfigError, match="no run here"):
        Results.open(str(tmp_path))
    (tmp_path / "journal.jsonl").write_bytes(encode({"event": "later"}))
    with pytest.raises(ConfigError, match="no run here"):
        Results.open(tmp_path)


def test_a_study_whose_budget_ran_out_in_the_finals_goes_on_with_a_larger_one(tmp_path):
    fields = {"budget": {"usd": 1.5}, "scheduler": "none", "retry": {"times": 0, "wait": 0}}
    results = raytuner.run(study(Graded(usd=0.01), **fields), tmp_path)
    said = "held-out questions; raise the budget and run the study again to go on"
    assert results.stop_reason.startswith("the budget of $1.5")
    for found in (results, Results.open(tmp_path / "runs/t")):
        assert found.verdict.status == "NONE"
        assert found.verdict.reason.endswith(said)
    stopped = Results.open(tmp_path / "runs/t")
    stopped.stop_reason = "interrupted"
    assert stopped.verdict.reason.endswith("held-out questions; run the study again to go on")
    again = raytuner.run(study(Graded(usd=0.01), **{**fields, "budget": {"usd": 15}}), tmp_path)
    assert again.verdict.status != "NONE"


def test_a_file_is_no_run_folder(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: x")
    with pytest.raises(ConfigError, match=r"study\.yaml is a file; give the folder of a run, such"):
        Results.open(path)


@pytest.mark.parametrize("name", ["study", "units", "name", "parameters", "goal"])
def test_a_session_without_its_facts_is_named_by_its_line(tmp_path, name):
    raytuner.run(study(), tmp_path)
    path = tmp_path / "runs/t/journal.jsonl"
    first, *rest = path.read_bytes().splitlines(keepends=True)
    facts = {key: value for key, value in decode(first).items() if key != name}
    facts.pop("metric")
    path.write_bytes(encode(facts) + b"".join(rest))
    with pytest.raises(JournalError, match=r"journal\.jsonl, line 1: 'opened' has no '(\w+)'") as f:
        Results.open(path.parent)
    assert f"'{'metric' if name == 'goal' else name}'" in str(f.value)


def test_the_latest_study_of_a_folder_counts(tmp_path):
    raytuner.run(study(), tmp_path)
    raytuner.run(study(space={"x": [1], "y": ["a", "b"]}), tmp_path)
    assert len(table(tmp_path / "runs/t")) == 2


@pytest.mark.parametrize("metric", ["score", "unit", "trial", "metric"])
def test_a_metric_may_have_the_name_of_a_column_of_the_scores(metric, tmp_path):
    study = Study(
        name="t", objective=lambda p: {metric: p["x"]}, space={"x": [1, 2]}, metric=metric
    )
    found = run(study, tmp_path)
    found.save()

    assert list(found.scores.columns) == ["trial", "unit", "metric", "score", "part"]
    assert found.scores["metric"].tolist() == [metric] * 2
    assert sorted(found.scores["score"]) == [1.0, 2.0]
