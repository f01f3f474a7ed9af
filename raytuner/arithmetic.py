"""One thread for matrix products whose last bits must not depend on the number of threads."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

_turn = threading.RLock()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread in this process, for one caller at a time.

    The limit is the whole process's: whoever left first would lift it for the others, and
    threadpoolctl lets only one thread set it. So callers in other threads wait for their turn.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with _turn, threadpool_limits(1):
        yield


def _renew() -> None:
    global _turn  # noqa: PLW0603 - the thread that may hold it does not exist in the child
    _turn = threading.RLock()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
