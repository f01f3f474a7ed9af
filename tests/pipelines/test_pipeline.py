"""The final cut: top_k, min_score, answers, and the chunks that touch evidence."""

import pytest

from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.ingestion import Editions, Ingestion
from pipelines.library import CachedLibrary
from pipelines.pipeline import Pipeline, depth_for
from pipelines.types import Corpus, Document, Span
from raytuner.objective import Tally

CORPUS = Corpus(
    (
        Document("a", "The pump has a warranty of two years. It weighs nine kilograms. Call us."),
        Document("b", "The valve is made of brass. It weighs one kilogram! Do not open it."),
    )
)
QUERIES = ("How long is the warranty of the pump?", "What is the valve made of?", "xyzzy")


def pipeline_of(queries=QUERIES, **config):
    config = {"chunker": {"kind": "sentence", "size": 12}, **config}
    cache = Cache(None)
    ingestion = Ingestion(Editions(CORPUS), RagConfig.parse(config), cache=cache, meter=Tally())
    return Pipeline(CachedLibrary(ingestion, queries, cache=cache))


@pytest.mark.parametrize(
    ("wanted", "depth"), [(1, 64), (5, 64), (64, 64), (65, 128), (128, 128), (129, 256)]
)
def test_depths_are_few_and_never_too_small(wanted, depth):
    assert depth_for(wanted) == depth


def test_hits_say_where_they_lie():
    for row in range(2):
        for hit in pipeline_of().hits(row):
            assert CORPUS.documents[hit.doc].text[hit.start : hit.end] == hit.text


@pytest.mark.parametrize("retriever", ["dense", "bm25", "hybrid", "mmr"])
def test_a_smaller_top_k_is_a_prefix(retriever):
    deep = pipeline_of(retriever={"kind": retriever, "top_k": 70})
    for top_k in (1, 2, 3, 500):
        cut = pipeline_of(retriever={"kind": retriever, "top_k": top_k})
        for row in range(len(QUERIES)):
            assert cut.hits(row) == deep.hits(row)[:top_k]


def test_min_score_drops_hits_and_may_drop_all():
    every = pipeline_of().hits(0)
    middle = (every[1].score + every[2].score) / 2
    assert pipeline_of(retriever={"kind": "dense", "min_score": middle}).hits(0) == every[:2]
    equal = pipeline_of(retriever={"kind": "dense", "min_score": every[1].score})
    assert equal.hits(0) == every[:2]
    nothing = pipeline_of(retriever={"kind": "dense", "min_score": 2.0}, generator="extractive")
    assert [(r.hits, r.answer) for r in nothing.respond([0, 1])] == [((), ""), ((), "")]


def test_a_query_without_a_known_word_has_no_lexical_hit():
    responses = pipeline_of(retriever="bm25", generator="extractive").respond([2, 0])
    assert responses[0].hits == ()
    assert responses[0].answer == ""
    assert responses[1].hits


def test_a_reranker_hands_on_its_candidates_only():
    reranked = pipeline_of(
        retriever={"kind": "dense", "top_k": 50}, reranker={"kind": "lexical", "candidates": 2}
    )
    plain = pipeline_of()
    for row in range(2):
        assert {hit.text for hit in reranked.hits(row)} == {h.text for h in plain.hits(row)[:2]}


def test_responses_do_not_depend_on_their_batch():
    for config in ({"generator": "extractive"}, {"generator": "extractive", "embedder": "lsa"}):
        pipeline = pipeline_of(**config)
        together = pipeline.respond([0, 1, 2])
        assert [pipeline.respond([row])[0] for row in range(3)] == together
        assert "warranty" in together[0].answer
        assert "brass" in together[1].answer


def test_without_a_generator_there_is_no_answer():
    assert [response.answer for response in pipeline_of().respond([0, 1])] == [None, None]


def test_chunks_that_touch_evidence_are_all_found():
    pipeline = pipeline_of()
    text = CORPUS.documents[0].text
    start = text.index("years")
    spans = [Span(0, start, text.index("nine") + 4), Span(1, 0, 1)]
    found = [(hit.doc, hit.text) for hit in pipeline.chunks_touching(spans)]
    chunks = pipeline.library.ingestion
    starts, ends = chunks.origins
    wanted = [
        (int(chunks.chunks.doc[i]), chunks.text(i))
        for i in range(len(starts))
        if any(chunks.chunks.doc[i] == s.doc and starts[i] < s.end and ends[i] > s.start
               for s in spans)
    ]  # fmt: skip
    assert found == wanted
    assert len(found) >= 3
    assert pipeline.chunks_touching([]) == ()


def test_a_touching_end_is_no_overlap():
    pipeline = pipeline_of()
    starts, ends = pipeline.library.ingestion.origins
    between = Span(0, int(ends[0]), int(starts[1]))
    assert pipeline.chunks_touching([between]) == ()
