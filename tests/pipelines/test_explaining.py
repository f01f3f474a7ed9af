"""What people are shown of a question: passages that are where they say, and never a paid call."""

import json

import numpy as np
import pytest

from pipelines.objective import RagObjective
from pipelines.types import Question, Span
from raytuner.objective import LATENCY, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

SMALL = {"chunker": {"kind": "sentence", "size": 24}, "embedder": "tfidf"}
MODELS = {"good": {"model": "good-1", "price": {"input": 1.0, "output": 4.0}}}
CHAT = {"kind": "chat", "model": "good", "temperature": 0.3, "max_tokens": 40}
ASKING = {
    "metrics": ["token-f1"],
    "models": MODELS,
    "pipeline": {**SMALL, "retriever": {"kind": "bm25", "top_k": 3}, "generator": CHAT},
}


def build(handbook, **changes):
    return RagObjective.build({**handbook.section, **changes}, root=handbook.root, seed=0)


def run(objective, units, params=None):
    batches = objective.evaluate(params or {}, units, Tally())
    return {score.unit: score for batch in batches for score in batch}


def texts(objective):
    return {document.name: document.text for document in objective.workspace.corpus}


def touched(passage):
    """The original offsets that a passage marks."""
    start = passage["start"]
    return {start + place for a, b in passage["marks"] for place in range(a, b)}


@pytest.mark.parametrize("steps", [[], ["lowercase", {"kind": "whitespace", "blank_lines": 0}]])
def test_passages_stand_in_the_original_where_they_say(handbook, steps):
    pipeline = {**SMALL, "preprocess": steps, "retriever": {"kind": "hybrid", "top_k": 4}}
    objective = build(handbook, pipeline=pipeline)
    units = objective.units()
    shown = objective.explain({}, units)
    assert [one["unit"] for one in shown] == list(units)
    originals = texts(objective)
    for one in shown:
        (gold,) = one["evidence"]
        assert [gold["text"][a:b] for a, b in gold["marks"]] == [
            originals[gold["document"]][min(touched(gold)) : max(touched(gold)) + 1]
        ]
        assert len(one["retrieved"]) == 4
        scores = [passage["score"] for passage in one["retrieved"]]
        assert scores == sorted(scores, reverse=True)
        for passage in [gold, *one["retrieved"]]:
            start, end = passage["start"], passage["end"]
            assert passage["text"] == originals[passage["document"]][start:end]
    json.dumps(shown)


def test_marks_are_the_evidence_inside_and_agree_with_recall(handbook):
    objective = build(handbook, pipeline={**SMALL, "retriever": {"kind": "bm25", "top_k": 2}})
    units = objective.units()
    scores = run(objective, units)
    for one in objective.explain({}, units):
        (gold,) = one["evidence"]
        wanted, document = touched(gold), gold["document"]
        found = set().union(
            *(touched(hit) for hit in one["retrieved"] if hit["document"] == document)
        )
        assert found <= wanted
        recall = scores[one["unit"]].scores["recall"]
        assert len(found) / len(wanted) == pytest.approx(recall)
    assert np.mean([score.scores["recall"] for score in scores.values()]) > 0


def test_question_and_reference_are_those_of_the_golden_set(handbook):
    objective = build(handbook, pipeline=SMALL)
    (one,) = objective.explain({}, ["pump-0"])
    assert one["question"] == "What is the warranty of the pump in the cellar?"
    assert one["reference"].endswith("units")
    assert "answer" not in one
    assert "missing" not in one


def test_parameters_count(handbook):
    objective = build(handbook, pipeline=SMALL)
    ((few,), (many,)) = (
        objective.explain({"retriever.top_k": depth}, ["pump-0"]) for depth in (1, 7)
    )
    assert [hit["start"] for hit in few["retrieved"]] == [many["retrieved"][0]["start"]]
    assert len(many["retrieved"]) == 7


def test_no_more_passages_and_text_than_a_page_can_hold(handbook):
    document = handbook.root / "docs" / "pump.md"
    long = "padding " * 2_000 + "The secret is forty-two. " + "padding " * 2_000
    document.write_text(long, encoding="utf-8")
    evidence = [{"doc": "pump.md", "quote": "The secret is forty-two."}, {"doc": "pump.md"}]
    line = {"id": "q", "question": "What is the secret?", "evidence": evidence[:1]}
    whole = {"id": "w", "question": "What is padding?", "evidence": evidence[1:]}
    golden = handbook.root / "golden.jsonl"
    golden.write_text(json.dumps(line) + "\n" + json.dumps(whole) + "\n", encoding="utf-8")
    pipeline = {
        "chunker": {"kind": "token", "size": 8_000, "overlap": 0},
        "retriever": {"kind": "bm25", "top_k": 50},
    }
    objective = build(handbook, pipeline=pipeline)
    secret, padding = objective.explain({}, ["q", "w"])
    assert max(len(one["retrieved"]) for one in (secret, padding)) <= 10
    passages = [p for one in (secret, padding) for p in (*one["evidence"], *one["retrieved"])]
    assert max(len(passage["text"]) for passage in passages) == 2_000
    (hit,) = (hit for hit in secret["retrieved"] if hit["marks"])
    ((start, end),) = hit["marks"]
    assert hit["text"][start:end] == "The secret is forty-two."
    assert long[hit["start"] : hit["end"]] == hit["text"]


