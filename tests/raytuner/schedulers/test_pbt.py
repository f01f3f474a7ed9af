"""The judge of population-based training."""

import pytest

from raytuner.component import ConfigError
from raytuner.schedulers import PopulationBased
from tests.raytuner.schedulers.simulation import Driver, keys


def begun(scheduler, names, units=6):
    judge = scheduler.start(units, 0)
    for number, key in enumerate(names):
        assert judge.add(key) == scheduler.rungs(units)[0]
        decided = judge.report(key, scheduler.rungs(units)[0], float(number))
    return judge, decided


def test_the_worst_make_room_for_the_next():
    judge, decided = begun(PopulationBased(population=4, interval=2), "abcd")
    assert decided == {"d": 4, "c": 4, "b": 4}, "a is held back: nobody is complete yet"
    assert judge.add("e") == 4, "the copy answers as much as the others, then is compared"
    assert judge.add("f") == 2, "no place: another population begins"
    assert [judge.report(key, 4, 0.5) for key in "bce"] == [{}, {}, {}]
    assert judge.report("d", 4, 0.5) == {"b": 6, "c": 6, "d": 6}
    assert judge.add("g") == 2, "nobody would be compared with it any more after the last step"
    assert judge.report("b", 6, 0.5) == {"a": None, "e": None}
    assert judge.report("c", 6, 0.5) == judge.report("d", 6, 0.5) == {}


def test_a_failed_trial_leaves_its_place():
    judge, _ = begun(PopulationBased(population=4, interval=2), "abcd")
    assert judge.drop("d") == {}
    assert [judge.add("e"), judge.add("f"), judge.add("g")] == [4, 4, 2]


def test_those_after_a_failed_population_begin_from_the_start():
    judge, _ = begun(PopulationBased(population=4, interval=2, quantile=0.5), "abcd")
    judge.drop("c")
    judge.drop("d")
    assert judge.add("e") == 2


def test_a_population_that_cannot_be_filled_is_decided():
    scheduler = PopulationBased(population=8, interval=2)
    outcome = Driver(scheduler, 8, lambda key, _: float(key[1:]), [keys(4)], workers=2).run()
    assert sorted(outcome.answered.values()) == [2, 8, 8, 8]
    assert outcome.stopped == {"t00000": 2}


def test_in_one_line_the_places_of_the_stopped_are_filled():
    """Worked out by hand for one worker: 4 in the population, 1 stopped at each of 2 steps."""
    scheduler = PopulationBased(population=4, interval=1)
    outcome = Driver(scheduler, 3, lambda key, _: float(key[1:]), [keys(10)]).run()
    assert outcome.stopped["t00000"] == 1
    assert outcome.stopped["t00001"] == 2, "the fifth took the place of the first"
    assert set(outcome.complete[:3]) == {"t00002", "t00003", "t00004"}


def test_a_quantile_of_nobody_is_refused():
    with pytest.raises(ConfigError) as caught:
        PopulationBased(population=3).start(40, 0)
    assert str(caught.value) == (
        "scheduler.quantile: 0.25 of a population of 3 is less than one trial; give at least 0.33"
    )
    assert caught.value.field == ("scheduler", "quantile")
    assert PopulationBased(population=3, quantile=0.34).start(40, 0)
