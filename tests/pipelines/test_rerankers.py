"""Rerankers: what every one must keep, and the order that each promises."""

import hashlib
import importlib.util
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.bm25 import Analyser, term_counts
from pipelines.plain_library import PlainLibrary
from pipelines.rerankers import CrossEncoder, LateInteraction, Lexical
from pipelines.types import Ranking
from raytuner.component import ConfigError, MissingExtraError, digest

WORDS = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]


def word_vectors(texts, query=False):
    """Embed as the sum of one pseudo-random vector per word: shared words, similar vectors."""
    rows = []
    for text in texts:
        row = np.zeros(32)
        for word in Analyser().terms(text):
            seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest())
            row += np.random.default_rng(seed).normal(size=32)
        rows.append(row / (np.linalg.norm(row) or 1))
    return np.array(rows, np.float32).reshape(-1, 32)


def library_of(texts, queries):
    return PlainLibrary(texts, queries, word_vectors(texts), word_vectors(queries), word_vectors)


def ranked(*rows):
    ids = np.array(rows, dtype=np.int64).reshape(len(rows), -1)
    places = np.arange(ids.shape[1], dtype=np.float64)
    return Ranking(ids, np.where(ids < 0, -np.inf, 10.0 - places))


def random_case(seed):
    generator = np.random.default_rng(seed)

    def sentence():
        return " ".join(generator.choice(WORDS, generator.integers(1, 7))) + "."

    texts = [" ".join(sentence() for _ in range(generator.integers(1, 4))) for _ in range(12)]
    queries = [" ".join(generator.choice(WORDS, generator.integers(1, 9))) for _ in range(4)]
    rows = [generator.permutation(12)[:8] for _ in queries]
    rows[1][3:] = -1
    rows[2][:] = -1
    return library_of(texts, queries), ranked(*rows)


@pytest.mark.parametrize(
    "reranker",
    [
        Lexical(candidates=5),
        Lexical(candidates=50, proximity=1.0, window=1, stemmer="english"),
        LateInteraction(candidates=5, phrase_words=2),
        LateInteraction(candidates=50, chunk_weight=0.0, phrase_weight=1.0),
    ],
    ids=repr,
)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_the_first_candidates_are_reordered_and_nothing_else(reranker, seed):
    library, ranking = random_case(seed)
    result = reranker.rerank(library, ranking)
    assert result.ids.shape == (4, min(8, reranker.candidates))
    for row, ids in enumerate(result.ids):
        before = ranking.top(reranker.candidates).ids[row]
        hits = before[before >= 0]
        assert sorted(ids) == sorted(before)
        assert set(ids[: len(hits)]) == set(hits)
        assert np.isneginf(result.scores[row, len(hits) :]).all()
        scores = result.scores[row, : len(hits)]
        places = [before.tolist().index(i) for i in ids[: len(hits)]]
        assert sorted(range(len(hits)), key=lambda n: (-scores[n], places[n])) == list(
            range(len(hits))
        )
    alone = PlainLibrary(
        library.texts, library.queries[:1], library.chunk_vectors,
        library.question_vectors[:1], word_vectors,
    )  # fmt: skip
    single = reranker.rerank(alone, Ranking(ranking.ids[:1], ranking.scores[:1]))
    assert np.array_equal(single.scores[0], result.scores[0])


@pytest.mark.parametrize("reranker", [Lexical(), LateInteraction()], ids=repr)
def test_no_queries_and_no_hits(reranker):
    unasked = Ranking(np.zeros((0, 3), np.int64), np.zeros((0, 3)))
    assert reranker.rerank(library_of(["alpha beta"], []), unasked).ids.shape == (0, 3)
    nobody = reranker.rerank(library_of(["alpha"], ["beta"]), ranked([-1, -1]))
    assert nobody.ids.tolist() == [[-1, -1]]


def test_lexical_score_follows_its_definition():
    texts = ["zinc mine in town", "the mine has zinc zinc", "town hall"]
    library = library_of(texts, ["zinc mine town"])
    result = Lexical(proximity=0.25, window=2).rerank(library, ranked([2, 1, 0]))
    weight = term_counts(texts, Analyser()).weight
    zinc, mine, town = weight("zinc"), weight("mine"), weight("town")
    total, pairs = zinc + mine + town, min(zinc, mine) + min(mine, town)
    expected = {
        0: 0.75 * (zinc + mine + town) / 2 / total + 0.25,
        1: 0.75 * (zinc * 2 / 3 + mine / 2) / total + 0.25 * min(zinc, mine) / pairs,
        2: 0.75 * town / 2 / total,
    }
    assert dict(zip(result.ids[0], result.scores[0], strict=True)) == pytest.approx(expected)
    assert result.ids.tolist() == [[0, 1, 2]]


