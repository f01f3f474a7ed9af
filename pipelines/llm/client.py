"""The client: asks language models, keeps every answer, pays for none of them twice.

Callers are trial threads; calls run on the process's background loop, all at once, paced by the
gate. An answer that arrived is on disk before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TypeVar

from pipelines.cache.responses import ResponseCache
from pipelines.llm.accounts import told
from pipelines.llm.asking import Shelf, every_key
from pipelines.llm.batch import Ask, Batch, Begun, Dialogue, single
from pipelines.llm.types import Reply
from raytuner.component import ConfigError
from raytuner.objective import Meter
from raytuner.paying.turnstile import standalone_gate

_Result = TypeVar("_Result")


class Client:
    """Asks models for one cache; shared by all threads of a process.

    Args:
        cache: where answers are kept.

    Attributes:
        shelf: puts them there.
    """

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self.shelf = Shelf(cache)

    def complete(self, asks: Sequence[Ask], meter: Meter, stage: str) -> list[Reply]:
        """Ask all at once; give the replies in order.

        Args:
            asks: any number of requests; equal ones are asked once.
            meter: counts calls, tokens and dollars, and has the gate.
            stage: what the calls are for, in accounts: `answer`, `judge`, ...

        Raises:
            BudgetExhaustedError: the money is used, or the sweep is ending; answers that came
                are kept.
            ConfigError: an endpoint refuses key or model, or there is no key.
        """
        replies = dict(self.converse([single(one) for one in asks], meter, stage))
        return [replies[number] for number in range(len(asks))]

    def converse(
        self, dialogues: Sequence[Dialogue[_Result]], meter: Meter, stage: str
    ) -> Iterator[tuple[int, _Result]]:
        """Lead all dialogues at once; give what each returns, with its number, when it ends.

        A dialogue is a generator: it yields what to ask next, several asks at a time if they do
        not depend on each other, is sent the replies in their order, and returns its result.
        Dialogues run on the background loop and must not block.

        What has come is given before anything is raised, as `complete` does. Closing the iterator
        early lets calls under way end, and begins no more.
        """
        for part in self.gather(dialogues, meter, stage):
            yield from part

    def gather(
        self, dialogues: Sequence[Dialogue[_Result]], meter: Meter, stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        """Do `converse`, giving together what has come since the last look."""
        ended: dict[int, _Result] = {}
        first: dict[int, Sequence[Ask]] = {}
        for number, dialogue in enumerate(dialogues):
            try:
                first[number] = next(dialogue)
            except StopIteration as end:  # it had nothing to ask
                ended[number] = end.value
        if ended:
            yield list(ended.items())
        if first:
            yield from self._lead({n: (dialogues[n], first[n]) for n in first}, meter, stage)

    def _lead(
        self, begun: Mapping[int, Begun[_Result]], meter: Meter, stage: str
    ) -> Iterator[list[tuple[int, _Result]]]:
        asks = [one for _, each in begun.values() for one in each]
        for model in {id(one.model): one.model for one in asks}.values():
            for member in model.members():
                member.check()
        known = self._cache.lookup([key for one in asks for key in every_key(*one)])
        batch = Batch(begun, meter.gate or standalone_gate(), self.shelf, known)
        error: BaseException | None = None
        left = len(begun)
        try:
            while left:
                good = []
                for done in batch.ready():
                    left -= 1
                    told(done.counts, meter, stage)
                    meter.spend(done.paid)
                    if done.error is None:
                        good.append((done.number, done.result))
                    elif error is None or isinstance(done.error, ConfigError):
                        error = done.error
                if good:
                    yield good
        finally:
            batch.close()
        if error is not None:
            raise error


@lru_cache(maxsize=16)
def client_of(cache: ResponseCache) -> Client:
    """Give the one client of a cache in this process."""
    return Client(cache)
