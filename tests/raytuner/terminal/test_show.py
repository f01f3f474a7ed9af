"""What people read: tables that stay readable, and sentences that say how sure a result is."""

import json
import re

import pytest

import raytuner as tuner
from raytuner.objective import Objective, UnitScore
from raytuner.printable import plain, shorten, spell
from raytuner.terminal.show import as_plain, print_results, print_scores
from raytuner.terminal.summary import dead_knobs, lines

SEVEN = "7 chunk texts are longer than the model reads, 70 tokens went unseen"
HOSTILE = "[red]no[/red]\x1b[31m\r\n\t\u202e end"


class Scripted(Objective):
    """Scores questions as `scores[parameter value]` says, with facts as `known` says."""

    def __init__(self, scores, known=None, standing=None):
        self.scores, self.known, self.standing = scores, known or {}, standing

    def facts(self, params):
        return self.known.get(params["a"], {})

    def units(self):
        return [f"q{n}" for n in range(len(next(iter(self.scores.values()))))]

    def key(self, params):
        return json.dumps(dict(params), sort_keys=True)

    def metrics(self):
        return ("recall",)

    def defaults(self, names):
        return self.standing

    def evaluate(self, params, units, meter):
        meter.count("chunks built", 2)
        scores = dict(zip(self.units(), self.scores[params["a"]], strict=True))
        yield [UnitScore(unit, {"recall": scores[unit]}) for unit in units]


def results_of(objective, space=None, **more):
    space = space or {"a": {"choice": list(objective.scores)}}
    study = tuner.Study(objective=objective, space=space, **more)
    return tuner.run(study, in_memory=True)


def cut(texts, tokens):
    return {"chunks_cut": float(texts), "tokens_unseen": float(tokens)}


@pytest.fixture
def terminal(monkeypatch):
    def set_width(columns):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", str(columns))

    return set_width


def without_styles(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# ---- sentences


def test_it_says_what_leads_and_that_this_is_no_proof():
    scores = {"x": [0.5, 0.6, 0.4, 0.7], "y": [0.6, 0.5, 0.6, 0.8]}

    said = lines(results_of(Scripted(scores, standing={"a": "x"})))

    assert said[0] == "Best: recall 0.6250, trial 1: a = y"
    assert said[1].startswith("  Against the configuration as it stands: +0.0750, 95 % interval -")
    assert said[2] == (
        "  A lead, not a proof: 4 questions cannot tell it apart from the other one (paired, 95 %)."
    )


def test_it_says_when_questions_tell_the_best_apart():
    scores = {"x": [0.1] * 200, "y": [0.9] * 200}

    said = lines(results_of(Scripted(scores)))

    assert said[1] == "  200 questions tell it apart from the other one (paired, 95 %)."


def test_it_says_when_nothing_beats_what_there_is():
    scores = {"x": [0.9, 0.8], "y": [0.1, 0.2]}

    said = lines(results_of(Scripted(scores, standing={"a": "x"})))

    assert said[0].endswith("trial 0: a = x")
    assert said[1] == "  This is the configuration as it stands; nothing that was tried beats it."


def test_one_question_is_no_interval():
    said = lines(results_of(Scripted({"x": [0.1], "y": [0.2]}, standing={"a": "x"})))

    assert "+0.1000 (one question tells nothing about how sure that is)." in said[1]


def test_what_the_model_never_saw_is_told_of_the_best_and_of_what_there_is():
    scores = {"x": [0.1, 0.2], "y": [0.8, 0.9], "z": [0.3, 0.3]}
    counts = {"x": cut(7, 70), "y": cut(1200, 34567), "z": cut(99, 999)}

    said = lines(results_of(Scripted(scores, counts, standing={"a": "x"})))

    assert (
        "  Note: 1,200 chunk texts are longer than the model reads, 34,567 tokens went unseen; "
        "as it stands: 7 chunk texts are longer than the model reads, 70 tokens went unseen."
        in said
    )
    assert "99" not in " ".join(said)
    assert "Work done: 6 chunks built." in said


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        ({}, None),
        ({"x": cut(7, 70), "y": cut(7, 70)}, f"  Note: {SEVEN}."),
        (
            {"x": cut(7, 70)},
            f"  Note: no chunk is longer than the embedding model reads; as it stands: {SEVEN}.",
        ),
    ],
)
def test_the_note_on_unseen_tokens_is_as_short_as_can_be(counts, note):
    scores = {"x": [0.1, 0.2], "y": [0.8, 0.9]}

    said = lines(results_of(Scripted(scores, counts, standing={"a": "x"})))

    assert [line for line in said if "Note" in line] == ([note] if note else [])


def test_a_knob_that_changes_nothing_is_named():
    objective = Scripted({"x": [0.1, 0.2], "y": [0.8, 0.9]})
    space = {"a": {"choice": ["x", "y"]}, "idle": {"choice": [1, 2]}}

    found = results_of(objective, space)

    assert dead_knobs(found) == ["idle"]
    assert "No effect on any score: idle." in lines(found)


