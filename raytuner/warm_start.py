"""What a study knows before it begins: points that it names, and what earlier studies found.

Scores of an earlier run are copied into the study's own journal, once, as a session of another
study: from then on the run folder stands for itself, and is resumed like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import ConfigError, digest
from raytuner.copying import chosen_by, comparing, copied
from raytuner.events import look_event
from raytuner.given import completed, read_points
from raytuner.goal import Goal
from raytuner.journal import Event, Journal, read
from raytuner.objective import Objective, Params, Value
from raytuner.proof.split import Split
from raytuner.record import Record, plain
from raytuner.search.port import Proposer
from raytuner.search.primed import primed
from raytuner.space import Space
from raytuner.trial import Trial

BEST = 3
"""How many of the best configurations of an earlier run are tried first."""
MARK = "warm_start"
"""The field of the event that opens a session of copied scores; its value names the run."""

Point = dict[str, Value]


class Earlier(NamedTuple):
    """An earlier run.

    Attributes:
        name: as the study spells its folder.
        events: its journal.
        best: its best configurations, as points of this study's space.
    """

    name: str
    events: Sequence[Event]
    best: Sequence[Point]


@dataclass(frozen=True)
class Task:
    """What is to be tuned now, as far as an earlier run has to fit it.

    Attributes:
        objective: gives scope and keys.
        space: where its points have to be.
        standing: gives values of parameters that an earlier run did not vary.
        split: which units are searched now.
        goal: what is optimised now.
    """

    objective: Objective
    space: Space
    standing: Params
    split: Split
    goal: Goal

    def point(self, params: Params) -> Point | None:
        """Give the point of an earlier configuration; None if the space does not have it."""
        given = {name: value for name, value in params.items() if name in self.space.domains}
        if not given:
            return None
        try:
            point = completed(given, self.space, self.standing)
            self.objective.key(point)
        except ConfigError:
            return None
        return None if self.space.violated(point) else point

    def score(self, trial: Trial, units: int | None = None) -> float | None:
        """Give what a search maximises, over the first units; None without a full score there."""
        return self.goal.settled(trial.metrics, self.objective).score(trial, units)

    def same(self, point: Point, key: str) -> bool:
        """Tell whether a point computes what an earlier trial has computed."""
        return self.objective.key(point) == key


def read_runs(
    names: Sequence[str], task: Task, *, root: Path, folder: Path | None
) -> list[Earlier]:
    """Read the runs that a study starts from, but for those that it has taken in already.

    Args:
        names: their folders, as the study spells them.
        task: what is tuned now.
        root: folder that relative paths start from.
        folder: the study's own run folder, or None.

    Raises:
        ConfigError: there is no run, it is damaged, or nothing of it can be used here.
    """
    own, _ = read(folder / "journal.jsonl") if names and folder is not None else ([], 0)
    taken = {event.get(MARK) for event in own}
    return [
        _run(number, name, task, root=root, folder=folder)
        for number, name in enumerate(names)
        if name not in taken
    ]


def _run(number: int, name: str, task: Task, *, root: Path, folder: Path | None) -> Earlier:
    def wrong(reason: str) -> ConfigError:
        return ConfigError(f"{MARK}[{number}]: {name}: {reason}", (MARK, number))

    path = root / Path(name).expanduser()
    if not Path(name).expanduser().is_absolute() and not path.resolve().is_relative_to(
        root.resolve()
    ):
        raise wrong("leads out of the folder of the study; give an absolute path if that is meant")
    if folder is not None and path.resolve() == folder.resolve():
        raise wrong("is the study's own run folder, which is resumed anyway; leave it out")
    try:
        events, _ = read(path / "journal.jsonl")
    except ConfigError as error:
        raise wrong(error.message) from None
    opened = [event for event in events if event["event"] == "opened"]
    if not opened:
        raise wrong("no run here (journal.jsonl is missing or empty); give the folder of a run")
    best = _best(opened[-1], events, task)
    if opened[-1]["scope"] != task.objective.scope() and not best:
        raise wrong(
            "its questions, documents or metrics are others, and none of its complete trials is "
            "a point of this space: nothing of it can be used; leave it out"
        )
    return Earlier(name, events, best)


def _best(opened: Event, events: Sequence[Event], task: Task) -> list[Point]:
    """List the best configurations of a run that are points of the space.

    They are the best by what is optimised now, or else by what was optimised then.
    """
    units, searched = opened["units"], opened.get("search", len(opened["units"]))
    record = Record(
        opened["study"], opened["scope"], units[:searched], events, units[searched:],
        task.goal.derived,
    )  # fmt: skip
    now = {trial.key: task.score(trial) for trial in record.current}
    if all(score is None for score in now.values()):
        sign, metric = (1.0 if opened["maximise"] else -1.0), opened["metric"] or ""
        means = ((trial.key, trial.mean(metric)) for trial in record.current)
        now = {key: None if mean is None else sign * mean for key, mean in means}
    ranked = sorted((-score, key) for key, score in now.items() if score is not None)
    points = (task.point(record.trials[key].params) for _, key in ranked)
    distinct = {digest(point): point for point in points if point is not None}
    return list(distinct.values())[:BEST]


def _opening(run: Earlier, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Say whose scores follow: nobody's own."""
    return {MARK: run.name, "study": digest(MARK, facts["study"], run.name), "points": run.best}


