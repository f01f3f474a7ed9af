"""The RAG objective: what `kind: rag` in a study means."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError

from pipelines.config import NOTHING, RagConfig, _Nothing
from pipelines.metrics import parse_metric
from pipelines.pipeline import Pipeline
from pipelines.roles import CorpusEmbedder, Metric
from pipelines.types import Question, Response
from pipelines.workspace import Sources, Workspace, check_paths
from raytuner.component import ConfigError, digest, nearest
from raytuner.objective import Meter, Objective, Params, Tally, UnitScore, Value

BATCH = 64
"""Questions per batch: what a crash can cost at most."""

DEFAULT_METRICS = ("recall@1000tok", "recall", "precision", "iou", "ndcg@10")


class RagSpec(Sources):
    """The `objective:` section of a RAG study."""

    metrics: tuple[str | dict[str, Any], ...] = Field(
        default=DEFAULT_METRICS,
        min_length=1,
        description="what is measured; the first is optimised unless `metric` says otherwise",
    )
    pipeline: dict[str, Any] = Field(
        default_factory=dict,
        description="the configuration as it stands: trial 0, and what is not tuned",
    )


class RagObjective(Objective):
    """Builds a RAG pipeline from parameters and scores it on a golden set.

    Pickles to paths and configuration; each process loads the data once.

    Args:
        spec: documents, golden set, metrics and the pipeline as it stands.
        root: folder that relative paths start from.
        seed: seed of the question order.

    Raises:
        ConfigError: for bad input, naming file, line or field.
    """

    def __init__(self, spec: RagSpec, root: Path, seed: int = 0) -> None:
        self.spec = spec
        self.root = root
        self.seed = seed
        self._load = uuid.uuid4().hex  # another objective reads the files anew
        self.config = RagConfig.parse(spec.pipeline, ("pipeline",))
        self._measures = _metrics(spec.metrics)
        self._check_answers()

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section."""
        for name in args:
            if name not in RagSpec.model_fields:
                known = list(RagSpec.model_fields)
                raise ConfigError(
                    f"{name}: a rag objective has no such field; it has: {', '.join(known)}."
                    f"{nearest(name, known)}",
                    (name,),
                )
        if "golden" not in args:
            raise ConfigError(
                "golden: it is missing; name the file or folder of questions", ("golden",)
            )
        try:
            spec = RagSpec.model_validate(args)
        except ValidationError as error:
            raise ConfigError.of(error) from error
        check_paths(spec, root)
        return cls(spec, root.resolve(), seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = RagSpec.model_json_schema()
        schema["properties"]["pipeline"] = RagConfig.model_json_schema()
        return schema

    @property
    def workspace(self) -> Workspace:
        """The data, loaded once per process."""
        return _workspace(self.spec.model_dump_json(), str(self.root), self.seed, self._load)

    # ---- what the tuner asks before it runs anything

    def units(self) -> Sequence[str]:
        """List the questions that any metric applies to, in evaluation order."""
        space = self.workspace
        return [unit for unit in space.order if self._applicable(space.question(unit))]

    def scope(self) -> str:
        """Identify documents, golden set, metrics and question order."""
        space = self.workspace
        return digest("rag", space.corpus.key, space.golden.key, self._measures, self.seed)

    def key(self, params: Params) -> str:
        """Identify what the trial computes: equal pipelines have equal keys, however spelt."""
        return digest(self.scope(), self.config.override(params).identity())

    def metrics(self) -> tuple[str, ...]:
        """Name the metrics."""
        return tuple(metric.name for metric in self._measures)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        return not any(m.lower_is_better for m in self._measures if m.name == metric)

    def defaults(self, names: Sequence[str]) -> Params:
        """Give the value each parameter has in the pipeline as it stands."""
        found: dict[str, Value] = {}
        for name in names:
            value = self.config.value(name)
            if not isinstance(value, _Nothing):
                found[name] = value
        return found

    def affinity(self, params: Params) -> str:
        """Group trials by ingestion: the chunks and vectors they need."""
        config = self.config.override(params)
        library = self.workspace.library(config, Tally())
        return library.vectors_key if config.needs_vectors() else library.chunks_key

    def plan(self, points: Sequence[Params]) -> Mapping[str, int]:
        """Count distinct ingestions, chunks, and texts that would have to be embedded."""
        ingestions: set[str] = set()
        chunks = 0
        missing: dict[str, set[str]] = {}
        embedders: dict[str, Any] = {}
        for params in points:
            config = self.config.override(params)
            library = self.workspace.library(config, Tally())
            vectors = config.needs_vectors()
            key = library.vectors_key if vectors else library.chunks_key
            if key in ingestions:
                continue
            ingestions.add(key)
            chunks += len(library.chunks)
            if vectors and not isinstance(config.embedder, CorpusEmbedder):
                model = config.embedder.fingerprint()
                embedders[model] = config.embedder
                missing.setdefault(model, set()).update(library.matched_texts)
        return {
            "ingestions": len(ingestions),
            "chunks": chunks,
            "texts to embed": sum(
                self._missing(embedders[model], sorted(texts)) for model, texts in missing.items()
            ),
        }

    def _missing(self, embedder: Any, texts: Sequence[str]) -> int:
        cache, queries = self.workspace.vector_cache, self.workspace.queries
        missing = cache.lookup_missing(embedder, texts, query=False)
        return missing + cache.lookup_missing(embedder, queries, query=True)

    def warnings(self) -> Sequence[str]:
        """Say what looks wrong with the data."""
        space = self.workspace
        found = list(space.warnings)
        idle = len(space.order) - len(self.units())
        if idle:
            found.append(
                f"{idle} of {len(space.order)} questions have neither evidence nor answer for "
                f"the chosen metrics and are left out"
            )
        if len(self.units()) < 50:
            found.append(
                f"only {len(self.units())} questions: expect to tell apart only very different "
                "configurations (100 or more are worth writing)"
            )
        return found

    def export(self, params: Params) -> Mapping[str, Any]:
        """Give the full pipeline configuration behind a trial."""
        return self.config.override(params).plain()

    # ---- scoring

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Score questions in batches; ingestion and retrieval are done once for all of them."""
        space = self.workspace
        config = self.config.override(params)
        pipeline = Pipeline(space.library(config, meter))
        self._tell_cut(pipeline, meter)
        for start in range(0, len(units), BATCH):
            began = time.perf_counter()
            batch = units[start : start + BATCH]
            rows = [space.positions[unit] for unit in batch]
            responses = pipeline.respond(rows)
            with meter.stage("score"):
                questions = [space.golden.questions[row] for row in rows]
                table = self._table(questions, responses, pipeline, meter)
            seconds = (time.perf_counter() - began) / len(batch)
            yield [
                UnitScore(unit, scores, seconds=seconds)
                for unit, scores in zip(batch, table, strict=True)
            ]

    def _table(
        self,
        questions: Sequence[Question],
        responses: Sequence[Response],
        pipeline: Pipeline,
        meter: Meter,
    ) -> list[dict[str, float]]:
        """Score every question with every metric that is defined for it."""
        bench = self.workspace.bench(meter)
        table: list[dict[str, float]] = [{} for _ in questions]
        for metric in self._measures:
            rows = [i for i, question in enumerate(questions) if metric.applies(question)]
            asked = [questions[i] for i in rows]
            given = [
                _everything(pipeline, questions[i]) if metric.needs_chunks else responses[i]
                for i in rows
            ]
            for i, score in zip(rows, metric.scores(asked, given, bench), strict=True):
                table[i][metric.name] = score
        return table

    def _tell_cut(self, pipeline: Pipeline, meter: Meter) -> None:
        """Count texts beyond the model's limit: what it never saw is said, not hidden."""
        with meter.stage("vectors"):
            texts, tokens = pipeline.library.unseen_tokens()
        if texts:
            meter.count("texts cut at the model's limit", texts)
            meter.count("tokens never seen by the model", tokens)

    def _applicable(self, question: Question) -> bool:
        return any(metric.applies(question) for metric in self._measures)

    def _check_answers(self) -> None:
        needy = [metric.name for metric in self._measures if metric.needs_answer]
        if needy and self.config.generator is None:
            raise ConfigError(
                f"metrics: {needy[0]} compares answers, but the pipeline has no generator; add "
                "`generator: extractive` to `pipeline`, or drop the metric",
                ("metrics",),
            )


def _metrics(given: Sequence[str | Mapping[str, Any]]) -> tuple[Metric, ...]:
    metrics = []
    for number, item in enumerate(given):
        try:
            metric = parse_metric(item) if isinstance(item, str) else Metric.model_validate(item)
        except ValidationError as error:
            raise ConfigError.of(error, ("metrics", number)) from error
        except ConfigError as error:
            raise ConfigError(f"metrics.{number}: {error}", ("metrics", number)) from error
        metrics.append(metric)
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"metrics: {name} is listed twice", ("metrics",))
    return tuple(metrics)


def _everything(pipeline: Pipeline, question: Question) -> Response:
    spans = [span for group in question.evidence for span in group]
    return Response(pipeline.chunks_touching(spans))


@lru_cache(maxsize=4)
def _workspace(spec: str, root: str, seed: int, load: str) -> Workspace:
    del load
    sources = {k: v for k, v in RagSpec.model_validate_json(spec) if k in Sources.model_fields}
    return Workspace(Sources(**sources), Path(root), seed)


__all__ = ["NOTHING", "RagObjective", "RagSpec"]
