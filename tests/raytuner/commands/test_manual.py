"""`raytuner ask` and `raytuner tell`: real commands, two people at a time, killed in between."""

import json
import os
import signal
import subprocess
import sys

import pytest

from raytuner.journal import Journal, read

STUDY = """\
name: oven
objective:
  kind: manual
  metrics: [yield, hours]
  minimise: [hours]
  standing: {temperature: 180, salt: "no"}
space:
  temperature: {int: [150, 250]}
  salt: {choice: ["no", "some"]}
search: bayes
budget: {trials: 4}
"""


@pytest.fixture
def oven(tmp_path, monkeypatch):
    (tmp_path / "study.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def suggestions(found):
    assert found.code == 0, found.err
    return json.loads(found.out)["suggestions"]


def results_on_record(folder):
    events, _ = read(folder / "runs/oven/journal.jsonl")
    return [event for event in events if event["event"] in {"units", "dropped", "withdrawn"}]


def test_a_study_from_the_first_suggestion_to_the_verdict(oven, raytuner):
    first = raytuner("ask", "study.yaml")
    assert first.out == (
        "trial 0: temperature = 180, salt = no\n  raytuner tell runs/oven 0 yield=... hours=...\n"
    )
    assert raytuner("tell", "runs/oven", "0", "yield=0.5", "hours=3", "cost=900").code == 0
    numbers = []
    while asked := suggestions(raytuner("ask", "--json"))[:1]:
        (trial,) = asked
        numbers.append(trial["trial"])
        score = 1 - abs(trial["params"]["temperature"] - 220) / 100
        assert raytuner("tell", "study.yaml", trial["trial"], f"yield={score}", "hours=2").code == 0
        if len(numbers) == 4:
            break
    assert numbers == [1, 2, 3, 4]
    over = raytuner("ask", "runs/oven")
    assert (over.code, over.out) == (4, "nothing to try: the budget of 4 trials is used\n")
    assert "complete: 5" in raytuner("status").out
    assert json.loads(raytuner("status", "--json").out)["usd"] == 900
    best = json.loads(raytuner("results", "--json").out)
    assert best
    assert "temperature:" in raytuner("export", "--trial", "2").out
    assert raytuner("report", "study.yaml").code == 0
    assert "NO VERDICT" in raytuner("verdict").out
    assert raytuner("results", "--csv", "t.csv").code == 0


def test_open_suggestions_come_first(oven, raytuner):
    opened = suggestions(raytuner("ask", "-n", "2", "--json"))
    assert [one["open_before"] for one in opened] == [False, False]
    again = suggestions(raytuner("ask", "--json"))
    assert [one["trial"] for one in again] == [0, 1]
    assert [one["open_before"] for one in again] == [True, True]
    three = suggestions(raytuner("ask", "-n", "3", "--json"))
    assert [one["trial"] for one in three] == [0, 1, 2]
    new = suggestions(raytuner("ask", "--new", "--json"))
    assert [(one["trial"], one["open_before"]) for one in new] == [(3, False)]
    assert raytuner("tell", "runs/oven", "2", "yield=1", "hours=1").code == 0
    assert [one["trial"] for one in suggestions(raytuner("ask", "--json"))] == [0, 1, 3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["7", "yield=1", "hours=1"], "no trial 7 in this study: they are 0 to 1"),
        (["0", "yield=1", "hours=1"], "told already"),
        (["1", "yield=1"], "hours is missing; give hours=NUMBER"),
        (["1", "yield=nan", "hours=1"], "'nan' is no score"),
        (["1", "yield=0,7", "hours=1"], "write the decimals after a point"),
        (["1", "yeild=1", "hours=1"], "Did you mean 'yield'"),
        (["1", "yield=1", "hours=1", "cost=-3"], "below 0"),
        (["1", "yield=1", "hours=1", "--unit", "q1"], "no unit 'q1'"),
        (["1", "yield=1", "yield=2", "hours=1"], "yield is given twice"),
        (["1", "0.7"], "name=number"),
        (["1"], "yield is missing"),
        (["1", "--file", "none.json"], "none.json cannot be read"),
        (["1", "--file", "torn.json"], "torn.json: not valid JSON"),
        (["1", "--file", "twice.json"], "'result' is there twice"),
        (["1", "--file", "good.json", "yield=1"], "yield is given twice"),
        (["1", "--failed", " "], "what went wrong"),
        (["1", "--failed", "broke", "yield=1"], "--failed goes with no results"),
        (["1", "yield=1", "hours=1", "--correct", "typo"], "no result of 'result' to correct"),
        (["-1", "yield=1"], "-1"),
    ],
)
def test_wrong_input_is_one_sentence_and_nothing_is_recorded(oven, raytuner, arguments, said):
    (oven / "torn.json").write_text('{"result": {"yield": 1')
    (oven / "twice.json").write_text('{"result": {"yield": 1}, "result": {"yield": 2}}')
    (oven / "good.json").write_text('{"yield": 1, "hours": 2}')
    raytuner("ask", "-n", "2")
    raytuner("tell", "runs/oven", "0", "yield=0.5", "hours=3")
    before = results_on_record(oven)
    found = raytuner("tell", "runs/oven", *arguments)
    assert found.code == 2
    assert said in found.err
    assert found.err.count("\n") == 1
    assert results_on_record(oven) == before
    assert len(before) == 1


