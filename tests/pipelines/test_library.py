"""Stages over a corpus: offsets, vectors, rankings and what is counted, cold and warm."""

import numpy as np
import pytest

from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.ingestion import Editions, Ingestion
from pipelines.library import CachedLibrary
from pipelines.plain_library import PlainLibrary
from pipelines.preprocess import compose
from pipelines.types import Corpus, Document
from raytuner.meter import WorkMeter
from raytuner.objective import Tally

MESSY = (
    "The  PUMP\r\n\r\n\r\nhas a war-\nranty of\u00a0two   years.  \nﬁne print: İstanbul only.\n" * 3
)
QUERIES = ("Which pump has a warranty?", "How heavy is the valve?", "xyzzy")
CHUNKERS = [
    {"kind": "sentence", "size": 20},
    {"kind": "recursive", "size": 12, "overlap": 6},
    {"kind": "fixed", "size": 9, "overlap": 3},
    {"kind": "sentence-window", "window": 1},
    {"kind": "markdown", "size": 15},
]


def corpus_of(*texts):
    return Corpus(tuple(Document(f"{i}.md", text) for i, text in enumerate(texts)))


PLAIN = corpus_of(
    "The pump has a warranty of two years. It weighs nine kilograms. Call us.",
    "The valve is made of brass. It weighs one kilogram! Do not open it.",
    "Fans are quiet. They need no service. The motor of a fan lasts ten years.",
)


def library_of(corpus, config, queries=QUERIES, *, cache=None, meter=None, editions=None):
    cache = cache or Cache(None)
    ingestion = Ingestion(
        editions or Editions(corpus),
        RagConfig.parse(config),
        cache=cache,
        meter=meter or Tally(),
    )
    return CachedLibrary(ingestion, queries, cache=cache)


# ---- offsets


@pytest.mark.parametrize("chunker", CHUNKERS)
@pytest.mark.parametrize(
    "steps",
    [
        ["whitespace"],
        ["lowercase"],
        ["unicode", "dehyphenate", "whitespace"],
        [{"kind": "boilerplate", "repeats": None}, "lowercase", "whitespace"],
    ],
)
def test_origins_lead_back_to_the_characters_a_chunk_came_from(steps, chunker):
    corpus = corpus_of(MESSY, "Plain text. Nothing to do here.", MESSY.upper())
    config = {"preprocess": steps, "chunker": chunker}
    ingestion = library_of(corpus, config).ingestion
    starts, ends = ingestion.origins
    chunks = ingestion.chunks
    assert len(chunks)
    for number in range(len(chunks)):
        original = corpus.documents[chunks.doc[number]].text
        assert 0 <= starts[number] < ends[number] <= len(original)
        part = original[starts[number] : ends[number]]
        again = compose(ingestion.config.preprocess, part).text
        wanted = "".join(ingestion.text(number).lower().split())
        found = "".join(again.lower().split())
        assert wanted in found
        assert len(found) - len(wanted) <= 1  # a chunk may end inside what one character became


def test_unchanged_characters_stand_where_their_origin_says():
    corpus = corpus_of(MESSY)
    ingestion = library_of(corpus, {"preprocess": ["whitespace"]}).ingestion
    (text,), (origin,) = ingestion.edition.texts, ingestion.edition.origins
    kept = [i for i, character in enumerate(text) if not character.isspace()]
    assert [text[i] for i in kept] == [MESSY[origin[i]] for i in kept]
    assert len(origin) == len(text) + 1


def test_without_preprocessing_chunks_are_slices_of_the_documents():
    for chunker in CHUNKERS:
        ingestion = library_of(PLAIN, {"chunker": chunker}).ingestion
        starts, ends = ingestion.origins
        for number, doc in enumerate(ingestion.chunks.doc):
            text = PLAIN.documents[doc].text
            assert ingestion.text(number) == text[starts[number] : ends[number]]


def test_a_window_hands_on_more_than_it_matches():
    ingestion = library_of(PLAIN, {"chunker": {"kind": "sentence-window", "window": 1}}).ingestion
    assert ingestion.texts[1] == "It weighs nine kilograms."
    assert ingestion.text(1) == PLAIN.documents[0].text