def test_the_answer_of_a_generator_without_a_model_is_given(handbook):
    pipeline = {**SMALL, "retriever": "bm25", "generator": {"kind": "extractive"}}
    objective = build(handbook, metrics=["token-f1"], pipeline=pipeline)
    (one,) = objective.explain({}, ["pump-0"])
    assert "warranty" in one["answer"]


# ---- nothing is paid for


def test_answers_that_are_kept_are_shown_and_others_are_not_asked_for(
    handbook, endpoint, monkeypatch
):
    objective = build(handbook, **ASKING)
    units = objective.units()[:6]
    run(objective, units[:3])
    asked = endpoint.calls("chat")
    monkeypatch.delenv("OPENAI_API_KEY")  # nobody needs a key to look at what there is
    shown = build(handbook, **ASKING).explain({}, units)
    assert endpoint.calls("chat") == asked
    assert ["answer" in one for one in shown] == [True] * 3 + [False] * 3
    assert ["missing" in one for one in shown] == [False] * 3 + [True] * 3
    assert "what good-1 said is not among the answers that are kept" in shown[4]["missing"]
    assert all(len(one["retrieved"]) == 3 for one in shown)


@pytest.mark.parametrize(
    "stage",
    [
        {"query": {"kind": "hyde", "model": "good"}},
        {"reranker": {"kind": "llm", "model": "good", "candidates": 4}},
    ],
)
def test_searches_that_ask_models_are_shown_where_the_models_have_answered(
    handbook, endpoint, stage
):
    changes = {"models": MODELS, "pipeline": {**SMALL, "retriever": "bm25", **stage}}
    objective = build(handbook, **changes)
    units = list(objective.units()[:4])
    run(objective, units[:2])
    asked = endpoint.calls("chat")
    assert asked == 2
    shown = build(handbook, **changes).explain({}, units[::-1])[::-1]
    assert endpoint.calls("chat") == asked
    assert ["retrieved" in one and "missing" not in one for one in shown] == [
        True,
        True,
        False,
        False,
    ]
    assert all("evidence" in one and "question" in one for one in shown)


def test_texts_are_not_embedded_for_money(handbook, endpoint):
    pipeline = {**SMALL, "embedder": {"kind": "openai", "model": "embed-1", "free": True}}
    objective = build(handbook, pipeline=pipeline)
    shown = objective.explain({}, ["pump-0"])
    assert endpoint.requests == []
    assert "paid calls" in shown[0]["missing"]
    assert "retrieved" not in shown[0]
    run(objective, ["pump-0"])
    asked = len(endpoint.requests)
    assert asked
    (one,) = build(handbook, pipeline=pipeline).explain({}, ["pump-0"])
    assert one["retrieved"]
    assert len(endpoint.requests) == asked


def test_a_corpus_is_not_embedded_again_to_be_looked_at(handbook, monkeypatch):
    monkeypatch.setattr("pipelines.explaining._MOST_EMBEDDED", 20)
    (one,) = build(handbook, pipeline={"chunker": SMALL["chunker"]}).explain({}, ["pump-0"])
    assert "texts would have to be embedded again" in one["missing"]
    assert one["evidence"]


def test_looking_first_does_not_spoil_what_is_measured_later(handbook):
    objective = build(handbook, pipeline={**SMALL, "retriever": "bm25"})
    (before,) = objective.explain({}, ["pump-0"])
    scores = run(objective, objective.units()).values()
    assert any(LATENCY in (score.notes or {}) for score in scores)
    (after,) = objective.explain({}, ["pump-0"])
    assert before == after


# ---- groups and kinds


def test_questions_are_grouped_by_document_and_by_tags(handbook):
    golden = handbook.root / "golden.jsonl"
    lines = [json.loads(line) for line in golden.read_text().splitlines()]
    lines[0]["group"], lines[1]["tags"] = "visit", ["b", "a", "b"]
    lines[2] = {"id": "open", "question": "Why?", "answer": "because"}
    golden.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    objective = build(handbook, pipeline=SMALL)
    groups, strata = objective.groups(), objective.strata()
    assert groups["pump-0"] == "visit"
    assert groups["pump-1"] == "pump.md"
    assert groups["boiler-5"] == "boiler.md"
    assert "open" not in groups
    assert strata["pump-1"] == "a, b"
    assert strata["pump-0"] == ""


def test_a_question_without_a_group_is_of_the_document_of_its_first_evidence(handbook):
    objective = build(handbook, pipeline=SMALL)
    space = objective.workspace
    names = [document.name for document in space.corpus]
    question = Question("made", "?", ((Span(2, 0, 4),), (Span(0, 0, 4),)))
    golden = type(space.golden)((question,), "made")
    space.golden = golden
    assert objective.groups() == {"made": names[2]}


def test_contents_follow_what_is_asked_and_expected_and_nothing_else(handbook, tmp_path):
    objective = build(handbook)
    same = build(handbook, pipeline={**SMALL, "retriever": {"kind": "bm25", "top_k": 1}})
    assert set(objective.contents()) >= set(objective.units())
    assert objective.contents() == same.contents()
    assert len(set(objective.contents().values())) == len(objective.contents())
