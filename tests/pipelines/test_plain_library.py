"""A library of given texts and vectors answers as one over documents would."""

import numpy as np
import pytest

from pipelines.plain_library import PlainLibrary
from pipelines.retrievers import Bm25, Mmr

TEXTS = ["red fox", "blue sea", "red sea"]
VECTORS = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)


def test_dense_ranks_by_inner_product_and_cuts():
    library = PlainLibrary(TEXTS, ["?"], VECTORS, VECTORS[:1])
    ranking = library.dense(2)
    np.testing.assert_array_equal(ranking.ids, [[0, 2]])
    np.testing.assert_allclose(ranking.scores, [[1, 0.6]])
    assert library.dense(10).ids.shape == (1, 3)


def test_nested_retrievers_run():
    library = PlainLibrary(TEXTS, ["red"], VECTORS, VECTORS[:1])
    found = Mmr(retriever=Bm25(), diversity=0).rank(library, 3)
    np.testing.assert_array_equal(found.ids, [[0, 2, -1]])


def test_without_an_embedder_nothing_can_be_embedded():
    with pytest.raises(TypeError, match="no embedder"):
        PlainLibrary(TEXTS, []).embed(["x"])
    embed = PlainLibrary(TEXTS, [], embedder=lambda texts, query: VECTORS[: len(texts)]).embed
    np.testing.assert_array_equal(embed(["x"], query=True), VECTORS[:1])
