"""`markdown` gives one chunk per section, and cuts the big ones by sentences."""

from pipelines.chunkers import Markdown, Sentence

TEXT = """Before any heading.

# One #

Text of one.
#hashtag is no heading
## One point one

```python
# a comment, no heading
```

    # indented: no heading

# Two

Text of two.
"""


def texts(text, **fields):
    return [text[a:b] for a, b, _, _ in Markdown(**fields).split(text)]


def test_sections_are_those_of_llama_index():
    from llama_index.core import Document
    from llama_index.core.node_parser import MarkdownNodeParser

    nodes = MarkdownNodeParser().get_nodes_from_documents([Document(text=TEXT)])
    assert texts(TEXT) == [node.text for node in nodes]
    assert len(nodes) == 4


def test_inner_fences_close_nothing():
    text = (
        "# A\n````\n```\n# no heading\n```\n````\n# B\n~~~\n# no\n```\n# no\n~~~\n# C\n```\n# no\n"
    )
    assert [part[:3] for part in texts(text)] == ["# A", "# B", "# C"]


def test_big_sections_are_cut_by_sentences():
    body = " ".join(f"This is sentence number {i}." for i in range(40))
    text = f"# Small\n\nText.\n\n# Big\n\n{body}\n"
    found = texts(text, size=50, overlap=10)
    start = text.index("# Big")
    expected = [
        text[start:][a:b] for a, b, _, _ in Sentence(size=50, overlap=10).split(text[start:])
    ]
    assert found == ["# Small\n\nText.", *expected]


def test_windows_line_ends():
    assert texts("# A\r\n\r\ntext\r\n# B\r\n") == ["# A\r\n\r\ntext", "# B"]
