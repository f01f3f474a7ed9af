"""OpenAI's objects: checks requests as the service does, and builds completions and embeddings."""

import base64
import json
import math

import numpy as np

from tests.endpoint import agents, answers, tool_calls
from tests.endpoint import text as reading
from tests.endpoint.answers import Draw
from tests.endpoint.ledger import Tokens
from tests.endpoint.schemas import Filler

_PER_MESSAGE = 3
_RANGES = {
    "temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}  # fmt: skip


class Refused(Exception):
    """An error as the service spells it."""

    def __init__(self, status, message, code=None, kind="invalid_request_error", headers=None):
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = {"error": {"message": message, "type": kind, "param": None, "code": code}}


def check_chat(settings, body):
    """Refuse what the service refuses.

    Raises:
        Refused: 400, with the reason.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        raise Refused(400, "messages: expected a list of objects")
    if not messages:
        raise Refused(400, "messages: at least one is needed")
    _check_calls(messages)
    if body.get("stream"):
        raise Refused(400, "stream: this endpoint does not stream")
    for name, (low, high) in _RANGES.items():
        value = body.get(name)
        if value is not None and not (_is_number(value) and low <= value <= high):
            raise Refused(400, f"{name}: {value!r} is not from {low} to {high}")
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        raise Refused(400, "max_tokens and max_completion_tokens cannot both be set")
    most = _most(body)
    if most is not None and (not isinstance(most, int) or most < 1):
        raise Refused(400, f"max_tokens: {most!r} is not a number from 1")
    count = body.get("n") or 1
    if not isinstance(count, int) or not 1 <= count <= settings.max_n:
        raise Refused(400, f"n: {count!r} is not from 1 to {settings.max_n}")
    if len(_stops(body)) > 4:
        raise Refused(400, "stop: at most 4 texts")
    asked = prompt_tokens(body) + (most or 0)
    if asked > settings.context_window:
        raise Refused(
            400,
            f"This model's maximum context length is {settings.context_window} tokens. However, "
            f"you requested {asked} tokens. Please reduce the length of the messages.",
            "context_length_exceeded",
        )


def _check_calls(messages):
    """Refuse calls of tools without results behind them, and results of no call."""
    waiting = []
    for message in messages:
        if message.get("role") == "tool":
            if message.get("tool_call_id") not in waiting:
                raise Refused(400, "messages with role 'tool' must follow one with 'tool_calls'")
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        waiting = [call["id"] for call in message.get("tool_calls") or []]
    if waiting:
        raise Refused(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            f"to each 'tool_call_id'. Without response: {', '.join(waiting)}",
        )


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _most(body):
    most = body.get("max_tokens")
    return body.get("max_completion_tokens") if most is None else most


def _stops(body):
    stop = body.get("stop") or []
    return [stop] if isinstance(stop, str) else list(stop)


def prompt_tokens(body):
    """Count what a request sends: messages, schema and tools."""
    prompt = [_spoken(message) for message in body["messages"]]
    schema = _schema(body)
    if schema is not None:
        prompt.append(json.dumps(schema))
    if body.get("tools"):
        prompt.append(json.dumps(body["tools"]))
    return sum(len(reading.tokens(part)) + _PER_MESSAGE for part in prompt)


def _spoken(message):
    calls = message.get("tool_calls")
    return str(message.get("content") or "") + (json.dumps(calls) if calls else "")


def reserved_tokens(body):
    """Count what a request may use at most, as limits with `reserve_tokens` do."""
    return prompt_tokens(body) + (_most(body) or 16) * (body.get("n") or 1)


def _schema(body):
    shape = body.get("response_format") or {}
    if shape.get("type") != "json_schema":
        return None
    return shape.get("json_schema", {}).get("schema", {})


def chat(settings, body, number):
    """Answer a chat request.

    Args:
        settings: of the endpoint.
        body: that `check_chat` lets pass.
        number: of the request, for its id.
    """
    prompt = reading.Prompt(body["messages"])
    choices = [_choice(settings, body, prompt, place) for place in range(body.get("n") or 1)]
    sent = prompt_tokens(body)
    received = sum(choice.pop("tokens") for choice in choices)
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000 + number,
        "model": body["model"],
        "system_fingerprint": "fp_loopback",
        "choices": choices,
        "usage": _usage(sent, received),
    }


def _usage(sent, received):
    return {
        "prompt_tokens": sent,
        "completion_tokens": received,
        "total_tokens": sent + received,
    }


def _choice(settings, body, prompt, place):
    draw = Draw(settings, body, prompt, answers.sample_of(body, place))
    calls = tool_calls.wanted(draw, body) if body.get("tools") else []
    if calls:
        return tool_calls.spelled(draw, calls, place)
    said = _said(draw, body)
    text = said.text
    for stop in _stops(body):
        text = text.split(stop)[0]
    text, missing = reading.cut(text, _most(body) or math.inf)
    words = reading.tokens(text)
    logprobs = None
    if body.get("logprobs"):
        logprobs = {"content": _logprobs(draw, words, said.right), "refusal": None}
    return {
        "index": place,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": logprobs,
        "finish_reason": "length" if missing else "stop",
        "tokens": max(len(words), 1),
    }


def _said(draw, body):
    schema = _schema(body)
    if schema is not None:
        return answers.Said(Filler(draw, schema).text())
    seen = agents.scene(body)
    if seen is not None and not body.get("tools"):
        return agents.react(draw, seen)
    said = answers.say(draw) if seen is None else agents.conclude(draw, seen)
    if (body.get("response_format") or {}).get("type") == "json_object":
        return answers.Said(json.dumps({"answer": said.text}), said.right)
    return said


def _logprobs(draw, words, right):
    """Say that right answers are likelier, on the whole."""
    found = []
    for place, word in enumerate(words):
        likely = (0.9 if right else 0.6) + 0.09 * draw.number("logprob", place)
        found.append(
            {
                "token": word,
                "logprob": round(math.log(likely), 6),
                "bytes": list(word.encode("utf-8", "replace")),
                "top_logprobs": [],
            }
        )
    return found


def check_embeddings(body):
    """Refuse what the service refuses.

    Raises:
        Refused: 400, with the reason.
    """
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise Refused(400, "input: expected a text or a list of texts, at least one")
    if len(texts) > 2048 or not all(texts):
        raise Refused(400, "input: at most 2048 texts, none of them empty")


def embeddings(settings, body, number):
    """Embed the texts of a request."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    width = body.get("dimensions") or settings.width
    rows = [vector(text, width) for text in texts]
    packed = body.get("encoding_format") == "base64"
    sent = sum(len(reading.tokens(text)) for text in texts)
    return {
        "object": "list",
        "model": body["model"],
        "data": [
            {
                "object": "embedding",
                "index": place,
                "embedding": base64.b64encode(row.tobytes()).decode() if packed else row.tolist(),
            }
            for place, row in enumerate(rows)
        ],
        "usage": {"prompt_tokens": sent, "total_tokens": sent},
    }


def vector(text, width):
    """Give the unit vector of a text: its words, hashed to places and signs; float32 [width]."""
    row = np.zeros(width, np.float32)
    for word in reading.words(text) or [text]:
        place = int(reading.chance("word", word) * 2 * width)
        row[place % width] += 1 if place < width else -1
    length = float(np.linalg.norm(row))
    if length == 0:  # its words cancel out
        row[0] = length = 1.0
    return row / np.float32(length)


def billed(completion, real):
    """Give the tokens charged: as said, or as counted where nothing is said."""
    usage = completion.get("usage") or real
    return Tokens(usage["prompt_tokens"], usage.get("completion_tokens", 0))
