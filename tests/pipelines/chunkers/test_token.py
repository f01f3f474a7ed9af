"""`token` gives the chunks of LlamaIndex's TokenTextSplitter, at their true places."""

import pytest

from pipelines.chunkers import Token


@pytest.mark.parametrize(("size", "overlap"), [(16, 5), (64, 0), (64, 20), (256, 50), (1024, 200)])
def test_texts_equal_token_text_splitter(document, size, overlap):
    from llama_index.core.node_parser import TokenTextSplitter

    expected = TokenTextSplitter(chunk_size=size, chunk_overlap=overlap).split_text(document)
    found = Token(size=size, overlap=overlap).split(document)
    assert [document[a:b] for a, b, _, _ in found] == expected


def test_repeated_words_follow_each_other():
    text = "word " * 500
    chunks = Token(size=50).split(text)
    assert [start for start, _, _, _ in chunks] == list(range(0, 2500, 250))
