"""What the purse sets aside and settles, on record before a call is made.

Not synchronised with the disk: it survives the death of the process, and after that of the
machine what units have cost still stands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from raytuner.budget import BudgetExhaustedError, Entry
from raytuner.component import RaytunerError
from raytuner.events import money_event
from raytuner.journal import Journal


class Ledger:
    """Writes the purse's entries into the journal of an open session.

    Args:
        journal: takes them.
        cancel: ends the sweep, for a reason.
    """

    def __init__(self, journal: Journal, cancel: Callable[[str], None]) -> None:
        self._journal = journal
        self._cancel = cancel
        self._lock = threading.Lock()
        self._closed = False

    def __call__(self, entries: Sequence[Entry]) -> None:
        """Write entries down.

        Raises:
            BudgetExhaustedError: money is to be set aside, but that cannot be recorded.
        """
        reason = "the session is over"
        with self._lock:
            if not self._closed:
                try:
                    self._journal.append(money_event(entries), durable=False)
                except (OSError, RaytunerError) as error:
                    reason = str(error)
                else:
                    return
                self._cancel(reason)
        if not all(entry.settled for entry in entries):
            raise BudgetExhaustedError(reason)

    def close(self) -> None:
        """Write no more: what is not settled by now counts as spent."""
        with self._lock:
            self._closed = True