def test_preprocessing_is_done_once_for_all_trials_that_share_it():
    editions, meters = Editions(PLAIN), []
    for steps in (["lowercase"], ["lowercase"], ["whitespace"], ["lowercase"], []):
        meters.append(WorkMeter())
        library = library_of(PLAIN, {"preprocess": steps}, editions=editions, meter=meters[-1])
        assert len(library.ingestion.edition.texts) == 3
    assert ["preprocess" in meter.stages for meter in meters] == [True, False, True, False, False]


def test_editions_keep_only_the_latest():
    editions = Editions(PLAIN, kept=1)
    for steps in (["lowercase"], ["whitespace"], ["lowercase"]):
        meter = WorkMeter()
        editions.edition(RagConfig.parse({"preprocess": steps}).preprocess, meter)
        assert "preprocess" in meter.stages


# ---- rankings

PIPELINES = [
    {},
    {"retriever": "bm25"},
    {"retriever": "hybrid"},
    {"retriever": {"kind": "hybrid", "fusion": "z-score", "dense": "mmr"}},
    {"retriever": {"kind": "mmr", "retriever": "bm25", "diversity": 0.5}},
    {"embedder": "tfidf"},
    {"embedder": {"kind": "lsa", "dimensions": 4}},
    {"match": "sentences"},
    {"match": "sentences", "embedder": {"kind": "lsa", "dimensions": 4}, "retriever": "mmr"},
    {"reranker": {"kind": "lexical", "candidates": 3}},
    {"reranker": {"kind": "late-interaction", "candidates": 3}, "retriever": "bm25"},
    {"reranker": "late-interaction", "match": "sentences", "embedder": "tfidf"},
    {"preprocess": ["lowercase"], "match": {"kind": "sentences", "best": 0.0}},
]


def with_chunker(config, **chunker):
    return {"chunker": {"kind": "sentence", "size": 12, **chunker}, **config}


@pytest.mark.parametrize("config", PIPELINES)
def test_every_pipeline_ranks_alike_cold_warm_in_memory_and_one_by_one(config, tmp_path):
    config = with_chunker(config)
    cold = library_of(PLAIN, config, cache=Cache(tmp_path)).reranked(64)
    meter = WorkMeter()
    warm = library_of(PLAIN, config, cache=Cache(tmp_path), meter=meter).reranked(64)
    memory = library_of(PLAIN, config).reranked(64)
    assert meter.counts.get("texts embedded", 0) == 0
    assert not any(name.endswith("built") for name in meter.counts)
    for other in (warm, memory):
        np.testing.assert_array_equal(cold.ids, other.ids)
        np.testing.assert_array_equal(cold.scores, other.scores)
    for row, query in enumerate(QUERIES):
        alone = library_of(PLAIN, config, [query]).reranked(64)
        np.testing.assert_array_equal(alone.ids[0], cold.ids[row])
        np.testing.assert_array_equal(alone.scores[0], cold.scores[row])


@pytest.mark.parametrize("config", PIPELINES)
def test_a_deeper_ranking_starts_with_the_shallower_one(config):
    library = library_of(PLAIN, with_chunker(config))
    deep, shallow = library.reranked(50), library.reranked(2)
    if library.config.reranker is None:
        np.testing.assert_array_equal(deep.ids[:, :2], shallow.ids)
    ids = deep.ids
    for row in ids:
        hits = row[row >= 0]
        assert len(set(hits.tolist())) == len(hits)
        assert hits.max(initial=0) < len(library.texts)


@pytest.mark.parametrize("config", PIPELINES)
@pytest.mark.parametrize("queries", [(), QUERIES, QUERIES * 20])
def test_one_chunk_and_any_number_of_queries(config, queries):
    corpus = corpus_of("The pump has a warranty of two years.")
    library = library_of(corpus, with_chunker(config, size=256), queries)
    ranking = library.reranked(64)
    assert ranking.ids.shape[0] == len(queries)
    assert set(np.unique(ranking.ids).tolist()) <= {-1, 0}


