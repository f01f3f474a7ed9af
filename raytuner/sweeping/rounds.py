"""The two rounds of a sweep: the search, and the finals on questions that no search has seen."""

from __future__ import annotations

from collections.abc import Callable

from raytuner.record import Record
from raytuner.sweeping.course import Course
from raytuner.sweeping.finals import Finals
from raytuner.sweeping.listener import Listener
from raytuner.trial import Trial
from raytuner.worker import Ended


class Rounds:
    """Says which trial runs next, and takes in how it ended, whichever round it is.

    Called by the sweep under its lock.

    Args:
        course: the search.
        finals: what comes after it; None: nothing.
        record: what is known of every trial.
        listener: is told what begins.
        released: called once the finals begin, to free what was kept for them.
    """

    def __init__(
        self,
        course: Course,
        finals: Finals | None,
        *,
        record: Record,
        listener: Listener,
        released: Callable[[], None],
    ) -> None:
        self.final = False
        self._course = course
        self._finals = finals
        self._record = record
        self._listener = listener
        self._release = released
        self._searched = False
        self._all_in = False

    @property
    def searching(self) -> bool:
        """Whether new trials may still begin."""
        return not (self.final or self._searched)

    @property
    def keeps(self) -> bool:
        """Whether a part of the budget is to be kept for the finals."""
        return self._finals is not None and not (self.final or self._all_in)

    def next(self, running: dict[str, Trial]) -> Trial | None:
        """Give a trial that may go on now, perhaps one that has all it needs on record."""
        if self.final:
            return self._finals.next() if self._finals else None
        return None if self._searched else self._course.next(running)

    def handed_out(self) -> list[Trial]:
        """List the trials on record that have not yet answered all they were to."""
        looked = set[str]().union(*self._record.looks)
        finalists = [t for t in self._record.current if t.key in looked and t.held.missing()]
        return self._course.handed_out() or finalists

    def reopen(self, trial: Trial) -> None:
        """Go on with a trial that an earlier session handed out, in the round it is in."""
        self.final = self.final or not trial.missing()

    def missing(self, trial: Trial) -> tuple[str, ...]:
        """List the units that a trial has to answer now."""
        return tuple(trial.held.missing()) if self.final else self._course.missing(trial)

    def begun(self, trial: Trial) -> None:
        """Take in that a trial runs."""
        if not self.final:
            trial.status, trial.failure = "running", None
            self._listener.started(trial)

    def waits(self, *, staged: bool) -> bool:
        """Tell whether what runs may bring more to do.

        Args:
            staged: whether what is told of a trial decides what becomes of others.
        """
        return self._finals is not None or staged or not self._course.drawn

    def go_on(self) -> bool:
        """Find more to do, now that nothing runs and nothing is ready; tell whether there is."""
        if self.final:
            return False
        if not self._searched and self._course.drain():
            return True
        if self._searched and self.keeps and not (self._finals and self._finals.comparable()):
            return self._spend_all()
        self.final = True
        self._release()
        count = self._finals.open() if self._finals else 0
        if count:
            self._listener.finals(count, len(self._record.held_out))
        return bool(count)

    def _spend_all(self) -> bool:
        """Go on searching with what was kept: so far there is nobody to compare."""
        self._all_in, self._searched = True, False
        self._release()
        return True

    def more(self, running: dict[str, Trial]) -> bool:
        """Tell whether anything is left to begin or to go on with."""
        if self.final or running:
            return bool(running)
        if self._searched or self._course.over(running):
            return self._finals is not None and self._finals.unfinished()
        return True

    def end_search(self) -> None:
        """Begin nothing new but the finals."""
        self._searched = True

    def ended(self, trial: Trial, outcome: Ended) -> bool:
        """Take in how a job ended; tell whether it ends the whole sweep."""
        if outcome.status == "stopped":
            if not self.final:
                self._course.stopped(trial)
            if self.final or self._finals is None:
                return True
            self._searched = True
        elif not self.final and outcome.status == "failed":
            self._course.failed(trial)
        elif not self.final:
            self._course.reached(trial)
        return False
