"""Ask and tell: the study says what to try, somebody else tries it, and tells how it went.

```python
with AskTell.over({"x": {"float": [0, 1]}}, search="bayes", budget={"trials": 20}) as tuner:
    while (trial := tuner.ask()) is not None:
        tuner.tell(trial, experiment(**trial.params))
    print(tuner.results().best)
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from raytuner.component import ConfigError
from raytuner.events import dropped_event, rung_event, units_event, withdrawn_event
from raytuner.manual.by_hand import manual_of, told
from raytuner.manual.entries import by_unit, scores_of
from raytuner.objective import Failure, Params, UnitScore
from raytuner.ports.cost import Cost
from raytuner.prepare import prepare
from raytuner.rating.scoring import ANSWER
from raytuner.results import Results
from raytuner.score_table import Scored
from raytuner.scores import checked
from raytuner.session import Session
from raytuner.study import Study
from raytuner.trial import Trial
from raytuner.worker import Ended, Job


class Asked(NamedTuple):
    """A configuration to try.

    Attributes:
        number: of the trial.
        key: its identity.
        params: the configuration.
        units: what it is to be tried on now.
        final: whether these are units that no search has seen.
    """

    number: int
    key: str
    params: Params
    units: tuple[str, ...]
    final: bool = False


class AskTell:
    """A study whose trials are evaluated elsewhere, by people or by other programs.

    Holds the study's journal while it is open: close it, or use it in a `with`. Works with every
    search, in one process, without Ray. Not thread-safe.

    Args:
        study: with an objective of kind `manual`.
        root: folder that relative paths of the study start from; default: current folder.
        in_memory: keep no run folder.
        wait: seconds to wait while another process has the journal.

    Raises:
        ConfigError: the study is wrong, not manual, or in use for longer than `wait`.
    """

    def __init__(
        self,
        study: Study,
        root: Path | None = None,
        *,
        in_memory: bool = False,
        wait: float = 0.0,
    ) -> None:
        self.prepared = prepare(study, root, in_memory=in_memory)
        self.objective = manual_of(self.prepared)
        self._session = Session(self.prepared, wait=wait)
        self._session.__enter__()
        self._sweep = self._session.sweep
        self._record = self._sweep.record
        self._jobs: dict[str, Job] = {}
        self._given_up = {step.key for step in self._record.history if step.kind == "dropped"}

    @classmethod
    def over(
        cls,
        space: Mapping[str, Any],
        *,
        metrics: Sequence[str] = ("score",),
        minimise: Sequence[str] = (),
        units: int | Sequence[str] | None = None,
        **study: Any,
    ) -> Self:
        """Open a study in memory.

        Args:
            space: parameter names and their domains.
            metrics: what is told of every unit; the first one is optimised.
            minimise: those of which less is better.
            units: what every configuration is tried on; None: one result a trial.
            study: further fields, such as `search`, `budget`, `seed`, `constraints`.
        """
        objective = {
            "kind": "manual",
            "metrics": list(metrics),
            "minimise": list(minimise),
            **({} if units is None else {"units": units}),
        }
        fields = {"objective": objective, "space": dict(space), **study}
        return cls(Study.parse(fields), in_memory=True)

    # ---- what to try

    @property
    def waiting(self) -> int:
        """How many trials of earlier sessions have not been told yet; `ask` gives these first."""
        return len(self._waiting())

    def ask(self) -> Asked | None:
        """Give a configuration to try, those that wait from earlier sessions first.

        Returns:
            None if there is none: before more is told, or, where nothing is open, for good;
            `reason` says which.
        """
        while (job := self._sweep.poll()) is not None:
            trial = self._record.trials[job.key]
            self._jobs[job.key] = job
            if job.key not in self._given_up:
                final = job.units[0] in self._record.held_out
                return Asked(trial.number, trial.key, trial.params, job.units, final)
        return None

    @property
    def folder(self) -> Path | None:
        """The run folder."""
        return self.prepared.folder

    @property
    def stopped(self) -> bool:
        """Whether a budget has ended it."""
        return self._sweep.stop_reason is not None

    @property
    def reason(self) -> str:
        """Why `ask` has given nothing."""
        if self._sweep.stop_reason:
            return self._sweep.stop_reason
        if any(key not in self._given_up for key in self._jobs):
            return "the search waits for the results of what is open"
        return "everything that the search proposes has been tried"

    # ---- how it went

    def tell(
        self,
        trial: Asked | int,
        scores: float | Mapping[str, Any],
        *,
        unit: str | None = None,
        cost: float | None = None,
        answer: str | None = None,
    ) -> list[str]:
        """Record results; they are on disk once this returns.

        Args:
            trial: as `ask` gave it, or its number.
            scores: of one unit: a number (of the one metric) or a number per metric; or of
                several: such numbers by unit.
            unit: the one that `scores` is of; may be left out where one is open.
            cost: dollars it has cost.
            answer: what the configuration answered, for those who rate it.

        Returns:
            The units of the trial that are still to be told.

        Raises:
            ConfigError: anything does not fit; then nothing is recorded.
        """
        _, job = self._find(trial)
        entries = by_unit(scores, unit, self.objective, job.units)
        more = {"cost": cost, ANSWER: answer}
        given = {name: value for name, value in more.items() if value is not None}
        if given and len(entries) > 1:
            raise ConfigError("cost and answer belong to one unit; give them with each of several")
        entries = {name: {**entry, **given} for name, entry in entries.items()}
        return self._take(job, scores_of(entries, self.objective, job.units))

    def fail(self, trial: Asked | int, reason: str) -> None:
        """Record that a trial cannot be evaluated, and why; it is not asked for again."""
        known, job = self._find(trial)
        failure = Failure("objective", told(reason))
        lost = [UnitScore(name, {}, failure=failure) for name in job.units]
        self._sweep.score(job.key, lost)
        self._sweep.end(Ended(job.key, "failed", 0.0, failure))
        self._session.note(dropped_event(known.key))
        self._given_up.add(known.key)
        self._jobs.pop(job.key, None)

    def correct(self, trial: int, entries: Mapping[str, Mapping[str, Any]], reason: str) -> None:
        """Withdraw results that were entered wrongly, and record the right ones.

        Both stay on record, with the reason; what the search proposed meanwhile stays, too. What
        the wrong ones have cost stays spent, so tell only what came on top of it.

        Args:
            trial: its number.
            entries: the right values, by unit.
            reason: what was wrong.
        """
        known = self._numbered(trial)
        answered = self._answered(known)
        for unit in entries:
            if unit in self.objective.units() and unit not in answered:
                raise ConfigError(f"trial {trial} has no result of {unit!r} to correct; tell it")
        scores = scores_of(entries, self.objective, answered)
        units = [score.unit for score in scores]
        event = withdrawn_event(known.key, units, told(reason))
        events = [event, units_event(known.key, scores)]
        if known.key in self._given_up and set(units) >= set(known.units):
            # the search hears of it after all
            events.append(rung_event(known.key, len(known.units)))
        self._session.note(*events)
        self._record.withdraw(known, units)
        self._record.add(known, scores)

    def results(self) -> Results:
        """Give the outcome so far."""
        return self._session.results()

    def close(self) -> None:
        """Let others in; what is open stays open."""
        self._session.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, ConfigError):  # a slip in what was told ends no study
            kind = error = trace = None
        self._session.__exit__(kind, error, trace)

    # ---- inside

    def _waiting(self) -> list[Trial]:
        return [t for t in self._sweep.handed_out() if t.key not in self._given_up]

    def _answered(self, trial: Trial) -> list[str]:
        """List the units that have a result, or were given up."""
        if trial.key in self._given_up:
            return [*trial.units]
        tables: tuple[Scored, ...] = (trial, trial.held)
        missing = {unit for table in tables for unit in table.missing()}
        return [unit for table in tables for unit in table.units if unit not in missing]

    def _numbered(self, number: int) -> Trial:
        found = next((t for t in self._record.current if t.number == number), None)
        if found is None:
            trials = [t.number for t in self._record.current]
            shown = f"they are 0 to {max(trials)}" if trials else "nothing has been asked for"
            raise ConfigError(f"there is no trial {number} in this study: {shown}")
        return found

    def _find(self, trial: Asked | int) -> tuple[Trial, Job]:
        """Find an open trial, and the job that it is on."""
        if isinstance(trial, int):
            known = self._numbered(trial)
        else:
            known = self._record.trials.get(trial.key) or self._numbered(trial.number)
        number = known.number
        if known.key in self._given_up:
            raise ConfigError(f"trial {number} was told to have failed; ask for another")
        job = self._jobs.get(known.key)
        if job is None and known in self._waiting():
            job = self._sweep.reopen(known)
        if job is None:
            raise ConfigError(
                f"trial {number} has been told already; a score is never replaced in silence: "
                "withdraw a wrong one by --correct 'what was wrong'"
            )
        self._jobs[known.key] = job
        return known, job

    def _take(self, job: Job, scores: Sequence[UnitScore]) -> list[str]:
        spent = Cost()
        for score in scores:
            spent = spent.plus(score.cost)
        if spent.usd:
            self._sweep.purse.settle(0.0, spent)
        self._sweep.score(job.key, list(map(checked, scores)))
        known = {score.unit for score in scores}
        left = [unit for unit in job.units if unit not in known]
        if left:
            self._jobs[job.key] = job._replace(units=tuple(left))
            return left
        seconds = sum(score.seconds for score in scores)
        self._sweep.end(Ended(job.key, "complete", seconds))
        del self._jobs[job.key]
        return []
