"""Sentences cover the text once, are LlamaIndex's, and are never too long to embed."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sentences import LONGEST, sentence_spans, sentence_starts
from pipelines.tokenizers import tokenizer

fragments = st.lists(
    st.one_of(
        st.text(max_size=10),
        st.sampled_from(
            ["One sentence here. ", "No! ", '") ', "\r\n", "\n\n", "漢字。", "word ", "| 1 | 2 |\n"]
        ),
    ),
    max_size=60,
).map("".join)


def texts(text: str, **options: int) -> list[str]:
    return [text[a:b] for a, b in sentence_spans(text, **options)]


@settings(max_examples=150, deadline=None)
@given(text=fragments, longest=st.sampled_from([1, 2, 5, LONGEST]))
def test_spans_cover_every_character_once(text, longest):
    spans = sentence_spans(text, longest)
    covered = 0
    for start, end in spans:
        assert not text[covered:start].strip()
        assert text[start:end] == text[start:end].strip() != ""
        covered = end
    assert not text[covered:].strip()


@settings(max_examples=60, deadline=None)
@given(text=fragments)
def test_starts_are_those_of_llama_index(text):
    from llama_index.core.node_parser.text.utils import split_by_sentence_tokenizer

    starts = sentence_starts(text)
    ends = [*starts[1:], len(text)]
    own = [text[a:b] for a, b in zip(starts, ends, strict=False)]
    assert own == split_by_sentence_tokenizer()(text)


def test_plain_prose():
    text = 'He left. "Why?" she asked! \n\nNobody knew...  The end'
    assert texts(text) == ["He left.", '"Why?"', "she asked!", "Nobody knew...  The end"]
    assert texts("  \n\t ") == texts("") == []


def test_tables_are_cut_at_line_breaks():
    table = "".join(f"| row {i} | value {i} | another {i} |\n" for i in range(40))
    found = texts(table)
    assert len(found) == 5
    assert all(part.startswith("| row") and part.endswith("|") for part in found)


def test_prose_without_marks_is_cut_between_words():
    found = texts("word " * 200)
    assert [len(part.split()) for part in found] == [80, 80, 40]
    assert [len(p.split()) for p in texts("internationalisation " * 50, longest=20)] == [10] * 5


def test_scripts_without_blanks_are_cut_after_closing_marks():
    found = texts("漢字仮名交じりの文。" * 30)
    assert len(found) > 3
    assert all(part.endswith("。") and len(part) <= LONGEST for part in found)


@pytest.mark.parametrize(
    "text",
    ["x" * 5000, "漢" * 5000, "QmFzZTY0" * 500, "1,234 | 5.6 | n/a\n" * 500, "한국어 " * 900],
)
def test_no_sentence_exceeds_the_embedding_model(text):
    count = tokenizer("wordpiece").count
    assert max(count(part) for part in texts(text)) <= 254


def test_reads_no_data_files():
    program = """
import sys
def refuse(event, args):
    if event == "open" and "nltk_" in str(args[0]):
        raise RuntimeError(str(args[0]))
sys.addaudithook(refuse)
from pipelines.sentences import sentence_spans
assert "nltk" not in sys.modules
assert sentence_spans("One. Two.") == [(0, 4), (5, 9)]
"""
    subprocess.run([sys.executable, "-c", program], check=True)
