"""Index terms, term counts, and what the parameters of BM25 do."""

import numpy as np

from pipelines.bm25 import Analyser, term_counts
from pipelines.plain_library import PlainLibrary
from pipelines.retrievers import Bm25


def test_bm25_gives_no_hits_without_shared_words():
    ranking = Bm25().rank(PlainLibrary(["red fox", "blue sea", "Blue fox"], ["blue", "green"]), 3)
    assert ranking.ids.tolist() == [[1, 2, -1], [-1, -1, -1]]


def test_bm25_fields_do_what_they_say():
    texts = ["cat cat cat cat", "cat dog bird fish cow sheep", "cat dog"]
    repeated = [Bm25(k1=k1, b=0).rank(PlainLibrary(texts, ["cat"]), 3).scores[0] for k1 in (0, 5)]
    assert np.ptp(repeated[0]) == 0
    assert repeated[1][0] > repeated[1][1]
    lengths = [Bm25(b=b).rank(PlainLibrary(texts, ["dog"]), 3).scores[0] for b in (0, 1)]
    assert lengths[0][0] == lengths[0][1] > 0
    assert lengths[1][0] > lengths[1][1]


def test_words():
    text = "Ünïcode ﬁles: don't parseHTTPResponse max_neighbors 3.5 東京都庁 の"
    assert Analyser().terms(text) == [
        "ünïcode", "files", "don", "t", "parsehttpresponse", "max_neighbors", "3", "5",
        "東京", "京都", "都庁", "の",
    ]  # fmt: skip
    split = Analyser(split_identifiers=True).terms("parseHTTPResponse max_neighbors plain __init__")
    assert split == [
        "parsehttpresponse", "parse", "http", "response", "max_neighbors", "max", "neighbors",
        "plain", "__init__",
    ]  # fmt: skip
    assert Analyser(stopwords="english").terms("The cat is on THE mat") == ["cat", "mat"]
    assert Analyser(stemmer="english").terms("Configurations running") == ["configur", "run"]
    assert Analyser(stemmer="german").terms("Häusern") == ["haus"]


def test_terms_do_not_depend_on_what_was_analysed_before():
    first = term_counts(["a b", "b c c"], Analyser())
    assert first.numbers == {"a": 0, "b": 1, "c": 2}
    assert first.counts.toarray().tolist() == [[1, 0], [1, 1], [0, 2]]
    assert first.weight("unheard") > first.weight("a") > first.weight("b") > 0