def test_files_of_results_and_answers(oven, raytuner):
    (oven / "study.yaml").write_text(STUDY.replace("metrics:", "units: [north, south]\n  metrics:"))
    raytuner("ask")
    (oven / "r.jsonl").write_text(
        '{"unit": "south", "yield": 0.25, "hours": 2, "cost": 5}\n'
        '{"unit": "north", "yield": 0.75, "hours": 1}\n'
    )
    (oven / "a.json").write_text('{"north": "well done", "south": "burnt"}')
    lone = raytuner("tell", "runs/oven", "0", "yield=1", "hours=1")
    assert "this study has 2 units" in lone.err
    assert raytuner("tell", "runs/oven", "0", "--file", "r.jsonl", "--answers", "a.json").code == 0
    (event,) = results_on_record(oven)
    rows = {row[0]: row for row in event["rows"]}
    assert rows["south"][1] == {"yield": 0.25, "hours": 2}
    assert rows["south"][3][0] == 5
    assert rows["north"][5] == {"answer": "well done"}
    raytuner("ask", "--new")
    part = raytuner("tell", "runs/oven", "1", "--unit", "north", "yield=1", "hours=1")
    assert "1 still to come: south" in part.out
    assert raytuner("tell", "runs/oven", "1", "--unit", "south", "yield=1", "hours=1").code == 0


def test_a_failure_and_a_correction_stay_on_record(oven, raytuner):
    raytuner("ask", "-n", "2")
    assert raytuner("tell", "runs/oven", "1", "--failed", "the oven broke").code == 0
    assert raytuner("tell", "runs/oven", "0", "yield=50", "hours=3").code == 0
    corrected = raytuner(
        "tell", "runs/oven", "0", "yield=0.5", "hours=3", "--correct", "typed per cent"
    )
    assert corrected.code == 0
    assert json.loads(raytuner("status", "--json").out)["yield"] == 0.5
    kinds = [event["event"] for event in results_on_record(oven)]
    assert kinds == ["units", "dropped", "units", "withdrawn", "units"]
    assert results_on_record(oven)[3]["reason"] == "typed per cent"
    assert [one["trial"] for one in suggestions(raytuner("ask", "--json"))] == [2]


def test_two_people_ask_at_the_same_time(oven, start, finish):
    started = [start("ask", "study.yaml", "--new", "--json") for _ in range(3)]
    found = [suggestions(finish(process))[0] for process in started]
    assert sorted(one["trial"] for one in found) == [0, 1, 2]
    assert len({json.dumps(one["params"]) for one in found}) == 3


