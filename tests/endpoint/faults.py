"""What goes wrong on request: which fault, and which requests it meets.

Kinds of faults:
- refusals: `status` (any status, with code, message, Retry-After), `quota` (429,
  insufficient_quota);
- the wire: `slow` (then the usual answer), `hang` (until the client leaves), `drop` (reset before
  the headers), `drop-body` (reset in the middle of the body), `cut-body` (closed there);
- bodies with status 200 that are no completion: `malformed` (JSON that breaks off), `html`,
  `object` ({}), `error-object` ({"error": ...});
- completions that are strange: `no-choices`, `null-choices`, `null-content`, `empty-content`,
  `wrong-schema` (JSON that does not fit), `invalid-json`, `truncated` (finish_reason length),
  `content-filter`, `refusal`, `over-long`, `content` (says `text`), `no-usage`, `null-usage`,
  `changing-usage`.
"""

import itertools
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

REFUSALS = ("status", "quota")
WIRE = ("slow", "hang", "drop", "drop-body", "cut-body")
BODIES = ("malformed", "html", "object", "error-object")
ANSWERS = (
    "no-choices", "null-choices", "null-content", "empty-content", "wrong-schema", "invalid-json",
    "truncated", "content-filter", "refusal", "over-long", "content", "no-usage", "null-usage",
    "changing-usage",
)  # fmt: skip
KINDS = (*REFUSALS, *WIRE, *BODIES, *ANSWERS)


@dataclass(frozen=True)
class Fault:
    """One rule.

    Attributes:
        kind: see the module.
        first: meets so many matching requests, then is over; None: all of them.
        skip: matching requests that it lets pass before.
        rate: share of the matching requests that it meets, drawn with `seed`.
        containing: matches requests whose JSON holds this text.
        model: matches requests for it.
        path: matches requests whose path ends so: `embeddings`, `chat/completions`.
        when: matches bodies for which it is true; not over HTTP.
        status: of kind `status`.
        retry_after: seconds, as a header of a refusal.
        retry_after_ms: milliseconds, as another one.
        code: of the error.
        seconds: of kind `slow`.
        text: of kind `content`.
    """

    kind: str
    first: int | None = None
    skip: int = 0
    rate: float = 1.0
    seed: int = 0
    containing: str | None = None
    model: str | None = None
    path: str = ""
    when: Callable[[dict[str, Any]], bool] | None = None
    status: int = 500
    retry_after: float | None = None
    retry_after_ms: float | None = None
    code: str | None = None
    seconds: float = 0.0
    text: str = ""

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is not one of {', '.join(KINDS)}")

    def matches(self, path, body):
        """Tell whether a request is its affair."""
        return (
            path.endswith(self.path)
            and (self.model is None or body.get("model") == self.model)
            and (self.containing is None or self.containing in json.dumps(body, ensure_ascii=False))
            and (self.when is None or self.when(body))
        )

    def as_json(self):
        """Give plain data."""
        if self.when is not None:
            raise ValueError("a fault with `when` is a function and cannot be sent")
        return {name: value for name, value in asdict(self).items() if value is not None}


class Book:
    """The rules in force; the first that meets a request decides."""

    def __init__(self, faults=()):
        self._rules = [_Rule(fault) for fault in faults]

    def add(self, fault):
        """Put another rule behind the others."""
        self._rules.append(_Rule(fault))

    def clear(self):
        """Have no rule."""
        self._rules.clear()

    def of(self, path, body):
        """Give the fault of a request, or None."""
        for rule in tuple(self._rules):
            if rule.meets(path, body):
                return rule.fault
        return None


class _Rule:
    def __init__(self, fault):
        self.fault = fault
        self._seen = itertools.count()
        self._met = 0
        self._random = random.Random(fault.seed)

    def meets(self, path, body):
        fault = self.fault
        if fault.first is not None and self._met >= fault.first:
            return False
        if not fault.matches(path, body) or next(self._seen) < fault.skip:
            return False
        if fault.rate < 1 and self._random.random() >= fault.rate:
            return False
        self._met += 1
        return True


def strange(kind, text, completion, number):
    """Give a completion with a fault.

    Args:
        kind: one of ANSWERS.
        text: what kind `content` says.
        completion: the usual answer.
        number: of the request, for usage that changes.
    """
    if kind in ("no-choices", "null-choices"):
        name = "choices" if "choices" in completion else "data"
        return {**completion, name: [] if kind == "no-choices" else None}
    if kind == "no-usage":
        return {name: value for name, value in completion.items() if name != "usage"}
    if kind == "null-usage":
        return {**completion, "usage": None}
    if kind == "changing-usage":
        return {**completion, "usage": changing(completion["usage"], number)}
    if "choices" not in completion:  # embeddings have no words to twist
        return completion
    choices = [_strange_choice(kind, text, choice) for choice in completion["choices"]]
    return {**completion, "choices": choices}


def changing(usage, number):
    """Give another usage for every request: the prompt's tokens once to three times."""
    sent = usage["prompt_tokens"] * (1 + number % 3)
    rest = usage["total_tokens"] - usage["prompt_tokens"]
    return {**usage, "prompt_tokens": sent, "total_tokens": sent + rest}


def _strange_choice(kind, text, choice):
    said = choice["message"]["content"] or ""
    new: dict[str, Any] = {
        "null-content": {"content": None},
        "empty-content": {"content": ""},
        "wrong-schema": {"content": '{"unexpected": ["nothing", "that", "was", "asked", "for"]}'},
        "invalid-json": {"content": '{"score": 3, "reason": "it'},
        "truncated": {"content": said[: len(said) // 2]},
        "content-filter": {"content": ""},
        "refusal": {"content": None, "refusal": "I am sorry, I cannot help with that."},
        "over-long": {"content": " ".join([said or "and so on"] * 200)},
        "content": {"content": text},
    }[kind]
    finish = {"truncated": "length", "content-filter": "content_filter"}
    return {
        **choice,
        "message": {**choice["message"], **new},
        "finish_reason": finish.get(kind, choice["finish_reason"]),
    }
