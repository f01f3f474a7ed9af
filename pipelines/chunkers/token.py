"""The `token` chunker: LlamaIndex's TokenTextSplitter with exact offsets."""

from __future__ import annotations

from functools import partial

from pipelines.chunkers.sized import Chunk, Sized, cuts_before, divided, merged, trimmed
from pipelines.tokenizers import tokenizer

_BOUNDARIES = tuple(partial(cuts_before, separator=separator) for separator in (" ", "\n", ""))


class Token(Sized, kind="token"):
    """Fill chunks with words, whatever sentence they belong to.

    The chunk texts are those of LlamaIndex's TokenTextSplitter with `chunk_size=size`,
    `chunk_overlap=overlap` and its other defaults (its own defaults are 1024 and 20). `size`
    bounds the sum over the words of a chunk, each counted alone; a single character with more
    than `size` tokens is a chunk of its own.
    """

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        count = tokenizer(self.tokenizer).count
        pieces = list(divided(text, (0, len(text)), self.size, count, _BOUNDARIES))
        return trimmed(text, merged(pieces, self.size, self.overlap))
