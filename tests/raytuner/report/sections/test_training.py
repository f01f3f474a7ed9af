"""Learning curves in the report of a study that is trained."""

import math

import raytuner
from raytuner.charts import Curve, curves
from raytuner.report import render
from raytuner.schedule import changes
from raytuner.terminal.show import print_results
from tests.raytuner.own.test_generator import study


def test_one_line_a_trial_and_copies_start_where_they_were_changed(tmp_path):
    results = raytuner.run(study(tmp_path), in_memory=True)
    page = render(results)
    assert 'id="training"' in page
    chart = page[page.index("rt-curves") :]
    chart = chart[: chart.index("</svg>")]
    assert chart.count("<path") == len(results.record.current)
    copies = [trial for trial in results.record.current if changes(trial.params)]
    assert chart.count("<circle") == len(results.record.current) + len(copies)
    assert f"(changed after {changes(copies[0].params)[0]})" in chart
    for words in ("questions answered", "mean over questions", "searched, 0 held"):
        assert words not in page.replace("12 searched, 0 held out", "")


def test_no_such_section_where_nothing_is_trained():
    done = raytuner.run(
        raytuner.Study(objective=lambda p: p["x"], space={"x": [1]}), in_memory=True
    )
    assert 'id="training"' not in render(done)


def test_steps_are_called_steps(tmp_path, capsys):
    results = raytuner.run(study(tmp_path), in_memory=True)
    print_results(results, as_json=False, rows=None, study=None)
    said = capsys.readouterr().out
    assert "of 12 steps" in said
    assert "question" not in said


def test_a_line_ends_where_nothing_is_known():
    drawn = curves([Curve([1.0, 2.0, math.nan, 4.0], "a < b"), Curve([], "nothing")],
                   x_label="epoch", y_label="ndcg", title="t")  # fmt: skip
    assert drawn.count("<path") == 1
    assert drawn.count("L") >= 1
    assert "a &lt; b" in drawn
