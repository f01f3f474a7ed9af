"""Tokenizers count like their libraries, place every token, and never leave the machine."""

import os
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pipelines.tokenizers import TokenizerName, tokenizer
from raytuner.component import ConfigError

NAMES = ("cl100k", "wordpiece", "words", "characters")
TEXTS = [
    "",
    " ",
    "Tokens don't start where you think: 12345 of them.\r\n\r\nNew line\t!",
    "漢字仮名交じり文。한국어 텍스트 👩‍👩‍👧 e\u0301 naïve \U0001f9d1\U0001f3fd\u200d\U0001f680",
    "عربي نص\u200f، آخر",
    "lone \ud800 surrogate \udc00\ud83d",
    "<|endoftext|> as text",
    "a\x00b\ufffd",
    "QmFzZTY0" * 200,
    " \t" * 50_000,
]
fragments = st.lists(
    st.one_of(
        st.text(max_size=8), st.sampled_from(["word", " ", "\n\n", "漢字", "👩‍👩‍👧", "e\u0301"])
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_starts_are_sorted_in_range_and_as_many_as_counted(name, text):
    starts = tokenizer(name).starts(text)
    assert starts.dtype == np.int64
    assert starts.ndim == 1
    assert np.all(np.diff(starts) >= 0)
    assert not len(starts) or (starts[0] >= 0 and starts[-1] < len(text))
    assert tokenizer(name).count(text) == len(starts)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(text=fragments)
def test_starts_and_count_agree_on_any_text(name, text):
    starts = tokenizer(name).starts(text)
    assert np.all(np.diff(starts) >= 0)
    assert tokenizer(name).count(text) == len(starts)


@settings(max_examples=60, deadline=None)
@given(text=fragments)
def test_cl100k_places_tokens_where_tiktoken_does(text):
    from llama_index.core.utils import get_tokenizer

    encode = get_tokenizer()
    encoding = encode.func.__self__
    text = text.encode("utf-8", "replace").decode()
    ids = encode(text)
    _, offsets = encoding.decode_with_offsets(ids)
    assert tokenizer("cl100k").starts(text).tolist() == offsets
    assert tokenizer("cl100k").count(text) == len(ids)


def test_tokens_inside_a_character_count_at_the_character():
    starts = tokenizer("cl100k").starts("a👩b")
    assert starts.tolist() == [0, 1, 1, 1, 2]


def test_wordpiece_has_no_special_tokens_and_no_limit():
    wordpiece = tokenizer("wordpiece")
    assert wordpiece.starts("Embeddings, please").tolist() == [0, 2, 5, 9, 10, 12]
    assert wordpiece.count("word " * 1000) == 1000


def test_words_and_characters():
    assert tokenizer("words").starts("Don't stop.").tolist() == [0, 3, 4, 6, 10]
    assert tokenizer("characters").starts("aé👩").tolist() == [0, 1, 2]


def test_fingerprints_differ_and_stay():
    found = [tokenizer(name).fingerprint for name in NAMES]
    assert len(set(found)) == len(NAMES)
    assert found[0] == "cl100k:223921b76ee99bde"
    assert all(mark.startswith(name) for name, mark in zip(NAMES, found, strict=True))


def test_unknown_name_gives_the_nearest():
    with pytest.raises(ConfigError, match=r"known: cl100k, .*Did you mean 'wordpiece'\?"):
        tokenizer("wordpeice")
    with pytest.raises(ValidationError, match="no tokenizer 'gpt2'"):
        TypeAdapter(TokenizerName).validate_python("gpt2")
    assert TypeAdapter(TokenizerName).json_schema()["enum"] == list(NAMES)


def test_loads_without_network_or_llama_index(tmp_path):
    (tmp_path / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4").write_text("corrupt")
    program = """
import os, sys
def refuse(event, args):
    if event.startswith("socket."):
        raise RuntimeError("network: " + event)
sys.addaudithook(refuse)
from pipelines.tokenizers import tokenizer
assert "tiktoken" not in sys.modules and "tokenizers" not in sys.modules
before = os.environ["TIKTOKEN_CACHE_DIR"]
assert tokenizer("cl100k").count("hello world") == 2
assert tokenizer("wordpiece").count("hello world") == 2
assert os.environ["TIKTOKEN_CACHE_DIR"] == before
assert "llama_index.core" not in sys.modules
"""
    environment = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", ["a", " ", " \t", "\n", "-", "漢字。", "The quick brown fox. "])
def test_a_megabyte_takes_seconds_at_most(name, unit):
    text = unit * (1_000_000 // len(unit))
    tokenizer(name).count("load")
    begin = time.process_time()
    tokenizer(name).starts(text)
    assert time.process_time() - begin < 10
