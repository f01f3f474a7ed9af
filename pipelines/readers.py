"""One file of a known format in, plain texts out.

Text is kept exactly as it is in the file; HTML, PDF and docx are turned into text with line
breaks where blocks end. CSV and JSON Lines hold one document per row.
"""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.records import (
    decode,
    field_text,
    json_lines,
    read_bytes,
    read_text,
    table_rows,
)
from raytuner.component import ConfigError


class Read(NamedTuple):
    """One text found in a file.

    Attributes:
        suffix: what tells it from other texts of the file (`#row`), or nothing.
        text: the text.
        metadata: facts about it.
        where: how a message names its place.
    """

    suffix: str
    text: str
    metadata: dict[str, Any]
    where: str


Reader = Callable[[Path, str], list[Read]]
"""(path, its name in messages) to texts."""


def read_plain(path: Path, label: str) -> list[Read]:
    """Read a UTF-8 text file, exactly."""
    return [Read("", read_text(path, label), {}, label)]


def read_html(path: Path, label: str) -> list[Read]:
    """Read the visible text of a page, one line per block; `title` goes to the metadata."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(_html_source(read_bytes(path, label), label), "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    return [Read("", _visible_text(soup), {"title": title} if title else {}, label)]


def _html_source(data: bytes, label: str) -> str:
    """Decode by UTF-8, else by the encoding that the page declares."""
    from bs4.dammit import EncodingDetector

    try:
        return decode(data, label)
    except ConfigError:
        declared = EncodingDetector.find_declared_encoding(data, is_html=True)
        if not declared:
            raise
        try:
            return data.decode(declared)
        except (LookupError, UnicodeDecodeError) as error:
            raise ConfigError(f"{label} is not the {declared} it declares: {error}") from error


_HIDDEN = frozenset({"head", "script", "style", "template", "noscript", "svg", "iframe", "object"})
_PARAGRAPHS = frozenset([
    "address", "article", "aside", "blockquote", "body", "details", "div", "dl", "fieldset",
    "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "main",
    "nav", "ol", "p", "pre", "section", "table", "ul",
])  # fmt: skip
_LINES = frozenset([
    "br", "caption", "dd", "dt", "figcaption", "legend", "li", "option", "summary", "tr",
])  # fmt: skip
_CELLS = frozenset({"td", "th"})


_LINE_BREAK, _PARAGRAPH_BREAK = "\f", "\v"  # in no HTML text: white space becomes a space


def _visible_text(soup: Any) -> str:
    """Join the text of a tree: blank line around paragraphs, newline around lines, tab after cells.

    Walks with a stack of its own: hostile pages nest deeper than Python recurses.
    """
    from bs4.element import CData, NavigableString

    pieces: list[str] = []
    stack: list[Any] = [soup]
    preformatted = 0
    while stack:
        node = stack.pop()
        if isinstance(node, int):
            preformatted += node
        elif isinstance(node, NavigableString):
            if type(node) in {NavigableString, CData}:
                pieces.append(str(node) if preformatted else re.sub(r"\s+", " ", node))
        elif isinstance(node, str):
            pieces.append(node)
        elif node.name not in _HIDDEN:
            before, after = _breaks(node.name)
            pieces.append(before)
            is_pre = int(node.name == "pre")
            preformatted += is_pre
            stack += [after, -is_pre, *reversed(node.contents)]
    return _tidy(pieces)


def _breaks(tag: str) -> tuple[str, str]:
    """Give what stands before and after the text of a tag."""
    if tag in _PARAGRAPHS:
        return _PARAGRAPH_BREAK, _PARAGRAPH_BREAK
    if tag in _LINES:
        return _LINE_BREAK, _LINE_BREAK
    return ("", "\t") if tag in _CELLS else ("", "")


def _tidy(pieces: list[str]) -> str:
    """Merge neighbouring breaks and the blanks around them into one or two newlines."""

    def newline(match: re.Match[str]) -> str:
        return "\n\n" if _PARAGRAPH_BREAK in match.group() else "\n"

    kept: list[str] = []
    for piece in pieces:
        doubled = piece.startswith(" ") and kept and kept[-1].endswith(" ")
        shown = piece[1:] if doubled else piece
        if shown:
            kept.append(shown)
    return re.sub(r"[ \t]*[\f\v][ \t\f\v]*", newline, "".join(kept)).strip()


def read_pdf(path: Path, label: str) -> list[Read]:
    """Read the text layer of a PDF, pages separated by a blank line; `pages` is their number."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # what it mends is no news to a reader
    try:
        pages = [page.extract_text() for page in PdfReader(path).pages]
    except Exception as error:
        raise ConfigError(f"{label} cannot be read as PDF: {error}") from error
    # Broken fonts yield half surrogate pairs, which no tokenizer or file can take.
    text = "\n\n".join(pages).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not text.strip():
        raise ConfigError(f"{label} has no text layer (a scan?); run character recognition first")
    return [Read("", text, {"pages": len(pages)}, label)]


