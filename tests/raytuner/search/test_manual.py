"""A list of points as a search."""

import pytest

from raytuner import AskTell
from raytuner.component import ConfigError
from raytuner.search import Exhausted, Search
from raytuner.space import Space
from raytuner.study import Study

SPACE = Space.parse({"x": {"int": [0, 9]}, "y": {"choice": ["a", "b"]}}, ())


def made(*points):
    return Search.model_validate({"kind": "manual", "points": list(points)})


def test_points_come_in_their_order():
    search = made({"x": 3, "y": "b"}, {"x": 1, "y": "a"})
    proposer = search.start(SPACE, 0)
    assert [proposer.ask(), proposer.ask()] == [{"x": 3, "y": "b"}, {"x": 1, "y": "a"}]
    with pytest.raises(Exhausted):
        proposer.ask()
    assert search.total(SPACE) == 2


def test_what_a_point_leaves_out_stays_as_it_stands():
    study = Study.parse(
        {
            "objective": {"kind": "manual", "standing": {"x": 5, "y": "b"}},
            "space": {"x": {"int": [0, 9]}, "y": {"choice": ["a", "b"]}},
            "search": {"kind": "manual", "points": [{"x": 2}]},
        }
    )
    with AskTell(study, in_memory=True) as tuner:
        assert [tuner.ask().params, tuner.ask().params] == [{"x": 5, "y": "b"}, {"x": 2, "y": "b"}]
        assert tuner.ask() is None


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([{"x": 10, "y": "a"}], r"search.points\[0\]: x: 10"),
        ([{"x": 1}], r"search.points\[0\].*y"),
        ([{"z": 1}], "z"),
    ],
)
def test_wrong_points_are_named(points, said):
    with pytest.raises(ConfigError, match=said):
        made(*points).start(SPACE, 0)


def test_a_list_has_a_point_at_least():
    study = {"objective": "manual", "space": {"x": {"int": [0, 9]}}}
    with pytest.raises(ConfigError, match="give a list of configurations"):
        Study.parse({**study, "search": {"kind": "manual", "points": []}})
