"""Equal calls of a sweep: one is made, the others wait for it, and its answer is known after."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

_REMEMBERED = 64 * 2**20
"""Bytes of answers kept in memory."""
_OVERHEAD = 200
"""Bytes that an entry takes beside its answer."""

Recall = Callable[[str], bytes | None]


class Flights:
    """Calls under way by key, who waits for them, and the answers that came latest.

    Belongs to one event loop.

    Args:
        recall: gives an answer that was kept elsewhere.
        remembered: bytes of answers to keep in memory.
    """

    def __init__(self, recall: Recall | None = None, remembered: int = _REMEMBERED) -> None:
        self._recall = recall
        self._limit = remembered
        self._waiting: dict[str, deque[asyncio.Future[bytes | None]]] = {}
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    async def join(self, key: str, *, recall: bool = True) -> bytes | None:
        """Give the answer, once there is one; None: make the call, for all who wait for it.

        Args:
            key: of the call.
            recall: whether to look for it among the answers that were kept elsewhere.
        """
        answer = self._known.get(key)
        if answer is not None:
            self._known.move_to_end(key)
            return answer
        others = self._waiting.get(key)
        if others is None:
            answer = self._recall(key) if recall and self._recall is not None else None
            if answer is None:
                self._waiting[key] = deque()
            else:
                self._remember(key, answer)
            return answer
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        others.append(future)
        try:
            return await future
        except asyncio.CancelledError:
            if _given(future) and future.result() is None:
                self.hand_over(key)
            raise

    def hand_over(self, key: str) -> None:
        """Let the next one make the call that has failed."""
        others = self._waiting[key]
        while others:
            future = others.popleft()
            if not future.done():
                future.set_result(None)
                return
        del self._waiting[key]

    def land(self, key: str, answer: bytes) -> None:
        """Give everybody the answer."""
        self._remember(key, answer)
        for future in self._waiting.pop(key):
            if not future.done():
                future.set_result(answer)

    def refuse(self, error: Callable[[], Exception]) -> None:
        """Send away everybody who waits for a call of somebody else."""
        for others in self._waiting.values():
            while others:
                future = others.popleft()
                if not future.done():
                    future.set_exception(error())

    def _remember(self, key: str, answer: bytes) -> None:
        if key in self._known:
            return
        self._known[key] = answer
        self._size += len(answer) + _OVERHEAD
        while self._size > self._limit and self._known:
            _, oldest = self._known.popitem(last=False)
            self._size -= len(oldest) + _OVERHEAD


def _given(future: asyncio.Future[bytes | None]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
