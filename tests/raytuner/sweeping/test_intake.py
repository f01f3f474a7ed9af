"""Proposals drawn, told apart and counted."""

from raytuner.budget import Budget
from raytuner.journal import Journal
from raytuner.lineage import Lineage, Origin
from raytuner.search.port import Exhausted
from raytuner.sweeping.intake import Intake, refused_key
from raytuner.sweeping.order import Order
from tests.raytuner.probes import Questions


class AsIs:
    def active(self, values):
        return dict(values)


class Listed:
    """Proposes from a list, and remembers what it hears."""

    def __init__(self, *points):
        self.points = list(points)
        self.heard = []

    def ask(self):
        if not self.points:
            raise Exhausted("done")
        return self.points.pop(0)

    def recall(self, params):
        self.heard.append(("recall", params["x"]))

    def tell(self, params, score, *, units=None, ended=True):
        self.heard.append((params["x"], score, units, ended))


class Same(Questions):
    """Every x is the same trial."""

    def key(self, params):
        return "same"


def intake(proposer, objective=None, trials=None, journal=None):
    objective = objective or Questions()
    order = Order(objective, 10)
    made = Intake(proposer=proposer, space=AsIs(), objective=objective, order=order,
                  budget=Budget(trials=trials), journal=journal)  # fmt: skip
    return made, order


def drained(order):
    return list(iter(order.pop, None))


def p(x):
    return {"x": x, "y": "a"}


def test_the_budget_counts_what_the_search_proposes_and_not_trial_0():
    made, order = intake(Listed(p(1), p(2), p(3)), trials=2)
    made.admit(p(9), baseline=True)
    made.fill(running=False)
    assert [proposal.number for proposal in drained(order)] == [0, 1, 2]
    assert made.short == "the budget of 2 trials is used"
    assert made.empty


def test_trial_0_on_record_counts_as_little():
    made, order = intake(Listed(p(1), p(2), p(3)), trials=2)
    made.recall(Questions().key(p(9)), p(9), baseline=True, again=False)
    made.admit(p(9), baseline=True)
    made.fill(running=False)
    assert [proposal.number for proposal in drained(order)] == [1, 2]


def test_a_search_that_is_asked_again_gets_past_what_is_on_record():
    made, order = intake(Listed(p(1), p(2), p(3)))
    for x in (2, 1):
        made.recall(Questions().key(p(x)), p(x), baseline=False, again=True)
    made.fill(running=False)
    assert [(one.params["x"], one.number) for one in drained(order)] == [(3, 2)]


def test_a_repeat_is_recorded_where_the_search_must_be_led_through_it():
    journal = Journal(None)
    listed = Listed(p(1), p(2))
    made, order = intake(listed, Same(), journal=journal)
    made.fill(running=False)
    assert [(one["event"], one["params"]) for one in journal] == [("repeat", p(2))]
    made.tell("same", 0.5, 4, ended=True)
    assert listed.heard == [(1, 0.5, 4, True), (2, 0.5, 4, True)]
    assert len(drained(order)) == 1

    led = Listed()
    made, _ = intake(led, Same(), journal=Journal(None))
    made.recall("same", p(1), again=False)
    made.tell("same", 0.5, None, ended=True)
    made.recall("same", p(2), again=False)
    assert led.heard == [("recall", 1), (1, 0.5, None, True), ("recall", 2), (2, 0.5, None, True)]


def test_a_refused_point_is_queued_with_the_reason_under_a_key_of_its_own():
    made, order = intake(Listed(), Questions(faults={3: "refuse"}))
    made.admit(p(3))
    (refused,) = drained(order)
    assert refused.key == refused_key(p(3))
    assert refused.refused == "x: 3 is too much"


class Breeding(Listed):
    """Says that all it proposes but the first descends from x = 1, and from one that is refused."""

    def lineage(self, params):
        if params["x"] == 1:
            return None
        return Lineage("crossover", (p(1), p(7)), 3, "shorter")


def test_a_proposal_says_which_trials_it_descends_from():
    objective = Questions(faults={7: "refuse"})
    made, order = intake(Breeding(p(1), p(2)), objective)
    made.fill(running=False)
    first, second = drained(order)
    assert first.origin is None
    assert second.origin == Origin("crossover", (objective.key(p(1)),), 3, "shorter")
