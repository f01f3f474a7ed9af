"""Functions that a model may call: as a request spells them, and as they are read in an answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pipelines.llm.types import Calling, ToolCall, ToolResult, Tools, Turn
from pipelines.tokenizers import encodable


def spelled_turn(turn: Turn) -> dict[str, Any]:
    """Spell one step of a conversation as OpenAI's protocol has it."""
    content = encodable(turn.content)
    if isinstance(turn, ToolResult):
        return {"role": turn.role, "tool_call_id": turn.call_id, "content": content}
    if not isinstance(turn, Calling):
        return {"role": turn.role, "content": content}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": encodable(call.arguments)},
        }
        for call in turn.calls
    ]
    return {"role": turn.role, "content": content or None, "tool_calls": calls}


def spelled_tools(tools: Tools) -> dict[str, Any]:
    """Give the fields of a request that tell of functions; what is the default is left out."""
    fields: dict[str, Any] = {
        "tools": [{"type": "function", "function": dict(one)} for one in tools.functions]
    }
    if tools.required:
        fields["tool_choice"] = "required"
    if not tools.parallel:
        fields["parallel_tool_calls"] = False
    return fields


def read_calls(message: Any) -> tuple[ToolCall, ...]:
    """Read the functions that a message wants called.

    Raises:
        TypeError: they are spelled in no known way.
    """
    given = getattr(message, "tool_calls", None) or []
    if not isinstance(given, list):
        raise TypeError(f"calls of tools that are no list: {given!s:.100}")
    return tuple(_read_call(one, place) for place, one in enumerate(given))


def _read_call(given: Any, place: int) -> ToolCall:
    function = getattr(given, "function", None)
    name, arguments = getattr(function, "name", None), getattr(function, "arguments", None)
    if not isinstance(name, str) or not isinstance(arguments, str | None):
        raise TypeError(f"a call of a tool without name or arguments: {given!s:.100}")
    named = getattr(given, "id", None)
    own = named if isinstance(named, str) and named else f"call_{place}"
    return ToolCall(own, name, arguments or "{}")


def call_texts(calls: Sequence[ToolCall]) -> list[str]:
    """List what a model says to have functions called, as far as it is paid for."""
    return [text for call in calls for text in (call.name, call.arguments)]


def told_texts(turns: Sequence[Turn], tools: Tools | None) -> list[str]:
    """List everything a request tells a model: messages, calls, results and functions."""
    texts = []
    for turn in turns:
        texts.append(turn.content)
        if isinstance(turn, Calling):
            texts += [json.dumps(call) for call in turn.calls]
    functions = tools.functions if tools is not None else ()
    return [*texts, *(json.dumps(dict(function)) for function in functions)]
