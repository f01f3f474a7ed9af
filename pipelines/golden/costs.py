"""What writing golden questions will cost, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipelines.golden.excerpts import cut_excerpts
from pipelines.golden.generate import DRAFTS, ROUNDS
from pipelines.golden.growing import Wanted
from pipelines.golden.prompts import answering, comparing, recalling, writing
from pipelines.llm.asking import worst_case
from pipelines.llm.models import LanguageModel
from pipelines.llm.types import ChatRequest
from pipelines.types import Corpus
from raytuner.objective import Cost

_LONG_QUESTION, _LONG_ANSWER, _LONG_QUOTE = "\U00010000" * 300, "\U00010000" * 600, 1000
_SHORT_REPLY = 8
"""Tokens of a reply in JSON, at least."""


class Estimate(NamedTuple):
    """What a run costs if nothing of it is in the cache.

    Attributes:
        least: every draft is kept, and no reply is longer than it must be.
        most: as many drafts as are ever asked for, every call as dear as it can be.
        once: dollars that one draft can cost.
    """

    least: Cost
    most: Cost
    once: float


def estimate(corpus: Corpus, model: LanguageModel, wanted: Wanted, missing: int) -> Estimate:
    """Bound the cost.

    Args:
        corpus: the documents.
        model: who is asked; must have a price, or its dollars count nothing.
        wanted: what is to be written.
        missing: questions that the file does not hold yet.
    """
    excerpts = cut_excerpts(corpus)
    texts = [corpus.documents[doc].text[start:end] for doc, start, end in excerpts]
    names = [corpus.documents[excerpt.doc].name for excerpt in excerpts]
    drafts = min(DRAFTS * wanted.questions, ROUNDS * len(excerpts)) if missing > 0 else 0
    before = [_LONG_QUESTION] * (ROUNDS - 1)
    longest_name = max(names, key=lambda name: len(name.encode()), default="")
    dearest = _dearest(model, [writing(n, t, before) for n, t in zip(names, texts, strict=True)])
    # A quote is a part of its passage, and of one byte a character it is as long in bytes.
    evidence = "x" * min(4 * _LONG_QUOTE, max((len(t.encode()) for t in texts), default=0))
    looks = [
        answering(_LONG_QUESTION, longest_name, evidence),
        recalling(_LONG_QUESTION),
        *[comparing(_LONG_QUESTION, _LONG_ANSWER, _LONG_ANSWER)] * 2,
    ]
    most = dearest
    for request in looks:
        most = most.plus(_dearest(model, [request]))
    shortest = min(texts, key=len, default="")
    least = Cost()
    for request in (writing("", shortest), answering("", "", ""), recalling("")):
        least = least.plus(_cheapest(model, request))
    return Estimate(_times(least, min(missing, drafts)), _times(most, drafts), most.usd)


def _dearest(model: LanguageModel, requests: Sequence[ChatRequest]) -> Cost:
    """Bound the dearest of some calls; of a fallback every model may be asked."""
    most = Cost()
    for request in requests:
        total = Cost()
        for member in model.members():
            usd, tokens = worst_case(member, request, 1)
            reply = request.sampling.max_tokens
            total = total.plus(Cost(usd, tokens - reply, reply, 1))
        most = Cost(
            max(most.usd, total.usd),
            max(most.tokens_in, total.tokens_in),
            max(most.tokens_out, total.tokens_out),
            max(most.calls, total.calls),
        )
    return most


def _cheapest(model: LanguageModel, request: ChatRequest) -> Cost:
    """Bound a call from below: English words have a blank and no two share a token."""
    words = sum(len(message.content.split()) for message in request.messages)
    priced = [member.rates() for member in model.members()]
    usd = min((price.cost(words, _SHORT_REPLY, words) for price in priced if price), default=0.0)
    return Cost(usd, words, _SHORT_REPLY, 1)


def _times(cost: Cost, number: int) -> Cost:
    usd, tokens_in, tokens_out, calls = cost
    return Cost(usd * number, tokens_in * number, tokens_out * number, calls * number)
