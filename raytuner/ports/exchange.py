"""Where processes that share no disk pass finished artifacts to each other: a part of the port."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[np.generic]]
"""One artifact as named arrays; what others gave is read-only."""


class Exchange(Protocol):
    """Where processes that share no disk pass finished artifacts to each other."""

    def obtain(self, key: str, build: Callable[[], Arrays]) -> Arrays:
        """Give the artifact of a key, which at most one process at a time builds.

        Waits while another process builds it. If that one is lost or fails, the next one
        builds; what `build` raises is raised here, and the key stays free.

        Args:
            key: 32 hexadecimal digits that cover everything the artifact depends on.
            build: makes the artifact; not called if anybody has made it.
        """
