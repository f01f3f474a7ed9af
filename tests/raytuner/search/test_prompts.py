"""Prompt evolution as a search: what it proposes, when it waits, what it goes on with."""

import json
import random
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner.component import ConfigError, RaytunerError, digest
from raytuner.objective import Cost, Objective, ObjectiveFailure, Tally, UnitScore
from raytuner.search import Exhausted, Prompts
from raytuner.search.frontier import Candidate
from raytuner.search.offspring import Plan
from raytuner.search.port import Deferred, Observing, Tracing, Unaffordable
from raytuner.search.primed import Primed, primed
from raytuner.search.writing import Desk
from raytuner.space import Space
from tests.raytuner.search.conformance import check_points, check_resume

SEEDS = ["Answer {question}.", "Please. {question}"]
FRAGMENTS = [f"Sentence number {n}." for n in range(12)]
SPACE = Space.parse(
    {
        "prompt": {"evolve": SEEDS, "fragments": FRAGMENTS, "max_chars": 500},
        "mode": ["plain", "tools"],
        "system": {"evolve": ["Be good."], "fragments": FRAGMENTS, "when": {"mode": "tools"}},
        "temperature": {"float": [0.0, 2.0]},
        "top_k": {"int": [1, 20]},
    },
    ["top_k >= 2 or temperature < 1"],
)
UNITS = ("u1", "u2", "u3", "u4")


class Writing(Objective):
    """Explains its questions, and writes by appending a word; may be told to fail."""

    def __init__(self, said=None):
        self.said = said or (lambda request: f"{request.text} Word {request.number}.")
        self.requests = []

    def units(self):
        return (*UNITS, "held-out")

    def key(self, params):
        return digest(dict(params))

    def evaluate(self, params, units, meter):
        yield [UnitScore(unit, {"x": 1.0}) for unit in units]

    def defaults(self, names):
        known = {"prompt": SEEDS[0], "mode": "plain", "temperature": 0.5, "top_k": 4}
        return {name: known.get(name) for name in names}

    def explain(self, params, units):
        return [
            {"unit": unit, "question": f"What is {unit}?", "answer": "No.", "reference": "Yes."}
            for unit in units
        ]

    def rewriter(self, model):
        if model != "writer":
            raise ConfigError(f"model {model!r} is not one of the study's models: writer")
        return self

    def rewrite(self, request, meter):
        self.requests.append(request)
        meter.spend(Cost(0.01, 10, 5, 1))
        return self.said(request)

    def most(self, chars, max_chars):
        return Cost(0.001 * chars, chars, max_chars, 1)

    def unpriced(self, *_):
        return ()

    def preflight(self, *_args, **_more):
        pass


class Room:
    """A workroom that keeps its record in lists."""

    units = UNITS

    def __init__(self):
        self.begun, self.done, self.meters = [], [], []
        self.awake = threading.Semaphore(0)

    def begin(self, number, *, again):
        self.begun.append((number, again))
        self.meters.append(Tally())
        return self.meters[-1]

    def made(self, number, point, failure=""):
        self.done.append((number, point, failure))

    def paying(self):
        return threading.Lock()

    def wake(self):
        self.awake.release()


def author(objective=None, room=None, seed=0, space=SPACE, **fields):
    objective = objective or Writing()
    proposer = Prompts(model="writer", merge=0.0, **fields).begin(space, seed, objective)
    if room is not None:
        proposer.attach(room)
    return proposer


def report(proposer, point):
    """Score a point: later questions are harder, longer prompts do better."""
    level = len(point["prompt"]) / 20
    values = np.array([min(1.0, level / (n + 1)) for n in range(4)])
    proposer.observe(point, UNITS, values)
    proposer.tell(point, float(values.mean()))


def answered(proposer, room):
    """Ask, and wait for what is written if that is what it takes."""
    point = proposer.ask()
    while point is None:
        assert room.awake.acquire(timeout=10)
        point = proposer.ask()
    return point


