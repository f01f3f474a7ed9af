"""How the test endpoint plays an agent's model: which tool it calls next, and when it answers.

What decides is in the request, so equal requests get equal answers:

- A tool is relevant if its name or description shares words with the question. A sentence of the
  system prompt that names a tool counts as part of its description. A vague description is relevant
  to nothing, or to the wrong questions.
- Relevant tools are called one after the other in the order in which they are offered; all that
  are left at once if the prompt says `in parallel`. Arguments are taken from the question, and
  numbers from the last result where there is one.
- Without a phrase such as `as soon as you know` in the system prompt it may not stop: for some
  questions it calls its last tool again and again.
- A `name` in backticks in a sentence of the system prompt that shares words with the question, and
  that is no tool on offer, is called all the same. Very hot models now and then invent a name.
- When everything relevant has been called, the last result is the answer, or the sentence of it
  that is nearest to the question; right as often as the model and the temperature let it be.

ReAct agents, which describe tools in the prompt and read actions from the text, are served alike.
"""

import ast
import json
import re
from dataclasses import dataclass, field

from tests.endpoint import answers
from tests.endpoint import text as reading
from tests.endpoint.schemas import Filler

STOPS = ("as soon as you know", "stop when", "once you know", "then answer", "at most once")
_NAMED = re.compile(r"`(\w+)`")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_PROPER = re.compile(r"\b[A-Z][a-z]+\b")
_TOOL = re.compile(
    r"^> Tool Name: (?P<name>[^\n]+)\nTool Description: (?P<description>.*?)\n"
    r"Tool Args: (?P<parameters>\{[^\n]*\})$",
    re.MULTILINE | re.DOTALL,
)
_ACTION = re.compile(r"Action: (.+)\nAction Input: (.+)")
_LOOPS = 0.6
_INVENTS = 0.5


@dataclass
class Call:
    """A call that was made, and what it gave."""

    name: str
    arguments: dict
    result: str = ""


@dataclass
class Scene:
    """What an agent's model sees.

    Attributes:
        functions: on offer: name, description, parameters.
        system: what the user's system prompt says.
        question: of the last message of the user.
        made: calls since then, in order.
    """

    functions: list
    system: str
    question: str
    made: list = field(default_factory=list)


# ---- reading


def scene(body):
    """Read a request; None: it is no agent's."""
    if body.get("tools"):
        functions = [tool["function"] for tool in body["tools"] if "function" in tool]
        return Scene(functions, _system(body), _question(body, _asked), _made(body))
    system = _system(body)
    if "Action Input:" not in system:
        return None
    head, _, _ = system.partition("## Output Format")
    offered = list(_TOOL.finditer(head))
    functions = [
        {**one.groupdict(), "parameters": json.loads(one["parameters"])} for one in offered
    ]
    own = head[offered[-1].end() :] if offered else head
    return Scene(functions, own, _question(body, _not_observed), _acted(body))


def _system(body):
    return "\n".join(str(m.get("content") or "") for m in body["messages"] if m["role"] == "system")


def _asked(message):
    return message.get("role") == "user"


def _not_observed(message):
    return _asked(message) and not str(message.get("content") or "").startswith("Observation:")


def _question(body, is_question):
    asked = [message for message in body["messages"] if is_question(message)]
    return reading.Prompt(asked[-1:]).question


def _made(body):
    made = {}
    for message in body["messages"]:
        for call in message.get("tool_calls") or []:
            function = call["function"]
            made[call["id"]] = Call(function["name"], _parsed(function["arguments"]))
        if message.get("role") == "tool" and message.get("tool_call_id") in made:
            made[message["tool_call_id"]].result = str(message.get("content") or "")
        elif message.get("role") == "user":
            made = {}
    return list(made.values())


def _acted(body):
    made = []
    for message in body["messages"]:
        content = str(message.get("content") or "")
        action = _ACTION.search(content) if message["role"] == "assistant" else None
        if action is not None:
            made.append(Call(action[1].strip(), _parsed(action[2])))
        elif content.startswith("Observation:") and made:
            made[-1].result = content.removeprefix("Observation:").strip()
        elif _asked(message):
            made = []
    return made


def _parsed(spelled):
    for read in (json.loads, ast.literal_eval):
        try:
            return dict(read(spelled))
        except (ValueError, SyntaxError, TypeError):
            continue
    return {}


# ---- deciding


def decide(draw, seen):
    """Give the calls to make next; none: it is time to answer."""
    called = {call.name for call in seen.made}
    left = [one for one in relevant(seen) if one["name"] not in called]
    missing = [name for name in _missing(seen) if name not in called]
    if missing:
        return [Call(missing[0], _arguments(draw, seen, left[0] if left else {}))]
    if left and answers.heat(draw.body) > 1.2 and draw.number("invents a tool") < _INVENTS:
        return [Call(f"{left[0]['name']}_tool", _arguments(draw, seen, left[0]))]
    if not left and seen.made and _loops(seen):
        last = seen.made[-1]
        return [Call(last.name, last.arguments)]
    wanted = left if "in parallel" in seen.system.lower() else left[:1]
    if draw.body.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    return [Call(one["name"], _arguments(draw, seen, one)) for one in wanted]


