"""Leads dialogues with language models on answers that are kept; asks nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pipelines.cache.responses import ResponseCache
from pipelines.llm.accounts import Account
from pipelines.llm.asking import Shelf, ask, every_key
from pipelines.llm.batch import Ask, Dialogue
from pipelines.llm.types import Reply
from raytuner.objective import Failure, ObjectiveFailure
from raytuner.ports.gate import Demand, Permit, Report, run_in_background

_Result = TypeVar("_Result")


class ClosedGate:
    """Lets no paid call through."""

    async def admit(self, demand: Demand) -> Permit:
        """Say that an equal call has brought nothing; refuse a call that is like no other.

        Raises:
            ObjectiveFailure: the call has no key, so nobody can have kept its answer.
        """
        if demand.key:
            return Permit(0, b"")
        raise ObjectiveFailure("provider", "it would take paid calls, which are not made here")

    def settle(self, permit: Permit, report: Report) -> None:
        """Take nothing back, as nothing was given."""


def recall(
    dialogues: Sequence[Dialogue[_Result]], cache: ResponseCache
) -> list[tuple[int, _Result]]:
    """Lead dialogues to their ends; give what each returns, with its number.

    A request whose answer is not kept gets a failure for a reply, as if the model had not
    answered. Needs no key of an endpoint, and a fallback's next model counts where the first has
    no answer.

    Args:
        dialogues: any number; see `pipelines.llm.batch.Dialogue`.
        cache: where answers are kept.
    """
    ended: list[tuple[int, _Result]] = []
    left = dict(enumerate(dialogues))
    replies: dict[int, list[Reply]] = {}
    while left:
        asked: dict[int, Sequence[Ask]] = {}
        for number, dialogue in list(left.items()):
            try:
                given = replies.get(number)
                asked[number] = next(dialogue) if given is None else dialogue.send(given)
            except StopIteration as end:
                ended.append((number, end.value))
                del left[number]
        replies = _replies(asked, cache)
    return ended


def _replies(asked: Mapping[int, Sequence[Ask]], cache: ResponseCache) -> dict[int, list[Reply]]:
    keys = [key for asks in asked.values() for one in asks for key in every_key(*one)]
    known = cache.lookup(keys)
    shelf, gate = Shelf(cache), ClosedGate()

    async def take() -> dict[int, list[Reply]]:
        return {
            number: [_told(one, await ask(*one, gate, shelf, known, Account())) for one in asks]
            for number, asks in asked.items()
        }

    return run_in_background(take())


def _told(one: Ask, reply: Reply) -> Reply:
    if reply.failure is None:
        return reply
    reason = f"what {one.model.name} said is not among the answers that are kept here"
    return Reply((), Failure("provider", reason))
