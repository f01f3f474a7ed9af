"""Asks for one request: what is on the shelf is free, the rest is asked for and put there."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.cache.responses import ResponseCache
from pipelines.llm.accounts import Account, add, count_reply
from pipelines.llm.attempts import Outcome, Policy, persist
from pipelines.llm.labels import read_sample
from pipelines.llm.models import Fallback, LanguageModel
from pipelines.llm.tools import told_texts
from pipelines.llm.types import ChatRequest, Completion, Reply, Sample, ToolCall
from raytuner.component import digest
from raytuner.objective import Cost, Failure, ObjectiveFailure
from raytuner.ports.gate import Demand, Gate, Report

_PER_MESSAGE = 16
"""Tokens that a chat template may put around a message, at most."""


class Shelf:
    """Writes answers to the cache, those of many calls at a time. Belongs to one loop.

    In the driver it also serves the gate: what workers elsewhere have got is kept here too.
    """

    def __init__(self, cache: ResponseCache) -> None:
        self._cache = cache
        self._rows: dict[str, bytes] = {}
        self._done: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._keeping: set[asyncio.Task[None]] = set()

    @property
    def place(self) -> str:
        """Name where answers are kept."""
        return self._cache.place

    def lookup(self, keys: Sequence[str]) -> dict[str, bytes]:
        """Find answers that are there; reads the disk."""
        return self._cache.lookup(keys)

    def recall(self, key: str) -> bytes | None:
        """Give the answer of a call in the gate's spelling, or None."""
        row = self.lookup([key]).get(key)
        return None if row is None else key.encode() + b" " + row

    def keep(self, key: str, answer: bytes) -> None:
        """Keep an answer that passed the gate; returns at once."""
        del key
        task = asyncio.get_running_loop().create_task(self.put(rows_of(answer)))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def put(self, rows: Mapping[str, bytes]) -> None:
        """Return once the rows are on disk."""
        self._rows.update(rows)
        if self._done is None:
            self._done = asyncio.get_running_loop().create_future()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._write())
        await asyncio.shield(self._done)

    async def _write(self) -> None:
        while self._done is not None:
            rows, done = self._rows, self._done
            self._rows, self._done = {}, None
            try:
                await asyncio.to_thread(self._cache.add, rows)
            except Exception as error:  # noqa: BLE001 - raised where these rows are waited for
                done.set_exception(error)
            else:
                done.set_result(None)


def request_keys(model: LanguageModel, request: ChatRequest) -> list[str]:
    """Give the key of every sample: it covers whatever can change the answer."""
    sampling = request.sampling
    asked = [list(map(list, request.messages)), sampling.sent(), sampling.seed]
    shape: list[Any] = [request.schema, request.logprobs]
    if request.tools is not None:  # what was kept before there were any keeps its key
        shape.append(vars(request.tools))
    base = digest("chat", model.fingerprint(), *asked, *shape)
    return [digest(base, number) for number in range(request.samples)]


def every_key(model: LanguageModel, request: ChatRequest) -> list[str]:
    """Give the keys of all models that may be asked."""
    return [key for member in model.members() for key in request_keys(member, request)]


def worst_case(model: LanguageModel, request: ChatRequest, count: int) -> tuple[float, int]:
    """Bound dollars and tokens of one call for `count` samples.

    A byte-level vocabulary never makes more tokens of a text than it has bytes.
    """
    texts = told_texts(request.messages, request.tools)
    if request.schema is not None:
        texts.append(json.dumps(request.schema))
    tokens_in = sum(len(text.encode("utf-8", "surrogatepass")) + _PER_MESSAGE for text in texts)
    picked_from = getattr(model, "extra", {}).get("best_of", 1)  # all of them are billed
    tokens_out = request.sampling.max_tokens * max(count, picked_from)
    price = model.rates()
    return price.worst(tokens_in, tokens_out) if price else 0.0, tokens_in + tokens_out


async def ask(
    model: LanguageModel,
    request: ChatRequest,
    gate: Gate,
    shelf: Shelf,
    known: Mapping[str, bytes],
    account: Account,
) -> Reply:
    """Get the samples of a request, from the first acceptable model.

    Args:
        model: who is asked; of a fallback its members in turn.
        request: what.
        gate: gives leave.
        shelf: takes what comes.
        known: answers that are there, by key.
        account: is told what it takes.

    Raises:
        BudgetExhaustedError: no money, or the sweep is ending.
        ConfigError: the endpoint refuses key or model.
    """
    members = model.members()
    reply, usage, seconds = Reply(), Cost(), 0.0
    for member in members:
        reply = await _ask_one(member, request, gate, shelf, known, account)
        usage = usage.plus(reply.usage)
        seconds += reply.seconds
        if member is members[-1] or not _rejected(model, reply):
            break
        add(account.counts, member.name, "passed on", 1)
    return Reply(reply.samples, reply.failure, account.paid, usage, seconds)


def _rejected(model: LanguageModel, reply: Reply) -> bool:
    """Tell whether a fallback is to ask its next model."""
    if reply.failure is not None or not isinstance(model, Fallback):
        return reply.failure is not None
    if any(sample.label in model.reject for sample in reply.samples):
        return True
    pattern = model.reject_pattern
    return pattern is not None and any(re.search(pattern, s.text) for s in reply.samples)


