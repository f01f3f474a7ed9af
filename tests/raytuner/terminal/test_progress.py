"""What is shown of a running sweep."""

import io

import pytest

import raytuner
from raytuner.objective import UnitScore
from raytuner.terminal.progress import (
    LiveProgress,
    PlainProgress,
    Tracker,
    duration,
    listener_for,
    spell,
)
from raytuner.trial import Trial
from tests.raytuner.probes import Questions, study


def ended(key, score=None, status="complete", **params):
    trial = Trial(key, params or {"chunker.size": 3}, ("q",), status=status)
    if score is not None:
        trial.record([UnitScore("q", {"hit": score})], {"q": 0})
    return trial


@pytest.mark.parametrize(("maximise", "best"), [(True, "0.7500"), (False, "0.2500")])
def test_line_says_how_far_and_what_is_best(maximise, best):
    tracker = Tracker(5, "hit", maximise=maximise)
    for key, score, status in (("a", 0.5, "complete"), ("b", 0.75, "complete"),
                               ("c", 0.25, "complete"), ("d", None, "failed")):  # fmt: skip
        if key != "a":
            tracker.started(ended(key))
        tracker.ended(ended(key, score, status))
    line = tracker.line()
    assert line.startswith("4/5 trials, 1 known before, 1 failed, best hit " + best)
    assert "size=3" in line
    assert "left" not in line  # too early to tell
    for key in "efg":
        tracker.started(ended(key))
        tracker.ended(ended(key, 0.5))
    tracker.total = 9
    assert "left" in tracker.line()


def test_unknown_totals_and_metrics():
    tracker = Tracker(None, None, maximise=True)
    assert tracker.line() == "0 trials"
    tracker.ended(ended("a", 0.5))
    assert "best hit 0.5000" in tracker.line()
    assert tracker.left() is None


def test_plain_lines_come_now_and_then_and_at_the_end():
    now, stream = [0.0], io.StringIO()
    shown = PlainProgress(Tracker(4, "hit", maximise=True), stream, 5.0, lambda: now[0])
    for number, at in enumerate((1, 6, 7, 8)):
        now[0] = at
        shown.started(ended(str(number)))
        shown.scored(ended(str(number)), 1)
        shown.ended(ended(str(number), 0.5))
    lines = stream.getvalue().splitlines()
    assert [line.split(" trials")[0] for line in lines] == ["2/4", "4/4"]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_faces_fit_the_stream():
    assert isinstance(listener_for(3, stream=io.StringIO()), PlainProgress)
    live = listener_for(3, "hit", stream=Terminal())
    assert isinstance(live, LiveProgress)
    live.started(ended("a", tools=("[red]x", "b")))
    live.scored(ended("a"), 2)
    live.ended(ended("a", 0.5))
    live.close()
    live.close()


@pytest.mark.parametrize("backend", ["inprocess", "threads", "processes", "async"])
def test_whole_runs_are_shown(backend):
    stream = io.StringIO()
    made = study(Questions(units=2), backend=backend, workers=2)
    raytuner.run(made, in_memory=True, listener=listener_for(12, "hit", stream=stream))
    assert stream.getvalue().splitlines()[-1].startswith("12/12 trials, 24 questions, best hit ")


def test_spellings():
    assert spell(ended("a", **{"chunker.size": 3, "top_k": "x"})) == "size=3, top_k=x"
    assert [duration(s) for s in (0, 42, 89, 180, 9000)] == [
        "0 s",
        "42 s",
        "89 s",
        "3 min",
        "2.5 h",
    ]
