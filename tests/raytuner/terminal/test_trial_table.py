"""The table of trials says who cannot be the best, and nothing impossible."""

import pytest

import raytuner
from raytuner.terminal.trial_table import print_table, table_rows
from tests.raytuner.insight.sheet import made, over_a_limit


def test_a_complete_trial_over_a_limit_is_told_as_such(capsys):
    found = raytuner.run(over_a_limit(), in_memory=True)
    assert [row.status for row in table_rows(found)] == ["complete, over a limit", "complete"]
    print_table(found, None)
    assert "complete, over a limit\n" in capsys.readouterr().out


def test_intervals_of_shares_end_where_shares_do():
    found = raytuner.run(made(lambda params, question: params["x"], {"x": [0, 1]}), in_memory=True)
    best, worst = (row.interval.split(" to ") for row in table_rows(found))
    assert (best[1], worst[0]) == ("1.000", "0.000")
    assert float(best[0]) < 1
    assert found.trials["high"].max() > 1  # whoever reckons on gets the interval itself


def test_intervals_of_other_metrics_are_whole():
    found = raytuner.run(made(lambda params, question: params["x"], {"x": [0, 2]}), in_memory=True)
    low, high = table_rows(found)[0].interval.split(" to ")
    assert float(low) < 2 < float(high)


@pytest.mark.parametrize("width", [20, 30, 60, 200])
def test_the_title_is_a_line_of_its_own(capsys, monkeypatch, width):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    name = "a-study-of-many-words"
    found = raytuner.run(made(lambda p, q: p["x"], {"x": [0, 1, 2]}, name=name), in_memory=True)
    print_table(found, None)
    assert capsys.readouterr().out.startswith(f"{name}: 3 trials, best first\n")


def test_one_trial_is_one(capsys):
    print_table(raytuner.run(made(lambda p, q: p["x"], {"x": [1]}), in_memory=True), None)
    assert capsys.readouterr().out.splitlines()[0] == "t: 1 trial"
