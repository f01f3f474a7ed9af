from hypothesis import given
from hypothesis import strategies as st

from raytuner.proof.split import grouped, split, whole


def units(count):
    return [f"q{n:03}" for n in range(count)]


@st.composite
def sets(draw):
    count = draw(st.integers(1, 120))
    ids = units(count)
    of = draw(st.integers(1, 40))
    groups = {unit: f"d{draw(st.integers(0, of))}" for unit in ids}
    strata = {unit: draw(st.sampled_from(["easy", "hard", ""])) for unit in ids}
    return ids, groups, strata


@given(sets(), st.floats(0.05, 0.9), st.randoms(use_true_random=False))
def test_both_parts_hold_all_units_once_whole_groups_and_no_order_decides(given_set, share, random):
    ids, groups, strata = given_set
    made = split(ids, groups, strata, share)
    assert sorted(made.units) == sorted(ids)
    assert [u for u in ids if u in set(made.searched)] == list(made.searched)
    assert {made.groups[u] for u in made.searched}.isdisjoint(
        {made.groups[u] for u in made.held_out}
    )
    shuffled = list(ids)
    random.shuffle(shuffled)
    again = split(shuffled, groups, strata, share)
    assert set(again.held_out) == set(made.held_out)


@given(st.integers(20, 300), st.floats(0.1, 0.9))
def test_single_questions_are_divided_to_the_share(count, share):
    made = split(units(count), {}, {}, share)
    assert abs(len(made.held_out) - share * count) <= 1


@given(st.integers(40, 200))
def test_every_stratum_has_its_share(count):
    strata = {unit: "ab"[n % 5 == 0] for n, unit in enumerate(units(count))}
    made = split(units(count), {}, strata, 0.6)
    for kind in "ab":
        of = [unit for unit in units(count) if strata[unit] == kind]
        held = [unit for unit in made.held_out if strata[unit] == kind]
        assert abs(len(held) - 0.6 * len(of)) <= 1


def test_few_groups_are_divided_question_by_question():
    ids = units(60)
    two = {unit: f"d{n % 2}" for n, unit in enumerate(ids)}
    assert grouped(ids, two) == {unit: unit for unit in ids}
    assert 30 <= len(split(ids, two, {}).held_out) <= 40


def test_more_questions_about_the_same_documents_follow_them():
    groups = {f"q{n:03}": f"d{n % 30}" for n in range(120)}
    small = split(units(90), groups, {})
    large = split(units(120), groups, {})
    moved = {small.groups[u] for u in small.held_out} ^ {large.groups[u] for u in large.held_out}
    assert len(moved) <= 6


def test_nothing_is_held_out_of_a_whole():
    assert whole(["a", "b"], {}).held_out == ()
    assert whole(["a", "b"], {}).units == ("a", "b")


def test_one_document_with_most_questions_is_no_group():
    lump = {unit: "big" if n < 60 else f"d{n}" for n, unit in enumerate(units(100))}
    assert grouped(units(100), lump) == {unit: unit for unit in units(100)}
    even = {unit: f"d{n % 20}" for n, unit in enumerate(units(100))}
    assert grouped(units(100), even) == even
