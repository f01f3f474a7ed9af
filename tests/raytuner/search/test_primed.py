"""Points that come before a search."""

from raytuner.search import Exhausted, Greedy
from raytuner.search.port import Eager
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