def test_lexical_fields_do_what_they_say():
    apart, together = "one x x x x two", "x x x x two one"
    library = library_of([apart, together], ["one two"])
    order = ranked([0, 1])
    assert Lexical(window=3).rerank(library, order).ids.tolist() == [[1, 0]]
    assert Lexical(window=5).rerank(library, order).ids.tolist() == [[0, 1]]
    assert Lexical(proximity=0.0).rerank(library, order).ids.tolist() == [[0, 1]]
    stems = library_of(["ship", "sailed ships"], ["sailing the ship"])
    assert Lexical().rerank(stems, order).ids.tolist() == [[0, 1]]
    assert Lexical(stemmer="english").rerank(stems, order).ids.tolist() == [[1, 0]]
    names = library_of(["user", "getUserName user_id"], ["user id"])
    assert Lexical(split_identifiers=True).rerank(names, order).ids.tolist() == [[1, 0]]
    function_words = library_of(["is the it", "what mine"], ["is it the mine"])
    assert Lexical().rerank(function_words, order).ids.tolist() == [[0, 1]]
    dropped = Lexical(stopwords="english").rerank(function_words, order)
    assert dropped.ids.tolist() == [[1, 0]]


def test_late_interaction_follows_its_definition():
    texts = ["alpha beta. gamma delta.", "epsilon. alpha gamma."]
    query = "alpha beta gamma"
    library = library_of(texts, [query])
    result = LateInteraction(chunk_weight=0.2, phrase_weight=0.4, phrase_words=2).rerank(
        library, ranked([1, 0])
    )

    def cosine(one, other):
        return float(np.dot(*word_vectors([one, other]).astype(float)))

    for chunk, score in zip(result.ids[0], result.scores[0], strict=True):
        sentences = [part.strip() + "." for part in texts[chunk].split(".") if part]
        greatest = [
            max(cosine(part, sentence) for sentence in sentences)
            for part in (query, "alpha beta", "beta gamma")
        ]
        matched = 0.6 * greatest[0] + 0.4 * (greatest[1] + greatest[2]) / 2
        assert score == pytest.approx(0.2 * cosine(query, texts[chunk]) + 0.8 * matched, abs=1e-6)


def test_late_interaction_embeds_each_sentence_once():
    calls = []

    def counting(texts, query):
        calls.append((list(texts), query))
        return word_vectors(texts)

    texts = ["alpha beta. gamma.", "gamma. delta."]
    library = PlainLibrary(
        texts, ["alpha", "alpha"], word_vectors(texts), word_vectors(["alpha"] * 2), counting
    )
    LateInteraction().rerank(library, ranked([0, 1], [1, 0]))
    assert calls == [(["alpha beta.", "gamma.", "delta."], False), (["alpha"], True)]


def test_phrases_cover_the_query_and_overlap():
    assert LateInteraction(phrase_words=4)._phrases("a b c d e f g") == [
        "a b c d", "c d e f", "d e f g",
    ]  # fmt: skip
    assert LateInteraction(phrase_words=4)._phrases("a b c") == ["a b c"]


def test_only_late_interaction_needs_vectors():
    words_only = PlainLibrary(["alpha", "beta"], ["beta"])
    assert not Lexical().needs_vectors()
    assert not CrossEncoder().needs_vectors()
    assert Lexical().rerank(words_only, ranked([0, 1])).ids.tolist() == [[1, 0]]
    assert LateInteraction().needs_vectors()


def test_fields_that_move_the_last_bits_of_a_score_are_in_the_key():
    assert digest(CrossEncoder(batch=1)) != digest(CrossEncoder())
    assert digest(CrossEncoder(device="cuda")) != digest(CrossEncoder())
    assert digest(CrossEncoder(max_length=128)) != digest(CrossEncoder())


HAS_MODELS = importlib.util.find_spec("sentence_transformers") is not None


@pytest.mark.skipif(HAS_MODELS, reason="the extra is installed")
def test_a_cross_encoder_without_its_extra_says_how_to_get_it():
    with pytest.raises(MissingExtraError, match=r"raytuner\[sentence-transformers\]"):
        CrossEncoder().rerank(library_of(["alpha"], ["beta"]), ranked([0]))


@pytest.mark.skipif(not HAS_MODELS, reason="needs the extra sentence-transformers")
def test_a_cross_encoder_orders_by_its_scores(tmp_path):
    tiny_cross_encoder(tmp_path)
    library, ranking = random_case(3)
    reranker = CrossEncoder(model=str(tmp_path), candidates=6, batch=2)
    result = reranker.rerank(library, ranking)
    hits = ranking.top(6).ids >= 0
    assert np.array_equal(np.sort(result.ids, axis=1), np.sort(ranking.top(6).ids, axis=1))
    assert np.isfinite(result.scores[hits]).all()
    assert len(np.unique(result.scores[0])) > 1
    assert (np.diff(result.scores[0]) <= 0).all()
    whole = CrossEncoder(model=str(tmp_path), candidates=6, batch=64).rerank(library, ranking)
    assert np.allclose(whole.scores[hits], result.scores[hits], atol=1e-5)


@pytest.mark.skipif(not HAS_MODELS, reason="needs the extra sentence-transformers")
def test_a_cross_encoder_that_is_not_here_is_a_clear_error(tmp_path):
    with pytest.raises(ConfigError, match="cannot be loaded from this machine"):
        CrossEncoder(model=str(tmp_path / "none")).rerank(
            library_of(["alpha"], ["beta"]), ranked([0])
        )


def tiny_cross_encoder(folder):
    """Write a BERT of random weights that knows the test's words."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, num_labels=1, max_position_embeddings=64,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=64).save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 16