def test_a_knob_is_not_called_dead_for_one_pair_of_its_values():
    objective = Scripted({"x": [0.1, 0.2], "y": [0.8, 0.9]})
    space = {"a": {"choice": ["x", "y"]}, "idle": {"choice": [1, 2, 3]}}
    # 3 is tried with y only, where nothing compares with it.
    apart = ("idle < 3 or a == 'y'", "idle == 3 or a == 'x'")

    assert dead_knobs(results_of(objective, space)) == ["idle"]
    assert dead_knobs(results_of(objective, space, constraints=apart)) == []


def test_a_knob_that_changes_one_question_is_alive():
    found = results_of(Scripted({"x": [0.1, 0.2], "y": [0.1, 0.3]}))

    assert dead_knobs(found) == []


# ---- tables


def test_prompts_keep_the_table_readable(capsys):
    first = "You are a careful assistant.\nAnswer from the text alone. " * 20 + "Be brief."
    second = "You are a careful assistant.\nAnswer from the text alone. " * 20 + "Be verbose."
    found = results_of(Scripted({first: [0.1, 0.2], second: [0.8, 0.9]}))

    print_results(found)

    shown = capsys.readouterr().out.splitlines()
    rows = [line for line in shown if line.endswith("complete")]
    assert len(rows) == 2
    assert max(map(len, shown)) < 150
    assert "verbose." in rows[0]
    assert "brief." in rows[1]
    assert as_plain(found)["best"] == {"a": second}


def test_markup_and_control_characters_are_harmless(capsys):
    found = results_of(Scripted({HOSTILE: [0.1, 0.2]}), name="tiny")

    print_results(found)
    print_scores(found)

    shown = capsys.readouterr().out
    assert "[red]no[/red]\\x1b[31m\\r\\n\\t\\u202e end" in shown
    assert all(c.isprintable() or c in "\n\t" for c in shown)


def test_markup_is_harmless_on_a_terminal(capsys, terminal):
    terminal(120)

    print_results(results_of(Scripted({HOSTILE: [0.1, 0.2]})))

    shown = capsys.readouterr().out
    assert "[red]no[/red]\\x1b[31m" in without_styles(shown)
    assert "\x1b[31m" not in shown


def test_error_texts_are_harmless(capsys):
    class Failing(Scripted):
        def evaluate(self, params, units, meter):
            raise RuntimeError("\x1b[2J[bold]gone[/bold]\n" + "x" * 5000)

    found = results_of(Failing({"x": [0.1]}), retry={"times": 0})

    said = " ".join(lines(found))

    assert "\\x1b[2J[bold]gone[/bold]\\n" in said
    assert len(said) < 600


def two_trials(capsys, terminal, width):
    """Print the results of a tiny study on a terminal of so many columns."""
    found = results_of(Scripted({"x": [0.1, 0.2], "y": [0.8, 0.9]}, standing={"a": "x"}))
    terminal(width)
    print_results(found)
    return without_styles(capsys.readouterr().out)


def test_a_terminal_gets_a_table_that_fits(capsys, terminal):
    shown = two_trials(capsys, terminal, 80)
    assert "│  1 │ y │ 0.8500 │" in shown
    assert "│ 0* │ x │ 0.1500 │" in shown
    assert max(map(len, shown.split("Best:")[0].splitlines())) <= 80


def test_a_narrow_terminal_gets_a_list(capsys, terminal):
    shown = two_trials(capsys, terminal, 40)
    assert "#1 complete: recall 0.8500 (" in shown
    assert "\n    a = y\n#0* complete: recall 0.1500" in shown
    assert "│" not in shown
    assert "…" not in shown


def test_a_pipe_gets_one_plain_line_a_trial(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    found = results_of(Scripted({"x": [0.1, 0.2], "y": [0.8, 0.9]}, standing={"a": "x"}))

    print_results(found)

    shown = capsys.readouterr().out
    assert shown.splitlines()[2].split()[:3] == ["1", "y", "0.8500"]
    assert "\x1b" not in shown
    assert "│" not in shown


# ---- values


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (None, "null"),
        (True, "true"),
        (3, "3"),
        (0.25, "0.25"),
        ("minilm", "minilm"),
        (("a", "b"), "[a, b]"),
        ((), "[]"),
        ("a\x00b", "a\\x00b"),
        ("naïve 日本", "naïve 日本"),
        ("\ud800", "\\ud800"),
    ],
)
def test_values_are_spelt_as_in_a_study(value, spelled):
    assert spell(value) == spelled


def test_long_texts_lose_their_middle():
    assert shorten("a" * 100 + "end", 20) == "aaaaaaaaaaaa...aaend"
    assert len(shorten("x" * 99, 40)) == 40
    assert shorten("short", 20) == "short"


def test_plain_is_one_line():
    assert plain("a\u2028b\x85c\nd") == "a\\u2028b\\x85c\\nd"