def lead(proposer, room, steps):
    found = []
    for _ in range(steps):
        point = answered(proposer, room)
        report(proposer, point)
        found.append(point)
    return found


# ---- without anybody who writes


def test_points_are_new_and_inside_the_space():
    check_points(Prompts(), SPACE, 30)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_it_goes_on_after_a_break_as_if_there_had_been_none(seed):
    check_resume(Prompts(), SPACE, 12, seed)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_texts_keep_their_fields_however_often_they_change(seed):
    proposer = Prompts(change=0.5).start(SPACE, seed)
    for step in range(25):
        point = proposer.ask()
        assert SPACE.contains(point)
        assert "{question}" in point["prompt"]
        proposer.tell(point, random.Random(step).random())


def test_it_begins_with_the_seeds_and_what_stands():
    proposer = Prompts().begin(SPACE, 0, Writing())
    first = [proposer.ask() for _ in SEEDS]
    assert [point["prompt"] for point in first] == SEEDS
    assert {(point["temperature"], point["top_k"]) for point in first} == {(0.5, 4)}
    assert proposer.ask() is None  # until something is told
    report(proposer, first[0])
    child = proposer.ask()
    assert proposer.lineage(child) == ("template", (first[0],), 1, "")
    assert proposer.lineage(first[0]).how == "seed"


def test_fragments_that_help_are_found_and_mixed():
    space = Space.parse({"prompt": {"evolve": ["{q}"], "fragments": FRAGMENTS}})
    found = []
    for seed in range(5):
        proposer, best = Prompts(merge=0.3).start(space, seed), 0.0
        for _ in range(40):
            point = proposer.ask()
            values = np.array([float(f in point["prompt"]) for f in FRAGMENTS[:4]])
            proposer.observe(point, UNITS, values)
            proposer.tell(point, float(values.mean()))
            best = max(best, float(values.mean()))
        found.append(best)
    assert sorted(found)[2] >= 0.75


def test_it_ends_where_nothing_new_can_be_made():
    proposer = Prompts().start(Space.parse({"prompt": {"evolve": ["{q}"]}}), 0)
    proposer.tell(proposer.ask(), 1.0)
    with pytest.raises(Exhausted, match="nothing new"):
        proposer.ask()
    proposer = Prompts(samples=3).start(SPACE, 0)
    for _ in range(3):
        proposer.tell(proposer.ask(), 1.0)
    with pytest.raises(Exhausted):
        proposer.ask()


def test_failures_alone_do_not_end_it():
    proposer = Prompts().start(SPACE, 0)
    found = []
    for _ in range(8):
        found.append(proposer.ask())
        proposer.tell(found[-1], None)
    assert len({digest(point) for point in found}) == 8


def test_what_is_no_finite_number_is_a_failure():
    def led(score):
        proposer, found = Prompts().start(SPACE, 0), []
        for number in range(8):
            found.append(proposer.ask())
            proposer.tell(found[-1], score if number % 2 else number / 8)
        return found

    assert led(float("nan")) == led(float("inf")) == led(None) != led(0.5)


@pytest.mark.parametrize(
    ("search", "space", "message"),
    [
        (Prompts(model="nobody"), SPACE, "search.model: model 'nobody' is not one of"),
        (Prompts(), Space.parse({"x": [1, 2]}), "the space has none; give one as {evolve:"),
    ],
)
def test_what_cannot_work_is_refused(search, space, message):
    with pytest.raises(ConfigError) as caught:
        search.begin(space, 0, Writing())
    assert message in str(caught.value)


def test_an_objective_that_has_nobody_who_writes_is_told_of():
    class Silent(Writing):
        def rewriter(self, model):
            return None

    with pytest.raises(ConfigError, match="no language models to write with, got 'writer'"):
        Prompts(model="writer").begin(SPACE, 0, Silent())
    with pytest.raises(ConfigError, match="only for an objective that has models"):
        Prompts(model="writer").start(SPACE, 0)


