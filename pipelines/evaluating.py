"""Scores questions as their answers come: from a pipeline's stream to unit scores."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.config import RagConfig
from pipelines.llm.outputs import Outputs
from pipelines.pipeline import Answered, Pipeline
from pipelines.roles import Metric
from pipelines.scoring import Scored, Spending, score_table
from pipelines.workspace import Workspace
from raytuner.objective import LATENCY, UNIT_TOKENS, UNIT_USD, Meter, UnitScore

BATCH = 512
"""Questions per batch where answers are cheap: what a crash can cost at most."""
PAID_BATCH = 64
"""Questions whose hits a language model is asked for together. Only those of the job are: a
trial that is stopped early has not paid for the other questions."""


@dataclass(frozen=True)
class Evaluation:
    """One configuration on its way through questions.

    Attributes:
        space: data and caches.
        config: the pipeline, its models resolved.
        measures: the metrics, their models resolved.
        outputs: how labelled answers count.
        priced: whether every model's price is known.
        meter: where work and money are accounted.
    """

    space: Workspace
    config: RagConfig
    measures: Sequence[Metric]
    outputs: Outputs
    priced: bool
    meter: Meter

    def run(self, units: Sequence[str]) -> Iterator[list[UnitScore]]:
        """Score units, a batch at a time, in any order."""
        spending = Spending(self.meter)
        size = PAID_BATCH if self.config.searches_paid else BATCH
        pipeline: Pipeline | None = None
        for start in range(0, len(units), size):
            batch = units[start : start + size]
            rows = [self.space.positions[unit] for unit in batch]
            if self.config.searches_paid:
                texts = [self.space.queries[row] for row in rows]
                pipeline = Pipeline(self.space.library(self.config, spending).over(texts))
                queries = list(range(len(rows)))
            else:
                pipeline = pipeline or Pipeline(self.space.library(self.config, spending))
                queries = rows
            yield from self._batch(pipeline, batch, queries, spending)

    def _batch(
        self, pipeline: Pipeline, units: Sequence[str], queries: Sequence[int], spending: Spending
    ) -> Iterator[list[UnitScore]]:
        bench = self.space.bench(spending)
        began = time.perf_counter()
        for part in pipeline.stream(queries):
            questions = [self.space.question(units[one.number]) for one in part]
            with self.meter.stage("score"):
                table = score_table(self.measures, questions, part, pipeline, bench, self.outputs)
            costs = spending.take(len(part))
            seconds = (time.perf_counter() - began) / len(part)
            yield [
                self._score(units[one.number], one, scored)._replace(cost=cost, seconds=seconds)
                for one, scored, cost in zip(part, table, costs, strict=True)
            ]
            began = time.perf_counter()

    def _score(self, unit: str, one: Answered, scored: Scored) -> UnitScore:
        """Give scores or failure of one question, and what its answer costs at list price."""
        if scored.failure is not None:
            return UnitScore(unit, {}, failure=scored.failure)
        scores = dict(scored.scores)
        if self.config.paid:
            scores[UNIT_TOKENS] = float(one.usage.tokens_in + one.usage.tokens_out)
            if self.priced:
                scores[UNIT_USD] = one.usage.usd
        notes = {**(one.answer.notes if one.answer is not None else {}), **scored.notes}
        if one.seconds is not None:
            notes[LATENCY] = round(one.seconds, 6)
        return UnitScore(unit, scores, notes=notes or None)