def read_docx(path: Path, label: str) -> list[Read]:
    """Read paragraphs and tables of a Word file in order; cells are separated by tabs."""
    import docx
    from docx.table import Table

    try:
        document = docx.Document(str(path))
    except Exception as error:
        raise ConfigError(f"{label} cannot be read as docx: {error}") from error
    blocks = []
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            rows = ["\t".join(cell.text for cell in row.cells) for row in block.rows]
            blocks.append("\n".join(rows))
        elif block.text.strip():
            blocks.append(block.text)
    title = document.core_properties.title
    return [Read("", "\n\n".join(blocks), {"title": title} if title else {}, label)]


def read_csv(path: Path, label: str) -> list[Read]:
    """Read one document per row: column `text`, named by `name` or `id`, else by row number."""
    return _records(table_rows(read_text(path, label), label, ["text"]), label)


def read_jsonl(path: Path, label: str) -> list[Read]:
    """Read one document per line: `{"id" or "name", "text"}`."""
    return _records(json_lines(read_text(path, label), label), label)


def _records(rows: Iterator[tuple[int, Any]], label: str) -> list[Read]:
    reads = []
    for number, (line, row) in enumerate(rows, start=1):
        where = f"{label}, line {line}"
        text = field_text(row, "text", where)
        name = _row_name(row, where) or str(number)
        rest = {k: v for k, v in row.items() if k not in {"text", "name", "id"}}
        reads.append(Read(f"#{name}", text, rest, where))
    if not reads:
        raise ConfigError(f"{label} is empty: there is no row in it")
    return reads


def _row_name(row: Mapping[str, Any], where: str) -> str:
    value = row.get("name") or row.get("id") or ""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ConfigError(f"{where}: the name of a document must be a string, got {value!r}")
    return str(value).strip()


_TEXT = [
    ".txt", ".text", ".md", ".markdown", ".mdx", ".rst", ".adoc", ".asciidoc", ".org", ".tex",
    ".log",
]  # fmt: skip
READERS: Mapping[str, Reader] = {
    **dict.fromkeys(_TEXT, read_plain),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".csv": read_csv,
    ".jsonl": read_jsonl,
}
"""Reader by lower-case file name extension."""


def imported_reader(spec: str) -> Reader:
    """Make a reader of a LlamaIndex reader class, or of anything with its `load_data(path)`.

    Several documents from one file (pages) are told apart by their number: `#1`, `#2`.

    Args:
        spec: `module:Class`, for example `llama_index.readers.file:PyMuPDFReader`.

    Raises:
        ConfigError: it cannot be imported, or is no reader.
    """
    module, _, name = spec.partition(":")
    if not module or not name:
        raise ConfigError(f"reader {spec!r} must be written as module:Class")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"reader {spec!r} cannot be imported: {error}") from error
    if not hasattr(found, "load_data"):
        raise ConfigError(f"reader {spec!r} has no method load_data, so it is no LlamaIndex reader")

    def read(path: Path, label: str) -> list[Read]:
        try:
            pieces = _load_data(found, path)
        except Exception as error:
            raise ConfigError(f"{label} cannot be read by {spec}: {error}") from error
        several = len(pieces) > 1
        return [
            Read(f"#{n}" if several else "", text, metadata, f"{label} ({spec}, part {n})")
            for n, (text, metadata) in enumerate(pieces, start=1)
            if text.strip() or not several
        ]

    return read


def _load_data(reader: Any, path: Path) -> list[tuple[str, dict[str, Any]]]:
    from llama_index.core import SimpleDirectoryReader

    if isinstance(reader, type) and issubclass(reader, SimpleDirectoryReader):
        documents = reader(input_files=[path], raise_on_error=True).load_data()
    else:
        documents = reader().load_data(path)
    return [(document.text, dict(document.metadata)) for document in documents]
