"""One thread for matrix products whose last bits must not depend on the number of threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_guard = threading.Lock()
_users = 0
_limits: contextlib.AbstractContextManager[object] | None = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold BLAS to one thread in this process.

    The limit is the whole process's. It is lifted when the last of those who asked for it, in
    whatever thread, has left: else one who leaves would change the bits of the others.
    """
    global _users, _limits  # noqa: PLW0603 - so is what it stands for
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with _guard:
        if _users == 0:
            _limits = threadpool_limits(1)
            _limits.__enter__()
        _users += 1
    try:
        yield
    finally:
        with _guard:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.__exit__(None, None, None)
                _limits = None
