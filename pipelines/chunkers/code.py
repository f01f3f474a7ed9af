"""The `code` chunker: cut source code between its syntactic parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, Self, get_args

import numpy as np
from pydantic import Field, model_validator

from pipelines.chunkers.sized import (
    Chunk,
    Piece,
    Sized,
    cuts_before,
    divided,
    merged,
    trimmed,
)
from pipelines.tokenizers import tokenizer
from pipelines.types import IntArray
from raytuner.component import ConfigError, nearest, require

_PACK = "tree_sitter_language_pack"
_TEXT_BOUNDARIES = tuple(partial(cuts_before, separator=mark) for mark in ("\n", " ", ""))


class Code(Sized, kind="code"):
    """Fill chunks with neighbouring syntax nodes; a node beyond `size` is cut at its children.

    After LlamaIndex's CodeSplitter (the algorithm of Sweep, "Chunking 2M+ files a day for code
    search using syntax trees", 2023). A leaf beyond `size` (a long string or comment) is cut at
    line breaks, else blanks. Code with syntax errors is cut too, as well as tree-sitter can read
    it, where LlamaIndex raises. Needs the extra `code`.
    """

    language: str = Field(description="programming language of all documents, e.g. python")

    @model_validator(mode="after")
    def _language_known(self) -> Self:
        known = getattr(require(_PACK, extra="code"), "SupportedLanguage", None)
        if known is None:
            raise ConfigError(
                "tree-sitter-language-pack 1.0 and later cannot be used; "
                "run: pip install 'raytuner[code]'"
            )
        known = get_args(known)
        if self.language not in known:
            raise ConfigError(
                f"chunker.language {self.language!r} is none of the {len(known)} languages of "
                f"tree-sitter-language-pack.{nearest(self.language, known)}"
            )
        return self

    def split(self, text: str) -> list[Chunk]:
        """Cut one text."""
        parser = require(_PACK, extra="code").get_parser(self.language)
        content = text.encode("utf-8", "replace")
        source = _Source(text, _character_of_byte(content), tokenizer(self.tokenizer).count)
        spans: list[tuple[int, int]] = []
        for run in _runs(source, parser.parse(content).root_node, (0, len(text)), self.size):
            spans.extend(merged(run, self.size, self.overlap))
        return trimmed(text, spans)


class _Source(NamedTuple):
    text: str
    character: IntArray
    count: Callable[[str], int]


def _character_of_byte(content: bytes) -> IntArray:
    """Give the character number of every byte, and of the end."""
    first = (np.frombuffer(content, dtype=np.uint8) & 0xC0) != 0x80
    return np.append(np.cumsum(first) - 1, first.sum()).astype(np.int64)


def _runs(source: _Source, node: Any, span: tuple[int, int], size: int) -> Iterator[list[Piece]]:
    """Give runs of pieces that may be merged; together they cover `span`, the place of `node`.

    What lies between two nodes belongs to the second.
    """
    start, end = span
    run: list[Piece] = []
    for child in node.children:
        first, last = int(source.character[child.start_byte]), int(source.character[child.end_byte])
        if source.count(source.text[first:last]) <= size:
            run.append(Piece(start, last, source.count(source.text[start:last])))
        else:
            yield run
            run = []
            yield from _runs(source, child, (start, last), size)
        start = last
    if start < end:
        run.extend(divided(source.text, (start, end), size, source.count, _TEXT_BOUNDARIES))
    yield run
