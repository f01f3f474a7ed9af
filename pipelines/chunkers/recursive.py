"""The `recursive` chunker: cut at the coarsest separator that occurs, then at finer ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from pipelines.chunkers.sized import (
    Chunk,
    Piece,
    Sized,
    cuts_before,
    merged,
    piece_spans,
    trimmed,
)
from pipelines.tokenizers import tokenizer

SEPARATORS = ("\n\n", "\n", ".", "?", "!", " ", "")


class Recursive(Sized, kind="recursive"):
    r"""Cut at blank lines, else lines, else `.`, `?`, `!`, else words, else characters.

    This is the RecursiveTokenChunker of the Chroma chunking report (Smith and Troynikov 2024,
    "Evaluating Chunking Strategies for Retrieval"), which is LangChain's
    RecursiveCharacterTextSplitter with these separators and lengths in tokens. A separator stays
    with what follows it, so a chunk can begin with the full stop of the sentence before. Pieces
    are merged only with neighbours that came from the same cut. `size` bounds the sum over the
    pieces of a chunk, each counted alone; a single character with more tokens than `size` is a
    chunk of its own.
    """

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        count = tokenizer(self.tokenizer).count
        spans: list[tuple[int, int]] = []
        for run in _runs(text, (0, len(text)), self.size, count, SEPARATORS):
            spans.extend(merged(run, self.size, self.overlap))
        return trimmed(text, spans)


def _runs(
    text: str,
    span: tuple[int, int],
    size: int,
    count: Callable[[str], int],
    separators: Sequence[str],
) -> Iterator[list[Piece]]:
    """Give runs of pieces that may be merged; pieces reach `size` only where nothing cuts them."""
    part = text[slice(*span)]
    depth = next(i for i, s in enumerate(separators) if s in part)
    finer = separators[depth + 1 :]
    run: list[Piece] = []
    for start, end in piece_spans(cuts_before(part, separators[depth]), *span):
        piece = Piece(start, end, count(text[start:end]))
        if piece.tokens < size:
            run.append(piece)
            continue
        yield run
        run = []
        if finer:
            yield from _runs(text, (start, end), size, count, finer)
        else:
            yield [piece]
    yield run
