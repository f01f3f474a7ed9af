"""Which epochs lead to which state."""

import pytest

from pipelines.adapter.config import Training
from pipelines.adapter.course import Course, Stretch, course

FAST = Training(learning_rate=1e-2, seed=0)
SLOW = Training(learning_rate=1e-4, seed=0)
NONE = Training(adapter="none", seed=0)
OTHER = Training(adapter={"kind": "two-layer", "hidden": 4}, seed=0)


def runs(stretches, step):
    return [(run.training, run.epochs) for run in course(stretches, step).runs]


def test_a_step_is_an_epoch():
    assert runs([Stretch(5, FAST)], 3) == [(FAST, 3)]


def test_parameters_may_change_on_the_way():
    stretches = [Stretch(2, FAST), Stretch(5, SLOW)]
    assert runs(stretches, 2) == [(FAST, 2)]
    assert runs(stretches, 4) == [(FAST, 2), (SLOW, 2)]


def test_training_ends_after_its_epochs():
    few = FAST.model_copy(update={"epochs": 2})
    assert [epochs for _, epochs in runs([Stretch(5, few)], 5)] == [2]
    assert course([Stretch(5, few)], 5).plain() == course([Stretch(5, FAST)], 2).plain()


def test_without_an_adapter_nothing_is_trained():
    assert course([Stretch(5, NONE)], 5) == Course(0, ())


@pytest.mark.parametrize("after", [OTHER, FAST.model_copy(update={"seed": 1})])
def test_another_adapter_or_seed_begins_anew(after):
    found = course([Stretch(2, FAST), Stretch(5, after)], 4)
    assert found.start == 2
    assert runs([Stretch(2, FAST), Stretch(5, after)], 4) == [(after, 2)]


def test_what_was_trained_before_there_was_no_adapter_is_forgotten():
    stretches = [Stretch(2, FAST), Stretch(3, NONE), Stretch(5, FAST)]
    assert course(stretches, 3).runs == ()
    assert course(stretches, 5) == Course(3, course([Stretch(5, FAST)], 2).runs)


def test_a_course_is_cut_and_read_by_epoch():
    whole = course([Stretch(2, FAST), Stretch(5, SLOW)], 5)
    assert whole.first(3).plain() == course([Stretch(2, FAST), Stretch(5, SLOW)], 3).plain()
    assert [whole.training(n) for n in range(1, 6)] == [FAST, FAST, SLOW, SLOW, SLOW]