def relevant(seen):
    """List the tools that share words with the question, in the order in which they are offered."""
    asked = set(reading.words(seen.question))
    return [one for one in seen.functions if asked & _told(seen, one)]


def _told(seen, function):
    """Give the words that say what a tool is for."""
    name, told = function["name"], function.get("description") or ""
    if name == "handoff":
        told = " ".join(_agents(function).values())
    # a description that begins with the signature, as LlamaIndex writes it, says no more by that
    told = re.sub(rf"^{re.escape(name)}\(.*?\)(?: -> \S+)?\n", "", told)
    about = [one for one in reading.sentences(seen.system) if f"`{name}`" in one]
    spelled = " ".join([name.replace("_", " "), told.split("Args:")[0], *about])
    return set(reading.words(spelled))


def _agents(function):
    """Give what `handoff` says of other agents, by name."""
    found = re.search(r"\{.*\}", function.get("description") or "", re.DOTALL)
    return _parsed(found[0]) if found else {}


def _missing(seen):
    offered = {one["name"] for one in seen.functions}
    asked = set(reading.words(seen.question))
    for sentence in reading.sentences(seen.system):
        if asked & set(reading.words(_NAMED.sub("", sentence))):
            yield from (name for name in _NAMED.findall(sentence) if name not in offered)


def _loops(seen):
    low = seen.system.lower()
    if any(stop in low for stop in STOPS):
        return False
    return reading.chance("loops", seen.system, seen.question) < _LOOPS


# ---- arguments


def _arguments(draw, seen, function):
    schema = function.get("parameters") or {}
    fields = schema.get("properties") or {}
    if function.get("name") == "handoff":
        return _handed(seen, function)
    numbers, names = _numbers(seen), _PROPER.findall(seen.question)
    first = seen.question.split(" ")[0]
    names = [name for name in names if name != first]
    filler = Filler(draw, schema)
    return {
        name: _argument(name, own, seen, numbers, names, filler) for name, own in fields.items()
    }


def _numbers(seen):
    last = seen.made[-1].result if seen.made else ""
    return [*_NUMBER.findall(last), *_NUMBER.findall(seen.question)]


def _argument(name, schema, seen, numbers, names, filler):
    if schema.get("enum"):
        said = [one for one in schema["enum"] if str(one).lower() in seen.question.lower()]
        return (said or schema["enum"])[0]
    kind = schema.get("type")
    if kind in ("number", "integer"):
        given = float(numbers.pop(0)) if numbers else 0.0
        return int(given) if kind == "integer" or given.is_integer() else given
    if kind != "string":
        return filler.fill(schema, name, None)
    if any(part in name for part in ("query", "question", "text", "search")):
        return seen.question
    sum_ = answers._SUM.search(seen.question)
    if sum_ and any(part in name for part in ("expression", "sum", "formula")):
        return sum_[0]
    return names.pop(0) if names else seen.question


def _handed(seen, function):
    asked = set(reading.words(seen.question))
    others = _agents(function)
    best = max(others, key=lambda one: len(asked & set(reading.words(others[one]))), default="")
    return {"to_agent": best, "reason": "it knows more of this"}


# ---- answering


def conclude(draw, seen):
    """Answer from what tools gave; without any, as the model would by itself."""
    results = [call.result for call in seen.made if call.result]
    if not results:
        return answers.say(draw)
    last = results[-1]
    right = draw.right(1.0)
    if len(reading.tokens(last)) > 24:
        asked = set(reading.words(seen.question))
        found = sorted(
            reading.sentences(last), key=lambda one: -len(asked & set(reading.words(one)))
        )
        said = found[0] if right or len(found) == 1 else found[-1]
        return answers.Said(said, right)
    number = _NUMBER.search(last)
    if not right and number is not None:
        last = last.replace(number[0], str(int(float(number[0])) + 1 + int(draw.number("off") * 9)))
    return answers.Said(f"The answer is {last}." if right or number else answers.UNKNOWN, right)


def react(draw, seen):
    """Say in ReAct's words what to do next."""
    calls = decide(draw, seen)[:1]
    if not calls:
        said = conclude(draw, seen)
        return answers.Said(
            f"Thought: I can answer without using any more tools.\nAnswer: {said.text}", said.right
        )
    action = f"Action: {calls[0].name}\nAction Input: {json.dumps(calls[0].arguments)}"
    return answers.Said(f"Thought: I need to use a tool.\n{action}")
