"""Bounds on what answering will cost, before any money is spent.

Tokens are counted as GPT-4 would (cl100k) and widened, since other models count otherwise. The
low end is an answer of one token from the shortest passages, the high end one of `max_tokens`
from the longest, nothing being cached.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipelines.chat import Chat
from pipelines.config import RagConfig
from pipelines.ingestion import Ingestion
from pipelines.llm.models import LanguageModel, ModelRef, resolved
from pipelines.llm_rerank import LlmRerank
from pipelines.queries import QueryTransform
from pipelines.roles import Metric
from pipelines.tokenizers import tokenizer
from pipelines.types import IntArray
from raytuner.objective import Cost

FEWEST, MOST = 0.5, 1.8
"""How far other vocabularies, and what chat templates add, may lie from cl100k."""
_TEMPLATE = 24
_JUDGE_PROMPT = (60, 900)
"""Tokens of a judge's instructions."""
_JUDGE_TRIES = 3


class Bounds(NamedTuple):
    """Calls and tokens of one stage for one question: least and most."""

    model: LanguageModel
    calls: tuple[int, int]
    tokens_in: tuple[float, float]
    tokens_out: tuple[float, float]

    def costs(self) -> tuple[Cost, Cost]:
        """Give least and most as costs; without dollars where the price is not known."""
        return self._cost(0, FEWEST), self._cost(1, MOST)

    def _cost(self, end: int, factor: float) -> Cost:
        members = self.model.members()
        asked = members if end else members[:1]
        rates = [price for member in asked if (price := member.rates()) is not None]
        inside, out = int(self.tokens_in[end] * factor), int(self.tokens_out[end])
        calls = self.calls[end] * len(asked)
        usd = [rate.cost(inside, out) + rate.request * max(0, calls - 1) for rate in rates]
        total = sum(usd) if end else min(usd, default=0.0)
        return Cost(total, inside * len(asked), out * len(asked), calls)


def question_bounds(
    config: RagConfig, measures: Sequence[Metric], ingestion: Ingestion, question: str
) -> list[Bounds]:
    """Bound every stage that asks a language model, for one question."""
    asked = count(question)
    context = context_bounds(config, ingestion)
    found: list[Bounds] = []
    if config.query is not None:
        found.append(_transform(config.query, asked))
    if isinstance(config.reranker, LlmRerank):
        found.append(_rerank(config.reranker, ingestion, asked))
    answer = (0.0, 0.0)
    if isinstance(config.generator, Chat):
        found.append(_chat(config.generator, asked, context))
        answer = (0.0, float(config.generator.max_tokens))
    found.extend(_judges(measures, asked, context, answer))
    return found


def total(bounds: Sequence[Bounds]) -> tuple[Cost, Cost]:
    """Add up bounds."""
    low, high = Cost(), Cost()
    for bound in bounds:
        least, most = bound.costs()
        low, high = low.plus(least), high.plus(most)
    return low, high


def context_bounds(config: RagConfig, ingestion: Ingestion) -> tuple[float, float]:
    """Bound the tokens of what is handed on for a question."""
    lengths = chunk_tokens(ingestion)
    kept = min(config.retriever.top_k, len(lengths))
    if config.reranker is not None:
        kept = min(kept, config.reranker.candidates)
    least = 0 if config.retriever.min_score is not None else int(lengths[:kept].sum())
    return float(least), float(lengths[len(lengths) - kept :].sum())


def chunk_tokens(ingestion: Ingestion) -> IntArray:
    """Give the tokens of every chunk, rising; int64 [chunks]."""
    known = _lengths.get(ingestion.chunks_key)
    if known is None:
        texts = (ingestion.text(chunk) for chunk in range(len(ingestion.chunks)))
        known = np.sort(np.fromiter(map(count, texts), np.int64))
        if len(_lengths) >= _MOST_KNOWN:
            _lengths.clear()
        _lengths[ingestion.chunks_key] = known
    return known


_MOST_KNOWN = 64
_lengths: dict[str, IntArray] = {}


@lru_cache(maxsize=4096)
def count(text: str) -> int:
    """Count the tokens of a text."""
    return tokenizer("cl100k").count(text)


def _chat(chat: Chat, question: int, context: tuple[float, float]) -> Bounds:
    frame = count(chat.system) + count(chat.prompt) + question + _TEMPLATE
    more = count(chat.system) + count(chat.refine_prompt) + question + _TEMPLATE
    windows = 1
    if chat.mode == "refine" or context[1] > chat.context_tokens:
        windows = max(1, int(context[1] // 16)) if chat.mode == "refine" else 2
        windows = max(windows, int(2 * context[1] // chat.context_tokens) + 1)
    again = (windows - 1) * (more + chat.max_tokens)
    passages = count(chat.passage) + count(chat.separator)
    most = context[1] + frame + again + passages * 200 * (chat.passage != "{text}")
    out = chat.max_tokens * (chat.n + windows - 1)
    calls = chat.n + windows - 1
    if chat.select == "judge" and chat.n > 1:
        calls, most, out = calls + 1, most + 80 + question + out, out + 64
    return Bounds(resolved(chat.model), (1, calls), (context[0] + frame, most), (1.0, float(out)))


def _transform(transform: QueryTransform, question: int) -> Bounds:
    frame = float(count(transform.asked("")) + question + _TEMPLATE)
    schema = 60.0
    out = (1.0, float(transform.max_tokens))
    return Bounds(resolved(transform.model), (1, 1), (frame, frame + schema), out)


def _rerank(reranker: LlmRerank, ingestion: Ingestion, question: int) -> Bounds:
    lengths = chunk_tokens(ingestion)
    kept = min(reranker.candidates, len(lengths))
    shown = np.minimum(lengths, reranker.passage_characters)
    frame = 100 + question + _TEMPLATE
    most = float(shown[len(shown) - kept :].sum()) + 6 * kept + frame
    return Bounds(resolved(reranker.model), (0, 1), (0.0, most), (0.0, float(reranker.max_tokens)))


def _judges(
    measures: Sequence[Metric], question: int, context: tuple[float, float],
    answer: tuple[float, float],
) -> Iterator[Bounds]:  # fmt: skip
    """Bound every judge: none, if there is nothing to judge, or all its tries."""
    for metric in measures:
        model: ModelRef | None = getattr(metric, "model", None)
        if not metric.paid or model is None:
            continue
        tries = int(getattr(metric, "repeats", 1)) * _JUDGE_TRIES
        texts = context[1] + 2 * answer[1] + question
        rubric = count(str(getattr(metric, "rubric", None) or ""))
        most = tries * (_JUDGE_PROMPT[1] + rubric + texts)
        out = tries * float(getattr(metric, "max_tokens", 512))
        yield Bounds(resolved(model), (0, tries), (0.0, most), (0.0, out))
