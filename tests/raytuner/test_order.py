"""Neighbours that share preparation run next to each other."""

from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.order import Order, Proposal


class ByX:
    def affinity(self, params):
        return params["x"]


class Alike:
    def affinity(self, params):
        return ""


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
