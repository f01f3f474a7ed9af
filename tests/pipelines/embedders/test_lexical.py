import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.embedders import Lsa, TfIdf
from raytuner.objective import Tally

DOCUMENTS = [
    "the cat sat on the mat",
    "a dog chased the cat",
    "stock markets fell sharply today",
    "investors sold stock as markets fell",
    "the dog sat",
]
BOTH = pytest.mark.parametrize("embedder", [TfIdf(), Lsa(dimensions=3)], ids=["tfidf", "lsa"])


@BOTH
def test_vectors_are_unit_float32_and_rank_shared_words_first(embedder):
    documents, queries = embedder.fit_embed(DOCUMENTS, ["stock markets", "the dog"])
    assert documents.dtype == queries.dtype == np.float32
    assert documents.shape[1] == queries.shape[1]
    assert np.allclose(np.linalg.norm(documents, axis=1), 1, atol=1e-6)
    scores = queries @ documents.T
    assert set(np.argsort(-scores[0])[:2]) == {2, 3}
    assert set(np.argsort(-scores[1])[:2]) <= {1, 4, 0}


@BOTH
def test_the_same_bits_come_out_again_for_any_number_of_queries(embedder):
    documents, queries = embedder.fit_embed(DOCUMENTS, ["stock", "cat dog"])
    again, none = embedder.fit_embed(DOCUMENTS, ())
    assert np.array_equal(documents, again)
    assert none.shape == (0, documents.shape[1])
    assert np.array_equal(embedder.fit_embed(DOCUMENTS, ["cat dog"])[1][0], queries[1])


@BOTH
def test_texts_without_a_known_word_are_zero(embedder):
    documents, queries = embedder.fit_embed([*DOCUMENTS, "?!"], ["zebra xylophone", ""])
    assert not documents[-1].any()
    assert not queries.any()
    assert np.isfinite(documents).all()


@BOTH
@pytest.mark.parametrize("documents", [[], ["?"], ["", "!"], ["a"]])
def test_a_corpus_without_words_gives_zero_vectors(embedder, documents):
    fitted, asked = embedder.fit_embed(documents, ["cat", "dog"])
    assert fitted.shape == (len(documents), 1)
    assert asked.shape == (2, 1)
    assert not fitted.any()
    assert not asked.any()


@given(st.lists(st.text("ab c", max_size=12), max_size=8), st.text("ab c", max_size=8))
@settings(max_examples=40, deadline=None)
def test_rows_are_always_finite_and_of_unit_length_or_zero(documents, query):
    for embedder in (TfIdf(ngram=2), Lsa(dimensions=4)):
        for rows in embedder.fit_embed(documents, [query]):
            lengths = np.linalg.norm(rows, axis=1)
            assert np.all((lengths == 0) | (np.abs(lengths - 1) < 1e-5))


def test_tfidf_is_the_published_formula():
    documents = ["cat cat dog", "dog bird"]
    fitted, _ = TfIdf(sublinear=False).fit_embed(documents, ())
    weights = {"bird": np.log(3 / 2) + 1, "cat": np.log(3 / 2) + 1, "dog": np.log(3 / 3) + 1}
    expected = np.array(
        [[0, 2 * weights["cat"], weights["dog"]], [weights["bird"], 0, weights["dog"]]]
    )
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(fitted, expected, atol=1e-6)


def test_every_field_of_tfidf_matters():
    base = TfIdf().fit_embed(DOCUMENTS, ())[0]
    assert TfIdf(ngram=2).fit_embed(DOCUMENTS, ())[0].shape[1] > base.shape[1]
    assert TfIdf(max_features=4).fit_embed(DOCUMENTS, ())[0].shape[1] == 4
    assert not np.array_equal(TfIdf(sublinear=False).fit_embed(DOCUMENTS, ())[0], base)


def test_lsa_has_no_more_directions_than_the_corpus_spans():
    same = ["cat dog", "cat dog", "bird"]
    fitted, asked = Lsa(dimensions=256).fit_embed(same, ["cat", "bird"])
    assert fitted.shape[1] == 2
    assert np.allclose(np.abs(asked @ fitted.T), [[1, 1, 0], [0, 0, 1]], atol=1e-6)


def test_lsa_finds_words_that_keep_the_same_company():
    documents = ["car engine", "automobile engine", "tree leaf"] * 3
    fitted, asked = Lsa(dimensions=2).fit_embed(documents, ["automobile"])
    assert asked[0] @ fitted[0] > 0.9  # "car engine" shares no word with the query
    assert abs(asked[0] @ fitted[2]) < 0.1


def test_lsa_of_another_seed_is_the_same_space():
    documents = [f"word{i % 7} word{i % 5} word{i % 3}" for i in range(40)]
    one = Lsa(dimensions=5).fit_embed(documents, ())[0]
    other = Lsa(dimensions=5, seed=1).fit_embed(documents, ())[0]
    assert np.allclose(one @ one.T, other @ other.T, atol=1e-3)


def test_fingerprints_tell_configurations_apart():
    made = [TfIdf(), TfIdf(ngram=2), TfIdf(sublinear=False), TfIdf(max_features=9), Lsa()]
    made += [Lsa(dimensions=2), Lsa(seed=1), Lsa(ngram=2)]
    assert len({embedder.fingerprint() for embedder in made}) == len(made)


@BOTH
def test_texts_cannot_be_embedded_without_a_corpus(embedder):
    with pytest.raises(TypeError, match="call fit_embed"):
        embedder.embed(["x"], query=False, meter=Tally())
