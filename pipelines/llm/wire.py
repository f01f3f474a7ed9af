"""One call of OpenAI's chat protocol: the request as it is sent, the answer as it is read.

Endpoints say 200 and send almost anything, so what comes is looked at here before anybody relies
on it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.llm.endpoint import Endpoint, failure_of, report_of, throttled, unsent
from pipelines.llm.tools import call_texts, read_calls, spelled_tools, spelled_turn, told_texts
from pipelines.llm.types import Attempt, ChatRequest, Sample
from pipelines.tokenizers import tokenizer
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Report

if TYPE_CHECKING:
    from pipelines.llm.prices import Price

_TOOK_NOTHING = (400, 401, 403, 404, 409, 422, 429)
"""Statuses of refusals that no endpoint charges for."""
_ONE_KEY = {"security": {"bearer_auth": True}}
"""Keeps an administrator's key in the environment ($OPENAI_ADMIN_KEY) off the wire."""


class BadBodyError(ValueError):
    """The endpoint said 200, and something that is no completion."""


class Spelling(Protocol):
    """How a model wants its requests spelled."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def length_field(self) -> str:
        """What it calls the limit of an answer."""

    @property
    def extra(self) -> Mapping[str, Any]:
        """Further fields of every request."""


def body_of(model: Spelling, request: ChatRequest, first: int, count: int) -> dict[str, Any]:
    """Spell the request for samples `first` to `first + count - 1`."""
    sampling = request.sampling.sent()
    body: dict[str, Any] = {
        "model": model.model,
        "messages": [spelled_turn(turn) for turn in request.messages],
        model.length_field: sampling.pop("max_tokens"),
        **sampling,
    }
    if count > 1:
        body["n"] = count
    if request.sampling.seed is not None:
        body["seed"] = request.sampling.seed + first
    if request.schema is not None:
        body["response_format"] = response_format(request.schema)
    if request.logprobs:
        body["logprobs"] = True
    if request.tools is not None:
        body |= spelled_tools(request.tools)
    return {**body, **model.extra}


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the wish for JSON of a schema."""
    shape = {"name": "answer", "schema": dict(schema), "strict": True}
    return {"type": "json_schema", "json_schema": shape}


async def chat(
    endpoint: Endpoint,
    model: Spelling,
    price: Price | None,
    request: ChatRequest,
    first: int,
    count: int,
) -> Attempt:
    """Make one call, for samples `first` to `first + count - 1`.

    Its JSON is written and read here: the openai package would spend a third of a call's CPU on
    the types of both.

    Raises:
        Exception: of the openai package, or BadBodyError; `translated` tells them apart.
    """
    import httpx

    raw = await endpoint.client().post(
        "/chat/completions",
        body=body_of(model, request, first, count),
        cast_to=httpx.Response,
        options=_ONE_KEY,
    )
    samples, cost = read_completion(_parsed(raw.content), price, request, count)
    return Attempt(samples, report_of(raw.headers, Report(cost=cost)))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, object_hook=_fields)
    except ValueError:
        raise BadBodyError(f"no JSON: {body[:200].decode(errors='replace')}") from None


def _fields(given: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**given)


def read_completion(
    completion: Any, price: Price | None, request: ChatRequest, count: int
) -> tuple[tuple[Sample, ...], Cost | None]:
    """Read at most `count` samples, and what they cost if the endpoint says so.

    Raises:
        BadBodyError: this is no completion.
    """
    usage = _used(completion)
    choices = _choices(completion, count)
    calling = request.tools is not None
    samples = samples_of(choices, usage or _estimated(choices, request), calling=calling)
    if usage is None:
        return samples, None
    usd = price.cost(usage[0], usage[1], usage[2]) if price else 0.0
    return samples, Cost(usd, usage[0], usage[1], 1)


def _choices(completion: Any, count: int) -> list[Any]:
    """Give the choices, at most `count`; one that is empty where there are none.

    Raises:
        BadBodyError: this is no completion.
    """
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list):
        raise BadBodyError(f"no list of choices: {str(completion)[:200]}")
    return choices[:count] or [None]


def samples_of(
    choices: Sequence[Any], used: tuple[int, int, int], *, calling: bool = False
) -> tuple[Sample, ...]:
    """Read choices; each has the whole prompt, and of the tokens that came those of its text.

    So a sample has about the same tokens, whether it came alone or together with others.

    Args:
        choices: as the client read them; None is an answer without anything.
        used: tokens in, out and cached, of all of them.
        calling: whether functions may be called; where none were offered, calls are not looked at.

    Raises:
        BadBodyError: one of them is no choice.
    """
    inside, outside, cached = used
    read = [_read(choice, calling=calling) for choice in choices]
    shares = _shares(outside, [_spoken(sample) for sample in read])
    return tuple(
        sample._replace(tokens_in=inside, tokens_out=out, cached_in=cached)
        for sample, out in zip(read, shares, strict=True)
    )


