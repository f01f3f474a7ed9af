"""`semantic` cuts where the topic changes."""

from random import Random

import pytest

from pipelines.chunkers import Semantic
from pipelines.roles import CorpusEmbedder
from raytuner.component import digest
from raytuner.objective import Tally

TOPICS = [
    " ".join(f"{letter * 4} {letter * (i + 2)} {letter * 3}." for i in range(6)) for letter in "aqz"
]
TEXT = "\n\n".join(TOPICS)


class Fitted(CorpusEmbedder, kind="fitted-on-corpus"):
    """Stands for every embedder that needs the corpus first."""

    def fingerprint(self) -> str:
        return "fitted:1"

    def fit_embed(self, documents, queries):
        raise NotImplementedError


def texts(text, **fields):
    return [text[a:b] for a, b, _, _ in Semantic(embedder="letter-counts", **fields).split(text)]


def test_topics_are_found():
    assert texts(TEXT, buffer=0, percentile=80, size=1000) == TOPICS


def test_chunks_are_those_of_llama_index():
    from llama_index.core import Document
    from llama_index.core.embeddings import BaseEmbedding
    from llama_index.core.node_parser import SemanticSplitterNodeParser

    embedder = Semantic(embedder="letter-counts").embedder

    class Adapted(BaseEmbedding):
        def _get_text_embedding(self, text):
            return embedder.embed([text], query=False, meter=Tally()).vectors[0].tolist()

        def _get_query_embedding(self, query):
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query):
            return self._get_text_embedding(query)

    draw = Random(0)
    words = ["apple", "brook", "cedar", "delta", "ember", "fjord", "glyph", "haze", "inlet", "jazz"]
    text = " ".join(" ".join(draw.choices(words, k=5)).capitalize() + "." for _ in range(60))
    for buffer, percentile in [(0, 80), (1, 80), (1, 50), (2, 95)]:
        parser = SemanticSplitterNodeParser(
            embed_model=Adapted(), buffer_size=buffer, breakpoint_percentile_threshold=percentile
        )
        nodes = parser.get_nodes_from_documents([Document(text=text)])
        found = texts(text, buffer=buffer, percentile=percentile, size=1000)
        assert found == [node.text.strip() for node in nodes]
        assert len(found) > 1


def test_many_texts_are_cut_alike_with_one_call_for_all_vectors():
    chunker = Semantic(embedder="letter-counts", buffer=0, percentile=80, size=1000)
    calls = []

    def embed(embedder, texts):
        calls.append(len(texts))
        return embedder.embed(texts, query=False, meter=Tally()).vectors

    several = [TEXT, "", "One sentence only.", TOPICS[0], " \n", "\n".join(reversed(TOPICS))]
    assert chunker.split_all(several, embed) == [chunker.split(text) for text in several]
    assert calls == [18 + 6 + 18]
    assert chunker.split_all([], embed) == []


def test_big_topics_are_cut_to_size():
    assert len(texts(TEXT, percentile=100, size=1000)) == 1
    assert len(texts(TEXT, percentile=100, size=30)) > 3


def test_every_field_is_in_the_key():
    base = {"embedder": "letter-counts"}
    changes = [{}, {"buffer": 2}, {"percentile": 50}, {"size": 99}, {"overlap": 9}]
    assert len({digest(Semantic(**base, **change)) for change in changes}) == len(changes)
    fields = Semantic(**base).identity()[3]
    assert fields["embedder"][1] == "letter-counts:1"


def test_fitted_embedders_are_refused():
    with pytest.raises(ValueError, match=r"chunker.embedder of kind 'fitted-on-corpus' is fitted"):
        Semantic(embedder="fitted-on-corpus")
