"""The configuration of a RAG pipeline, and how a study's parameters change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipelines import (  # imported for their kinds, which register by existing
    chat,  # noqa: F401
    chunkers,
    embedders,
    generators,  # noqa: F401
    llm_rerank,  # noqa: F401
    preprocess,  # noqa: F401
    rerankers,  # noqa: F401
    retrievers,
    stores,
)
from pipelines.llm import llamaindex  # noqa: F401
from pipelines.llm.models import LanguageModel
from pipelines.llm.naming import models_in
from pipelines.matching import Matcher, Sentences, WholeChunk
from pipelines.overrides import blamed, changed, first_name, tree
from pipelines.queries import QueryTransform
from pipelines.roles import Chunker, Embedder, Generator, Preprocessor, Reranker, Retriever, Store
from raytuner.component import Component, ConfigError, nearest, refuse_unknown
from raytuner.objective import Params, Value


class RagConfig(BaseModel):
    """Every stage of a pipeline. Dotted parameter names are paths into it (`chunker.size`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preprocess: tuple[Preprocessor, ...] = Field(default=(), description="rewrites, in order")
    chunker: Chunker = Field(default_factory=chunkers.Sentence, description="cuts documents")
    match: Matcher = Field(
        default_factory=WholeChunk, description="what of a chunk a query is compared with"
    )
    embedder: Embedder = Field(default_factory=embedders.MiniLM, description="texts to vectors")
    store: Store = Field(default_factory=stores.Exact, description="finds nearest vectors")
    query: QueryTransform | None = Field(
        default=None, description="asks a language model what to search for"
    )
    retriever: Retriever = Field(default_factory=retrievers.Dense, description="ranks chunks")
    reranker: Reranker | None = Field(default=None, description="reorders the best hits")
    generator: Generator | None = Field(default=None, description="writes an answer")

    @classmethod
    def parse(cls, data: Mapping[str, Any], prefix: Sequence[str] = ()) -> Self:
        """Validate a mapping.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        refuse_unknown(data, cls.model_fields, "a pipeline has no such stage; it has", prefix)
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise ConfigError.of(error, prefix) from error

    def override(self, params: Params) -> Self:
        """Give the configuration with some parameters changed.

        Where a `kind` changes, explicit fields that both kinds have keep their value. A stage's
        bare name means its kind: `embedder: lsa` is `embedder.kind: lsa`, and
        `reranker: null` removes the stage. `preprocess` takes the kinds of its steps; a step
        that is there already keeps its fields.

        Raises:
            ConfigError: a name the pipeline does not have, or a value it cannot take; its field
                is the parameter to blame.
        """
        stages: dict[str, Any] = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            for stage, change in tree(params).items():
                if stage not in stages:
                    name = first_name(stage, change)
                    raise ConfigError(
                        f"{name}: the pipeline has no stage {stage!r}; it has: "
                        f"{', '.join(stages)}.{nearest(stage, stages)}",
                        (stage,),
                    )
                stages[stage] = changed(type(self), stage, stages[stage], change, (stage,))
            return type(self).model_validate(stages)
        except ValidationError as error:
            raise blamed(ConfigError.of(error), params) from error
        except ConfigError as error:
            raise blamed(error, params) from error

    def values(self, names: Iterable[str]) -> dict[str, Value]:
        """Give the value of each dotted name that this configuration has."""
        found = {name: self.value(name) for name in names}
        return {name: value for name, value in found.items() if not isinstance(value, _Nothing)}

    def value(self, name: str) -> Value | _Nothing:
        """Give the value of a dotted name, or NOTHING where this configuration has none."""
        node: Any = self
        for part in name.split("."):
            if part == "kind" and (node is None or isinstance(node, Component)):
                node = node.kind if node is not None else None
            elif isinstance(node, BaseModel) and part in type(node).model_fields:
                node = getattr(node, part)
            elif isinstance(node, Mapping) and part in node:
                node = node[part]
            else:
                return NOTHING
        if isinstance(node, tuple | list):
            return tuple(item.kind if isinstance(item, Component) else item for item in node)
        if isinstance(node, LanguageModel):
            return node.name
        if isinstance(node, Component):
            return node.kind
        return NOTHING if isinstance(node, Mapping) else node

    def needs_vectors(self) -> bool:
        """Whether any stage compares vectors; if none does, embedder, match and store are idle."""
        stages = (self.retriever, self.reranker, self.generator)
        return any(stage is not None and stage.needs_vectors() for stage in stages)

    @property
    def searches_paid(self) -> bool:
        """Whether finding hits asks a language model."""
        return self.query is not None or (self.reranker is not None and self.reranker.paid)

    @property
    def paid(self) -> bool:
        """Whether any stage asks a language model."""
        return self.searches_paid or (self.generator is not None and self.generator.paid)

    def models(self) -> tuple[LanguageModel, ...]:
        """List the language models that its stages ask, each once; they must be resolved."""
        return tuple(dict.fromkeys(models_in(self)))

    def searched_store(self) -> Store | None:
        """Give the store; None where it is idle, because sentences are compared exactly."""
        return None if isinstance(self.match, Sentences) else self.store

    def identity(self) -> Mapping[str, Any]:
        """Give what the pipeline computes: idle stages do not count.

        The embedder counts by its fingerprint, which also names what its fields leave open (a
        server from the environment, the release of a package).
        """
        named = {name: getattr(self, name) for name in type(self).model_fields}
        if self.query is None:  # keys of pipelines from before there was such a stage stay
            del named["query"]
        if not self.needs_vectors():
            return {**named, "embedder": None, "match": None, "store": None}
        store = self.searched_store()
        return {**named, "embedder": self.embedder.fingerprint(), "store": store}

    def plain(self) -> dict[str, Any]:
        """Give the configuration as plain YAML values; `parse` reads it back."""
        return self.model_dump(mode="json")


class _Nothing:
    """No such parameter in this configuration (None is a value)."""


NOTHING = _Nothing()