def _spoken(sample: Sample) -> str:
    return "".join([sample.text, *call_texts(sample.calls)])


def _read(choice: Any, *, calling: bool) -> Sample:
    """Read a choice; of its tokens, only all choices together tell."""
    if choice is None:
        return Sample("")
    message = getattr(choice, "message", None)
    if message is None:
        raise BadBodyError("a choice without a message")
    content, refusal = getattr(message, "content", None), getattr(message, "refusal", None)
    if content is not None and not isinstance(content, str):
        raise BadBodyError(f"a message whose content is no text: {str(content)[:100]}")
    finish = getattr(choice, "finish_reason", None)
    finish = finish if isinstance(finish, str) else ""
    refused = finish == "content_filter" or isinstance(refusal, str)
    text = content or (refusal if isinstance(refusal, str) else "")
    try:
        calls = read_calls(message) if calling else ()
    except TypeError as error:
        raise BadBodyError(str(error)) from None
    return Sample(text, finish, logprob=_mean(choice), refused=refused, calls=calls)


def _mean(choice: Any) -> float | None:
    tokens = getattr(getattr(choice, "logprobs", None), "content", None) or []
    found = [token.logprob for token in tokens if isinstance(token.logprob, float | int)]
    return sum(found) / len(found) if found else None


def _used(completion: Any) -> tuple[int, int, int] | None:
    """Read tokens in, out and cached; None where the endpoint does not say."""
    usage = getattr(completion, "usage", None)
    tokens = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    if not all(isinstance(amount, int) and amount >= 0 for amount in tokens):
        return None
    details = getattr(usage, "prompt_tokens_details", None)
    cached = getattr(details, "cached_tokens", None)
    return tokens[0], tokens[1], cached if isinstance(cached, int) and cached >= 0 else 0  # type: ignore[return-value]


def _estimated(choices: Sequence[Any], request: ChatRequest) -> tuple[int, int, int]:
    """Count tokens ourselves, as GPT-4 would, where the endpoint does not say."""
    counter = tokenizer("cl100k")
    calling = request.tools is not None
    said = [_spoken(_read(choice, calling=calling)) for choice in choices]
    asked = sum(map(counter.count, told_texts(request.messages, request.tools)))
    return asked, sum(map(counter.count, said)), 0


def _shares(amount: int, texts: Sequence[str]) -> list[int]:
    """Part the tokens of a call among its texts: by length, and what no text shows equally."""
    if len(texts) == 1:
        return [amount]
    counts = list(map(tokenizer("cl100k").count, texts))
    hidden = max(0, amount - sum(counts))  # thoughts, ends of answers
    shown = amount - hidden
    each, rest = divmod(hidden, len(texts))
    sums = [shown * so_far // (sum(counts) or 1) for so_far in accumulate(counts, initial=0)]
    parts = [after - before for before, after in pairwise(sums)]
    return [part + each + (number < rest) for number, part in enumerate(parts)]


def translated(error: Exception, endpoint: Endpoint) -> tuple[Exception, Report]:
    """Say what an attempt's error means, and what it may have cost.

    A call that was refused or never sent is not charged; of one that broke off nobody knows.
    """
    if isinstance(error, ConfigError | ObjectiveFailure):  # no key
        return error, Report(cost=Cost())
    failure = failure_of(error, endpoint.url, endpoint.key_name)
    report = throttled(error)
    if report is not None:
        return failure, report
    refused = getattr(error, "status_code", None) in _TOOK_NOTHING
    return failure, Report(cost=Cost(calls=1) if refused or unsent(error) else None)


async def probe(endpoint: Endpoint, model: str) -> None:
    """Ask for a model's description: free, and tells a wrong key or an unknown model.

    Raises:
        ConfigError: the endpoint refuses the key, or says that it does not know the model.
    """
    import openai

    client = endpoint.client()
    try:
        await client.models.retrieve(model, timeout=min(10.0, endpoint.timeout))
    except openai.AuthenticationError as error:
        raise failure_of(error, endpoint.url, endpoint.key_name) from None
    except openai.NotFoundError as error:
        if error.code == "model_not_found":
            raise ConfigError(f"model {model!r} is not known to {endpoint.url}") from None
    except openai.OpenAIError:  # many servers have no such address; the first call will tell
        return
    except (ValueError, OSError):
        return
