"""`fixed` gives windows of exactly `size` tokens."""

import numpy as np
import pytest

from pipelines.chunkers import Fixed
from pipelines.tokenizers import tokenizer


@pytest.mark.parametrize("overlap", [0, 7, 15])
def test_windows_are_those_of_the_token_ids(overlap):
    from llama_index.core.utils import get_tokenizer

    text = "The committee met, as it always did; nobody spoke in 1987.\n" * 20
    encode = get_tokenizer()
    ids = encode(text)
    expected = []
    for first in range(0, len(ids), 16 - overlap):
        expected.append(encode.func.__self__.decode(ids[first : first + 16]))
        if first + 16 >= len(ids):
            break
    found = Fixed(size=16, overlap=overlap).split(text)
    assert [text[a:b] for a, b, _, _ in found] == expected


def test_characters_are_never_torn(document):
    starts = tokenizer("cl100k").starts(document)
    for start, end, _, _ in Fixed(size=10, overlap=3).split(document):
        assert np.searchsorted(starts, end) - np.searchsorted(starts, start) <= 10


def test_a_character_beyond_the_size_is_kept_whole():
    assert Fixed(size=1).split("👩👩a") == [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)]


def test_blank_windows_are_dropped():
    assert Fixed(size=2, tokenizer="characters").split("ab    cd") == [(0, 2, 0, 2), (6, 8, 6, 8)]
