"""The base of objectives in which something runs on one golden item and asks language models."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel

from pipelines.completion_code import Evaluated, failed
from pipelines.completion_data import Instance, Instances
from pipelines.estimate import Bounds, total
from pipelines.explaining import LONGEST_ANSWER
from pipelines.llm.models import unpriced
from pipelines.llm.naming import with_models
from pipelines.overrides import blamed
from pipelines.tasks import changing
from pipelines.tasks.answering import TaskAnswerer, item_of
from pipelines.tasks.instances import InstanceObjective
from pipelines.tasks.line import Line, Services, from_kept, through
from pipelines.tasks.outcome import NoAnswerError as NoAnswerError  # noqa: PLC0414
from pipelines.tasks.outcome import Outcome as Outcome  # noqa: PLC0414
from pipelines.tasks.outcome import TaskSpec as TaskSpec  # noqa: PLC0414
from pipelines.tasks.outcome import outcome_of, told
from pipelines.tasks.running import Ended, Running
from pipelines.tasks.scoring import Scorer, merged, spelled_answer
from raytuner.answering import Answerer, Query
from raytuner.component import ConfigError, digest
from raytuner.objective import (
    LATENCY,
    UNIT_TOKENS,
    UNIT_USD,
    Cost,
    Meter,
    Params,
    UnitScore,
)
from raytuner.ports.explanation import Explanation

_QUESTIONS = ("question", "input", "query", "problem", "task", "prompt", "text", "user")
"""Fields of an item that hold, by their usual names, what is asked."""
_Spec = TypeVar("_Spec", bound=TaskSpec)
_Config = TypeVar("_Config", bound=BaseModel)


class TaskObjective(InstanceObjective[_Spec, _Config], Generic[_Spec, _Config]):
    """Runs something on golden items, one at a time, and scores its answers.

    A subclass says what it is called, how its configuration is read, and what runs:

    - `what`, `Spec`: the name with its article, and the section's model;
    - `standing`: the configuration as it stands, a pydantic model;
    - `run`: runs one item.

    It may say more: `check` (templates against items), `program` (identity of the user's code),
    `bounds` (what an item will cost), `minimised` (own metrics of which less is better).

    Args:
        spec: the section.
        root: folder that relative paths start from.
        seed: seed of the order of instances.

    Raises:
        ConfigError: for bad input, naming the field.
    """

    what: ClassVar[str] = "a task"
    Spec: ClassVar[type[TaskSpec]] = TaskSpec
    minimised: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, spec: _Spec, root: Path, seed: int = 0) -> None:
        super().__init__(spec, root, seed)
        self._scorer = Scorer(spec.score, spec.reference)
        self.config: _Config = self.standing()

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section."""
        spec: Any = cls.Spec.read(args, cls.what)
        return cls(spec, root.resolve(), seed)

    @classmethod
    def schema(cls) -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        return cls.Spec.model_json_schema()

    # ---- what a subclass says

    @abstractmethod
    def standing(self) -> _Config:
        """Read the configuration as it stands from the section.

        Raises:
            ConfigError: it is none.
        """

    @abstractmethod
    def run(self, config: _Config, item: Instance, ask: Line) -> Outcome:
        """Run one item, in a thread of its own, beside others.

        Args:
            config: of the trial, models in place of their names.
            item: fields of the golden item.
            ask: asks a language model and waits for its reply: `ask(Ask(model, request))`. May be
                called from any thread. A reply without an answer makes the item a failure.

        Raises:
            NoAnswerError: there is no answer; an empty one is scored.
            Exception: anything; the item is a failure of kind `objective`, the others go on.
        """

    def score(self, outcome: Outcome, item: Instance, unit: str) -> Evaluated:
        """Score an answer."""
        return self._scorer(outcome.answer, item, unit)

    def check(self, config: _Config, instances: Instances) -> None:
        """Look whether a configuration fits the items, before anything runs.

        Raises:
            ConfigError: it does not.
        """
        del config, instances

    def program(self) -> Any:
        """Spell the user's code that is run, as plain values, for the key."""
        return None

    def bounds(self, config: _Config, item: Instance) -> Sequence[Bounds]:
        """Bound calls and tokens of one item from below and above."""
        del config, item
        return ()

    def question(self, item: Instance) -> str:
        """Give what an item asks, for people."""
        name = _question_of(item)
        return spelled_answer(dict(item) if name is None else item[name])

    # ---- what a subclass may say of its use beyond the study

    def prepare(self, config: _Config) -> None:
        """Load what the first item would have to wait for."""
        del config

    def item_of(self, config: _Config, query: Query) -> Instance:
        """Make an item of what somebody asks.

        Raises:
            ConfigError: it is none that could be answered; names the field.
        """
        del config
        known = self.instances.fields
        return item_of(query, _question_of(known), known)

    def reply(self, config: _Config, item: Instance, ask: Line) -> Outcome:
        """Answer an item that somebody asks."""
        return self.run(config, item, ask)

    def answerer(self, params: Params) -> Answerer:
        """Give one that runs on what people ask."""
        return TaskAnswerer(self, self.configured(params))

    # ---- what the tuner asks

    @cached_property
    def instances(self) -> Instances:
        """The golden items, read once per process and looked over."""
        found = super().instances
        self.check_items(found)
        return found

    def check_items(self, instances: Instances) -> None:
        """Look whether items are what they should be.

        Raises:
            ConfigError: naming the item.
        """
        self._scorer.check(instances)

    def scope(self) -> str:
        """Identify items, scoring, and the user's code."""
        scoring = [self._scorer.identity(), self.spec.version, *self.spec.metrics]
        return digest(self.what, self.instances.key, scoring, self.program(), self.seed)

    def key(self, params: Params) -> str:
        """Identify what a trial computes."""
        return digest(self.scope(), changing.identity(self.configured(params)))

    def configured(self, params: Params) -> _Config:
        """Configure a trial: names resolved, templates checked."""
        try:
            config = with_models(changing.override(self.config, params), self.spec.models)
            self.check(config, self.instances)
        except ConfigError as error:
            raise blamed(error, params) from error
        return config

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return metric not in self.minimised and super().maximise(metric)

    def defaults(self, names: Sequence[str]) -> Params | None:
        """Give the value each parameter has in the configuration as it stands."""
        return changing.values(self.config, names)

    def estimate_range(self, params: Params, units: Sequence[str]) -> tuple[Cost, Cost]:
        """Bound the cost of answering, nothing being cached."""
        config = self.configured(params)
        return total([one for unit in units for one in self.bounds(config, self.instances[unit])])

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the full configuration behind a trial."""
        return changing.plain(self.configured(params))

    # ---- running and scoring

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Run items side by side; score answers as they come."""
        config = self.configured(params)
        priced = not unpriced(tuple(self.asked(config)))
        began = time.perf_counter()
        for part in self._running(config, units, through(self.client(), self.kept.vectors, meter)):
            with meter.stage("score"):
                scored = [self._score(units[one.number], one, priced=priced) for one in part]
            seconds = (time.perf_counter() - began) / len(part)
            yield [score._replace(seconds=seconds) for score in scored]
            began = time.perf_counter()

    def _running(
        self, config: _Config, units: Sequence[str], services: Services
    ) -> Iterator[list[Ended[Outcome]]]:
        works: list[Callable[[Line], Outcome]] = [
            partial(self.run, config, self.instances[unit]) for unit in units
        ]
        return Running(works, services, self.spec.timeout).parts()

    def _score(self, unit: str, ended: Ended[Outcome], *, priced: bool) -> UnitScore:
        line = ended.line
        outcome = outcome_of(unit, ended)
        failure = outcome.failure
        if failure is None:
            found = self.score(outcome, self.instances[unit], unit)
            found = self._complete(found, outcome, unit)
            failure = found.failure
        if failure is not None:
            return UnitScore(unit, {}, line.paid, failure=failure)
        scores = {**found.metrics, UNIT_TOKENS: float(line.usage.tokens_in + line.usage.tokens_out)}
        if priced:
            scores[UNIT_USD] = line.usage.usd
        seconds = line.waited_seconds() + ended.own_seconds
        notes = {**told(outcome, line), **found.notes, LATENCY: round(seconds, 6)}
        return UnitScore(unit, scores, line.paid, notes=notes)

    def _complete(self, found: Evaluated, outcome: Outcome, unit: str) -> Evaluated:
        if found.failure is None:
            found = merged(found, outcome.scores, unit)
        lacking = self.spec.lacking(found.metrics)
        if lacking and found.failure is None:
            return failed(unit, f"score {lacking}")
        return found

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show what items ask and what was answered, without paying for anything.

        The items run again, on answers that are kept.
        """
        kept = from_kept(self.responses, self.kept.vectors)
        parts = self._running(self.configured(params), units, kept)
        ended = {units[one.number]: one for part in parts for one in part}
        return [self.explained(unit, ended[unit]) for unit in units]

    def explained(self, unit: str, ended: Ended[Outcome]) -> Explanation:
        """Show what an item asks and what came of it."""
        item = self.instances[unit]
        shown = Explanation(unit=unit, question=self.question(item))
        if self.spec.reference in item:
            shown["reference"] = spelled_answer(item[self.spec.reference])
        outcome = outcome_of(unit, ended)
        if outcome.failure is not None:
            shown["missing"] = outcome.failure.message
        else:
            shown["answer"] = spelled_answer(outcome.answer)[:LONGEST_ANSWER]
        return shown


def _question_of(fields: Iterable[str]) -> str | None:
    """Name the field, of those there are, that holds what is asked; None if no name is usual."""
    there = set(fields)
    return next((name for name in _QUESTIONS if name in there), None)
