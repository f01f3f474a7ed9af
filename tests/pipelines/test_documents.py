import os
import random
from pathlib import Path

import pytest

from pipelines.documents import load_documents, read_documents, resolve_path
from raytuner.component import ConfigError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    for name, text in {
        "docs/b.md": "bee",
        "docs/a.txt": "ay\r\n",
        "docs/sub/c.TXT": "see",
        "docs/.hidden.txt": "no",
        "docs/.git/config.txt": "no",
        "docs/picture.png": "\x89PNG",
        "docs/rows.jsonl": '{"id": "r1", "text": "row one"}\n{"id": "r2", "text": "row two"}\n',
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    return folder


def names(source: object, root: Path) -> list[str]:
    return [d.name for d in load_documents(source, root)]  # type: ignore[arg-type]


def test_a_folder_is_read_recursively_sorted_by_name(root: Path) -> None:
    reading = read_documents("docs", root)
    assert [d.name for d in reading.corpus] == [
        "a.txt", "b.md", "rows.jsonl#r1", "rows.jsonl#r2", "sub/c.TXT",
    ]  # fmt: skip
    assert reading.corpus.documents[0].text == "ay\r\n"
    (warning,) = reading.warnings
    assert warning.startswith("1 file(s) were skipped")
    assert "docs/picture.png" in warning


def test_globs_files_and_lists_name_documents_below_their_fixed_part(root: Path) -> None:
    assert names("docs/**/*.[tT]*", root) == ["a.txt", "sub/c.TXT"]
    assert names("docs/sub/c.TXT", root) == ["c.TXT"]
    assert names(["docs/sub", "docs/b.md"], root) == ["b.md", "c.TXT"]
    assert names(root / "docs" / "sub", root) == ["c.TXT"]


def test_a_file_reached_twice_is_read_once(root: Path) -> None:
    assert names(["docs/sub", "docs/**/*.TXT"], root) == ["c.TXT"]


def test_unknown_kinds_are_text_where_they_are_asked_for(root: Path) -> None:
    (root / "docs" / "main.py").write_text("print()")
    assert "main.py" not in names("docs", root)
    assert names("docs/*.py", root) == ["main.py"]
    (root / "docs" / "picture.png").write_bytes(b"\x89PNG")
    with pytest.raises(ConfigError, match=r"docs/picture\.png is not UTF-8"):
        names("docs/picture.png", root)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "documents 'nowhere' not found: there is no file or folder .*study/nowhere"),
        ("docs/*.xyz", r"no file matches 'docs/\*\.xyz' \(looked in .*docs\)"),
        ("nowhere/*.md", "no file matches"),
        ([], "no documents in an empty list"),
        ("../outside", r"the path '\.\./outside' leads out of the folder of the study"),
        ("docs/../../outside/*.txt", "leads out of the folder of the study"),
        ("docs/*/../../*", "may not hold '..' after a wildcard"),
        ("docs/**x/[.md", "glob 'docs/.*x/.*' cannot be read|no file matches"),
        ("do\0cs", r"'do\\x00cs' is no path: embedded null byte"),
        ("\ud83d", r"'\\ud83d' is no path: .*surrogates not allowed"),
        ("~nobody-of-that-name/docs", "'~nobody-of-that-name/docs' is no path"),
        ("a" * 5000, "'aaaa.*…: File name too long"),
    ],
)
def test_sources_that_give_nothing_say_why(root: Path, source: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_documents(source, root)  # type: ignore[arg-type]


def test_a_folder_without_documents_says_what_was_looked_for(root: Path) -> None:
    (root / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no documents in empty: looked for .*\.docx.*\.pdf"):
        load_documents("empty", root)


def test_absolute_paths_may_lie_anywhere(root: Path) -> None:
    outside = root.parent / "outside"
    assert names(outside, root) == ["secret.txt"]
    assert names(str(outside / "*.txt"), root) == ["secret.txt"]
    assert resolve_path(outside, root) == outside.resolve()


@pytest.mark.parametrize(
    ("target", "sources"),
    [
        ("outside", ["docs", "docs/*/secret.txt", "docs/link.txt"]),
        ("outside/secret.txt", ["docs", "docs/*", "docs/link.txt"]),
    ],
)
def test_symbolic_links_may_not_lead_out_of_the_study(
    root: Path, target: str, sources: list[str]
) -> None:
    (root / "docs" / "link.txt").symlink_to(root.parent / target)
    for source in sources:
        with pytest.raises(ConfigError, match=r"link\.txt.*' leads out"):
            load_documents(source, root)
    assert "secret" in [d.text for d in load_documents(root / "docs", root)]


def test_loops_of_symbolic_links_end(root: Path) -> None:
    before = names("docs", root)
    (root / "docs" / "loop").symlink_to(root / "docs")
    (root / "docs" / "sub" / "up").symlink_to(root / "docs")
    (root / "docs" / "again").symlink_to(root / "docs" / "sub")
    assert names("docs", root) == before


def test_names_must_be_unique(root: Path) -> None:
    (root / "more").mkdir()
    (root / "more" / "b.md").write_text("other")
    with pytest.raises(
        ConfigError, match=r"two documents are called 'b\.md': docs/b.md and more/b"
    ):
        load_documents(["docs", "more"], root)
    (root / "more" / "b.md").unlink()
    (root / "more" / "t.csv").write_text("id,text\n1,a\n1,b\n")
    with pytest.raises(ConfigError, match=r"called 't\.csv#1': more/t.csv, line 2 and .* line 3"):
        load_documents("more", root)


def test_blank_and_broken_documents_are_named(root: Path) -> None:
    (root / "docs" / "blank.txt").write_text(" \n\t\n")
    with pytest.raises(ConfigError, match=r"docs/blank\.txt is empty"):
        load_documents("docs", root)
    (root / "docs" / "blank.txt").write_bytes(b"abc\xff")
    with pytest.raises(
        ConfigError, match=r"docs/blank\.txt is not UTF-8: byte 0xff at byte offset"
    ):
        load_documents("docs", root)


def test_order_and_key_do_not_depend_on_the_file_system(tmp_path: Path) -> None:
    files = [f"{a}{b}.txt" for a in "abZ_" for b in ("", "/x", "-1")]
    keys = set()
    for run in range(3):
        folder = tmp_path / str(run)
        for name in random.Random(run).sample(files, len(files)):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"text of {name}")
        corpus = load_documents(".", folder)
        assert [d.name for d in corpus] == sorted(files)
        keys.add(corpus.key)
    assert len(keys) == 1


def test_a_named_reader_reads_every_file(root: Path) -> None:
    corpus = load_documents(
        "docs/sub", root, reader="llama_index.core.readers:SimpleDirectoryReader"
    )
    assert [(d.name, d.text) for d in corpus] == [("c.TXT", "see")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_named(root: Path) -> None:
    (root / "docs" / "sub").chmod(0)
    try:
        with pytest.raises(ConfigError, match="sub cannot be read: Permission denied"):
            load_documents("docs", root)
    finally:
        (root / "docs" / "sub").chmod(0o755)
