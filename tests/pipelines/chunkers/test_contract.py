"""What holds for every kind of chunker."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines.chunkers
from pipelines.chunkers import Sized
from pipelines.roles import Chunker
from pipelines.tokenizers import tokenizer
from raytuner.component import digest

NEEDED = {"semantic": {"embedder": "letter-counts"}, "code": {"language": "python"}}
SIZED = Sized.kinds()
FRAGMENTS = (
    "A sentence here. ", "\r\n", "\n\n\n", "漢字。", "👩\u200d👩\u200d👧", "e\u0301", "word ",
    "# Head\n", "```\n", "longwordwithoutblanks" * 3, " \t ", "\ud800", "שלום ",
)  # fmt: skip
fragments = st.lists(st.one_of(st.text(max_size=8), st.sampled_from(FRAGMENTS)), max_size=50).map(
    "".join
)


def build(kind: str, **fields: object) -> Chunker:
    if kind == "code":
        pytest.importorskip("tree_sitter_language_pack")
    return Chunker.model_validate({"kind": kind, **NEEDED.get(kind, {}), **fields})


def check(text: str, chunks: list[tuple[int, int, int, int]]) -> None:
    assert chunks == sorted(chunks, key=lambda chunk: chunk[:2])
    covered = [character.isspace() for character in text]
    for start, end, match_start, match_end in chunks:
        assert 0 <= start <= match_start < match_end <= end <= len(text)
        assert text[match_start:match_end].strip()
        covered[start:end] = [True] * (end - start)
    assert all(covered)


def test_the_kinds_are_these():
    assert set(Chunker.kinds()) >= {
        "code", "fixed", "markdown", "recursive", "semantic", "sentence", "sentence-window", "token"
    }  # fmt: skip
    assert pipelines.chunkers.__all__ == sorted(pipelines.chunkers.__all__)


@pytest.mark.parametrize("kind", Chunker.kinds())
def test_documents_are_covered_in_order_and_the_same_twice(kind, document):
    chunker = build(kind)
    chunks = chunker.split(document)
    check(document, chunks)
    assert chunker.split(document) == chunks


@pytest.mark.parametrize("kind", Chunker.kinds())
@settings(max_examples=50, deadline=None)
@given(text=fragments)
def test_any_text_is_covered(kind, text):
    check(text, build(kind).split(text))


@pytest.mark.parametrize("kind", SIZED)
@settings(max_examples=50, deadline=None)
@given(
    text=fragments,
    size=st.integers(1, 40),
    share=st.floats(0, 0.99),
    name=st.sampled_from(["cl100k", "wordpiece", "words", "characters"]),
)
def test_any_size_and_overlap(kind, text, size, share, name):
    chunks = build(kind, size=size, overlap=int(size * share), tokenizer=name).split(text)
    check(text, chunks)
    if name in {"words", "characters"}:  # whose counts never grow when pieces are joined
        count = tokenizer(name).count
        assert all(count(text[a:b]) <= size for a, b, _, _ in chunks)


def test_a_window_shortened_by_a_character_of_many_tokens_loses_nothing():
    text = "A sentence here. 𐀀0"  # the letter has four tokens
    check(text, build("fixed", size=8, overlap=6, tokenizer="cl100k").split(text))


@pytest.mark.parametrize("kind", SIZED)
@pytest.mark.parametrize("name", ["cl100k", "wordpiece"])
def test_subword_sizes_hold_within_one_token(kind, name, document):
    count = tokenizer(name).count
    chunks = build(kind, size=48, overlap=12, tokenizer=name).split(document)
    assert all(count(document[a:b]) <= 48 + 1 for a, b, _, _ in chunks)


@pytest.mark.parametrize("kind", Chunker.kinds())
@pytest.mark.parametrize("text", ["", " ", "\n\n\n \t\r\n", "\u3000\xa0"])
def test_blank_texts_give_nothing(kind, text):
    assert build(kind).split(text) == []


@pytest.mark.parametrize("kind", SIZED)
def test_overlap_must_be_smaller_than_size(kind):
    with pytest.raises(
        ValueError, match=r"chunker.overlap \(300\) must be smaller than chunker.size \(256\)"
    ):
        build(kind, size=256, overlap=300)
    with pytest.raises(ValueError, match="must be smaller"):
        build(kind, size=8, overlap=8)


@pytest.mark.parametrize("kind", SIZED)
def test_every_shared_field_is_in_the_key_and_in_the_result(kind):
    text = "".join(
        f"Sentence {i}, about thing {i * i}; said {chr(97 + i % 26) * 5}.\n" for i in range(60)
    )
    base = {"size": 40, "overlap": 0, "tokenizer": "cl100k"}
    changed = [{"size": 20}, {"overlap": 19}, {"tokenizer": "characters"}]
    found = [build(kind, **{**base, **change}) for change in [{}, *changed]]
    assert len({digest(chunker) for chunker in found}) == len(found)
    assert len({tuple(chunker.split(text)) for chunker in found}) == len(found)


def test_unknown_tokenizer_is_named():
    with pytest.raises(ValueError, match=r"no tokenizer 'cl100'.*Did you mean 'cl100k'"):
        build("sentence", tokenizer="cl100")
