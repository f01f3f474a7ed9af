"""The `fixed` chunker: windows of a fixed number of tokens."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pipelines.chunkers.sized import Chunk, Sized
from pipelines.tokenizers import tokenizer
from pipelines.types import IntArray


class Fixed(Sized, kind="fixed"):
    """Cut every `size - overlap` tokens of the whole document, through words and sentences.

    This is the TokenText splitter of the Chroma chunking report (Smith and Troynikov 2024,
    "Evaluating Chunking Strategies for Retrieval"): every chunk but the last has exactly `size`
    tokens of the document as tokenised whole, outer blanks included. Characters are never torn:
    where a window would end inside one, it ends before it.
    """

    version: ClassVar[int] = 2

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        starts = tokenizer(self.tokenizer).starts(text)
        chunks: list[Chunk] = []
        for start, end in _windows(starts, len(text), self.size, self.overlap):
            if not text[start:end].isspace():
                chunks.append((start, end, start, end))
        return chunks


def _windows(starts: IntArray, length: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Give the character spans of the windows; they cover [0, length)."""
    if not length:
        return []
    # the first token of the character that each token starts in
    whole = np.searchsorted(starts, starts, side="left")
    spans: list[tuple[int, int]] = []
    first = 0
    while first + size < len(starts):
        after = int(whole[first + size])
        if after <= first:  # one character has more tokens than a window: keep it whole
            after = int(np.searchsorted(starts, starts[first], side="right"))
            if after == len(starts):
                break
        spans.append((_place(starts, first), int(starts[after])))
        back = int(whole[max(first, after - overlap)])
        first = back if back > first else after
    spans.append((_place(starts, first), length))
    return spans


def _place(starts: IntArray, token: int) -> int:
    """Give where a window starts; what precedes the first token belongs to the first window."""
    return int(starts[token]) if token else 0
