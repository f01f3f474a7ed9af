"""The port of a chosen configuration in use: it answers what people ask.

`Objective.answerer` makes one; `raytuner serve` puts it behind HTTP.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from raytuner.component import ConfigError
from raytuner.objective import Failure, ObjectiveFailure
from raytuner.ports.cost import Cost
from raytuner.ports.explanation import Passage


class Turn(NamedTuple):
    """What was said before a question, and by whom."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True)
class Query:
    """What somebody asks.

    Attributes:
        question: a text; empty where only fields are given.
        fields: values for the templates of a configuration that has more than one field.
        history: what was said before, for configurations that lead a conversation.
    """

    question: str
    fields: Mapping[str, str] | None = None
    history: tuple[Turn, ...] = ()


class Served(NamedTuple):
    """An answer.

    Attributes:
        answer: the text.
        passages: what it was written from, best first; empty where nothing is retrieved.
        usage: what models that were asked cost at list price, were nothing cached.
        label: what is wrong with the answer (`truncated`, `empty`, ...), or None.
    """

    answer: str
    passages: tuple[Passage, ...] = ()
    usage: Cost = Cost()
    label: str | None = None


Part = Sequence[tuple[int, Served | Failure]]
"""What has become of queries, each with its number."""


class Answerer(ABC):
    """Answers queries with one configuration. May be used by many threads."""

    @abstractmethod
    def about(self) -> Mapping[str, Any]:
        """Give the configuration that answers, as plain JSON values."""

    def module(self) -> Mapping[str, bytes]:
        """Give files that do the same without raytuner, by the end of their names (`.py`, ...).

        Raises:
            ConfigError: that cannot be; names what stands in the way.
        """
        raise ConfigError("this objective cannot be written as a module")

    def prepare(self) -> None:  # noqa: B027 - some have nothing to load
        """Load whatever the first query would have to wait for; once, before any query.

        Raises:
            ConfigError: a model, a key or a package is missing.
            ObjectiveFailure: a remote model or store failed.
        """

    def check(self, query: Query) -> None:
        """Refuse a query that cannot be answered, before anything is spent on it.

        Raises:
            ConfigError: naming the field.
        """
        del query

    @abstractmethod
    def answers(self, queries: Sequence[Query]) -> Iterator[Part]:
        """Answer queries together, giving what is known as soon as it is known.

        The first part comes when the work of this machine is done, and is empty if all that is
        left is to wait for others, for models: until then, more threads would not be faster.

        Raises:
            ObjectiveFailure: a typed failure of all that has not been given.
        """

    def answer(self, query: Query) -> Served:
        """Answer one query.

        Raises:
            ConfigError: the query cannot be answered.
            ObjectiveFailure: there is no answer; the kind says why.
        """
        self.check(query)
        ((_, found),) = [one for part in self.answers([query]) for one in part]
        if isinstance(found, Failure):
            raise ObjectiveFailure(found.kind, found.message, retryable=found.retryable)
        return found
