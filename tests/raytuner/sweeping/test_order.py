"""Neighbours that share preparation run next to each other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.sweeping.order import Order, Proposal


class ByX:
    def __init__(self, **work):
        self.work = work
        self.planned = []

    def affinity(self, params):
        return params["x"]

    def plan(self, points):
        (params,) = points
        self.planned.append(params["x"])
        return self.work.get(params["x"], {})


class Alike:
    def affinity(self, params):
        return ""

    def plan(self, points):
        return {}


def proposals(groups):
    return [Proposal(str(n), {"x": x, "n": n}, n) for n, x in enumerate(groups)]


def drain(order, end=True):
    taken = []
    while (proposal := order.pop()) is not None:
        taken.append(proposal.number)
        if end:
            order.ended(proposal.params)
    return taken


def test_groups_are_finished_one_after_the_other():
    order = Order(ByX(), 100)
    for proposal in proposals("abcabca"):
        order.push(proposal)
    assert drain(order) == [0, 3, 6, 1, 4, 2, 5]
    assert order.waiting == 0
    assert order.wants_more


def test_a_group_that_is_being_prepared_waits_while_others_can_begin():
    order = Order(ByX(), 100)
    for proposal in proposals("aabb"):
        order.push(proposal)
    first, second = order.pop(), order.pop()
    assert (first.params["x"], second.params["x"]) == ("a", "b")
    order.ended(second.params)
    assert order.pop().params["x"] == "b"
    assert order.pop().params["x"] == "a"  # rather than idle
    assert order.pop() is None


def test_without_affinity_the_order_is_the_searchs():
    order = Order(Alike(), 100)
    for proposal in proposals("abcabc"):
        order.push(proposal)
    assert drain(order, end=False) == [0, 1, 2, 3, 4, 5]


def test_cheap_preparation_comes_first_and_is_asked_for_once():
    objective = ByX(a={"texts": 900, "ingestions": 1}, b={"texts": 20}, c={"texts": 300})
    order = Order(objective, 100)
    for proposal in proposals("abcabc"):
        order.push(proposal)
    assert drain(order) == [1, 4, 2, 5, 0, 3]
    assert sorted(objective.planned) == ["a", "b", "c"]


def test_only_so_many_groups_are_compared_and_none_where_there_is_no_choice():
    names = [f"g{n:02}" for n in range(20)]
    objective = ByX(**{name: {"texts": 100 - n} for n, name in enumerate(names)})
    order = Order(objective, 100)
    for n, name in enumerate(names):
        order.push(Proposal(name, {"x": name}, n))
    assert order.pop().params["x"] == "g07"
    assert len(objective.planned) == 8
    alone = ByX(a={"texts": 5})
    order = Order(alone, 1)
    order.push(proposals("a")[0])
    order.pop()
    assert alone.planned == []


def test_what_cannot_be_planned_is_no_reason_to_stop():
    class Torn(ByX):
        def plan(self, points):
            if points[0]["x"] == "a":
                raise ConfigError("documents: the folder is gone")
            return super().plan(points)

    order = Order(Torn(b={"texts": 3}, c={"texts": 1}), 100)
    for proposal in proposals("bca"):
        order.push(proposal)
    assert drain(order) == [2, 1, 0]


def test_trial_0_and_what_was_named_come_first_whatever_they_need():
    order = Order(ByX(a={"texts": 9}, b={"texts": 1}, c={"texts": 5}), 100)
    given = [Proposal("0", {"x": "a"}, 0, baseline=True), Proposal("1", {"x": "c"}, 1, first=True)]
    for proposal in [*given, *(Proposal(str(n), {"x": x}, n) for n, x in enumerate("abc", 2))]:
        order.push(proposal)
    assert order.waiting == 5
    assert drain(order) == [0, 1, 2, 4, 3]


def test_refused_ones_have_no_affinity_and_the_room_is_limited():
    order = Order(ByX(), 2)
    assert order.wants_more
    order.push(Proposal("k", {}, 0, refused="no"))
    assert order.wants_more
    order.push(proposals("a")[0])
    assert not order.wants_more
    assert Order(ByX(), 0).wants_more


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["push", "pop", "end"]), st.sampled_from("abc")),
                max_size=40))  # fmt: skip
def test_nothing_is_lost_or_given_twice(steps):
    order, pushed, popped, running = Order(ByX(), 10**6), [], [], []
    for step, group in steps:
        if step == "push":
            proposal = Proposal(str(len(pushed)), {"x": group}, len(pushed))
            pushed.append(proposal)
            order.push(proposal)
        elif step == "pop":
            proposal = order.pop()
            assert (proposal is None) == (len(popped) == len(pushed))
            if proposal:
                popped.append(proposal)
                running.append(proposal)
        elif running:
            order.ended(running.pop(0).params)
        assert order.waiting == len(pushed) - len(popped)
    while proposal := order.pop():
        popped.append(proposal)
    assert sorted(p.number for p in popped) == [p.number for p in pushed]
