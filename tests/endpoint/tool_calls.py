"""Choices that call tools, as OpenAI spells them."""

import json

from tests.endpoint import agents
from tests.endpoint import text as reading
from tests.endpoint.ledger import digest
from tests.endpoint.schemas import Filler

_NOTHING = {"type": "object", "properties": {}}


def wanted(draw, body):
    """Give the calls to make: of the function that `tool_choice` asks for, or what fits."""
    seen = agents.scene(body)
    choice = body.get("tool_choice", "auto")
    if seen is None or not seen.functions or choice == "none":
        return []
    if isinstance(choice, dict):
        name = choice.get("function", {}).get("name")
        chosen = [one for one in seen.functions if one["name"] == name]
        return [agents.Call(one["name"], _filled(draw, one)) for one in chosen]
    calls = agents.decide(draw, seen)
    if not calls and choice == "required":
        return [agents.Call(seen.functions[0]["name"], _filled(draw, seen.functions[0]))]
    return calls


def _filled(draw, function):
    return json.loads(Filler(draw, function.get("parameters") or _NOTHING).text())


def spelled(draw, calls, place):
    """Spell a choice that makes calls.

    Args:
        draw: of the sample.
        calls: to make.
        place: of the choice.
    """
    given = [(call.name, json.dumps(call.arguments, ensure_ascii=False)) for call in calls]
    made = len(draw.body["messages"])
    return {
        "index": place,
        "message": {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "tool_calls": [
                {
                    "id": f"call_{digest(name, arguments, place, made, number)[:16]}",
                    "type": "function",
                    "function": {"name": name, "arguments": arguments},
                }
                for number, (name, arguments) in enumerate(given)
            ],
        },
        "logprobs": None,
        "finish_reason": "tool_calls",
        "tokens": sum(len(reading.tokens(f"{name} {arguments}")) for name, arguments in given),
    }
