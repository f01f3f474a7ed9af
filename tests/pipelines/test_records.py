from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.records import (
    decode,
    field_text,
    json_lines,
    label_of,
    parse_json,
    read_text,
    shorten,
    table_rows,
)
from raytuner.component import ConfigError


@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=50))
@settings(max_examples=100, deadline=None)
def test_decoding_is_exact_and_drops_one_byte_order_mark(text: str) -> None:
    assert decode(b"\xef\xbb\xbf" + text.encode(), "a.txt") == text
    if not text.startswith("\ufeff"):
        assert decode(text.encode(), "a.txt") == text


def test_wrong_encodings_are_named_with_their_offset() -> None:
    with pytest.raises(ConfigError, match=r"a\.txt .*0xe9 at byte offset 3 .*save the file as UTF"):
        decode("caf\u00e9".encode("latin-1"), "a.txt")
    with pytest.raises(ConfigError, match="byte offset 6"):
        decode(b"\xef\xbb\xbfabc\xff", "a.txt")
    with pytest.raises(ConfigError, match="UTF-16"):
        decode("abc".encode("utf-16"), "a.txt")
    with pytest.raises(ConfigError, match="binary, not text: it has a zero byte at byte offset 2"):
        decode(b"ab\0c", "a.txt")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.txt cannot be read: No such file"):
        read_text(tmp_path / "gone.txt", "gone.txt")


def test_malformed_json_is_located() -> None:
    with pytest.raises(ConfigError, match=r"q\.jsonl, line 3, column 7: malformed JSON"):
        list(json_lines('{"a": 1}\n\n{"a": }\n', "q.jsonl"))
    with pytest.raises(ConfigError, match=r"q\.json, line 2, column 6: malformed JSON"):
        parse_json('{\n"a": }', "q.json")
    with pytest.raises(ConfigError, match=r"line 1: expected a JSON object in braces, got '\[1\]'"):
        list(json_lines("[1]", "q.jsonl"))
    with pytest.raises(ConfigError, match=r"line 1: malformed JSON: the key 'a' occurs twice"):
        list(json_lines('{"a": 1, "a": 2}', "q.jsonl"))
    with pytest.raises(ConfigError, match="half of a surrogate pair"):
        list(json_lines('{"a": "\\ud83d"}', "q.jsonl"))
    with pytest.raises(ConfigError, match="malformed JSON"):
        parse_json("[" * 200_000, "q.json")


def test_json_lines_split_at_newlines_only() -> None:
    lines = list(json_lines('{"a": "x\u2028y"}\r\n{"a": "\\ud83d\\ude00"}\n', "q.jsonl"))
    assert lines == [(1, {"a": "x\u2028y"}), (2, {"a": "\U0001f600"})]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_find_their_delimiter_and_keep_line_numbers(delimiter: str) -> None:
    rows = [["id", "text"], ["1", '"two\nlines, ""quoted"""'], ["", ""], ["2", "b"]]
    text = "\r\n".join(delimiter.join(row) for row in rows)
    assert list(table_rows(text, "t.csv", ["text"])) == [
        (2, {"id": "1", "text": 'two\nlines, "quoted"'}),
        (5, {"id": "2", "text": "b"}),
    ]


def test_tables_take_cells_larger_than_the_default_limit() -> None:
    (row,) = table_rows(f"text\n{'x' * 200_000}\n", "t.csv", ["text"])
    assert len(row[1]["text"]) == 200_000


def test_broken_tables_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"no column 'text'; the columns are: id, txt\. Did you"):
        list(table_rows("id,txt\n1,a\n", "t.csv", ["text"]))
    with pytest.raises(ConfigError, match="the columns are: none"):
        list(table_rows("", "t.csv", ["text"]))
    with pytest.raises(ConfigError, match=r"t\.csv, line 3: 3 cells under 2 columns"):
        list(table_rows("id,text\n1,a\n2,b,c\n", "t.csv", ["text"]))
    with pytest.raises(ConfigError, match=r"line 2: malformed CSV"):
        list(table_rows('text\n"open\n', "t.csv", ["text"]))
    with pytest.raises(ConfigError, match="the column 'text' occurs twice"):
        list(table_rows("text,text\na,b\n", "t.csv", ["text"]))


def test_fields_must_be_there_and_be_text() -> None:
    assert field_text({"text": "x"}, "text", "f, line 1") == "x"
    with pytest.raises(ConfigError, match=r"f, line 1: the field 'text' is missing\. Did you mean"):
        field_text({"texts": "x"}, "text", "f, line 1")
    with pytest.raises(ConfigError, match="'text' must be a string, got 3"):
        field_text({"text": 3}, "text", "f, line 1")
    with pytest.raises(ConfigError, match="'text' is empty"):
        field_text({"text": " \n"}, "text", "f, line 1")


def test_names_in_messages_are_short(tmp_path: Path) -> None:
    assert label_of(tmp_path / "a" / "b.txt", tmp_path) == "a/b.txt"
    assert label_of(Path("/elsewhere/b.txt"), tmp_path) == "/elsewhere/b.txt"
    assert shorten("a  b\nc") == "a b c"
    assert shorten("x" * 1000) == "x" * 60 + "…"
