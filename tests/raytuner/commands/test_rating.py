"""`raytuner rate` and `ratings`: in a real terminal, killed half-way, and through pipes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

import pytest

from tests.raytuner.manual.rating_probes import (
    ORDER,
    better,
    copied,
    judgements,
    rated_study,
)

PROMPT = "q = quit > "
COUNT = 20


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    return rated_study(tmp_path / "a")


class Terminal:
    """The real command on a pseudo-terminal, as a person sees it."""

    def __init__(self, *arguments):
        ours, theirs = pty.openpty()
        self._end = ours
        self._text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "raytuner", *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "COLUMNS": "100", "TERM": "xterm"},
        )
        os.close(theirs)

    def until(self, wanted):
        """Read up to a text; None if the command ends before it comes."""
        while wanted not in self._text:
            try:
                more = os.read(self._end, 65_536)
            except OSError:  # what Linux says once the other end is closed
                return None
            if not more:
                return None
            self._text += more.decode(errors="replace")
        shown, _, self._text = self._text.partition(wanted)
        return shown

    def type(self, line):
        os.write(self._end, f"{line}\n".encode())

    def rest(self):
        self.until("\0")
        return self._text

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def terminal():
    opened = []

    def call(*arguments):
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield call
    for one in opened:
        one.close()


def choice(shown):
    """What the rater types, going by what stands left and right on the screen."""
    levels = re.findall(r"level-\d+", shown)
    assert len(levels) == 2
    return "1" if better(*levels) == "left" else "2"


def order(raytuner, run):
    found = json.loads(raytuner("ratings", run, "--json").out)
    return [row["number"] for row in found["configurations"]], found


def test_twenty_comparisons_in_a_terminal_killed_half_way(run, terminal, raytuner):
    straight = copied(run, "b")
    screen = terminal("rate", straight, "--rater", "r1", "-n", COUNT)
    shown = []
    for _ in range(COUNT):
        shown.append(screen.until(PROMPT))
        screen.type(choice(shown[-1]))
    assert f"{COUNT} comparisons by r1 are on record" in screen.rest()
    assert screen.process.wait(60) == 0
    assert not any("\x1b[2J" in text for text in shown)  # no answer clears the screen

    killed = terminal("rate", run, "--rater", "r1")
    for _ in range(COUNT // 2):
        killed.type(choice(killed.until(PROMPT)))
    assert "comparison 11" in killed.until(PROMPT)
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(60)
    assert len(judgements(run)) == COUNT // 2

    again = terminal("rate", run, "--rater", "r1", "-n", COUNT // 2)
    for _ in range(COUNT // 2):
        again.type(choice(again.until(PROMPT)))
    assert again.process.wait(60) == 0
    assert judgements(run) == judgements(straight)
    for folder in (run, straight):
        found, told = order(raytuner, folder)
        assert found == ORDER
        assert told["raters"] == {"r1": COUNT}


def test_through_a_pipe_with_every_kind_of_answer(run, start, raytuner):
    process = subprocess.run(
        [sys.executable, "-m", "raytuner", "rate", str(run), "--rater", "r2"],
        input="1\nr\nwhat\n=\ns\nq\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0
    assert "'what' is no choice" in process.stdout
    assert "3 comparisons by r2 are on record" in process.stdout
    assert "\x1b[2J" not in process.stdout
    assert [one["choice"] for one in judgements(run, "r2")] == ["left", "right", "tie", "skip"]
    found = raytuner("ratings", run)
    assert found.code == 0
    assert "not sure" in found.out
    assert "Raters: r2 (3)." in found.out


def test_the_end_of_input_is_the_end(run, monkeypatch, raytuner):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    found = raytuner("rate", run, "--rater", "r1")
    assert found.code == 0
    assert "0 comparisons by r1 are on record" in found.out


def test_nothing_rated_is_said(run, raytuner):
    found = raytuner("ratings", run)
    assert found.code == 0
    assert found.out == "Nothing has been rated yet.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rater", "../x"], "cannot name a file"),
        (["--rater", "r1", "--trials", "0"], "two numbers or more"),
        (["--rater", "r1", "--trials", "0,x"], "two numbers or more"),
        (["--rater", "r1", "--trials", "0,9"], "no trial 9"),
        ([], "missing option '--rater'"),
    ],
)
def test_wrong_input_is_one_sentence(run, raytuner, arguments, said):
    found = raytuner("rate", run, *arguments)
    assert found.code == 2
    assert found.out == ""
    assert said in found.err.lower() or said in found.err
    assert found.err.count("\n") == 1
    assert not (run / "ratings").exists() or not list((run / "ratings").iterdir())


def test_a_file_edited_by_hand_is_named_with_its_line(run, raytuner, monkeypatch):
    monkeypatch.setattr("sys.stdin", open(os.devnull))  # noqa: SIM115, PTH123
    (run / "ratings").mkdir()
    (run / "ratings/r1.jsonl").write_text('{"choice": "left"}\n')
    for command in (("rate", run, "--rater", "r1"), ("ratings", run), ("results", run)):
        found = raytuner(*command)
        assert found.code == 2
        assert "ratings/r1.jsonl, line 1" in found.err


def test_a_run_whose_objective_shows_what_it_found_is_rated_as_it_is(tiny, raytuner, monkeypatch):
    assert raytuner("run", "study.yaml", "--no-report").code == 0
    (tiny.folder / "typed").write_text("1\nt\nq\n")
    with (tiny.folder / "typed").open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        found = raytuner("rate", "study.yaml", "--rater", "r1")
    assert found.code == 0
    assert "2 comparisons by r1 are on record" in found.out
    assert any(question in found.out for question in ("apples grow", "bread baked", "sourdough"))
    told = json.loads(raytuner("ratings", "study.yaml", "--json").out)
    assert told["raters"] == {"r1": 2}
    assert raytuner("results", "study.yaml").code == 0
