import sys
from pathlib import Path

import docx
import pytest
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from pipelines.readers import (
    READERS,
    imported_reader,
    read_csv,
    read_docx,
    read_html,
    read_jsonl,
    read_pdf,
    read_plain,
)
from raytuner.component import ConfigError


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def html(folder: Path, content: str | bytes) -> str:
    (read,) = read_html(put(folder, "p.html", content), "p.html")
    return read.text


def pdf(folder: Path, pages: list[str]) -> Path:
    writer = PdfWriter()
    font = DictionaryObject()
    for key, value in {"Type": "Font", "Subtype": "Type1", "BaseFont": "Helvetica"}.items():
        font[NameObject(f"/{key}")] = NameObject(f"/{value}")
    for text in pages:
        page = writer.add_blank_page(200, 200)
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode())
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        page[NameObject("/Contents")] = writer._add_object(stream)
    path = folder / "f.pdf"
    writer.write(path)
    return path


def test_plain_text_is_kept_exactly(tmp_path: Path) -> None:
    text = "# a\r\n\r\n\tb  \n\n\n\u2028c"
    (read,) = read_plain(put(tmp_path, "a.md", "\ufeff" + text), "a.md")
    assert read.text == text


def test_html_becomes_visible_text_with_breaks_between_blocks(tmp_path: Path) -> None:
    page = """<html><head><title>The page</title><style>p {}</style></head><body>
    <h1>Head</h1><p>One <b>bold</b>
    line.</p><ul><li>a</li><li>b</li></ul><script>alert(1)</script><!-- no -->
    <table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>
    <pre>x
      y</pre>left <i>and</i> right<br>below</body></html>"""
    (read,) = read_html(put(tmp_path, "p.html", page), "p.html")
    assert read.metadata == {"title": "The page"}
    assert read.text == (
        "Head\n\nOne bold line.\n\na\nb\n\n1\t2\n3\t4\n\nx\n      y\n\nleft and right\nbelow"
    )


def test_html_nested_deeper_than_python_recurses_is_read(tmp_path: Path) -> None:
    depth = sys.getrecursionlimit() * 3
    assert html(tmp_path, "<div>" * depth + "deep" + "</div>" * depth) == "deep"


def test_html_uses_the_encoding_it_declares(tmp_path: Path) -> None:
    page = '<meta charset="iso-8859-1"><p>caf\u00e9</p>'
    assert html(tmp_path, page.encode("latin-1")) == "caf\u00e9"
    with pytest.raises(ConfigError, match=r"p\.html is not UTF-8: byte 0xe9"):
        html(tmp_path, "<p>caf\u00e9</p>".encode("latin-1"))
    with pytest.raises(ConfigError, match="is not the no-such it declares"):
        html(tmp_path, '<meta charset="no-such"><p>caf\u00e9</p>'.encode("latin-1"))


def test_pdf_pages_are_read_in_order(tmp_path: Path) -> None:
    (read,) = read_pdf(pdf(tmp_path, ["first page", "second page"]), "f.pdf")
    assert read.text == "first page\n\nsecond page"
    assert read.metadata == {"pages": 2}


def test_a_pdf_without_text_and_a_broken_one_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConfigError, match=r"f\.pdf has no text layer \(a scan\?\)"):
        read_pdf(pdf(tmp_path, [""]), "f.pdf")
    with pytest.raises(ConfigError, match=r"x\.pdf cannot be read as PDF"):
        read_pdf(put(tmp_path, "x.pdf", "not a pdf"), "x.pdf")
    assert not caplog.records  # one sentence, not two


def test_docx_keeps_paragraphs_and_tables_in_order(tmp_path: Path) -> None:
    document = docx.Document()
    document.core_properties.title = "Title"
    document.add_paragraph("before")
    document.add_paragraph("")
    table = document.add_table(rows=2, cols=2)
    for row, texts in zip(table.rows, [("a", "b"), ("c", "d")], strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_paragraph("after")
    document.save(str(tmp_path / "d.docx"))
    (read,) = read_docx(tmp_path / "d.docx", "d.docx")
    assert read.text == "before\n\na\tb\nc\td\n\nafter"
    assert read.metadata == {"title": "Title"}
    with pytest.raises(ConfigError, match=r"x\.docx cannot be read as docx"):
        read_docx(put(tmp_path, "x.docx", "no"), "x.docx")


def test_rows_are_documents(tmp_path: Path) -> None:
    table = put(tmp_path, "t.csv", "name,text,year\nfirst,one,1999\n,two,2000\n")
    assert [(r.suffix, r.text, r.metadata, r.where) for r in read_csv(table, "t.csv")] == [
        ("#first", "one", {"year": "1999"}, "t.csv, line 2"),
        ("#2", "two", {"year": "2000"}, "t.csv, line 3"),
    ]
    lines = put(tmp_path, "t.jsonl", '{"id": 7, "text": "one", "n": 1}\n{"text": "two"}\n')
    assert [(r.suffix, r.text, r.metadata) for r in read_jsonl(lines, "t.jsonl")] == [
        ("#7", "one", {"n": 1}),
        ("#2", "two", {}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"}\n{"id": 1}\n', r"t\.jsonl, line 2: the field 'text' is missing"),
        ('{"text": "a"}\n{"text": }\n', r"t\.jsonl, line 2, column 10: malformed JSON"),
        ('{"text": "  "}\n', r"t\.jsonl, line 1: 'text' is empty"),
        ('{"text": "a", "id": [1]}\n', r"line 1: the name of a document must be a string"),
        ("\n", r"t\.jsonl is empty"),
    ],
)
def test_bad_rows_are_located(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_jsonl(put(tmp_path, "t.jsonl", content), "t.jsonl")


def test_a_llama_index_reader_can_be_named(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", "hello")
    reader = imported_reader("llama_index.core.readers:SimpleDirectoryReader")
    (read,) = reader(path, "a.txt")
    assert (read.suffix, read.text) == ("", "hello")
    assert read.metadata["file_name"] == "a.txt"
    data = put(tmp_path, "a.json", '{"k": "v"}')
    (read,) = imported_reader("llama_index.core.readers.json:JSONReader")(data, "a.json")
    assert '"k": "v"' in read.text


def test_several_documents_of_one_reader_are_numbered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "paged_reader.py").write_text(
        "from llama_index.core.readers.base import BaseReader\n"
        "from llama_index.core.schema import Document\n"
        "class Pages(BaseReader):\n"
        "    def load_data(self, file):\n"
        "        return [Document(text=t) for t in file.read_text().split('|')]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    reads = imported_reader("paged_reader:Pages")(put(tmp_path, "a.txt", "x||y"), "a.txt")
    assert [(read.suffix, read.text) for read in reads] == [("#1", "x"), ("#3", "y")]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("json", "must be written as module:Class"),
        ("no_such_module:Reader", "cannot be imported: No module named"),
        ("json:Reader", "cannot be imported: module 'json' has no attribute"),
        ("json:JSONDecoder", "has no method load_data"),
    ],
)
def test_what_is_no_reader_is_refused(spec: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        imported_reader(spec)


def test_a_reader_that_fails_names_the_file(tmp_path: Path) -> None:
    reader = imported_reader("llama_index.core.readers.json:JSONReader")
    with pytest.raises(ConfigError, match=r"bad\.json cannot be read by llama_index"):
        reader(put(tmp_path, "bad.json", "{"), "bad.json")


def test_every_extension_is_lower_case_with_a_dot() -> None:
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in READERS)
