"""What `kind: rag` means: scores checked by hand, work shared, money told, data read anew."""

import asyncio
import hashlib
import pickle

import numpy as np
import pytest

from pipelines.metrics import parse_metric
from pipelines.objective import RagObjective
from pipelines.pipeline import Pipeline
from pipelines.roles import Embedded, Embedder
from pipelines.scoring import Spending
from raytuner import Study, run
from raytuner.component import ConfigError
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, Tally


class Priced(Embedder):
    """Vectors of words, at a dollar a text; registered under no kind."""

    def fingerprint(self):
        return "priced"

    def embed(self, texts, *, query, meter):
        meter.reserve(float(len(texts)))
        rows = np.zeros((len(texts), 64), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[hashlib.blake2b(word.encode()).digest()[0] % 64] += 1
        rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        meter.settle(float(len(texts)), Cost(float(len(texts)), 10 * len(texts), 0, 1))
        meter.count("texts embedded", len(texts))
        return Embedded(rows, np.zeros(len(texts), np.int64))


def build(handbook, **changes):
    section = {**handbook.section, **changes}
    return RagObjective.build(section, root=handbook.root, seed=0)


def priced(handbook, **changes):
    objective = build(handbook, **changes)
    objective.config = objective.config.model_copy(update={"embedder": Priced()})
    return objective


def scored(objective, params=None, meter=None):
    batches = objective.evaluate(params or {}, objective.units(), meter or Tally())
    return [score for batch in batches for score in batch]


SMALL = {"chunker": {"kind": "sentence", "size": 24}, "embedder": "tfidf"}


# ---- scores


def test_scores_are_those_of_the_metrics_on_the_hits(handbook):
    objective = build(handbook, pipeline={**SMALL, "retriever": {"kind": "bm25", "top_k": 2}})
    table = {score.unit: score.scores for score in scored(objective)}
    assert len(table) == 36
    space = objective.workspace
    pipeline = Pipeline(space.library(objective.config, Tally()))
    for unit, found in table.items():
        question = space.question(unit)
        hits = pipeline.hits(space.positions[unit])
        (span,) = question.evidence[0]
        covered = {c for h in hits if h.doc == span.doc for c in range(h.start, h.end)}
        inside = len(covered & set(range(span.start, span.end)))
        assert found["recall"] == inside / (span.end - span.start)
        assert found["precision"] == inside / sum(h.end - h.start for h in hits)
    assert np.mean([found["recall"] for found in table.values()]) > 0.8


def test_precision_omega_is_that_of_the_chunks_that_hold_evidence(handbook):
    objective = build(handbook, metrics=["precision-omega"], pipeline=SMALL)
    space = objective.workspace
    chunks = space.ingestion(objective.config, Tally())
    starts, ends = chunks.origins
    for score in scored(objective):
        (span,) = space.question(score.unit).evidence[0]
        wanted = set(range(span.start, span.end))
        held = set()
        for doc, start, end in zip(chunks.chunks.doc, starts, ends, strict=True):
            if doc == span.doc and start < span.end and end > span.start:
                held |= set(range(start, end))
        assert score.scores["precision-omega"] == len(wanted & held) / len(held | wanted)


def test_preprocessed_text_is_scored_on_original_offsets(handbook):
    steps = ["lowercase", {"kind": "whitespace", "blank_lines": 0}]
    edited = scored(build(handbook, metrics=["recall"], pipeline={**SMALL, "preprocess": steps}))
    assert np.mean([score.scores["recall"] for score in edited]) > 0.8


def test_answers_are_scored(handbook):
    pipeline = {**SMALL, "retriever": "bm25", "generator": {"kind": "extractive"}}
    found = scored(build(handbook, metrics=["token-f1", "recall"], pipeline=pipeline))
    assert np.mean([score.scores["token-f1"] for score in found]) > 0.1


def test_batches_are_small_and_hold_every_unit_once(handbook, monkeypatch):
    monkeypatch.setattr("pipelines.evaluating.BATCH", 10)
    objective = build(handbook, pipeline=SMALL)
    batches = list(objective.evaluate({}, objective.units(), Tally()))
    assert [len(batch) for batch in batches] == [10, 10, 10, 6]
    assert [s.unit for batch in batches for s in batch] == list(objective.units())


def test_a_unit_scores_alike_alone_and_among_others(handbook):
    objective = build(handbook, pipeline={**SMALL, "retriever": "hybrid", "reranker": "lexical"})
    together = {score.unit: score.scores for score in scored(objective)}
    for unit in objective.units()[:3]:
        ((alone,),) = objective.evaluate({}, [unit], Tally())
        assert alone.scores == together[unit]


def test_async_gives_the_same_scores(handbook):
    objective = build(handbook, pipeline=SMALL)

    async def collect():
        batches = objective.aevaluate({}, objective.units(), Tally())
        return [score.scores async for batch in batches for score in batch]

    assert asyncio.run(collect()) == [score.scores for score in scored(objective)]


# ---- work and money


def test_what_was_spent_is_shared_among_the_questions(handbook):
    objective = priced(handbook, pipeline={"chunker": {"kind": "sentence", "size": 24}})
    meter = WorkMeter()
    found = scored(objective, meter=meter)
    total = Cost()
    for score in found:
        total = total.plus(score.cost)
    assert total.usd == pytest.approx(meter.cost.usd)
    assert total[1:] == meter.cost[1:]
    assert total.usd == pytest.approx(meter.counts["texts embedded"])
    assert meter.counts["texts embedded"] > 36
    again = scored(objective)
    assert {score.cost for score in again} == {Cost()}


def test_spending_shares_sum_up_exactly():
    meter = Spending(Tally())
    meter.settle(0.0, Cost(0.5, 7, 3, 2))
    meter.settle(0.0, Cost(0.25, 1, 0, 1))
    shares = meter.take(4)
    assert sum(share.usd for share in shares) == 0.75
    assert [sum(share[i] for share in shares) for i in (1, 2, 3)] == [8, 3, 3]
    assert meter.take(2) == [Cost(), Cost()]


def test_money_is_on_record(handbook):
    objective = priced(handbook, pipeline={"chunker": {"kind": "sentence", "size": 24}})
    study = Study(objective=objective, space={"retriever.top_k": {"choice": [1, 2]}})
    results = run(study, handbook.root)
    spent = results.trials["usd"].sum()
    assert spent == pytest.approx(results.total_work["texts embedded"])
    assert spent > 36


def test_a_widened_grid_embeds_only_what_is_new(handbook):
    objective = priced(handbook)

    def embedded(name, sizes, overlaps):
        space = {
            "chunker.size": {"choice": sizes},
            "chunker.overlap": {"choice": overlaps},
            "retriever.kind": {"choice": ["dense", "hybrid"]},
            "retriever.top_k": {"choice": [2, 4, 8]},
        }
        results = run(Study(name=name, objective=objective, space=space), handbook.root)
        assert not results.failed
        return results.work.get("texts embedded", 0), results

    def distinct_texts(sizes, overlaps):
        points = [
            {"chunker.size": size, "chunker.overlap": overlap}
            for size in sizes for overlap in overlaps
        ]  # fmt: skip
        configs = [objective.config, *(objective.config.override(point) for point in points)]
        found = set()
        for config in configs:
            found |= {*objective.workspace.ingestion(config, Tally()).matched_texts}
        return found

    first, _ = embedded("one", [24, 48], [0])
    assert first == len(distinct_texts([24, 48], [0])) + 36
    repeated, results = embedded("one", [24, 48], [0])
    assert repeated == 0
    assert results.work == {}
    fresh, results = embedded("two", [24, 48], [0])
    assert fresh == 0
    assert len(results.trials) == 13
    new = len(distinct_texts([24, 48, 96], [0, 12]) - distinct_texts([24, 48], [0]))
    widened, _ = embedded("one", [24, 48, 96], [0, 12])
    assert widened == new > 0


def test_the_plan_counts_the_work_that_is_then_done(handbook):
    objective = priced(handbook)
    points = [
        {"chunker.size": size, "retriever.kind": kind}
        for size in (24, 48) for kind in ("dense", "hybrid", "bm25")
    ]  # fmt: skip
    plan = objective.plan(points)
    assert plan["ingestions"] == 4  # two with vectors, two without
    meter = WorkMeter()
    for point in points:
        scored(objective, point, meter)
    assert meter.counts["texts embedded"] == plan["texts to embed"] > 0
    assert objective.plan(points)["texts to embed"] == 0


def test_neighbours_that_share_vectors_have_one_affinity(handbook):
    objective = build(handbook, pipeline=SMALL)
    same = {objective.affinity({"retriever.top_k": k, "store": s})
            for k in (1, 9) for s in ("exact", "chroma")}  # fmt: skip
    assert len(same) == 1
    assert objective.affinity({"chunker.size": 99}) not in same


# ---- data


def test_it_pickles_to_paths_and_configuration(handbook):
    objective = build(handbook, pipeline=SMALL)
    before = objective.key({})
    blob = pickle.dumps(objective)
    assert len(blob) < 5000
    assert pickle.loads(blob).key({}) == before


def test_changed_files_are_read_by_the_next_objective(handbook):
    before = build(handbook, pipeline=SMALL)
    scope = before.scope()
    path = handbook.root / "docs" / "pump.md"
    path.write_text(path.read_text() + "\nOne more line.\n")
    assert build(handbook, pipeline=SMALL).scope() != scope
    assert before.scope() == scope


def test_questions_without_evidence_are_left_out_and_told(handbook):
    golden = handbook.root / "golden.jsonl"
    golden.write_text(golden.read_text() + '{"id": "x", "question": "Who?", "evidence": []}\n')
    objective = build(handbook, pipeline=SMALL)
    assert "x" not in objective.units()
    assert any("1 of 37 questions" in warning for warning in objective.warnings())
    assert any("only 36 questions" in warning for warning in objective.warnings())


# ---- complaints


def test_no_trial_goes_without_the_answers_that_are_scored(handbook):
    with pytest.raises(ConfigError, match="has no generator"):
        build(handbook, metrics=["token-f1"])
    objective = build(handbook, metrics=["token-f1"], pipeline={"generator": "extractive"})
    with pytest.raises(ConfigError, match="leave null out") as caught:
        objective.key({"generator.kind": None})
    assert caught.value.field == ("generator.kind",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metrics": ["recal"]}, "metrics.0"),
        ({"metrics": ["recall", "recall"]}, "listed twice"),
        ({"metrics": "recall"}, "give a list"),
        ({"metrics": []}, "metrics"),
        ({"golden": None}, "golden"),
        ({"pipeline": {"chunker": {"kind": "sentence", "size": 0}}}, "pipeline.chunker.size"),
        ({"pipelin": {}}, "Did you mean 'pipeline'?"),
    ],
)
def test_a_bad_section_is_refused(handbook, changes, words):
    with pytest.raises(ConfigError) as caught:
        build(handbook, **changes)
    assert words in caught.value.message


