"""The `markdown` chunker: one chunk per section, big sections cut by sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.chunkers.sentence import Sentence
from pipelines.chunkers.sized import Chunk, Sized, trimmed

_HEADING = re.compile(r"#+\s.")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")


class Markdown(Sized, kind="markdown"):
    """Cut before every heading (`#` lines); a section beyond `size` is cut by `sentence`.

    Sections are those of LlamaIndex's MarkdownNodeParser, which knows no size. A `#` line inside
    a code fence is no heading; unlike LlamaIndex, a fence is closed only by a fence of the same
    mark that is at least as long and has no text after it (CommonMark 0.31, section 4.5).
    """

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        inside = Sentence(size=self.size, overlap=self.overlap, tokenizer=self.tokenizer)
        sections = _sections(text)
        return trimmed(text, (span for section in sections for span in inside.spans(text, section)))


def _sections(text: str) -> Iterator[tuple[int, int]]:
    """Give the spans between headings; they cover the text."""
    start = at = 0
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
        elif not fence and _HEADING.match(line):
            yield (start, at)
            start = at
        at += len(line) + 1
    yield (start, len(text))
