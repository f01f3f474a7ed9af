"""The `objective:` section of an adapter study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.config import RagConfig
from pipelines.roles import Metric
from pipelines.workspace import Sources
from raytuner.component import ConfigError


class Shares(BaseModel):
    """How questions are divided."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    train: float = Field(default=0.4, gt=0, lt=1, description="share that training sees")
    validate_: float = Field(
        default=0.2, gt=0, lt=1, alias="validate",
        description="share that every epoch is scored on, so that the search chooses by it",
    )  # fmt: skip
    held_out: float = Field(
        default=0.4, ge=0, lt=1, description="share that judges at the end, as any verdict does"
    )
    by: Literal["document", "question"] = Field(
        default="document",
        description="document: no part has questions about a document of another part: is it "
        "better for documents nobody has asked about yet? question: for new questions about the "
        "same documents?",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = self.train + self.validate_ + self.held_out
        if abs(total - 1) > 1e-6:
            raise ConfigError(f"train, validate and held_out are shares of 1, got {total:g}")
        return self


class AdapterSpec(Sources):
    """The `objective:` section of an adapter study."""

    shapes: ClassVar[Mapping[str, tuple[Any, str]]] = {
        **Sources.shapes,
        "metrics": (list | tuple, "a list such as [ndcg@10, recall, mrr]"),
        "pipeline": (Mapping, "stages such as `embedder: minilm`"),
        "training": (Mapping, "fields such as `learning_rate: 1e-3`"),
        "split": (Mapping, "shares such as {train: 0.4, validate: 0.2, held_out: 0.4}"),
    }

    metrics: tuple[str | dict[str, Any], ...] = Field(
        default=("ndcg@10", "recall", "mrr"),
        min_length=1,
        description="what is measured, after every epoch and at the end; the first is optimised "
        "unless `metric` says otherwise",
    )
    pipeline: dict[str, Any] = Field(
        default_factory=dict,
        description="chunker, embedder, retriever and what else retrieves; default: minilm, and "
        "ten chunks a question",
    )
    epochs: int = Field(default=20, ge=1, le=100_000, description="epochs of a complete training")
    split: Shares = Field(default_factory=Shares, description="how questions are divided")
    training: dict[str, Any] = Field(
        default_factory=dict, description="what is not tuned: `learning_rate`, `adapter`, ..."
    )

    @classmethod
    def parse(cls, args: Mapping[str, Any]) -> Self:
        """Validate the section.

        Raises:
            ConfigError: naming the field, its value and what would be right.
        """
        return cls.read(args, "an adapter")


def refuse(config: RagConfig, measures: Sequence[Metric]) -> None:
    """Refuse what cannot be scored after every epoch.

    Raises:
        ConfigError: it asks language models, or compares no vectors.
    """
    for number, metric in enumerate(measures):
        if metric.paid or metric.needs_answer:
            raise ConfigError(
                f"metrics.{number}: {metric.name} is about answers, and an adapter study only "
                "retrieves; give metrics such as ndcg@10, recall, mrr",
                ("metrics", number),
            )
    if config.paid or config.generator is not None:
        raise ConfigError(
            "pipeline: an adapter study only retrieves, and after every epoch; leave query, "
            "generator and rerankers that ask a language model out",
            ("pipeline",),
        )
    if not config.needs_vectors():
        raise ConfigError(
            f"pipeline.retriever: {config.retriever.kind} compares no vectors, so there is "
            "nothing to adapt; give dense or hybrid",
            ("pipeline", "retriever"),
        )
