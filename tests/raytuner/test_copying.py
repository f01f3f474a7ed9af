"""What one journal has measured, copied into another."""

from raytuner.copying import chosen_by, comparing, copied
from raytuner.proof.split import Split


def opened(scope="s", units=("a", "b", "c"), search=None):
    event = {"event": "opened", "scope": scope, "units": list(units)}
    return event if search is None else {**event, "search": search}


def trial(key):
    return {"event": "trial", "key": key, "params": {"x": key}, "number": 0, "baseline": True}


def units(key, *names, scores=True):
    scored = {"hit": 1.0} if scores else {}
    return {"event": "units", "key": key, "rows": [[name, scored, 0.1] for name in names]}


ALL = Split(("a", "b", "c"))
EARLIER = [opened(), trial("k"), units("k", "a", "b"), trial("k"), units("k", "c"),
           opened("other"), trial("o"), units("o", "a")]  # fmt: skip


def answers(events):
    return [(e["key"], row[0]) for e in events if e["event"] == "units" for row in e["rows"]]


def test_scores_of_the_same_scope_are_copied_and_trial_0_is_a_trial_like_others():
    found = copied(EARLIER, [], "s", ALL)
    assert answers(found) == [("k", "a"), ("k", "b"), ("k", "c")]
    trials = [event for event in found if event["event"] == "trial"]
    assert [(event["key"], event["baseline"]) for event in trials] == [("k", False)]
    assert copied(EARLIER, [], "third", ALL) == []


def test_what_is_on_record_is_left_out_but_for_what_failed():
    own = [opened(), trial("k"), units("k", "a"), units("k", "b", scores=False)]
    assert answers(copied(EARLIER, own, "s", ALL)) == [("k", "b"), ("k", "c")]
    assert len(answers(copied(EARLIER, [opened("other"), units("k", "a")], "s", ALL))) == 3


def test_what_chose_configurations_is_no_held_out_evidence():
    split = Split(("a",), ("b", "c"))
    found = copied(EARLIER, [], "s", split)
    assert answers(found) == [("k", "a")]
    assert found[-1] == {
        "event": "look", "keys": ["k"], "units": ["b", "c"], "searched": True,
    }  # fmt: skip


def test_what_was_held_out_then_and_is_now_comes_with_the_looks_at_it():
    look = {"event": "look", "keys": ["k"], "units": ["b", "c"]}
    earlier = [opened(search=1), trial("k"), units("k", "a"), look, units("k", "b", "c")]
    found = copied(earlier, [], "s", Split(("a",), ("b", "c")))
    assert answers(found) == [("k", "a"), ("k", "b"), ("k", "c")]
    assert [event for event in found if event["event"] == "look"] == [look]


def test_events_come_with_what_opened_their_session():
    assert [e["event"] for o, e in comparing(EARLIER, "other")] == ["trial", "units"]
    assert list(comparing([trial("k")], "s")) == []


def test_what_asks_the_same_is_the_same_question_whatever_it_is_called():
    then = {**opened("other", search=2), "contents": ["A", "B", "C"]}
    now = {**opened(units=("q1", "q2", "q3")), "contents": ["B", "C", "A"]}
    assert chosen_by([then], now, ["q1", "q2"]) == ["q1"]
    assert chosen_by([opened()], now, ["q1", "q2"]) == []
    assert chosen_by([then], opened(), ["a", "b"]) == []
