"""Any installed LlamaIndex embedding, named by its import path.

Vectors of a local model that pads its batches can depend in their last bits on the batch; such
a model is better served by an embedder of this package.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import numpy as np
from pydantic import Field

from pipelines.embedders.batching import distinct, windows
from pipelines.embedders.paid import Call, PaidEmbedder
from pipelines.embedders.remote import unit_vectors
from pipelines.llm.attempts import Policy
from pipelines.llm.imported import (
    ClassArgs,
    ClassPath,
    fingerprint,
    loaded,
    title,
    translated_by_name,
)
from pipelines.roles import Embedded
from pipelines.tokenizers import tokenizer
from raytuner.objective import Cost, Meter
from raytuner.ports.gate import Report

_BASE = "llama_index.core.base.embeddings.base:BaseEmbedding"
_ONCE = Policy(timeout=math.inf, deadline=math.inf, retries=0)
"""A class tries again and gives up by itself, as its own arguments say."""


class LlamaIndex(PaidEmbedder, kind="llama-index"):
    """Embed with a class derived from LlamaIndex's BaseEmbedding.

    Documents go through `get_text_embedding_batch`, queries through `get_query_embedding`; both
    are then normalised. Keys are read by the class from its own environment variable.
    """

    path: ClassPath = Field(
        description="class to use, as module:Class, e.g. "
        "llama_index.embeddings.openai:OpenAIEmbedding"
    )
    args: ClassArgs = Field(default_factory=dict)
    concurrency: int = Field(default=1, ge=1, le=64, description="queries embedded at a time")

    @property
    def name(self) -> str:
        """Give the model's name, or the class's."""
        return title(self.path, self.args)

    def fingerprint(self) -> str:
        """Name the class, its arguments and the release of the package that holds it."""
        return fingerprint(self.version, self.path, self.args)

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts; equal texts cost one. What the class cuts is not known: `cut` is 0.

        Raises:
            BudgetExhaustedError: there is no money, or the sweep is ending.
            ConfigError: if the class cannot be imported or made.
            ObjectiveFailure: whatever it raises, typed.
        """
        unique, inverse = distinct(texts)
        if not unique:
            return Embedded(np.zeros((0, 0), np.float32), inverse)
        model = loaded(self.path, self.args, _BASE, "embedding")
        with meter.stage("embed"):
            if query:
                parts, at_once = [[text] for text in unique], self.concurrency
            else:  # one batch at a time: not every class may be used by several threads
                size = max(1, int(model.embed_batch_size))
                parts, at_once = [unique[part] for part in windows(len(unique), size)], 1
            work = _by_query(model) if query else model.get_text_embedding_batch
            with ThreadPoolExecutor(at_once) as pool:
                calls = [self._call(pool, work, part) for part in parts]
                given = self.pay(calls, self._translate, _ONCE, meter, at_once)
        meter.count("texts embedded", len(unique))
        rows = [row for part in given for row in part]
        vectors = unit_vectors(rows, expected=len(unique), dimensions=None, source=self.path)
        return Embedded(vectors[inverse], np.zeros(len(texts), np.int64))

    def _call(
        self, pool: Executor, work: Callable[[list[str]], list[Any]], texts: list[str]
    ) -> Call[list[Any]]:
        tokens = sum(map(tokenizer("cl100k").count, texts))

        async def attempt() -> tuple[list[Any], Report]:
            rows = list(await asyncio.get_running_loop().run_in_executor(pool, work, texts))
            return rows, Report(cost=Cost(self.usd(tokens), tokens_in=tokens, calls=1))

        return Call(tokens, attempt)

    def _translate(self, error: Exception) -> tuple[Exception, Report]:
        return translated_by_name(error, self.path)


def _by_query(model: Any) -> Callable[[list[str]], list[Any]]:
    return lambda texts: [model.get_query_embedding(text) for text in texts]
