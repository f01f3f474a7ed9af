"""A journal's events, written and read back as trials."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.budget import Entry
from raytuner.events import (
    dropped_event,
    ended_event,
    look_event,
    money_event,
    opened_facts,
    rung_event,
    trial_event,
    units_event,
)
from raytuner.journal import Journal, JournalError, encode, read
from raytuner.objective import Cost, Failure, UnitScore
from raytuner.record import Record
from raytuner.trial import Trial
from raytuner.worker import Ended

UNITS = ("a", "b")
LOST = Failure("timeout", "late", retryable=True)


def opened(study="s", scope="c", units=UNITS, t=0.0):
    return {"event": "opened", "t": t, **opened_facts(study, scope, units)}


def proposed(key, number=0, baseline=False, t=1.0, **params):
    return {**trial_event(Trial(key, params, UNITS, number, baseline)), "t": t}


def scored(key, *scores, t=2.0):
    return {**units_event(key, scores), "t": t}


def over(key, status="complete", t=3.0, **facts):
    return {**ended_event(Ended(key, status, 1.0, **facts)), "t": t}


def through_json(events):
    journal = Journal(None, clock=lambda: 0)
    journal.append(*events)
    return [{**event, "t": old["t"]} for event, old in zip(journal, events, strict=True)]


def record(*events, study="s", scope="c"):
    return Record(study, scope, UNITS, through_json(events))


def facts(trial):
    return (trial.key, dict(trial.params), trial.number, trial.status, trial.baseline,
            trial.metrics, repr(trial.table), trial.seconds, trial.cost, trial.failure,
            trial.failures, trial.counts, trial.stages, trial.notes)  # fmt: skip


def test_replaying_gives_what_was_lived():
    journal = Journal(None, clock=lambda: 0)
    live = Record("s", "c", UNITS)
    journal.append({"event": "opened", **opened_facts("s", "c", UNITS)})
    trial = live.open("k", {"x": 1, "tools": ("a", "b"), "y": None}, number=0, baseline=True)
    journal.append(trial_event(trial))
    scores = [
        UnitScore("a", {"hit": 0.1 + 0.2}, Cost(0.1, 1, 2, 3), 0.123456, notes={"answer": "é\n"}),
        UnitScore("b", {}, Cost(0.2), 0.5, LOST),
    ]
    live.add(trial, scores)
    journal.append(units_event("k", scores))
    end = Ended("k", "failed", 1.5, LOST, {"texts": 2}, {"embed": 0.5})
    live.end(trial, end)
    journal.append(ended_event(end))
    again = Record("s", "c", UNITS, journal)
    assert [facts(t) for t in again.current] == [facts(t) for t in live.current]
    assert again.cost == live.cost == Cost(0.1 + 0.2, 1, 2, 3)
    assert (again.work, again.stages) == ({"texts": 2}, {"embed": 0.5})


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(min_size=1), st.none() | st.booleans() | st.integers() |
       st.floats(allow_nan=False, allow_infinity=False) | st.text() |
       st.lists(st.integers()).map(tuple), max_size=4))  # fmt: skip
def test_parameters_come_back_as_they_were(params):
    found = record(opened(), proposed("k", z=1) | {"params": params}).trials["k"].params
    assert found == params
    assert [type(value) for value in found.values()] == [type(v) for v in params.values()]


def test_a_trial_that_never_ended_is_stopped_and_keeps_its_scores():
    found = record(opened(), proposed("k", x=1), scored("k", UnitScore("a", {"hit": 1.0})))
    trial = found.trials["k"]
    assert (trial.status, trial.missing()) == ("stopped", ["b"])


def test_a_trial_with_all_its_scores_is_complete_without_an_end():
    scores = [UnitScore(unit, {"hit": 1.0}) for unit in UNITS]
    found = record(opened(), proposed("k", x=1), scored("k", *scores))
    assert found.trials["k"].status == "complete"


def test_later_jobs_override_how_earlier_ones_ended():
    found = record(
        opened(), proposed("k", x=1), scored("k", UnitScore("a", {}, failure=LOST)),
        over("k", "failed", failure=LOST, counts={"n": 1}),
        opened(t=10.0), proposed("k", x=1, t=11.0),
        scored("k", *(UnitScore(unit, {"hit": 1.0}) for unit in UNITS)),
        over("k", counts={"n": 2}, t=15.0),
    )  # fmt: skip
    trial = found.trials["k"]
    assert (trial.status, trial.failure, trial.failures) == ("complete", None, {})
    assert trial.counts == {"n": 3}
    assert found.work == {"n": 2}  # of the latest session
    assert found.sessions == 2
    assert found.seconds == 3.0 + 5.0
    found.begin()
    assert found.work == {}


def test_trials_of_other_studies_are_known_but_not_current():
    done = scored("k", *(UnitScore(unit, {"hit": 1.0}) for unit in UNITS))
    events = [opened("other"), proposed("k", 7, baseline=True, x=1), done, over("k")]
    found = record(*events)
    assert found.current == []
    assert found.known("k") is None
    trial = found.open("k", {"x": 1}, number=0, baseline=False)
    assert (trial.number, trial.baseline, trial.missing()) == (0, False, [])
    assert found.known("k") is trial


def test_other_scopes_do_not_compare_but_cost():
    done = scored("k", UnitScore("a", {"hit": 1.0}, Cost(2.0)))
    found = record(opened(scope="old"), proposed("k", x=1), done, over("k"), opened())
    assert found.trials == {}
    assert found.cost.usd == 2.0


def test_numbers_are_kept_and_never_shared():
    found = record(opened(), proposed("k", 4, x=1), proposed("l", 2, x=2))
    assert [(t.key, t.number) for t in found.current] == [("l", 2), ("k", 4)]
    assert found.open("k", {"x": 1}, number=0, baseline=False).number == 4
    assert found.open("m", {"x": 3}, number=2, baseline=False).number == 5
    assert found.open("n", {"x": 4}, number=0, baseline=False).number == 0


def test_readers_tolerate_what_later_versions_add():
    row = ["a", {"hit": 1.0}, 0.5, [0.1, 1, 2, 3, 99], None, {"n": 1}, "and more"]
    lost = ["b", {}, 0.5, None, {**LOST.__dict__, "provider": "x"}]
    found = record(
        {"event": "banner", "t": 0.0, "text": "before any session"},
        opened() | {"colour": "red"},
        {"event": "later", "t": 1.0, "key": "k", "level": 3},
        proposed("k", x=1) | {"origin": "warm"},
        {"event": "units", "key": "k", "rows": [row, lost], "t": 2.0, "node": "n1"},
        over("k", "failed", failure=LOST) | {"failure": {**LOST.__dict__, "trace": "..."}, "x": 1},
        {"event": "money", "t": 9.0, "usd": 1.0},
    )
    trial = found.trials["k"]
    assert trial.values("hit")[0] == 1.0
    assert trial.cost == Cost(0.1, 1, 2, 3)
    assert trial.failure == trial.failures["b"] == LOST


HIT = UnitScore("a", {"hit": 1.0})
MISPLACED = {
    "scores before the proposal": (
        [opened(), scored("k", HIT), proposed("k", x=1)],
        "line 2: 'units' is of 'k', which no line before it proposes",
    ),
    "an end before the proposal": ([opened(), over("k"), proposed("k")], "line 2: 'ended' is of"),
    "a report before the proposal": (
        [opened(), {**rung_event("k", 1), "t": 1.0}, proposed("k")],
        "line 2: 'rung' is of 'k', which no line",
    ),
    "a proposal of another study only": (
        [opened("other"), proposed("k"), opened(), {**dropped_event("k"), "t": 1.0}],
        "line 4: 'dropped' is of 'k', which no line",
    ),
    "scores before the session": (
        [scored("k", HIT), opened(), proposed("k")],
        r"line 1: 'units' cannot be read \(it stands before any session\)",
    ),
    "a look before the session": (
        [{**look_event(["k"], ["a"]), "t": 1.0}, opened()],
        r"line 1: 'look' cannot be read \(it stands before",
    ),
    "a look at nothing": ([opened(), {"event": "look", "t": 1.0}], "line 2: 'look' has no 'keys'"),
    "no trial": (
        [opened(), {"event": "units", "t": 1.0, "rows": []}],
        "line 2: 'units' has no 'key'",
    ),
    "rows of nothing": (
        [opened(), proposed("k"), {"event": "units", "key": "k", "rows": [[]], "t": 1.0}],
        "line 3: 'units' cannot be read",
    ),
    "a session of nobody": ([opened(), {"event": "opened", "t": 1.0}], "line 2: .* no 'study'"),
    "no time": ([opened(), {"event": "closed"}], "line 2: 'closed' has no 't'"),
}


@pytest.mark.parametrize(("events", "words"), MISPLACED.values(), ids=MISPLACED)
def test_what_cannot_be_replayed_is_named_by_file_and_line(tmp_path, events, words):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"".join(map(encode, events)))
    with pytest.raises(
        JournalError, match=rf"journal\.jsonl, {words}.*is damaged; restore it"
    ) as f:
        Record("s", "c", UNITS, read(path)[0])
    assert "\n" not in str(f.value)
    with pytest.raises(JournalError, match=r"journal\.jsonl, line"):  # as a driver reads it
        Record("s", "c", UNITS, list(Journal(tmp_path)))


def test_what_was_never_in_a_file_has_no_line():
    with pytest.raises(JournalError, match=r"^event 2 of a session: 'units' is of 'k'"):
        Record("s", "c", UNITS, [opened(), scored("k", HIT)])


def test_a_clock_that_is_set_back_takes_no_time_away():
    assert record(opened(t=100.0), proposed("k", x=1, t=50.0)).seconds == 0.0


def money(*rows, t=2.0):
    return {**money_event([Entry(*row) for row in rows]), "t": t}


def test_what_a_session_has_spent_is_the_larger_of_its_ledger_and_its_units():
    unit = UnitScore("a", {"hit": 1.0}, Cost(0.5, 10, 20, 1))
    plain = record(opened(), proposed("k"), scored("k", unit))
    assert (plain.spent_usd, plain.spent_tokens) == (0.5, 30)  # a journal without a ledger
    held = (1, 1.0, 100, False)
    cut = record(opened(), proposed("k"), money(held), money((2, 0.2, 5, False)))
    assert (cut.spent_usd, cut.spent_tokens) == (1.2, 105)  # nobody knows what they have cost
    paid = (money(held), money((1, 0.5, 30, True)), scored("k", unit))
    once = record(opened(), proposed("k"), *paid)
    assert (once.spent_usd, once.spent_tokens) == (0.5, 30)  # not twice
    assert once.cost.usd == 0.5


def test_sessions_spend_each_for_itself():
    first = (opened(), proposed("k"), money((1, 1.0, 7, False)))
    unit = UnitScore("a", {"hit": 1.0}, Cost(0.25, 1, 1, 1))
    second = (opened(t=10.0), money((1, 0.5, 9, False), (1, 0.25, 2, True), t=11.0))
    both = record(*first, *second, scored("k", unit, t=12.0))
    assert (both.spent_usd, both.spent_tokens) == (1.25, 9)


def test_why_a_trial_was_stopped_is_kept_until_it_goes_on():
    events = [opened(), proposed("k"), over("k", "pruned", reason="$9 a question")]
    assert record(*events).trials["k"].reason == "$9 a question"
    unit = [UnitScore(unit, {"hit": 1.0}) for unit in UNITS]
    assert record(*events, scored("k", *unit)).trials["k"].reason is None
    assert record(*events[:2], over("k", "stopped", reason="no money")).trials["k"].reason is None
    assert "reason" not in ended_event(Ended("k", "pruned", 0.0))
