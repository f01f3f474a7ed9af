"""A tuned completion in use: it answers what people ask."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.completion_asking import STAGE, dialogue
from pipelines.completion_config import CompletionConfig, plain
from pipelines.llm.client import Client
from pipelines.llm.models import resolved
from pipelines.llm.templates import template_fields
from pipelines.llm.types import Reply
from raytuner.answering import Answerer, Part, Query, Served
from raytuner.component import ConfigError, nearest
from raytuner.objective import Failure, Tally


class CompletionAnswerer(Answerer):
    """Fills the templates from a query and asks the model.

    A question fills the templates' only field; where they have several, a query gives `fields`.

    Args:
        config: models, conversations and stop texts are resolved.
        client: asks.
    """

    def __init__(self, config: CompletionConfig, client: Client) -> None:
        self._config = config
        self._client = client
        names = [name for message in config.templates for name in template_fields(message.content)]
        self.names = tuple(dict.fromkeys(names))

    def about(self) -> Mapping[str, Any]:
        """Give what is asked, of whom, and how."""
        return plain(self._config)

    def prepare(self) -> None:
        """Look for the keys: one that is missing is told now, not to whoever asks first."""
        for model in resolved(self._config.model).members():
            model.check()

    def check(self, query: Query) -> None:
        """Want every field, and no other."""
        self._instance(query)

    def _instance(self, query: Query) -> Mapping[str, str]:
        if query.fields is None:
            if len(self.names) > 1:
                raise ConfigError(
                    f"question: the templates have the fields {', '.join(self.names)}; give "
                    "`fields` with a text for each of them",
                    ("question",),
                )
            if not query.question.strip():
                raise ConfigError("question: it is empty", ("question",))
            return dict.fromkeys(self.names, query.question)
        for name in self.names:
            if name not in query.fields:
                raise ConfigError(f"fields.{name}: it is missing", ("fields", name))
        for name in query.fields:
            if name not in self.names:
                raise ConfigError(
                    f"fields: the templates have no field {name[:60]!r}; they have: "
                    f"{', '.join(self.names) or 'none'}.{nearest(name[:60], self.names)}",
                    ("fields", name),
                )
        return query.fields

    def answers(self, queries: Sequence[Query]) -> Iterator[Part]:
        """Ask about all of them at once."""
        dialogues = [dialogue(self._config, self._instance(query)) for query in queries]
        yield ()
        for part in self._client.gather(dialogues, Tally(), STAGE):
            yield [(number, _served(reply)) for number, reply in part]


def _served(reply: Reply) -> Served | Failure:
    if reply.failure is not None:
        return reply.failure
    return Served(reply.first.text, usage=reply.usage, label=reply.first.label)