def test_metrics_have_their_canonical_names_and_direction(handbook):
    objective = build(handbook, metrics=["nDCG@10", {"kind": "recall", "k": 3}])
    assert objective.metrics() == ("ndcg@10", "recall@3")
    assert objective.maximise("recall@3") is not parse_metric("recall").lower_is_better


def test_the_export_is_the_whole_pipeline(handbook):
    objective = build(handbook, pipeline=SMALL)
    exported = objective.export({"retriever.top_k": 3, "generator": "extractive"})
    assert exported["retriever"]["top_k"] == 3
    assert exported["generator"]["kind"] == "extractive"
    assert set(exported) == set(type(objective.config).model_fields)


def test_what_is_not_tuned_belongs_to_the_study(handbook):
    """Trials of another standing pipeline are not the study's own, whatever their parameters."""
    space = {"retriever.top_k": [1, 2]}
    found = []
    for size in (64, 16):
        pipeline = {"chunker": {"kind": "sentence", "size": size}, "retriever": {"kind": "bm25"}}
        objective = {"kind": "rag", **handbook.section, "pipeline": pipeline}
        study = Study(name="same", objective=objective, space=space)
        found.append(run(study, handbook.root))

    keys = [{trial.key for trial in results.record.current} for results in found]
    assert [len(k) for k in keys] == [3, 3]
    assert not keys[0] & keys[1]
