"""The built-in tool `search`: passages of documents, by a pipeline of ours."""

from __future__ import annotations

import threading
from functools import lru_cache

from pipelines.agent.tools import Tool
from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.paying import embedders_asked, models_asked
from pipelines.rebuild import AnsweringPipeline
from pipelines.types import Corpus
from raytuner.component import ConfigError, digest

_MOST_PIPELINES = 8
_WARMING = "What is there?"


def check_search(config: RagConfig) -> None:
    """Look whether the tool can use a pipeline: it has no budget of its own.

    Raises:
        ConfigError: a stage asks a server.
    """
    names = [model.name for model in models_asked(config, ())]
    names += [embedder.name for embedder in embedders_asked(config, ())]
    if names:
        raise ConfigError(
            f"search: a stage of its pipeline asks {names[0]} over a wire, and the tool has "
            "no budget for that; choose stages that run here",
            ("search",),
        )


def search_tool(config: RagConfig, corpus: Corpus, cache: Cache) -> Tool:
    """Give the tool; its index is ready when this returns."""
    with _lock:  # whoever comes second finds it warm
        return _warm(digest(config.identity()), _Held(config, corpus, cache))


def described() -> Tool:
    """Give a function with the tool's name, docstring and arguments, for who only reads these."""

    def search(query: str) -> str:
        """Search the documents; gives the passages nearest to the query, the best first."""
        return query

    return search


class _Held:
    """What makes a pipeline; equal for equal documents and places."""

    def __init__(self, config: RagConfig, corpus: Corpus, cache: Cache) -> None:
        self.parts = (config, corpus, cache)
        self._identity = (corpus.key, id(cache))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


_lock = threading.Lock()


@lru_cache(maxsize=_MOST_PIPELINES)
def _warm(key: str, held: _Held) -> Tool:
    del key
    config, corpus, cache = held.parts
    pipeline = AnsweringPipeline(config, corpus, cache=cache)
    pipeline.retrieve(_WARMING)

    def search(query: str) -> str:
        """Search the documents; gives the passages nearest to the query, the best first."""
        hits = pipeline.retrieve(query)
        names = [corpus.documents[hit.doc].name for hit in hits]
        passages = (f"[{name}]\n{hit.text}" for name, hit in zip(names, hits, strict=True))
        return "\n\n".join(passages) or "nothing found"

    return search
