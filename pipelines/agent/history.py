"""What an agent is told of an earlier conversation: as it was, or its older part summarised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from pipelines.agent.config import History
from pipelines.llm.batch import Ask
from pipelines.llm.models import LanguageModel
from pipelines.llm.types import ChatRequest, Message, Reply, Sampling
from pipelines.tokenizers import tokenizer
from raytuner.component import ConfigError

_ROLES = ("user", "assistant")
_SUMMARY = "Summary of the conversation so far: "


def read_history(given: Any, where: str) -> tuple[Message, ...]:
    """Read a list of {role, content}.

    Raises:
        ConfigError: it is none.
    """
    items = [] if given is None else given
    if not isinstance(items, list | tuple):
        raise ConfigError(f"{where}: history is a list of {{role, content}}, got {given!r:.80}")
    for item in items:
        good = isinstance(item, dict) and set(item) == {"role", "content"}
        if not good or item["role"] not in _ROLES or not isinstance(item["content"], str):
            raise ConfigError(
                f"{where}: a message of history has a `role` (user or assistant) and `content`, "
                f"got {item!r:.80}"
            )
    return tuple(Message(item["role"], item["content"]) for item in items)


def kept(history: Sequence[Message], limits: History) -> int:
    """Count the messages at the end that are told as they were."""
    most = len(history) if limits.messages is None else min(limits.messages, len(history))
    if limits.tokens is None:
        return most
    count = tokenizer("cl100k").count
    sums = accumulate(count(message.content) for message in reversed(history))
    return min(most, sum(tokens <= limits.tokens for tokens in sums))


def told(
    history: Sequence[Message],
    limits: History,
    model: LanguageModel,
    sampling: Sampling,
    ask: Callable[[Ask], Reply],
) -> tuple[tuple[Message, ...], bool]:
    """Give what the agent is told of a conversation, and whether some of it was summarised.

    A model that brings no summary leaves the item without an answer; see `Line.failure`.
    """
    whole = kept(history, limits)
    older, recent = history[: len(history) - whole], tuple(history[len(history) - whole :])
    if not older:
        return recent, False
    transcript = "\n".join(f"{message.role}: {message.content}" for message in older)
    asked = (Message("system", limits.summary_prompt), Message("user", transcript))
    reply = ask(Ask(model, ChatRequest(asked, sampling)))
    summary = reply.first.text if reply.failure is None else ""
    return (Message("user", _SUMMARY + summary), *recent), True
