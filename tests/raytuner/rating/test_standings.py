"""Who is ahead, and when that is said to be sure."""

import math

from raytuner.rating.ballots import Ballot
from raytuner.rating.standings import standings

NUMBERS = {"a": 0, "b": 1, "c": 2}


def ballots(rows, rater="r1"):
    return [
        Ballot(rater, f"q{n}", left, right, choice, ("", ""), "s")
        for n, (left, right, choice) in enumerate(rows)
    ]


def test_nothing_rated():
    found = standings([], NUMBERS)
    assert found.rows == ()
    assert not found.sure
    assert found.sentence == "Nothing has been rated yet."


def test_a_clear_winner_is_sure_and_a_lead_is_not():
    clear = ballots([("a", "b", "left"), ("b", "a", "right"), ("b", "a", "tie")] * 12)
    found = standings(clear, NUMBERS)
    assert [row.number for row in found.rows] == [0, 1]
    assert found.sure
    assert "that is sure" in found.sentence
    assert found.rows[0].wins == 24
    assert found.rows[0].ties == found.rows[1].ties == 12
    assert found.rows[1].losses == 24
    assert math.isnan(found.rows[0].p_behind)
    assert found.rows[0].low < found.rows[0].strength < found.rows[0].high
    lead = standings(clear[:4], NUMBERS)
    assert not lead.sure
    assert "not sure that it is better than trial 1" in lead.sentence


def test_skipped_and_foreign_ones_do_not_count():
    rows = [("a", "b", "left"), ("a", "b", "skip"), ("a", "x", "left")]
    found = standings(ballots(rows), NUMBERS)
    assert found.raters == {"r1": 1}
    assert found.skipped == 1
    assert {row.key for row in found.rows} == {"a", "b"}


def test_agreement_is_of_the_same_pair_on_the_same_question():
    rows = [("a", "b", "left"), ("b", "c", "right"), ("a", "c", "tie")]
    turned = [("b", "a", "right"), ("b", "c", "right"), ("a", "c", "left")]
    found = standings([*ballots(rows), *ballots(turned, "r2")], NUMBERS)
    assert found.agreement.shared == 3
    assert found.agreement.percent == 2 / 3
    assert set(found.agreement.kappa) == {("r1", "r2")}
    assert found.to_dict()["agreement"]["cohen_kappa"].keys() == {"r1 and r2"}


def test_more_pairs_ask_for_more_evidence():
    duel = [("a", "b", "left")] * 9 + [("a", "b", "right")]
    alone = standings(ballots(duel), NUMBERS).rows[1].p_behind
    crowd = standings(ballots([*duel, ("c", "a", "tie")]), NUMBERS)
    assert next(row for row in crowd.rows if row.key == "b").p_behind > alone