# ---- with somebody who writes


def test_what_a_text_may_cost_is_bounded():
    cost = Prompts(model="writer", rivals=1, examples=2).most(SPACE, Writing())
    shown = 2 * 2000 + 2 * 3 * 2000  # texts of `system`, and two examples
    assert cost == (pytest.approx(2 * 0.001 * shown), 2 * shown, 2 * 2000, 2)
    assert Prompts().most(SPACE, Writing()) == Cost()


def test_it_is_what_a_sweep_takes_it_for():
    proposer = author()
    assert isinstance(proposer, Deferred)
    assert isinstance(proposer, Observing)
    assert isinstance(proposer, Tracing)
    assert isinstance(primed(proposer, [{}]), Deferred)
    plain = primed(Prompts, [{}])
    assert isinstance(plain, Primed)
    assert not isinstance(plain, Deferred)


def test_a_text_is_written_in_the_background_and_shown_what_failed():
    room, objective = Room(), Writing()
    proposer = author(objective, room, rivals=1)
    first, second = (proposer.ask() for _ in range(2))
    report(proposer, first)
    report(proposer, second)
    assert proposer.ask() is None
    assert proposer.making == 1
    assert room.awake.acquire(timeout=10)
    assert proposer.ready
    child = proposer.ask()
    assert child["prompt"].endswith(" Word 0.")
    assert (proposer.making, proposer.ready) == (0, False)
    assert room.done == [(0, digest(child), "")]
    (request,) = objective.requests
    assert request.text in SEEDS
    assert {example.question for example in request.examples} <= {f"What is {u}?" for u in UNITS}
    assert request.examples[0].reference == "Yes."
    assert [rival.text for rival in request.rivals] == [t for t in SEEDS if t != request.text]
    assert request.fields == ("question",)
    lineage = proposer.lineage(child)
    assert lineage.how == "reflection"
    assert lineage.parents[0] in (first, second)
    assert lineage.generation == 1


def test_no_more_is_begun_than_may_be_written_at_a_time():
    held = threading.Event()

    def slowly(request):
        held.wait(10)
        return f"{request.text} Word {request.number}."

    room = Room()
    proposer = author(Writing(slowly), room, writers=2, samples=5)
    for _ in SEEDS:
        report(proposer, proposer.ask())
    assert [proposer.ask() for _ in range(4)] == [None] * 4
    assert proposer.making == 2
    held.set()
    found = lead(proposer, room, 3)
    assert len({point["prompt"] for point in found}) == 3
    with pytest.raises(Exhausted):
        proposer.ask()
    assert len(room.begun) == 3


