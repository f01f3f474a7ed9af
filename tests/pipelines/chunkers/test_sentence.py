"""`sentence` gives the chunks of LlamaIndex's SentenceSplitter, at their true places."""

import itertools

import pytest

from pipelines.chunkers import Sentence
from pipelines.tokenizers import tokenizer

SIZES = [(64, 0), (64, 20), (128, 100), (256, 50), (1024, 200)]


def texts(text, chunks):
    return [text[start:end] for start, end, _, _ in chunks]


@pytest.mark.parametrize(("size", "overlap"), SIZES)
def test_texts_equal_sentence_splitter(document, size, overlap):
    from llama_index.core.node_parser import SentenceSplitter

    expected = SentenceSplitter(chunk_size=size, chunk_overlap=overlap).split_text(document)
    found = Sentence(size=size, overlap=overlap).split(document)
    assert texts(document, found) == expected


def test_texts_equal_with_another_tokenizer(document):
    from llama_index.core.node_parser import SentenceSplitter

    splitter = SentenceSplitter(chunk_size=90, chunk_overlap=30, tokenizer=list)
    found = Sentence(size=90, overlap=30, tokenizer="characters").split(document)
    assert texts(document, found) == splitter.split_text(document)


def test_places_are_true_in_repeated_text_where_searching_is_not():
    from llama_index.core import Document
    from llama_index.core.node_parser import SentenceSplitter

    text = "2026-01-01 INFO request served in 3 ms\n" * 100
    nodes = SentenceSplitter(chunk_size=64, chunk_overlap=0).get_nodes_from_documents(
        [Document(text=text)]
    )
    searched = [(node.start_char_idx, node.end_char_idx) for node in nodes]
    found = [(start, end) for start, end, _, _ in Sentence(size=64).split(text)]
    assert [text[a:b] for a, b in searched] == [text[a:b] for a, b in found]
    assert searched != found
    assert " ".join(text[a:b] for a, b in found).split() == text.split()
    assert all(x[1] <= y[0] for x, y in itertools.pairwise(found))


def test_overlap_repeats_whole_sentences():
    text = " ".join(f"This is sentence number {i}." for i in range(30))
    chunks = Sentence(size=32, overlap=10).split(text)
    for before, after in itertools.pairwise(chunks):
        shared = text[after[0] : before[1]]
        assert shared.strip().startswith("This is sentence")
        assert tokenizer("cl100k").count(shared) <= 10


def test_a_character_beyond_the_size_is_a_chunk():
    assert Sentence(size=1).split("👩a") == [(0, 1, 0, 1), (1, 2, 1, 2)]
