"""Shows people what a completion study asked about instances, and what the model said.

Nothing is paid for: answers are taken from what is kept, or it is said that they are not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipelines.cache.responses import ResponseCache
from pipelines.completion_asking import dialogue
from pipelines.completion_config import CompletionConfig, Conversation
from pipelines.completion_data import Instance, Instances, filled
from pipelines.explaining import LONGEST_ANSWER
from pipelines.llm.kept import recall
from pipelines.llm.templates import template_fields
from pipelines.llm.types import Reply
from raytuner.ports.explanation import Explanation

_REFERENCES = ("reference", "answer", "solution", "expected", "target", "label")
"""Fields of an instance that hold, by their usual names, the answer that was hoped for."""


def explained(
    config: CompletionConfig, instances: Instances, units: Sequence[str], cache: ResponseCache
) -> list[Explanation]:
    """Show what a configuration does with instances.

    Args:
        config: models, conversations and stop texts are resolved.
        instances: what is asked about.
        units: ids of some of them.
        cache: where answers are kept.

    Returns:
        One explanation per unit, in their order; `question` is the filled conversation, `answer`
        the first of the answers.
    """
    replies = dict(recall([dialogue(config, instances[unit]) for unit in units], cache))
    return [
        _explained(unit, config.templates, instances[unit], replies[number])
        for number, unit in enumerate(units)
    ]


def _explained(unit: str, templates: Conversation, instance: Instance, reply: Reply) -> Explanation:
    shown = Explanation(unit=unit, question=_spelled(filled(templates, instance)))
    asked = {name for message in templates for name in template_fields(message.content)}
    named = [name for name in _REFERENCES if name in instance and name not in asked]
    if named:
        value = instance[named[0]]
        spelled = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        shown["reference"] = spelled
    if reply.failure is not None:
        shown["missing"] = reply.failure.message
    else:
        shown["answer"] = reply.first.text[:LONGEST_ANSWER]
    return shown


def _spelled(messages: Conversation) -> str:
    """Give a single message as it is, of several each with who says it."""
    if len(messages) == 1:
        return messages[0].content
    return "\n\n".join(f"{message.role}: {message.content}" for message in messages)
