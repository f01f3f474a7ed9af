"""The objective that people evaluate: its fields, its units, and what it refuses."""

import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.manual.objective import ManualObjective
from raytuner.study import Study


def build(root, **args):
    return ManualObjective.build(args, root=root, seed=0)


def test_one_result_a_trial_unless_units_are_given(tmp_path):
    assert build(tmp_path).units() == ("result",)
    assert build(tmp_path, units=2).units() == ("q1", "q2")
    assert build(tmp_path, units=["north", 7]).units() == ("north", "7")


def test_units_may_have_questions_and_groups(tmp_path):
    (tmp_path / "u.jsonl").write_text(
        '{"id": "a", "question": "Why?", "reference": "So.", "group": "g"}\n\n{"id": 2}\n'
    )
    made = build(tmp_path, units="u.jsonl")
    assert made.units() == ("a", "2")
    assert made.groups() == {"a": "g"}
    assert set(made.contents()) == {"a"}
    shown = made.explain({}, ["a", "2", "none"])
    assert [one.get("question") for one in shown] == ["Why?", None]
    (tmp_path / "u.txt").write_text("a\nb\n")
    assert build(tmp_path, units="u.txt").units() == ("a", "b")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"units": 0}, "1 to 100,000"),
        ({"units": True}, "a number, a list of names, or a file"),
        ({"units": []}, "names none"),
        ({"units": ["a", "a"]}, "'a' stands twice"),
        ({"units": ["a", ""]}, r"units\[1\]: '' is no name"),
        ({"units": ["a\x1b[2J"]}, "printable"),
        ({"units": "../u.txt"}, "leads out of the folder"),
        ({"units": "none.txt"}, "none.txt cannot be read"),
        ({"units": "bad.jsonl"}, "bad.jsonl, line 2: not a JSON object"),
        ({"units": "odd.jsonl"}, "odd.jsonl, line 1: give an object"),
        ({"units": "typed.jsonl"}, "line 1: question is to be text"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["cost"]}, "'cost' is no name for a metric"),
        ({"metrics": ["rating", "x"]}, "give \\[rating\\] alone"),
        ({"minimise": ["scor"]}, "Did you mean 'score'"),
        ({"unit": 3}, "Did you mean 'units'"),
    ],
)
def test_wrong_fields_are_one_sentence(tmp_path, args, said):
    (tmp_path / "bad.jsonl").write_text('{"id": "a"}\n{"id": \n')
    (tmp_path / "odd.jsonl").write_text("[1]\n")
    (tmp_path / "typed.jsonl").write_text('{"id": "a", "question": 3}\n')
    with pytest.raises(ConfigError, match=said) as error:
        build(tmp_path, **args)
    assert "\n" not in str(error.value)


def test_what_stands_is_named_by_parameters_of_the_space(tmp_path):
    made = build(tmp_path, standing={"x": 1})
    assert made.defaults(["x", "y"]) == {"x": 1}
    with pytest.raises(ConfigError, match="'x' is no parameter of the space: xx"):
        made.defaults(["xx"])


def test_no_machine_runs_it(tmp_path):
    study = Study.parse({"objective": "manual", "space": {"x": {"choice": [1, 2]}}})
    with pytest.raises(ConfigError, match="`raytuner ask`"):
        raytuner.run(study, tmp_path)
    assert not (tmp_path / "runs").exists()


def test_identity_follows_what_is_measured_and_the_version(tmp_path):
    keys = {
        build(tmp_path, **args).key({"x": 1})
        for args in (
            {},
            {"metrics": ["other"]},
            {"minimise": ["score"]},
            {"version": "2"},
        )
    }
    assert len(keys) == 4
    assert build(tmp_path, units=3).key({"x": 1}) in keys  # units may be added later
