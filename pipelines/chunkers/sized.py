"""What all chunkers with a size limit share: its fields, and the merging of pieces up to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from pipelines.roles import Chunker
from pipelines.tokenizers import TokenizerName, tokenizer
from raytuner.component import ConfigError

Chunk = tuple[int, int, int, int]
"""(start, end, match_start, match_end), as `Chunker.split` gives it."""


class Piece(NamedTuple):
    """Characters [start, end) of a text that stay together, and how many tokens they have."""

    start: int
    end: int
    tokens: int


class Sized(Chunker):
    """A chunker that fills chunks up to a number of tokens."""

    size: int = Field(default=256, ge=1, description="largest chunk, in tokens of `tokenizer`")
    overlap: int = Field(
        default=0,
        ge=0,
        description="tokens at the end of a chunk that may be repeated at the start of the next",
    )
    tokenizer: TokenizerName = Field(
        default="cl100k", description="what counts as a token for `size` and `overlap`"
    )

    @model_validator(mode="after")
    def _overlap_fits(self) -> Self:
        if self.overlap >= self.size:
            raise ConfigError(
                f"chunker.overlap ({self.overlap}) must be smaller than chunker.size ({self.size})"
            )
        return self

    def identity(self) -> tuple[Any, ...]:
        """Add the vocabulary that the sizes are counted in."""
        role, kind, version, fields = super().identity()
        fingerprint = tokenizer(self.tokenizer).fingerprint
        return (role, kind, version, {**fields, "tokenizer": fingerprint})


def merged(pieces: Sequence[Piece], size: int, overlap: int) -> list[tuple[int, int]]:
    """Join neighbouring pieces to spans of at most `size` tokens, counted piece by piece.

    A span starts with as many of the last pieces before it as have at most `overlap` tokens
    together and leave room for the next piece. A piece beyond `size` is a span of its own.
    LlamaIndex's SentenceSplitter and TokenTextSplitter and LangChain's character splitters all
    merge so.
    """
    spans: list[tuple[int, int]] = []
    first = 0
    tokens = 0
    for index, piece in enumerate(pieces):
        if tokens + piece.tokens > size and first < index:
            spans.append((pieces[first].start, pieces[index - 1].end))
            while first < index and (tokens > overlap or tokens + piece.tokens > size):
                tokens -= pieces[first].tokens
                first += 1
        tokens += piece.tokens
    if pieces:
        spans.append((pieces[first].start, pieces[-1].end))
    return spans


def trimmed(text: str, spans: Iterable[tuple[int, int]]) -> list[Chunk]:
    """Make chunks of spans: outer blanks are cut off and blank spans dropped."""
    chunks: list[Chunk] = []
    for start, end in spans:
        part = text[start:end]
        first = start + len(part) - len(part.lstrip())
        last = start + len(part.rstrip())
        if first < last:
            chunks.append((first, last, first, last))
    return chunks


def divided(
    text: str,
    span: tuple[int, int],
    size: int,
    count: Callable[[str], int],
    boundaries: Sequence[Callable[[str], list[int]]],
) -> Iterator[Piece]:
    """Cut a span into pieces of at most `size` tokens, at the coarsest boundaries that will do.

    Each of `boundaries` gives, for a text, the offsets at which its parts start, beginning with
    0. A text that none of them cuts stays one piece, however many tokens it has.
    """
    start, end = span
    part = text[start:end]
    tokens = count(part)
    if tokens > size:
        for cuts_of in boundaries:
            cuts = cuts_of(part)
            if len(cuts) > 1:
                for finer in piece_spans(cuts, start, end):
                    yield from divided(text, finer, size, count, boundaries)
                return
    yield Piece(start, end, tokens)


def cuts_before(part: str, separator: str) -> list[int]:
    """Give where pieces start if `part` is cut before every `separator` (empty: everywhere)."""
    if not separator:
        return list(range(len(part)))
    cuts = [0]
    at = part.find(separator)
    while at >= 0:
        if at:
            cuts.append(at)
        at = part.find(separator, at + len(separator))
    return cuts


def piece_spans(cuts: Sequence[int], start: int, end: int) -> list[tuple[int, int]]:
    """Turn the `cuts` of the text [start, end), relative to `start`, into spans."""
    places = [start + cut for cut in cuts]
    return list(zip(places, [*places[1:], end], strict=False))