@pytest.mark.parametrize(
    ("said", "failure"),
    [
        (lambda request: "no field", "what the language model wrote lacks {question}"),
        (lambda request: request.text, "what the language model wrote is the one there was"),
        (lambda request: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_cannot_be_used_is_replaced_from_fragments(said, failure):
    def wrong(request):
        return said(replace(request, fields=()))

    room = Room()
    proposer = author(Writing(wrong), room)
    found = lead(proposer, room, 5)
    assert all(SPACE.contains(point) for point in found)
    assert len({digest(point) for point in found}) == 5
    assert all(why.startswith(failure) for _, _, why in room.done)
    last = proposer.lineage(found[-1])
    assert last.how == "template"
    assert last.note.startswith(f"nothing written: {failure}")


def test_an_objection_is_told_and_a_better_text_is_taken():
    room = Room()
    objective = Writing(lambda r: f"{r.text} Mended." if r.objection else "no field")
    proposer = author(objective, room)
    for _ in SEEDS:
        report(proposer, proposer.ask())
    child = answered(proposer, room)
    assert child["prompt"].endswith(" Mended.")
    assert [r.objection for r in objective.requests] == ["", "lacks {question}, which has to stay"]


def test_a_call_that_fails_is_told_with_its_reason():
    def refuse(request):
        raise ObjectiveFailure("rate_limit", "too many requests", retryable=True)

    room = Room()
    found = lead(author(Writing(refuse), room), room, 4)
    assert len(found) == 4
    assert {why for _, _, why in room.done} == {"too many requests"}


def test_a_budget_without_room_ends_the_search():
    def refuse(request):
        raise Unaffordable("the budget has no room")

    room = Room()
    proposer = author(Writing(refuse), room)
    for _ in SEEDS:
        report(proposer, proposer.ask())
    assert proposer.ask() is None
    assert room.awake.acquire(timeout=10)
    with pytest.raises(Unaffordable, match="the budget has no room"):
        proposer.ask()


def test_a_writer_that_brings_nothing_new_for_ever_ends_the_search():
    space = Space.parse({"prompt": {"evolve": ["{question}"]}})
    room = Room()
    proposer = author(Writing(lambda request: "{question}"), room, space=space)
    report(proposer, proposer.ask())
    for _ in range(5):
        assert proposer.ask() is None
        assert room.awake.acquire(timeout=10)
    with pytest.raises(Exhausted, match="nothing new"):
        proposer.ask()
    assert len(room.begun) == 5


def test_nothing_is_taken_after_the_end():
    held = threading.Event()
    room = Room()
    proposer = author(Writing(lambda request: str(held.wait(10))), room)
    for _ in SEEDS:
        report(proposer, proposer.ask())
    assert proposer.ask() is None
    proposer.close()
    held.set()
    assert not room.awake.acquire(timeout=0.2)
    assert room.done == []


def test_held_out_questions_are_refused():
    room = Room()
    proposer = author(room=room)
    point = proposer.ask()
    with pytest.raises(ValueError, match="held out"):
        proposer.observe(point, ("u1", "held-out"), np.array([1.0, 0.0]))
    desk = Desk(Writing(), Writing(), {})
    plan = Plan(0, "reflection", point, (Candidate("x", point),), units=("held-out",))
    with pytest.raises(RaytunerError, match="held-out: held out, so no search may be shown it"):
        desk.examples(plan, UNITS)


# ---- led through the record again


class Journal(Room):
    """A workroom whose record can be led through."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def begin(self, number, *, again):
        if not again:
            self.steps.append(("begun", number, None))
        return super().begin(number, again=again)

    def made(self, number, point, failure=""):
        self.steps.append(("made", number, point))
        super().made(number, point, failure)


def replay(proposer, steps):
    for kind, number, what in steps:
        if kind == "begun":
            proposer.recall_begun(number)
        elif kind == "made":
            proposer.recall_made(number, what)
        elif kind == "asked":
            proposer.recall(what)
        else:
            report(proposer, what)


@pytest.mark.parametrize("seed", range(4))
def test_led_through_the_record_it_asks_the_writer_the_same(seed):
    room, objective = Journal(), Writing()
    proposer = author(objective, room, seed)
    for _ in range(9):
        point = answered(proposer, room)
        room.steps.append(("asked", 0, point))
        report(proposer, point)
        room.steps.append(("told", 0, point))
    steps, requests = room.steps, {r.number: r for r in objective.requests}
    assert len(requests) == 7
    points = [what for kind, _, what in steps if kind == "asked"]
    for cut in range(len(steps)):
        again, other = Writing(), Journal()
        resumed = author(again, None, seed)
        replay(resumed, json.loads(json.dumps(steps[:cut])))
        resumed.attach(other)
        done = sum(kind == "asked" for kind, *_ in steps[:cut])
        if cut and steps[cut - 1][0] == "asked":
            report(resumed, points[done - 1])
        found = lead(resumed, other, 9 - done)
        assert found == points[done:]
        assert all(request == requests[request.number] for request in again.requests)
        assert len(again.requests) == 9 - max(done, 2)  # none that has become a point
