"""The RAG objective: what `kind: rag` in a study means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pipelines.answering import RagAnswerer, with_answers
from pipelines.config import RagConfig
from pipelines.embedders.adapted import rooted, trained_on
from pipelines.estimate import question_bounds, total
from pipelines.evaluating import Evaluation
from pipelines.explaining import explained
from pipelines.golden_objective import GoldenObjective
from pipelines.ingestion import Ingestion
from pipelines.llm.client import client_of
from pipelines.llm.models import unpriced
from pipelines.llm.naming import with_models
from pipelines.llm.probing import probe_all
from pipelines.measuring import INDEX_FACTS
from pipelines.overrides import blamed
from pipelines.paying import preparation, refuse_paid_cuts, services_asked, unpriced_names
from pipelines.rewriting import ModelRewriter, rewriter_of
from pipelines.roles import Metric
from pipelines.scoring import parse_metrics
from pipelines.spec import RagOutputs, RagSpec
from pipelines.types import Question
from raytuner.answering import Answerer
from raytuner.component import ConfigError, digest
from raytuner.objective import (
    COSTS,
    Cost,
    Meter,
    Params,
    Tally,
    UnitScore,
)
from raytuner.ports.gate import Answers


class RagObjective(GoldenObjective):
    """Builds a RAG pipeline from parameters and scores it on a golden set.

    Pickles to paths and configuration; each process loads the data once.

    Args:
        spec: documents, golden set, metrics and the pipeline as it stands.
        root: folder that relative paths start from.
        seed: seed of the question order.

    Raises:
        ConfigError: for bad input, naming file, line or field.
    """

    fact_names = INDEX_FACTS

    def __init__(self, spec: RagSpec, root: Path, seed: int = 0) -> None:
        super().__init__(spec.sources(), root, seed)
        self.spec = spec
        self.config = RagConfig.parse(spec.pipeline, ("pipeline",))
        self._measures = parse_metrics(spec.metrics, spec.models)
        self._answers = next((m.name for m in self._measures if m.needs_answer), None)
        self._check_answers()
        self._check_models()

    @classmethod
    def build(cls, args: Mapping[str, Any], *, root: Path, seed: int) -> Self:
        """Make one from a study's `objective:` section."""
        return cls(RagSpec.parse(args), root.resolve(), seed)

    @staticmethod
    def schema() -> dict[str, Any]:
        """Give the JSON Schema of the section, for editors."""
        schema = RagSpec.model_json_schema()
        schema["properties"]["pipeline"] = RagConfig.model_json_schema()
        return schema

    # ---- what the tuner asks before it runs anything

    def units(self) -> Sequence[str]:
        """List the questions that any metric applies to, in evaluation order."""
        space = self.workspace
        return [unit for unit in space.order if self._applying(space.question(unit))]

    def scope(self) -> str:
        """Identify documents, golden set, metrics (in any order) and question order."""
        space = self.workspace
        measures = sorted(self._measures, key=lambda metric: metric.name)
        data = (space.corpus.key, space.golden.key)
        if self._answers is None or self.spec.outputs == RagOutputs():
            return digest("rag", *data, measures, self.seed)
        return digest("rag", *data, measures, self.seed, self.spec.outputs.model_dump())

    def key(self, params: Params) -> str:
        """Identify what the trial computes: equal pipelines have equal keys, however spelt."""
        return digest(self.scope(), self._needed(params).identity())

    def _needed(self, params: Params) -> RagConfig:
        """Configure what has to run: where no metric compares answers, none is written.

        Raises:
            ConfigError: parameters the pipeline cannot take, or that leave no answer to compare.
        """
        config = self.config.override(params)
        if self._answers is None:
            config = config.model_copy(update={"generator": None})
        elif config.generator is None:
            raise ConfigError(
                f"generator.kind: {self._answers} compares answers, so the pipeline cannot do "
                "without a generator: leave null out, or drop the metric",
                ("generator.kind",),
            )
        try:
            refuse_paid_cuts(config)
            return with_models(rooted(config, self.root), self.spec.models)
        except ConfigError as error:
            raise blamed(error, params) from None

    def metrics(self) -> tuple[str, ...]:
        """Name the metrics."""
        names = tuple(metric.name for metric in self._measures)
        return (*names, *COSTS) if self.spec.models or self.config.paid else names

    def measures(self, metric: str) -> bool:
        """Tell whether any question has what a metric compares."""
        space, own = self.workspace, [m for m in self._measures if m.name == metric]
        return not own or any(own[0].applies(space.question(unit)) for unit in space.order)

    def maximise(self, metric: str) -> bool:
        """Tell whether more of a metric is better."""
        if metric in COSTS:
            return False
        return not any(m.lower_is_better for m in self._measures if m.name == metric)

    def defaults(self, names: Sequence[str]) -> Params:
        """Give the value each parameter has in the pipeline as it stands."""
        return self.config.values(names)

    def affinity(self, params: Params) -> str:
        """Group trials by ingestion: the chunks and vectors they need."""
        return self._ingestion(params).key

    def plan(self, points: Sequence[Params]) -> Mapping[str, float]:
        """Count distinct ingestions, chunks, and texts to be embedded; bound what that costs.

        Questions that an adapter was trained on are counted too: on them it flatters itself.
        """
        ingestions = [self._ingestion(point) for point in points]
        counts = preparation(ingestions, self.workspace.queries, self.workspace.missing)
        seen = set().union(*(trained_on(one.config.embedder) for one in ingestions))
        known = sum(content in seen for content in self.contents().values()) if seen else 0
        return {**counts, "questions an adapter was trained on": known} if known else counts

    def explain(self, params: Params, units: Sequence[str]) -> Sequence[Mapping[str, Any]]:
        """Show evidence, hits and answers, without paying for anything."""
        return explained(self.workspace, self._needed(params), units)

    # ---- money and services

    def estimate(self, params: Params, units: Sequence[str]) -> Cost:
        """Bound the cost of answering and judging from above."""
        return self.estimate_range(params, units)[1]

    def estimate_range(self, params: Params, units: Sequence[str]) -> tuple[Cost, Cost]:
        """Bound the cost of answering and judging; see `pipelines.estimate`."""
        config = self._needed(params)
        if not config.paid and not any(metric.paid for metric in self._measures):
            return Cost(), Cost()
        ingestion = self.workspace.ingestion(config, Tally())
        asked = [self.workspace.question(unit) for unit in units]
        bounds = [
            bound
            for question in asked
            for bound in question_bounds(config, self._applying(question), ingestion, question.text)
        ]
        return total(bounds)

    def paid(self) -> bool:
        """Whether trials may ask models; which of them do, only the space knows."""
        return True

    def answers(self) -> Answers:
        """Give the cache of this host."""
        return client_of(self.workspace.cache.responses).shelf

    def unpriced(self, params: Params) -> Sequence[str]:
        """Name the models that a trial asks and whose price nobody knows."""
        return unpriced_names(self._needed(params), self._measures)

    def preflight(self, points: Sequence[Params], *, remote: bool) -> None:
        """Ask every endpoint whether it takes key and model."""
        asked = (services_asked(self._needed(point), self._measures) for point in points)
        distinct = {repr(one): one for each in asked for one in each}
        probe_all(list(distinct.values()), remote=remote)

    def rewriter(self, model: Any) -> ModelRewriter:
        """Give who writes new prompts."""
        return rewriter_of(model, self.spec.models, client_of(self.workspace.cache.responses))

    def _applying(self, question: Question) -> list[Metric]:
        return [metric for metric in self._measures if metric.applies(question)]

    def _ingestion(self, params: Params) -> Ingestion:
        return self.workspace.ingestion(self._needed(params), Tally())

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
        return with_models(self.config.override(params), self.spec.models).plain()

    def answerer(self, params: Params) -> Answerer:
        """Answer any question over the documents, from the chunks and vectors of the trials."""
        config = with_models(rooted(self.config.override(params), self.root), self.spec.models)
        space = self.workspace
        return RagAnswerer(space.ingestion(with_answers(config), Tally()), space.cache, config)

    # ---- scoring

    def facts(self, params: Params) -> Mapping[str, float]:
        """Count chunks, and measure what has to be held to search them."""
        return self.workspace.facts(self._needed(params))

    def evaluate(
        self, params: Params, units: Sequence[str], meter: Meter
    ) -> Iterator[Sequence[UnitScore]]:
        """Score questions in batches; ingestion and retrieval are done once for all of them."""
        config = self._needed(params)
        priced = not unpriced(config.models())
        steps = (self.workspace, config, self._measures, self.spec.outputs, priced, meter)
        yield from Evaluation(*steps).run(units)

    def _check_models(self) -> None:
        try:
            with_models(self.config, self.spec.models)
        except ConfigError as error:
            field = ("pipeline", *error.field)
            raise ConfigError(f"pipeline.{error.message}", field) from None

    def _check_answers(self) -> None:
        if self._answers is not None and self.config.generator is None:
            raise ConfigError(
                f"metrics: {self._answers} compares answers, but the pipeline has no generator; "
                "add `generator: extractive` (or chat) to `pipeline`, or drop the metric",
                ("metrics",),
            )
