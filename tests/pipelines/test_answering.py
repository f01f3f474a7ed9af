"""A pipeline in use answers as its trial did, and keeps of questions only what was paid for."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines import RagObjective
from pipelines.pipeline import Pipeline
from raytuner.answering import Query
from raytuner.component import ConfigError
from raytuner.objective import Failure, Objective, ObjectiveFailure, Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

CHAT = {"kind": "chat", "model": "small"}
MODELS = {"small": {"kind": "openai", "model": "good-1", "free": True}}
PIPELINES = [
    {"retriever": "bm25"},
    {"embedder": "lsa", "match": "sentences"},
    {"embedder": "tfidf", "retriever": "hybrid", "generator": "extractive"},
    {"chunker": "sentence-window", "preprocess": ["lowercase"], "reranker": "lexical"},
]


def objective_of(handbook, pipeline, **more):
    section = {**handbook.section, "pipeline": {"chunker": {"kind": "sentence", "size": 24}}}
    section["pipeline"].update(pipeline)
    return RagObjective.build({**section, **more}, root=handbook.root, seed=0)


def files(handbook):
    return sorted(path for path in (handbook.root / "cache").rglob("*") if path.is_file())


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_it_hands_on_what_the_trial_handed_on(handbook, pipeline):
    objective = objective_of(handbook, pipeline)
    answerer = objective.answerer({})
    space = objective.workspace
    tuned = Pipeline(space.library(answerer.config, Tally()))
    queries = [Query(question) for question in space.queries]
    expected = tuned.respond(range(len(queries)))
    answerer.prepare()
    together = {n: one for part in answerer.answers(queries) for n, one in part}
    for number in range(0, len(queries), 4):
        served = answerer.answer(queries[number])
        assert served == together[number]
        assert served.answer == expected[number].answer
        assert [
            (p["document"], p["start"], p["end"], p["text"], p["score"]) for p in served.passages
        ] == [
            (space.corpus.documents[h.doc].name, h.start, h.end, h.text, h.score)
            for h in expected[number].hits
        ]


def test_a_missing_key_is_told_before_anybody_asks(handbook, endpoint, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    answerer = objective_of(handbook, {"generator": CHAT}, models=MODELS).answerer({})
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        answerer.prepare()


def test_a_pipeline_without_a_generator_answers_with_what_it_found(handbook):
    served = (
        objective_of(handbook, {"retriever": "bm25"})
        .answerer({})
        .answer(Query("What is the price of the pump?"))
    )
    assert served.answer
    assert any(served.answer in passage["text"] for passage in served.passages)


def test_the_parameters_of_a_trial_decide(handbook):
    objective = objective_of(handbook, {"retriever": "bm25"})
    answerer = objective.answerer({"retriever.top_k": 2})
    assert len(answerer.answer(Query("the pump")).passages) == 2
    assert answerer.about()["retriever"]["top_k"] == 2
    with pytest.raises(ConfigError, match="no stage 'retreiver'"):
        objective.answerer({"retreiver.top_k": 2})


def test_nothing_of_a_question_is_kept(handbook):
    answerer = objective_of(handbook, {"embedder": "lsa"}).answerer({})
    answerer.prepare()
    before = files(handbook)
    answerer.answer(Query("What is the weight of the pump?"))
    assert files(handbook) == before


@pytest.mark.parametrize(
    ("query", "words"),
    [(Query(" \n"), "question: it is empty"), (Query("", {"a": "b"}), "takes a question")],
)
def test_a_query_that_is_none_is_refused(handbook, query, words):
    with pytest.raises(ConfigError, match=words):
        objective_of(handbook, {"retriever": "bm25"}).answerer({}).answer(query)


@pytest.mark.parametrize("text", ["\0", "\ud800", "a" * 200_000, "(" * 10_000, "中" * 9_999, "..."])
def test_any_text_is_a_question(handbook, text):
    answerer = objective_of(handbook, {"embedder": "tfidf", "retriever": "hybrid"}).answerer({})
    assert isinstance(answerer.answer(Query(text)).answer, str)


def test_a_model_answers_and_is_paid_once(handbook, endpoint):
    endpoint.configure(facts={"price of the pump": "the pump costs 7"})
    objective = objective_of(
        handbook, {"retriever": "bm25", "generator": CHAT}, models=MODELS, metrics=["recall"]
    )
    answerer = objective.answerer({})
    answerer.prepare()
    assert endpoint.calls("chat") == 0
    parts = list(answerer.answers([Query("What is the price of the pump?"), Query("And its age?")]))
    assert parts[0] == ()
    first = dict(one for part in parts for one in part)[0]
    assert first.usage.tokens_in > 0
    assert endpoint.calls("chat") == 2
    assert answerer.answer(Query("What is the price of the pump?")) == first
    assert endpoint.calls("chat") == 2


def test_a_failure_of_one_question_is_its_own(handbook, endpoint):
    endpoint.fault("status", status=400, containing="POISON")
    objective = objective_of(
        handbook, {"retriever": "bm25", "generator": CHAT}, models=MODELS, metrics=["recall"]
    )
    queries = [Query("What is the price of the pump?"), Query("POISON in the pump?")]
    found = dict(one for part in objective.answerer({}).answers(queries) for one in part)
    assert found[0].answer
    assert isinstance(found[1], Failure)
    with pytest.raises(ObjectiveFailure):
        objective.answerer({}).answer(queries[1])


def test_many_threads_get_what_one_gets(handbook):
    answerer = objective_of(handbook, PIPELINES[2]).answerer({})
    answerer.prepare()
    queries = [Query(f"What is the price of the pump number {n}?") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answerer.answer, queries)) == [answerer.answer(q) for q in queries]


def test_an_objective_need_not_answer():
    class Bare(Objective):
        def units(self):
            return ("all",)

        def key(self, params):
            return "k"

        def evaluate(self, params, units, meter):
            yield from ()

    assert Bare().answerer({}) is None