async def _ask_one(
    model: LanguageModel,
    request: ChatRequest,
    gate: Gate,
    shelf: Shelf,
    known: Mapping[str, bytes],
    account: Account,
) -> Reply:
    keys = request_keys(model, request)
    have: dict[int, Completion] = {}
    for number, key in enumerate(keys):
        if (row := known.get(key)) is not None and (read := _row(row)) is not None:
            have[number] = _completion(model, request, *read, cached=True)
    while missing := [number for number in range(request.samples) if number not in have]:
        first, count = missing[0], _run_length(missing)
        outcome: Outcome[list[bytes]] = Outcome()
        try:
            await _call(model, request, gate, keys, first, count, shelf.place, outcome)
        finally:
            account.note(model.name, outcome)
        if outcome.failure is not None:
            return Reply((), _named(outcome.failure, model))
        rows = outcome.value
        if rows is None:
            rows = list(rows_of(outcome.answer).values())
        if not rows:
            return Reply((), Failure("provider", f"{model.name} gave no answer", True))
        await shelf.put({keys[first + place]: row for place, row in enumerate(rows[:count])})
        for place, row in enumerate(rows[:count]):
            sample, seconds = _row(row) or (Sample(""), 0.0)
            reused = outcome.value is None
            have[first + place] = _completion(model, request, sample, seconds, cached=reused)
    completions = tuple(have[number] for number in range(request.samples))
    usage = _together(model, completions)
    count_reply(account.counts, model.name, completions, usage)
    slowest = max(sample.seconds for sample in completions)
    return Reply(completions, usage=usage, seconds=slowest)


async def _call(
    model: LanguageModel, request: ChatRequest, gate: Gate, keys: Sequence[str], first: int,
    count: int, looked: str, outcome: Outcome[list[bytes]],
) -> None:  # fmt: skip
    """Ask for a run of samples that nobody has."""
    loop = asyncio.get_running_loop()

    async def attempt() -> tuple[list[bytes], Report]:
        began = loop.time()
        got = await model.attempt(request, first, count)
        seconds = loop.time() - began
        rows = [_spelled(sample, seconds) for sample in got.samples[:count]]
        if not rows:
            raise ObjectiveFailure("provider", f"{model.name} gave no answer", retryable=True)
        named = zip(keys[first:], rows, strict=False)
        answer = b"\n".join(key.encode() + b" " + row for key, row in named)
        return rows, got.report._replace(answer=answer)

    usd, tokens = worst_case(model, request, count)
    demand = Demand(model.lane(), model.limits(), usd, tokens, keys[first], looked=looked)
    policy = Policy(model.timeout, model.deadline, model.retries)
    await persist(gate, demand, attempt, model.translate, policy, outcome)


def _run_length(missing: Sequence[int]) -> int:
    """Count how many missing samples follow each other at the beginning."""
    return next((n for n, number in enumerate(missing) if number != missing[0] + n), len(missing))


def _named(failure: Failure, model: LanguageModel) -> Failure:
    return Failure(failure.kind, f"{model.name}: {failure.message}", failure.retryable)


# ---- rows on the shelf: a line of JSON per sample


def _spelled(sample: Sample, seconds: float) -> bytes:
    fields = sample if sample.calls else sample[:-1]  # as it was before there were any
    return json.dumps([*fields, round(seconds, 4)], separators=(",", ":")).encode()


def _row(raw: bytes) -> tuple[Sample, float] | None:
    """Read a row; None if it is none, so that it is asked for again."""
    try:
        *fields, seconds = json.loads(raw)
        sample = Sample(*fields)
        calls = tuple(ToolCall(*call) for call in sample.calls)
        return sample._replace(calls=calls), float(seconds)
    except (ValueError, TypeError):
        return None


def rows_of(answer: bytes | None) -> dict[str, bytes]:
    """Read what passes through the gate: a row per sample, behind its key."""
    lines = (line.partition(b" ") for line in (answer or b"").split(b"\n"))
    return {key.decode(): row for key, _, row in lines if row}


def _together(model: LanguageModel, samples: Sequence[Completion]) -> Cost:
    """Give what samples cost in one call, whichever calls they came by: scores depend on it."""
    tokens_in = samples[0].usage.tokens_in
    tokens_out = sum(sample.usage.tokens_out for sample in samples)
    price = model.rates()
    return Cost(price.cost(tokens_in, tokens_out) if price else 0.0, tokens_in, tokens_out, 1)


def _completion(
    model: LanguageModel, request: ChatRequest, sample: Sample, seconds: float, *, cached: bool
) -> Completion:
    label, data = read_sample(sample, request.schema)
    price = model.rates()
    usd = price.cost(sample.tokens_in, sample.tokens_out) if price else 0.0
    usage = Cost(usd, sample.tokens_in, sample.tokens_out, 1)
    said = [sample.text, label, usage, seconds, sample.logprob, data, cached, sample.calls]
    return Completion(*said)
