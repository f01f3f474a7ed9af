"""What clients get: answers as JSON, and in the shapes of OpenAI's protocol."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from raytuner.answering import Served
from raytuner.serving.bodies import RefusalError

_PIECE = 400
"""Characters in a piece of a streamed answer: an answer comes when it is whole, cut for show."""
_FINISH = {"truncated": "length", "filtered": "content_filter"}
"""What OpenAI's `finish_reason` calls labels of ours."""


def answered(served: Served, top_k: int | None) -> dict[str, Any]:
    """Spell an answer for `/query`.

    Args:
        served: the answer.
        top_k: passages to show, at most; None: all.
    """
    spelled: dict[str, Any] = {
        "answer": served.answer,
        "passages": list(served.passages[:top_k]),
        "usage": {
            "input_tokens": served.usage.tokens_in,
            "output_tokens": served.usage.tokens_out,
            "usd": served.usage.usd,
        },
    }
    return _labelled(spelled, served)


def completion(served: Served, model: str) -> dict[str, Any]:
    """Spell an answer as a chat completion; `passages` comes on top, and a `label` if any."""
    message = {"role": "assistant", "content": served.answer, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(served)}
    head = _head("chat.completion", model)
    passages = list(served.passages)
    spelled = {**head, "choices": [choice], "usage": _usage(served), "passages": passages}
    return _labelled(spelled, served)


def _labelled(spelled: dict[str, Any], served: Served) -> dict[str, Any]:
    """Say what is wrong with an answer, if anything is."""
    return spelled if served.label is None else {**spelled, "label": served.label}


def chunks(served: Served, model: str, *, usage: bool) -> Iterator[bytes]:
    """Spell an answer as server-sent events of a chat completion.

    Args:
        served: the answer.
        model: as it is called.
        usage: whether to say at the end what was used.
    """
    head = _head("chat.completion.chunk", model)
    more = {"usage": None} if usage else {}
    pieces = [served.answer[at : at + _PIECE] for at in range(0, len(served.answer), _PIECE)]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in pieces]
    for delta in deltas:
        yield _event({**head, **more, "choices": [_delta(delta, None)]})
    yield _event({**head, **more, "choices": [_delta({}, _finish(served))]})
    if usage:
        yield _event({**head, "choices": [], "usage": _usage(served)})
    yield b"data: [DONE]\n\n"


def models(name: str, created: int) -> dict[str, Any]:
    """Spell the list of models: there is one."""
    one = {"id": name, "object": "model", "created": created, "owned_by": "raytuner"}
    return {"object": "list", "data": [one]}


def error(refusal: RefusalError) -> dict[str, Any]:
    """Spell an error."""
    told = {"message": refusal.message, "type": refusal.kind}
    return {"error": {**told, "param": refusal.field, "code": refusal.code}}


def _head(kind: str, model: str) -> dict[str, Any]:
    identity = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": identity, "object": kind, "created": int(time.time()), "model": model}


def _finish(served: Served) -> str:
    return _FINISH.get(served.label or "", "stop")


def _usage(served: Served) -> Mapping[str, int]:
    sent, received = served.usage.tokens_in, served.usage.tokens_out
    total = sent + received
    return {"prompt_tokens": sent, "completion_tokens": received, "total_tokens": total}


def _delta(delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"
