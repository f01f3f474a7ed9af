"""Points that come before a search."""

from raytuner.search import Evolution, Exhausted, Greedy
from raytuner.search.port import Eager, Tracing
from raytuner.search.primed import Primed
from raytuner.space import Space

SPACE = Space.parse({"x": [1, 2, 3]})


def primed(*xs):
    return Primed(Greedy().start(SPACE, 0), [{"x": x} for x in xs])


def rest(proposer):
    found = []
    try:
        while True:
            found.append(proposer.ask()["x"])
            proposer.tell({"x": found[-1]}, 0.0)
    except Exhausted:
        return found


def test_the_points_come_first_then_the_search_knows_what_they_were_worth():
    proposer = primed(3, 1)
    assert isinstance(proposer, Eager)
    assert not isinstance(Greedy().start(SPACE, 0), Eager)
    assert (proposer.eager, proposer.ask(), proposer.ask(), proposer.eager) == (
        True, {"x": 3}, {"x": 1}, False,
    )  # fmt: skip
    for x in (3, 1):
        proposer.tell({"x": x}, 1.0)
    assert rest(proposer) == [2]


def test_led_through_a_record_it_goes_on_where_it_was():
    proposer = primed(3, 1)
    for x in (3, 1, 2):
        proposer.recall({"x": x})
        proposer.tell({"x": x}, 0.5)
    assert not proposer.eager
    assert rest(proposer) == []
    half = primed(3, 1)
    half.recall({"x": 3})
    assert half.ask() == {"x": 1}


def test_what_the_search_says_of_descent_goes_through_and_the_first_have_no_parents():
    space = Space.parse({"x": {"int": [0, 99]}})
    proposer = Primed(Evolution(population=4, immigrants=0.0).start(space, 0), [{"x": 3}])
    assert isinstance(proposer, Tracing)
    found = []
    for _ in range(12):
        point = proposer.ask()
        found.append(proposer.lineage(point))
        proposer.tell(point, point["x"])
    assert found[0] is None
    assert [one.how for one in found[1:4]] == ["random"] * 3
    assert any(one.parents for one in found[4:])
    assert Primed(Greedy().start(SPACE, 0), []).lineage({"x": 1}) is None
