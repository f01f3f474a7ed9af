"""Searching with a language model: rewriting, HyDE, several wordings, reranking."""

import numpy as np
import pytest

from pipelines.config import RagConfig
from pipelines.llm.models import OpenAIModel
from pipelines.llm.naming import with_models
from pipelines.llm.prices import Price
from pipelines.llm_rerank import LlmRerank
from pipelines.objective import RagObjective
from pipelines.pipeline import Pipeline
from pipelines.plain_library import PlainLibrary
from pipelines.searching import search
from pipelines.types import Ranking
from raytuner.component import ConfigError
from raytuner.objective import UNIT_USD, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

MODELS = {"good": OpenAIModel(model="good-1", price=Price(input=1.0, output=4.0))}
KINDS = {
    "rewrite": {"kind": "rewrite", "model": "good"},
    "hyde": {"kind": "hyde", "model": "good"},
    "multi-query": {"kind": "multi-query", "model": "good", "queries": 2},
}


@pytest.fixture
def objective(handbook):
    section = {**handbook.section, "metrics": ["recall"], "pipeline": {"retriever": "bm25"}}
    return RagObjective.build({**section, "models": dict(MODELS)}, root=handbook.root, seed=0)


def library_of(objective, pipeline, rows=range(4)):
    config = with_models(RagConfig.parse({"retriever": "bm25", **pipeline}), MODELS)
    texts = [objective.workspace.queries[row] for row in rows]
    return objective.workspace.library(config, Tally()).over(texts)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_says_is_searched_for(endpoint, objective, kind):
    library = library_of(objective, {"query": KINDS[kind]})
    found = search(library, 64)
    assert endpoint.calls("chat") == 4
    assert not found.failures
    assert found.ranking.ids.shape[0] == 4
    assert (found.ranking.ids[:, 0] >= 0).all()
    assert sum(cost.usd for cost in found.usage.values()) == pytest.approx(endpoint.usd(1.0, 4.0))


def test_several_wordings_are_fused_by_reciprocal_rank(endpoint, objective):
    library = library_of(objective, {"query": KINDS["multi-query"]}, rows=[0])
    (row,) = search(library, 64).ranking.ids
    ((_, rewritten),) = [
        pair
        for part in library.gather([library.config.query.dialogue(library.queries[0])], "query")
        for pair in part
    ]
    assert len(rewritten.texts) == 3
    ranked = library.over(rewritten.texts).rank(library.config.retriever, 64).ids
    points = {}
    for one in ranked.tolist():
        for place, chunk in enumerate(one, start=1):
            if chunk >= 0:
                points[chunk] = points.get(chunk, 0.0) + 1 / (60 + place)
    wanted = sorted(points, key=lambda chunk: (-points[chunk], chunk))
    assert row[row >= 0].tolist() == wanted[: len(row[row >= 0])]


@pytest.mark.parametrize("fault", ["empty-content", "content-filter", "truncated", "invalid-json"])
def test_an_answer_of_no_use_leaves_the_question(endpoint, objective, fault):
    endpoint.fault(fault)
    kind = "multi-query" if fault == "invalid-json" else "rewrite"
    library = library_of(objective, {"query": KINDS[kind]})
    found = search(library, 64)
    plain = search(library_of(objective, {}), 64)
    assert np.array_equal(found.ranking.ids, plain.ranking.ids)
    assert not found.failures


def test_a_question_whose_rewriting_fails_is_missing_alone(endpoint, objective):
    library = library_of(objective, {"query": KINDS["rewrite"]})
    endpoint.fault("status", status=400, containing=library.queries[2])
    answered = [one for part in Pipeline(library).stream(range(4)) for one in part]
    failed = {one.number: one.failure.kind for one in answered if one.failure is not None}
    assert failed == {2: "config"}


def test_only_the_questions_of_a_job_are_asked_about(endpoint, handbook):
    section = {**handbook.section, "metrics": ["recall"], "models": dict(MODELS)}
    section["pipeline"] = {"retriever": "bm25", "query": KINDS["rewrite"]}
    objective = RagObjective.build(section, root=handbook.root, seed=0)
    units = objective.units()[:5]
    scores = [score for batch in objective.evaluate({}, units, Tally()) for score in batch]
    assert endpoint.calls("chat") == 5
    assert sum(score.scores[UNIT_USD] for score in scores) == pytest.approx(endpoint.usd(1, 4))


# ---- reranking


@pytest.fixture
def passages():
    texts = ["The river is long.", "Zinc is mined near Aldersey.", "Fish swim.", "A town."]
    return PlainLibrary(texts, ["Where is zinc mined?", "What do fish do?"], meter=Tally())


def ranking():
    return Ranking(
        np.array([[0, 1, 2, 3], [3, 0, 2, -1]]), np.array([[4.0, 3, 2, 1], [3, 2, 1, -np.inf]])
    )


def test_the_model_puts_hits_in_order(endpoint, passages):
    model = OpenAIModel(model="perfect", price=Price(input=1, output=4))
    endpoint.configure(skill=1.0)
    reranked = LlmRerank(model=model, temperature=0.3).rerank(passages, ranking())
    assert reranked.ids[0, 0] == 1
    assert reranked.ids[1, 0] == 2
    assert sorted(reranked.ids[0].tolist()) == [0, 1, 2, 3]
    assert sorted(reranked.ids[1].tolist()) == [-1, 0, 2, 3]
    assert reranked.ids[1, 3] == -1
    assert (np.diff(reranked.scores[0]) < 0).all()


@pytest.mark.parametrize(
    ("said", "order"),
    [
        ('{"order": [3, 3, 99, -1, 1]}', [2, 0, 1, 3]),
        ('{"order": []}', [0, 1, 2, 3]),
        ('{"order": "3"}', [0, 1, 2, 3]),
        ("no JSON", [0, 1, 2, 3]),
    ],
)
def test_odd_orders_keep_every_hit_once(endpoint, passages, said, order):
    endpoint.fault("content", text=said)
    reranked = LlmRerank(model=MODELS["good"]).rerank(passages, ranking())
    assert reranked.ids[0].tolist() == order


def test_a_reranked_pipeline_is_free_the_second_time(endpoint, objective, tmp_path):
    for _ in range(2):
        library = library_of(objective, {"reranker": {"kind": "llm", "model": "good"}})
        found = search(library, 64)
        assert endpoint.calls("chat") == 4
        assert sum(c.usd for c in found.usage.values()) == pytest.approx(endpoint.usd(1.0, 4.0))


def test_templates_are_checked():
    with pytest.raises((ConfigError, ValueError), match=r"nothing fills \{context\}"):
        RagConfig.parse({"query": {"kind": "rewrite", "prompt": "{context} {question}"}})
