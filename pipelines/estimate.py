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
from pipelines.metrics.llamaindex import LlamaIndexEvaluator
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
_LEAST_ROOM = 50
"""Tokens of texts that a prompt of LlamaIndex's holds at least."""
_CHOOSING = (120, 8, 64)
"""Tokens of a selector's instructions, around each answer, and of its verdict."""


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
        found.extend(_chat(config.generator, asked, context, _handed(config, ingestion)))
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
    kept = _handed(config, ingestion)
    least = 0 if config.retriever.min_score is not None else int(lengths[:kept].sum())
    return float(least), float(lengths[len(lengths) - kept :].sum())


def _handed(config: RagConfig, ingestion: Ingestion) -> int:
    """Count the passages at most that are handed on for a question."""
    kept = min(config.retriever.top_k, len(ingestion.chunks))
    return kept if config.reranker is None else min(kept, config.reranker.candidates)


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


def _chat(
    chat: Chat, question: int, context: tuple[float, float], passages: int
) -> Iterator[Bounds]:
    """Bound answering, and choosing among several answers.

    An endpoint that gives one answer a call is sent the prompt for each of them.
    """
    fixed = count(chat.system) + question + _TEMPLATE
    frame = fixed + max(map(count, (chat.prompt, chat.summary_prompt, chat.refine_prompt)))
    held = context[1] + passages * (count(chat.passage) + count(chat.separator))
    prompts = passages if chat.mode == "refine" else 1
    if chat.mode != "refine" and held > chat.context_tokens:
        prompts = min(passages, int(2 * held // chat.context_tokens) + 1)
    if chat.mode == "tree-summarize":
        prompts += _summaries(prompts, chat)
    prompts = max(1, prompts)
    calls = prompts + chat.n - 1
    last = max(held, float(prompts * chat.max_tokens))
    most = held + calls * (frame + chat.max_tokens) + (chat.n - 1) * last
    out = float(chat.max_tokens * calls)
    least = context[0] + fixed + count(chat.prompt)
    yield Bounds(resolved(chat.model), (1, calls), (least, most), (1.0, out))
    if chat.select == "judge" and chat.n > 1:
        shown = float(_CHOOSING[0] + question + chat.n * (chat.max_tokens + _CHOOSING[1]))
        judge = resolved(chat.selector if chat.selector is not None else chat.model)
        yield Bounds(judge, (0, 1), (0.0, shown), (0.0, float(_CHOOSING[2])))


def _summaries(prompts: int, chat: Chat) -> int:
    """Count the prompts at most that make one answer of many, level by level."""
    total, level = 0, prompts
    while level > 1:
        level = min(level - 1, int(2 * level * chat.max_tokens // chat.context_tokens) + 1)
        total += level
    return total


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
        if isinstance(metric, LlamaIndexEvaluator):
            tries *= _windows(metric, texts)
        rubric = count(str(getattr(metric, "rubric", None) or ""))
        most = tries * (_JUDGE_PROMPT[1] + rubric + texts)
        out = tries * float(getattr(metric, "max_tokens", 512))
        yield Bounds(resolved(model), (0, tries), (0.0, most), (0.0, out))


def _windows(metric: LlamaIndexEvaluator, texts: float) -> int:
    """Count the prompts at most that an evaluator parts its texts among, or compares them by."""
    room = metric.context_window - metric.max_tokens - _JUDGE_PROMPT[1]
    return max(2, int(2 * texts // max(room, _LEAST_ROOM)) + 1)