@dataclass(frozen=True)
class WarmStart:
    """What a study begins with.

    Attributes:
        task: what is tuned now.
        points: named by the study, tried first.
        runs: earlier runs that the journal of the study has not taken in yet.
    """

    task: Task
    points: Sequence[Point] = ()
    runs: Sequence[Earlier] = ()

    def total(self, total: int | None) -> int | None:
        """Count the proposals there will be at most, with those that come first.

        Args:
            total: what the search alone will propose.
        """
        if total is None:
            return None
        first = len(
            {digest(p) for p in (*self.points, *(p for run in self.runs for p in run.best))}
        )
        size = self.task.space.total()
        return total + first if size is None else max(total, min(total + first, size))

    def take_in(self, journal: Journal, facts: Mapping[str, Any]) -> list[Event]:
        """Copy earlier runs into the journal.

        Of a run with the same questions, documents and metrics, the scores are copied. One of
        others leaves nothing but its best configurations, which are tried first: its scores do
        not compare.

        Args:
            journal: of this study.
            facts: what opens a session of this study, for readers.

        Returns:
            All events of the journal, the copied ones included.
        """
        events = list(journal)
        for run in self.runs:
            session = [{"event": "opened", **facts, **_opening(run, facts)}]
            scores = copied(run.events, events, self.task.objective.scope(), self.task.split)
            session += scores or self._look(run, facts)
            session.append({"event": "closed", "reason": None})
            journal.append(*session)
            events += [{**event, "t": 0.0} for event in session]
        return events

    def _look(self, run: Earlier, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Count it as a look if what is held out now has chosen what is tried first."""
        seen = chosen_by(run.events, facts, self.task.split.held_out)
        keys = [self.task.objective.key(point) for point in run.best] if seen else []
        return [dict(look_event(keys, seen, searched=True))] if keys else []

    def prime(
        self, proposer: Proposer, events: Sequence[Event], record: Record, *, learns: bool
    ) -> Proposer:
        """Put what is tried first before a search, and tell it what is known if it learns.

        Args:
            proposer: of the search, which has not been asked yet.
            events: all of the journal.
            record: what they say.
            learns: whether the search goes by what it is told.
        """
        for point, trial in self._known(events, record) if learns else ():
            units = _prefix(trial)
            score = self.task.score(trial, units) if units else None
            if score is not None:
                proposer.tell(point, score, units=None if units == len(trial.units) else units)
        first = self._first(events)
        return primed(proposer, first) if first else proposer

    def _known(self, events: Iterable[Event], record: Record) -> list[tuple[Point, Trial]]:
        """List what earlier runs have left that is a point here, in the journal's order."""
        found: dict[str, tuple[Point, Trial]] = {}
        for opened, event in comparing(events, record.scope):
            if MARK in opened and event["event"] == "trial" and event["key"] not in found:
                trial = record.trials[event["key"]]
                point = self.task.point(trial.params)
                if point is not None and self.task.same(point, trial.key):
                    found[trial.key] = point, trial
        return list(found.values())

    def _first(self, events: Iterable[Event]) -> list[Point]:
        """List what the study names, then the best of each earlier run."""
        found = {digest(point): point for point in self.points}
        for event in events:
            for params in event.get("points", ()) if MARK in event else ():
                point = self.task.point(plain(params))
                if point is not None:
                    found.setdefault(digest(point), point)
        return list(found.values())


def warm_start(
    points: Sequence[Mapping[str, Any]],
    runs: Sequence[str],
    task: Task,
    *,
    root: Path,
    folder: Path | None,
) -> WarmStart:
    """Read what a study begins with.

    Args:
        points: as the study names them.
        runs: folders of earlier runs, as the study spells them.
        task: what is tuned now.
        root: folder that relative paths start from.
        folder: the study's own run folder, or None.

    Raises:
        ConfigError: naming the point or the run, and what would be right.
    """
    given = read_points(points, task.space, task.standing)
    for number, point in enumerate(given):
        try:
            task.objective.key(point)
        except ConfigError as error:
            field = ("points", number, *error.field)
            raise ConfigError(f"points[{number}]: {error.message}", field) from None
    return WarmStart(task, given, read_runs(runs, task, root=root, folder=folder))


def _prefix(trial: Trial) -> int:
    """Count the units that are answered, in evaluation order, up to the first that is not."""
    missing = set(trial.missing())
    return next((n for n, unit in enumerate(trial.units) if unit in missing), len(trial.units))
