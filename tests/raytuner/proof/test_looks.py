from raytuner.proof.looks import past_of

UNITS = [f"q{n}" for n in range(6)]
HELD = ["q3", "q4", "q5"]
CONTENTS = {unit: f"c{unit}" for unit in UNITS}


def opened(study="s", scope="c", search=3, contents=None, units=UNITS):
    return {"event": "opened", "study": study, "scope": scope, "units": units, "search": search,
            "contents": contents and [contents[unit] for unit in units]}  # fmt: skip


def look(*keys, units=HELD):
    return {"event": "look", "keys": list(keys), "units": units}


def count(events, contents=None):
    return len(past_of(events, "s", "c", HELD, contents or {}).looks)


def test_the_same_trials_are_one_look_and_others_another():
    assert count([opened(), look("a", "b"), opened(), look("b", "a")]) == 1
    assert count([opened(), look("a", "b"), look("a", "c")]) == 2
    assert count([opened()]) == 0


def test_another_seed_or_metric_does_not_make_questions_unseen():
    events = [opened("s0", "c0", contents=CONTENTS), look("x", "y"), opened(contents=CONTENTS),
              look("a", "b")]  # fmt: skip
    assert count(events, CONTENTS) == 2
    changed = {unit: f"other {unit}" for unit in UNITS}
    assert count([opened("s0", "c0", contents=changed), look("x"), *events[2:]], CONTENTS) == 1


def test_ids_count_in_the_same_scope_only_where_contents_are_not_told():
    assert count([opened("s0", "c0"), look("x"), opened(), look("a")]) == 1
    assert count([opened("s0", "c"), look("x"), opened(), look("a")]) == 2


def test_who_searched_what_is_held_out_now_has_looked_at_it():
    assert count([opened("s0", search=6), opened(), look("a")]) == 2
    assert count([opened("s0", search=6), opened("s0", search=6), opened(), look("a")]) == 2
    assert count([opened("s0", search=3), opened(), look("a")]) == 1
    old = {k: v for k, v in opened("s0").items() if k != "search"}
    assert count([old, opened(), look("a")]) == 2


def test_what_was_searched_proves_nothing_any_more():
    def spoiled(*events, contents=None):
        return past_of(list(events), "s", "c", HELD, contents or {}).spoiled

    assert spoiled(opened("s0", search=5), opened()) == {"q3", "q4"}
    assert spoiled(opened("s", search=5), opened()) == frozenset()  # its own
    assert spoiled(opened("s0", "c0", 6, CONTENTS), contents=CONTENTS) == set(HELD)
    searched = {**look("a", units=["q5"]), "searched": True}
    assert spoiled(opened(), searched, look("b", "c")) == {"q5"}
