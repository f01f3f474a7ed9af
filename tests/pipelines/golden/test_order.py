from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.golden import order_units
from pipelines.types import Question
from raytuner.component import digest

QUESTIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sets(st.sampled_from(["x", "y"]))), max_size=14
).map(
    lambda items: [
        Question(f"q{i}", "?", group=group, tags=tuple(sorted(tags)))
        for i, (group, tags) in enumerate(items)
    ]
)


def labels(question: Question) -> list[str]:
    return [f"group {question.group}", *(f"tag {tag}" for tag in question.tags)]


def imbalance(prefix: list[Question], everything: list[Question]) -> int:
    """N^2 times the sum of squared differences from the fair share."""
    total = Counter(label for question in everything for label in labels(question))
    taken = Counter(label for question in prefix for label in labels(question))
    size = len(everything)
    return sum((size * taken[label] - len(prefix) * n) ** 2 for label, n in total.items())


@given(questions=QUESTIONS, seed=st.integers(0, 5))
@settings(max_examples=150, deadline=None)
def test_every_prefix_is_extended_in_the_most_balanced_way(
    questions: list[Question], seed: int
) -> None:
    by_id = {question.id: question for question in questions}
    order = [by_id[id_] for id_ in order_units(questions, seed)]
    assert sorted(question.id for question in order) == sorted(by_id)
    for length in range(1, len(order) + 1):
        prefix, rest = order[: length - 1], order[length - 1 :]
        reached = imbalance(order[:length], questions)
        assert reached == min(imbalance([*prefix, other], questions) for other in rest)


@given(questions=QUESTIONS, data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_order_does_not_depend_on_the_order_of_the_file(
    questions: list[Question], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(questions))
    assert order_units(questions, 3) == order_units(shuffled, 3)


@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=8), seed=st.integers(0, 9))
@settings(max_examples=80, deadline=None)
def test_groups_stay_close_to_their_fair_share(sizes: list[int], seed: int) -> None:
    questions = [
        Question(f"{g}-{i}", "?", group=str(g)) for g, size in enumerate(sizes) for i in range(size)
    ]
    group_of = {question.id: int(question.group) for question in questions}
    counts = [0] * len(sizes)
    for length, id_ in enumerate(order_units(questions, seed), start=1):
        counts[group_of[id_]] += 1
        for count, size in zip(counts, sizes, strict=True):
            assert abs(count - length * size / len(questions)) < 1.5


def test_questions_with_the_same_labels_come_in_an_order_that_depends_on_the_seed() -> None:
    questions = [Question(f"q{i}", "?") for i in range(50)]
    for seed in (0, 1):
        expected = sorted((q.id for q in questions), key=lambda id_: digest("order", seed, id_))
        assert list(order_units(questions, seed)) == expected
    assert order_units(questions, 0) != order_units(questions, 1)


def test_equal_groups_take_turns() -> None:
    questions = [Question(f"{g}{i}", "?", group=g) for g in "abcd" for i in range(6)]
    order = order_units(questions, 7)
    for start in range(0, 24, 4):
        assert {id_[0] for id_ in order[start : start + 4]} == set("abcd")


def test_thousands_of_groups_and_tags_are_balanced_together() -> None:
    questions = [
        Question(f"q{i}", "?", group=f"g{i % 1500}", tags=(f"t{i % 7 % 3}",)) for i in range(3000)
    ]
    order = order_units(questions, 1)
    by_id = {question.id: question for question in questions}
    total = Counter(question.tags[0] for question in questions)
    for length in (30, 300, 1500):
        taken = [by_id[id_] for id_ in order[:length]]
        assert len({question.group for question in taken}) == length
        counts = Counter(question.tags[0] for question in taken)
        assert all(abs(counts[tag] - length * n / 3000) < 1.5 for tag, n in total.items())


def test_no_questions_give_no_order() -> None:
    assert order_units([], 0) == ()
