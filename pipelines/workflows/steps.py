"""What a workflow's code gets: its steps by name, ready to be asked.

def answer(item, steps):
    part = steps["route"].choose(item["question"], PARTS)
    context = search(part, item["question"], steps["search"].settings["top_k"])
    return steps["draft"].complete(context=context)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipelines.llm.batch import Ask
from pipelines.llm.models import LanguageModel, resolved
from pipelines.llm.templates import fill
from pipelines.llm.types import CallFailedError, ChatRequest, Completion, Message
from pipelines.roles import Embedder
from pipelines.routing import Desk
from pipelines.tasks.line import Line
from pipelines.tasks.outcome import NoAnswerError
from pipelines.types import Vectors
from pipelines.workflows.config import StepConfig
from raytuner.component import ConfigError, nearest


class UnfitAnswerError(NoAnswerError):
    """A model's answer is no JSON of the step's schema. Not caught: the item has no answer.

    Attributes:
        text: what the model said.
    """

    def __init__(self, step: str, completion: Completion) -> None:
        said = f"the answer to step {step} is {completion.label}: {completion.text[:100]!r}"
        super().__init__(said)
        self.text = completion.text


class Step:
    """One step of a workflow, for one item.

    Args:
        name: of the step.
        config: what is tuned about it; the model is resolved, and so is the schema.
        item: fields of the golden item; templates are filled from it too.
        line: how the item asks.

    Attributes:
        name: of the step.
        config: what is tuned about it.
        schema: JSON Schema that answers must fit, or None.
    """

    def __init__(self, name: str, config: StepConfig, item: Mapping[str, Any], line: Line) -> None:
        self.name = name
        self.config = config
        given = config.response_schema
        self.schema = given if isinstance(given, Mapping) else None
        self._item = item
        self._line = line

    @property
    def settings(self) -> Mapping[str, Any]:
        """The step's own values: `settings` in the study."""
        return self.config.settings

    @property
    def method(self) -> str | None:
        """The kind of its routing method."""
        return None if self.config.method is None else self.config.method.kind

    @property
    def model(self) -> LanguageModel:
        """Who is asked.

        Raises:
            ConfigError: the step has no model.
        """
        if self.config.model is None:
            raise ConfigError(f"steps.{self.name}.model: the step asks, and has none")
        return resolved(self.config.model)

    def complete(self, **fields: Any) -> Any:
        """Fill the step's templates, ask its model, give the answer.

        Args:
            fields: for the templates, beside those of the item; what is no text is spelled as
                JSON.

        Returns:
            The text; with a schema, the parsed JSON.

        Raises:
            ConfigError: the step has no prompt, or a field of it is not filled.
            CallFailedError: the model did not answer. The item is a failure, whatever is made of
                it.
            UnfitAnswerError: the answer does not fit the schema.
        """
        if self.config.prompt is None:
            raise ConfigError(f"steps.{self.name}.prompt: the step completes, and has none")
        found = self.ask(self._messages(self.config.prompt, fields), self.schema)
        if self.schema is None:
            return found.text
        if found.label is not None:
            raise UnfitAnswerError(self.name, found)
        return found.data

    async def acomplete(self, **fields: Any) -> Any:
        """Do `complete` without blocking the loop."""
        return await asyncio.to_thread(lambda: self.complete(**fields))

    def ask(
        self, messages: Sequence[Message], schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Ask the step's model about any messages.

        Raises:
            CallFailedError: the model did not answer.
        """
        request = ChatRequest(tuple(messages), self.config.sampling(), 1, schema)
        reply = self._line(Ask(self.model, request))
        if reply.failure is not None:
            raise CallFailedError(reply.failure)
        return reply.first

    def choose(self, text: str, options: Mapping[str, str | Sequence[str]]) -> str:
        """Choose one of several ways by the step's method.

        Args:
            text: what is to be routed.
            options: ways by name, each with a text, or texts, that tell what goes there.

        Returns:
            The name of an option.

        Raises:
            ConfigError: the step has no method, or there is no option.
            CallFailedError: a model did not answer.
        """
        if self.config.method is None:
            raise ConfigError(f"steps.{self.name}.method: the step chooses, and has none")
        if not options:
            raise ConfigError(f"steps.{self.name}: there is nothing to choose from")
        told = {n: (one,) if isinstance(one, str) else tuple(one) for n, one in options.items()}
        return self.config.method.route(text, told, Desk(self._embed, self._json))

    async def achoose(self, text: str, options: Mapping[str, str | Sequence[str]]) -> str:
        """Do `choose` without blocking the loop."""
        return await asyncio.to_thread(self.choose, text, options)

    @property
    def llm(self) -> Any:
        """A LlamaIndex LLM: the step's model, asked as the step asks; templates are not used."""
        from pipelines.llm.bridge import BridgeLLM

        return BridgeLLM(self._line, self.model, self.config.sampling())

    def _messages(self, prompt: str, fields: Mapping[str, Any]) -> list[Message]:
        values = {name: _text(value) for name, value in {**self._item, **fields}.items()}
        messages = [Message("user", fill(prompt, values))]
        if self.config.system:
            messages.insert(0, Message("system", fill(self.config.system, values)))
        return messages

    def _embed(self, embedder: Embedder, texts: Sequence[str], query: bool) -> Vectors:
        return self._line.embed(embedder, texts, query=query)

    def _json(self, prompt: str, schema: Mapping[str, Any]) -> Any:
        return self.ask([Message("user", prompt)], schema).data


class Steps(Mapping[str, Step]):
    """The steps of a workflow by name, for one item."""

    def __init__(
        self, configs: Mapping[str, StepConfig], item: Mapping[str, Any], line: Line
    ) -> None:
        self._steps = {name: Step(name, one, item, line) for name, one in configs.items()}

    def __getitem__(self, name: str) -> Step:
        try:
            return self._steps[name]
        except KeyError:
            known = ", ".join(self._steps) or "none"
            raise ConfigError(
                f"the workflow asks for a step {name!r}, and the study's `steps` are: {known}."
                f"{nearest(name, self._steps)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
