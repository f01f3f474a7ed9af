import asyncio

import pytest

from pipelines.llm.attempts import Outcome, Policy, persist
from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Demand, Permit, Report

DEMAND = Demand("lane", usd=2.0, tokens=10)
TOLD = Report(cost=Cost(1.0, 5, 3, 1), answer=b"yes")


class Oops(Exception):
    """Carries what it is to be translated into."""

    def __init__(self, meaning, report=Report(cost=None)):  # noqa: B008 - a tuple
        super().__init__()
        self.meaning = meaning
        self.report = report


def oops(kind, *, retryable=True, **report):
    return Oops(
        ObjectiveFailure(kind, "oops", retryable=retryable), Report(**{"cost": None, **report})
    )


def translate(error):
    if isinstance(error, TimeoutError):
        return ObjectiveFailure("timeout", "late", retryable=True), Report(cost=None)
    return error.meaning, error.report


def script(*steps):
    """Attempt that does these steps in turn: an exception is raised, anything else is returned."""
    left = list(steps)

    async def attempt():
        step = left.pop(0)
        if isinstance(step, BaseException):
            raise step
        return "value", step

    return attempt


@pytest.fixture
def pauses(monkeypatch):
    """Seconds that would have been slept; nothing is."""
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr("pipelines.llm.attempts.asyncio.sleep", sleep)
    return slept


async def tried(gate, *steps, **policy):
    return await persist(gate, DEMAND, script(*steps), translate, Policy(**policy))


async def test_what_succeeds_is_asked_once(make_gate, pauses):
    gate = make_gate()
    outcome = await tried(gate, TOLD)
    assert (outcome.value, outcome.failure, outcome.calls) == ("value", None, 1)
    assert outcome.paid == TOLD.cost
    assert (gate.demands, gate.reports, gate.held, pauses) == ([DEMAND], [TOLD], {}, [])


async def test_every_attempt_asks_the_gate_and_pauses_grow(make_gate, pauses):
    gate = make_gate()
    outcome = await tried(gate, *[oops("provider")] * 3, TOLD, retries=3)
    assert (outcome.value, outcome.calls, len(gate.demands)) == ("value", 4, 4)
    assert outcome.paid == Cost(3 * 2.0 + 1.0, 5, 3, 4)
    assert gate.held == {}
    for pause, most in zip(pauses, (0.5, 1.0, 2.0), strict=True):
        assert most / 2 <= pause <= most


async def test_no_pause_is_longer_than_the_longest(make_gate, pauses):
    steps = [oops("provider")] * 12
    await tried(make_gate(), *steps, retries=11, deadline=10_000)
    assert 10 <= max(pauses) <= 20


async def test_a_refused_call_asks_the_gate_again_at_once(make_gate, pauses):
    gate = make_gate()
    refused = {"cost": Cost(calls=1), "throttled": True, "retry_after": 9.0}
    outcome = await tried(gate, oops("rate_limit", **refused), TOLD)
    assert outcome.value == "value"
    assert pauses == [0.0]
    assert gate.reports[0] == Report(**refused)
    assert outcome.paid == Cost(1.0, 5, 3, 2)


async def test_retries_are_counted(make_gate, pauses):
    outcome = await tried(make_gate(), *[oops("timeout")] * 3, retries=2)
    assert (outcome.value, outcome.calls) == (None, 3)
    assert (outcome.failure.kind, outcome.failure.retryable) == ("timeout", True)
    assert len(pauses) == 2


async def test_what_will_not_pass_is_not_tried_again(make_gate, pauses):
    outcome = await tried(make_gate(), oops("provider", retryable=False))
    assert (outcome.failure.kind, outcome.calls, pauses) == ("provider", 1, [])


async def test_pauses_count_for_the_deadline(make_gate, pauses):
    outcome = await tried(make_gate(), *[oops("provider")] * 9, retries=8, deadline=3.0)
    assert outcome.failure.kind == "provider"
    assert sum(pauses) <= 3.0
    assert 2 <= outcome.calls < 9


async def test_a_configuration_error_is_raised_and_the_permit_given_back(make_gate):
    gate = make_gate()
    with pytest.raises(ConfigError, match="key"):
        await tried(gate, Oops(ConfigError("the key was refused"), Report(cost=Cost(calls=1))))
    assert gate.held == {}
    assert gate.reports == [Report(cost=Cost(calls=1))]


async def test_an_attempt_that_hangs_ends_at_its_timeout(make_gate):
    gate = make_gate()

    async def hang():
        await asyncio.Event().wait()

    outcome = await persist(gate, DEMAND, hang, translate, Policy(timeout=0.01, retries=0))
    assert outcome.failure.kind == "timeout"
    assert outcome.paid == Cost(2.0, calls=1)
    assert gate.reports == [Report(cost=None)]


async def test_of_a_call_that_is_broken_off_nobody_knows_the_cost(make_gate):
    gate, begun = make_gate(), asyncio.Event()

    async def hang():
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(persist(gate, DEMAND, hang, translate, Policy()))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.reports == [Report(cost=None)]
    assert gate.held == {}


async def test_the_answer_of_an_equal_call_is_taken_over(make_gate):
    class Knowing(make_gate):
        async def admit(self, demand):
            return Permit(0, b"known")

    outcome = await tried(Knowing(), oops("provider"))
    assert (outcome.value, outcome.answer, outcome.calls) == (None, b"known", 0)
    assert outcome.paid == Cost()


async def test_without_money_for_another_attempt_it_ends(make_gate, pauses):
    class Spending(make_gate):
        """Counts what broke off as spent."""

        @property
        def spent(self):
            return sum(2.0 if r.cost is None else r.cost.usd for r in self.reports)

    gate, outcome = Spending(usd=3.0), Outcome()
    steps = script(oops("provider"), TOLD)
    with pytest.raises(BudgetExhaustedError):
        await persist(gate, DEMAND, steps, translate, Policy(), outcome)
    assert len(gate.demands) == 1
    assert (outcome.calls, outcome.paid) == (1, Cost(2.0, calls=1))
