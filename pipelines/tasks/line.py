"""How the code of one item asks language models, and what it took.

Whatever asks, asks here: through our client while a trial runs, or what is kept.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pipelines.cache import VectorCache
from pipelines.cache.responses import ResponseCache
from pipelines.llm.batch import Ask, single
from pipelines.llm.client import Client
from pipelines.llm.kept import recall
from pipelines.llm.types import Reply
from pipelines.measuring import Unpaid
from pipelines.roles import Embedder
from pipelines.types import Vectors
from raytuner.component import RaytunerError
from raytuner.objective import Cost, Failure, Meter, ObjectiveFailure, Relay

STAGE = "answer"
_LOOK = 0.01
"""Seconds between looks whether an answer is there that nobody waits for."""

Lead = Callable[[Ask], Reply]
"""Asks a model; waits for the reply."""


class Services(NamedTuple):
    """What the code of items can have.

    Attributes:
        lead: asks a model.
        embed: gives vectors of texts, as queries or as documents; float32 [texts, dimensions].
    """

    lead: Lead
    embed: Callable[[Embedder, Sequence[str], bool], Vectors]


class ItemOverError(RaytunerError):
    """An item asks that has used up its time, or whose trial has ended."""


class Line:
    """How the code of one item asks language models. Callable, from any thread: `line(ask)`.

    Args:
        services: ask and embed.
        broken: told of what breaks the whole trial.

    Attributes:
        usage: of all answers so far, at list price, nothing being cached.
        paid: what was really spent on them.
        calls: answers so far.
        labels: what was wrong with answers, counted.
        failure: of the first call that brought no answer, whatever the code made of it.
        cut: whether something could not be asked, so that nothing counts that came of it.
    """

    def __init__(self, services: Services, broken: Callable[[BaseException], None]) -> None:
        self._services = services
        self._broken = broken
        self._lock = threading.Lock()
        self._open = 0
        self._over = self._done = False
        self._own = 0.0
        self._since = time.perf_counter()
        self._answered = 0.0
        self.usage = Cost()
        self.paid = Cost()
        self.calls = 0
        self.labels: Counter[str] = Counter()
        self.failure: Failure | None = None
        self.cut = False

    def __call__(self, ask: Ask) -> Reply:
        """Ask, and wait in this thread.

        Raises:
            ItemOverError: the item's time, or the trial, is over.
            RaytunerError: the budget is used up, or the endpoint refuses key or model.
        """
        began = self._begin()
        reply = None
        try:
            reply = self._services.lead(ask)
        except BaseException as error:
            self.cut = True
            self._broken(error)
            raise
        finally:
            self._end(began, reply)
        return reply

    def embed(self, embedder: Embedder, texts: Sequence[str], *, query: bool = False) -> Vectors:
        """Embed texts that are not in the cache; float32 [texts, dimensions].

        Raises:
            ObjectiveFailure: a remote model did not answer.
            RaytunerError: the budget is used up, or the model cannot be had.
        """
        try:
            return self._services.embed(embedder, texts, query)
        except ObjectiveFailure:
            raise
        except RaytunerError as error:
            self.cut = True
            self._broken(error)
            raise

    def _begin(self) -> float:
        with self._lock:
            if self._over:
                self.cut = self.cut or not self._done
                raise ItemOverError("nothing can be asked any more: time or trial is over")
            if not self._open:
                self._own += time.perf_counter() - self._since
            self._open += 1
            return self._answered

    def _end(self, began: float, reply: Reply | None) -> None:
        with self._lock:
            self._open -= 1
            self._since = time.perf_counter()
            if reply is None:
                return
            self._answered = max(self._answered, began + reply.seconds)
            self.usage, self.paid = self.usage.plus(reply.usage), self.paid.plus(reply.paid)
            self.calls += reply.failure is None
            self.failure = self.failure or reply.failure
            self.labels.update(one.label for one in reply.samples if one.label is not None)

    @property
    def waiting(self) -> bool:
        """Whether it waits for an answer."""
        return self._open > 0

    def own_seconds(self) -> float:
        """Give how long the item's own code has run: time in which nothing was asked."""
        with self._lock:
            return self._own + (0.0 if self._open else time.perf_counter() - self._since)

    def waited_seconds(self) -> float:
        """Give how long a user would have waited for the answers of models.

        An ask counts from the last answer that was there when it was made, for as long as its
        calls took when they were really made.
        """
        return self._answered

    def close(self) -> None:
        """Let nothing more be asked."""
        with self._lock:
            self._over = True

    def finish(self) -> None:
        """Let nothing more be asked, now that there is a result, which stands as it is.

        What threads of the item's code have asked without waiting for it is waited for: it is
        paid for, and counts.
        """
        with self._lock:
            self._over = self._done = True
        while self.waiting:
            time.sleep(_LOOK)


class SharedMeter(Relay):
    """A meter that many threads may use."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter)
        self._lock = threading.Lock()

    def settle(self, reserved: float, cost: Cost) -> None:
        """Pass it on, one thread at a time."""
        with self._lock:
            super().settle(reserved, cost)

    def spend(self, cost: Cost) -> None:
        """Pass it on, one thread at a time."""
        with self._lock:
            super().spend(cost)

    def count(self, name: str, amount: int = 1) -> None:
        """Pass it on, one thread at a time."""
        with self._lock:
            super().count(name, amount)


def through(client: Client, vectors: VectorCache, meter: Meter) -> Services:
    """Ask through our client: every answer kept, none paid for twice, all of it accounted."""
    shared = SharedMeter(meter)

    def embed(embedder: Embedder, texts: Sequence[str], query: bool) -> Vectors:
        return vectors.embed_texts(embedder, texts, query=query, meter=shared).vectors

    return Services(lambda ask: client.complete([ask], shared, STAGE)[0], embed)


def from_kept(responses: ResponseCache, vectors: VectorCache) -> Services:
    """Answer from what is kept; nobody is asked, and nothing is paid for."""

    def embed(embedder: Embedder, texts: Sequence[str], query: bool) -> Vectors:
        return vectors.embed_texts(embedder, texts, query=query, meter=Unpaid()).vectors

    return Services(lambda ask: recall([single(ask)], responses)[0][1], embed)
