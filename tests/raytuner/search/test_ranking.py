"""Points compared at a common number of units."""

import random

from raytuner.search.goals import Score
from raytuner.search.learner import Outcome
from raytuner.search.ranking import Ranking


def ranking(reports, quorum=4):
    made = Ranking(quorum)
    for x, units, score in reports:
        made.learn({"x": x}, Outcome(score, units, ended=units is None))
    return made


def order(made):
    return [made.points[name]["x"] for name in made.best()]


FIRST = [(1, 10, 1.0), (2, 10, 2.0), (3, 10, 3.0), (4, 10, 4.0)]


def test_the_best_are_those_of_the_highest_common_number_of_units():
    assert order(ranking([])) == []
    assert order(ranking(FIRST)) == [4, 3, 2, 1]
    assert order(ranking([*FIRST, (1, 20, 9.0)])) == [4, 3, 2, 1]
    assert order(ranking([*FIRST, (1, 20, 9.0), (4, 20, 5.0)])) == [1, 4]
    assert order(ranking([(1, 10, 1.0), (2, None, 0.5)], 8)) == [2]


def test_what_has_failed_has_no_rank_and_is_known():
    made = ranking([*FIRST, (1, 20, 9.0), (4, 20, 5.0), (4, None, None)])
    assert order(made) == [3, 2, 1]  # one alone has reached 20
    assert [made.points[name]["x"] for name in made.points] == [1, 2, 3, 4]
    assert made.timeline() == [1.0, 2.0, 3.0, None]


def test_the_order_is_that_of_the_latest_scores_whatever_was_asked_between():
    rng, made, reports = random.Random(0), Ranking(6), []
    for _ in range(200):
        report = (rng.randrange(12), rng.choice((4, 8, None)), rng.choice((None, 1.0, 2.0, 3.0)))
        reports.append(report)
        made.learn({"x": report[0]}, Outcome(report[2], report[1]))
        assert order(made) == order(ranking(reports, 6))


def test_of_several_goals_all_count():
    reports = [(1, None, Score([1.0, 9.0])), (2, None, Score([9.0, 1.0]))]
    made = ranking([*reports, (3, None, Score([5.0, 5.0])), (4, None, Score([8.0, 0.0]))])
    assert order(made)[2:] == [3, 4]
    assert made.several
    assert not ranking(FIRST).several
