"""The `sentence-window` chunker: search single sentences, hand on their surroundings."""

from __future__ import annotations

from pydantic import Field

from pipelines.chunkers.sized import Chunk
from pipelines.roles import Chunker
from pipelines.sentences import sentence_spans


class SentenceWindow(Chunker, kind="sentence-window"):
    """Make one chunk per sentence: the sentence is matched, its window is handed on.

    After LlamaIndex's SentenceWindowNodeParser, with the sentences of `pipelines.sentences`.
    """

    window: int = Field(
        default=3, ge=0, description="sentences handed on before and after the one that matched"
    )

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        spans = sentence_spans(text)
        last = len(spans) - 1
        return [
            (
                spans[max(0, number - self.window)][0],
                spans[min(last, number + self.window)][1],
                start,
                end,
            )
            for number, (start, end) in enumerate(spans)
        ]