def test_a_library_agrees_with_the_uncached_one():
    config = RagConfig.parse(with_chunker({"retriever": {"kind": "hybrid", "dense": "mmr"}}))
    library = library_of(PLAIN, with_chunker({"retriever": {"kind": "hybrid", "dense": "mmr"}}))
    plain = PlainLibrary(library.texts, QUERIES, library.vectors(), library.query_vectors())
    wanted = config.retriever.rank(plain, 64)
    found = library.rank(config.retriever, 64)
    np.testing.assert_array_equal(found.ids, wanted.ids)


def test_chroma_ranks_like_exact_on_small_data(tmp_path):
    config = with_chunker({"retriever": "dense"})
    exact = library_of(PLAIN, config).reranked(64)
    cache = Cache(tmp_path)
    chroma = library_of(PLAIN, {**config, "store": "chroma"}, cache=cache).reranked(64)
    np.testing.assert_array_equal(exact.ids, chroma.ids)
    np.testing.assert_allclose(exact.scores, chroma.scores, atol=1e-5)
    assert (tmp_path / "places" / "stores").is_dir()


def test_words_of_sentences_and_chunks_are_weighed_by_one_fit():
    config = with_chunker({"match": "sentences", "embedder": "tfidf"})
    library = library_of(PLAIN, config)
    sentences = library.ingestion.matched_texts
    again = library.embed(sentences)
    np.testing.assert_array_equal(again, library._matched[0])
    assert again.shape[1] == library.query_vectors().shape[1]


# ---- what is counted


def test_work_is_counted_once_and_stages_add_up(tmp_path):
    meter = WorkMeter()
    config = with_chunker({"retriever": "hybrid", "reranker": "lexical"})
    library = library_of(PLAIN, config, cache=Cache(tmp_path), meter=meter)
    library.reranked(64)
    texts = {*library.texts}
    assert meter.counts["texts embedded"] == len(texts | {*QUERIES})
    assert meter.counts["chunks built"] == meter.counts["reranked hits built"] == 1
    assert meter.counts["dense hits built"] == 1
    assert meter.counts["hits built"] == 3  # hybrid and the two in it
    assert set(meter.stages) <= {"chunk", "vectors", "embed", "search"}
    assert all(seconds >= 0 for seconds in meter.stages.values())


def test_a_lexical_pipeline_embeds_nothing():
    meter = WorkMeter()
    library = library_of(PLAIN, {"retriever": "bm25", "reranker": "lexical"}, meter=meter)
    library.reranked(64)
    assert "texts embedded" not in meter.counts
    assert library.ingestion.unseen_tokens() == (0, 0)


def test_sentences_are_embedded_once_for_all_chunk_sizes(tmp_path):
    cache, embedded = Cache(tmp_path), []
    for size in (10, 20, 30):
        meter = WorkMeter()
        config = {"match": "sentences", "chunker": {"kind": "recursive", "size": size}}
        library_of(PLAIN, config, cache=cache, meter=meter).reranked(64)
        embedded.append(meter.counts.get("texts embedded", 0))
    assert embedded == [9 + len(QUERIES), 0, 0]


def test_semantic_chunks_of_any_size_and_percentile_share_their_sentence_vectors(tmp_path):
    cache, embedded, cuts = Cache(tmp_path), [], []
    for percentile, size in ((50, 256), (50, 8), (90, 256), (90, 8)):
        meter = WorkMeter()
        chunker = {"kind": "semantic", "percentile": percentile, "size": size}
        library = library_of(PLAIN, {"chunker": chunker}, cache=cache, meter=meter)
        cuts.append(len(library.ingestion.chunks))
        embedded.append(meter.counts.get("texts embedded", 0))
        assert meter.counts["chunks built"] == 1
        assert set(meter.stages) <= {"chunk", "vectors", "embed"}
    assert embedded == [9, 0, 0, 0]
    assert len(set(cuts)) > 1
    again = library_of(PLAIN, {"chunker": chunker}, cache=Cache(None)).ingestion
    np.testing.assert_array_equal(again.chunks.start, library.ingestion.chunks.start)


def test_text_beyond_the_models_limit_is_counted():
    config = {"embedder": {"kind": "minilm", "max_tokens": 8}, "chunker": {"kind": "sentence"}}
    texts, tokens = library_of(PLAIN, config).ingestion.unseen_tokens()
    assert texts == 3
    assert tokens > 20
