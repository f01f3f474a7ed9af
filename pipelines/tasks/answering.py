"""A tuned task in use: what ran on golden items runs on what people ask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from pipelines.cache import Cache
from pipelines.completion_data import Instance
from pipelines.llm.client import Client
from pipelines.llm.models import LanguageModel
from pipelines.tasks import changing
from pipelines.tasks.line import Line, through
from pipelines.tasks.outcome import Outcome, TaskSpec, outcome_of
from pipelines.tasks.running import Ended, Running
from pipelines.tasks.scoring import spelled_answer
from raytuner.answering import Answerer, Part, Query, Served
from raytuner.component import ConfigError, nearest
from raytuner.objective import Failure, Tally

HISTORY = "history"
"""Field of an item for the turns before its question: a list of {role, content}."""


class Task(Protocol):
    """What of an objective serves queries: see `pipelines.tasks.objective.TaskObjective`."""

    @property
    def spec(self) -> TaskSpec:
        """The section."""

    @property
    def kept(self) -> Cache:
        """What is there already: answers, vectors."""

    def client(self) -> Client:
        """Give who asks models."""

    def asked(self, config: Any) -> Iterable[LanguageModel]:
        """List the models that a configuration may ask."""

    def prepare(self, config: Any) -> None:
        """Load what the first item would have to wait for."""

    def item_of(self, config: Any, query: Query) -> Instance:
        """Make an item of what somebody asks."""

    def reply(self, config: Any, item: Instance, ask: Line) -> Outcome:
        """Answer an item that somebody asks."""


class TaskAnswerer(Answerer):
    """Runs a task on what people ask, as its trials ran it on golden items.

    Args:
        task: runs them.
        config: of the trial, models in place of their names.
    """

    def __init__(self, task: Task, config: Any) -> None:
        self._task = task
        self._config = config

    def about(self) -> Mapping[str, Any]:
        """Give the configuration that answers."""
        return changing.plain(self._config)

    def prepare(self) -> None:
        """Look for keys and load what runs: what is missing is told now."""
        for model in self._task.asked(self._config):
            for member in model.members():
                member.check()
        self._task.prepare(self._config)

    def check(self, query: Query) -> None:
        """Want what an item has to have."""
        self._task.item_of(self._config, query)

    def answers(self, queries: Sequence[Query]) -> Iterator[Part]:
        """Run on all of them side by side."""
        task, config = self._task, self._config
        items = [task.item_of(config, query) for query in queries]
        works: list[Callable[[Line], Outcome]] = [partial(task.reply, config, it) for it in items]
        services = through(task.client(), task.kept.vectors, Tally())
        yield ()
        for part in Running(works, services, task.spec.timeout).parts():
            yield [(one.number, _served(one)) for one in part]


def item_of(query: Query, question: str | None, known: Sequence[str]) -> Instance:
    """Make an item of a query.

    Args:
        query: a question, fields, or both.
        question: the field that a question goes to; None: there is none.
        known: fields that items may have.

    Raises:
        ConfigError: a field that no item has, or nowhere to put the question.
    """
    texts = [name for name in known if name != HISTORY]
    fields = fields_of(query, texts)
    if question is None and query.question.strip() and not fields:
        raise ConfigError(
            f"question: items have no field that is one; give `fields`, of: {', '.join(texts)}",
            ("question",),
        )
    if question is not None:
        fields = _asked(fields, question, query.question)
    if not fields:
        raise ConfigError("question: it is empty", ("question",))
    if HISTORY in known and query.history:
        said = [{"role": turn.role, "content": turn.text} for turn in query.history]
        return {**fields, HISTORY: said}
    return fields


def fields_of(query: Query, known: Sequence[str]) -> dict[str, str]:
    """Give the fields of a query.

    Raises:
        ConfigError: one that no item has.
    """
    fields = dict(query.fields or {})
    for name in fields:
        if name not in known:
            raise ConfigError(
                f"fields: items have no field {name[:60]!r}; they have: {', '.join(known)}."
                f"{nearest(name[:60], known)}",
                ("fields", name),
            )
    return fields


def missing(name: str, who: str) -> ConfigError:
    """Say that somebody asks for a field that a query has not given."""
    return ConfigError(f"fields.{name}: it is missing; {who} asks for it", ("fields", name))


def _asked(fields: dict[str, str], name: str, question: str) -> dict[str, str]:
    """Put the question into its field."""
    given = fields.get(name, question)
    if not given.strip():
        raise ConfigError(f"{name}: it is empty", (name,))
    if question.strip() and given != question:
        reason = f"fields.{name}: it is given beside a question that says something else"
        raise ConfigError(reason, ("fields", name))
    return {**fields, name: given}


def _served(ended: Ended[Outcome]) -> Served | Failure:
    outcome = outcome_of("asked", ended)
    if outcome.failure is not None:
        return outcome.failure
    answer = spelled_answer(outcome.answer)
    wrong = next(iter(sorted(ended.line.labels)), None)
    return Served(answer, usage=ended.line.usage, label=wrong or (None if answer else "empty"))
