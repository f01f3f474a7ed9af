"""What of a pipeline and its metrics costs money: whom they ask, and what has to be embedded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from pipelines.config import RagConfig
from pipelines.embedders.paid import PaidEmbedder
from pipelines.estimate import MOST, count
from pipelines.ingestion import Ingestion
from pipelines.llm.models import LanguageModel, unpriced
from pipelines.llm.naming import models_in
from pipelines.llm.prices import FREE
from pipelines.llm.probing import Probed
from pipelines.queries import QueryTransform
from pipelines.roles import CorpusEmbedder, Embedder, Metric
from raytuner.component import ConfigError


def models_asked(config: RagConfig, measures: Sequence[Metric]) -> tuple[LanguageModel, ...]:
    """List the language models that stages and judges ask; they must be resolved."""
    judges = (model for metric in measures for model in models_in(metric))
    return (*config.models(), *judges)


def embedders_asked(config: RagConfig, measures: Sequence[Metric]) -> tuple[PaidEmbedder, ...]:
    """List the embedders of servers that stages and metrics ask."""
    idle = () if config.needs_vectors() else ("embedder",)
    return (*_embedders_in(config, idle), *(e for m in measures for e in _embedders_in(m)))


def services_asked(config: RagConfig, measures: Sequence[Metric]) -> list[Probed]:
    """List everything that is asked over a wire; models must be resolved."""
    return [*models_asked(config, measures), *embedders_asked(config, measures)]


def unpriced_names(config: RagConfig, measures: Sequence[Metric]) -> list[str]:
    """Name the models, those that embed included, whose price nobody knows."""
    embedders = embedders_asked(config, measures)
    names = [model.name for model in unpriced(models_asked(config, measures))]
    return [*names, *(one.name for one in embedders if one.rates() is None)]


def refuse_paid_cuts(config: RagConfig) -> None:
    """Refuse a chunker that asks a model which costs money.

    Chunks are made before a study knows what it has to do, so before its budget is watched.

    Raises:
        ConfigError: it does.
    """
    for embedder in _embedders_in(config.chunker):
        if embedder.rates() not in (None, FREE):
            raise ConfigError(
                f"chunker.embedder: {embedder.name} costs money, and documents are cut before any "
                "is set aside; name a model of your own, such as minilm",
                ("chunker", "embedder"),
            )


def preparation(
    ingestions: Iterable[Ingestion],
    questions: Sequence[str],
    missing: Callable[[Embedder, Sequence[str]], int],
) -> dict[str, float]:
    """Count distinct ingestions, chunks and texts to embed, and bound what embedding costs.

    Args:
        ingestions: one for each configuration.
        questions: are embedded too, and what models make of them.
        missing: counts the texts, questions included, whose vectors are not there.
    """
    seen: dict[str, int] = {}
    works: dict[str, _Embedding] = {}
    for ingestion in ingestions:
        config = ingestion.config
        if config.needs_vectors() and not isinstance(config.embedder, CorpusEmbedder):
            work = works.setdefault(config.embedder.fingerprint(), _Embedding(config.embedder))
            work.queries.update([config.query] if config.query is not None else [])
            if ingestion.key not in seen:
                work.texts.update(ingestion.matched_texts)
        if ingestion.key not in seen:
            seen[ingestion.key] = len(ingestion.chunks)
    absent = {name: missing(work.embedder, sorted(work.texts)) for name, work in works.items()}
    usd = sum(work.usd(questions) for name, work in works.items() if absent[name] or work.queries)
    counts = {
        "ingestions": len(seen),
        "chunks": sum(seen.values()),
        "texts to embed": sum(absent.values()),
    }
    return {**counts, "usd to embed at most": usd} if usd else {**counts}


@dataclass
class _Embedding:
    """What one model has to embed."""

    embedder: Embedder
    texts: set[str] = field(default_factory=set)
    queries: set[QueryTransform] = field(default_factory=set)

    def usd(self, questions: Sequence[str]) -> float:
        """Bound what it costs, none of it being there."""
        price = next((paid.rates() for paid in paid_in(self.embedder)), None)
        if price is None:
            return 0.0
        asked = sum(map(count, questions))
        rewritten = sum(query.max_tokens * len(questions) + asked for query in self.queries)
        tokens = sum(map(count, self.texts)) + asked + rewritten
        calls = len(self.texts) + len(questions) * (1 + len(self.queries))
        return price.cost(int(tokens * MOST), 0) + price.request * (calls - 1)


def paid_in(embedder: Embedder) -> Iterator[PaidEmbedder]:
    """Give the embedder whose calls cost money, if there is one: itself, or its source."""
    source: Embedder | None = embedder
    while source is not None:
        if isinstance(source, PaidEmbedder):
            yield source
        source = source.source()


def _embedders_in(part: BaseModel, without: Sequence[str] = ()) -> Iterator[PaidEmbedder]:
    for name in type(part).model_fields:
        value = getattr(part, name)
        for item in value if isinstance(value, tuple | list) else (value,):
            if name in without:
                continue
            if isinstance(item, PaidEmbedder):
                yield item
            elif isinstance(item, BaseModel):
                yield from _embedders_in(item)