def test_a_command_says_so_when_the_journal_stays_in_use(oven, raytuner, monkeypatch):
    raytuner("ask")
    monkeypatch.setattr("raytuner.commands.manual._WAIT", 0.1)
    journal = Journal(oven / "runs/oven")
    try:
        found = raytuner("tell", "runs/oven", "0", "yield=1", "hours=1")
    finally:
        journal.close()
    assert found.code == 2
    assert "is in use by process" in found.err


KILLED = """
import os, signal
from raytuner.session import Session
Session.__exit__ = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_ask_and_tell(oven, start, raytuner):
    process = start("ask", "study.yaml", "-n", "2", prelude=KILLED)
    assert process.wait(60) == -signal.SIGKILL
    assert [one["trial"] for one in suggestions(raytuner("ask", "--json"))] == [0, 1]
    process = start("tell", "runs/oven", "1", "yield=1", "hours=1", prelude=KILLED)
    assert process.wait(60) == -signal.SIGKILL
    assert [one["trial"] for one in suggestions(raytuner("ask", "--json"))] == [0]
    assert raytuner("tell", "runs/oven", "1", "yield=1", "hours=1").code == 2


def test_the_machine_does_not_run_it_and_people_do_not_run_others(oven, tiny, raytuner):
    (tiny.folder / "hand.yaml").write_text(STUDY)
    found = raytuner("run", "hand.yaml")
    assert found.code == 2
    assert "hand.yaml, line 3" in found.err or "raytuner ask" in found.err
    assert "a machine evaluates this one" in raytuner("ask", "study.yaml").err
    assert raytuner("ask", "nowhere").code == 2
    (tiny.folder / "empty").mkdir()
    assert "no run here" in raytuner("tell", "empty", "0", "yield=1").err


def test_check_and_the_page_of_help(oven, raytuner):
    assert raytuner("check", "study.yaml").code == 0
    for command in ("ask", "tell", "rate", "ratings"):
        assert raytuner(command, "--help").code == 0
    env = {**os.environ, "PYTHONPATH": ""}
    code = "import raytuner, sys; raytuner.AskTell; print('ray' in sys.modules)"
    light = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    assert light.stdout == "False\n"


def entered(number, **more):
    return json.dumps({"yield": number, "hours": 3, **more}, ensure_ascii=False) + "\n"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", entered(10**400), "yield: 1000"),
        ("a.jsonl", '{"yield": 1, "yield": 2, "hours": 3}\n', "a.jsonl, line 1: not valid JSON"),
        ("a.jsonl", "\n" + entered(1)[:-3], "a.jsonl, line 2: not valid JSON"),
        ("a.jsonl", "[" * 100_000, "a.jsonl, line 1: not valid JSON"),
    ],
)
def test_a_damaged_file_of_results_is_named(oven, raytuner, name, text, said):
    assert raytuner("ask").code == 0
    (oven / name).write_text(text)
    told = raytuner("tell", "study.yaml", "0", "--file", name)
    assert (told.code, results_on_record(oven)) == (2, [])
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_number_is_written_as_people_write_it(oven, raytuner):
    """Python reads 0_62 as 62, and who meant 0.62 would never know."""
    assert raytuner("ask").code == 0
    told = raytuner("tell", "study.yaml", "0", "yield=0_62", "hours=3")
    assert told.code == 2
    assert "yield: '0_62' is no number" in told.err


def test_an_answer_may_hold_any_character(oven, raytuner):
    """U+2028 ends a line for Python, and none for JSON."""
    assert raytuner("ask").code == 0
    (oven / "a.jsonl").write_text(entered(1, answer="one\u2028two\x85three"), encoding="utf-8")
    assert raytuner("tell", "study.yaml", "0", "--file", "a.jsonl").code == 0


def test_a_slip_ends_no_study(oven, raytuner):
    assert raytuner("ask").code == 0
    assert raytuner("tell", "study.yaml", "0", "yield=1", "hours=2").code == 0
    assert raytuner("tell", "study.yaml", "7", "yield=1", "hours=2").code == 2
    assert "Stopped early" not in raytuner("results").out
