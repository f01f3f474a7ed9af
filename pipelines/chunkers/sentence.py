"""The `sentence` chunker: LlamaIndex's SentenceSplitter with exact offsets."""

from __future__ import annotations

import re
from functools import partial

from pipelines.chunkers.sized import Chunk, Sized, cuts_before, divided, merged, trimmed
from pipelines.sentences import sentence_starts
from pipelines.tokenizers import tokenizer

_PHRASE = re.compile("[^,.;。？！]+[,.;。？！]?|[,.;。？！]")


def _phrase_starts(part: str) -> list[int]:
    return [phrase.start() for phrase in _PHRASE.finditer(part)]


_BOUNDARIES = (
    partial(cuts_before, separator="\n\n\n"),
    sentence_starts,
    _phrase_starts,
    partial(cuts_before, separator=" "),
    partial(cuts_before, separator=""),
)
"""Where to cut, coarsest first: paragraphs, sentences, phrases, words, characters."""


class Sentence(Sized, kind="sentence"):
    """Fill chunks with whole sentences; a sentence beyond `size` is cut at finer boundaries.

    The chunk texts are those of LlamaIndex's SentenceSplitter with `chunk_size=size`,
    `chunk_overlap=overlap` and its other defaults (its own defaults are 1024 and 200), except
    that a single character with more than `size` tokens is a chunk instead of an error. The
    offsets are exact, where LlamaIndex searches for the chunk text and can find another copy.
    `size` bounds the sum over the pieces of a chunk, each counted alone.
    """

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        return trimmed(text, self.spans(text, (0, len(text))))

    def spans(self, text: str, span: tuple[int, int]) -> list[tuple[int, int]]:
        """Cut a span of a text as if it stood alone; outer blanks are left in."""
        count = tokenizer(self.tokenizer).count
        pieces = list(divided(text, span, self.size, count, _BOUNDARIES))
        return merged(pieces, self.size, self.overlap)
