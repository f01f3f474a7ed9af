"""`recursive` cuts as LangChain's RecursiveCharacterTextSplitter does.

The expected chunks were made with langchain-text-splitters 1.1.3, `keep_separator=True`,
`length_function=len` and the separators of the Chroma chunking report.
"""

import pytest

from pipelines.chunkers import Recursive

TEXT = (
    "One two three. Four five six? Seven!\n\nEight nine ten eleven twelve. Thirteen fourteen\n"
    "fifteen\n\n\nSixteenseventeeneighteennineteen twenty."
)
EXPECTED = {
    (12, 0): [
        "One two",
        "three",
        ". Four five",
        "six",
        "? Seven!",
        "Eight nine",
        "ten eleven",
        "twelve",
        ". Thirteen",
        "fourteen",
        "fifteen",
        "Sixteenseve",
        "nteeneightee",
        "nnineteen",
        "twenty",
        ".",
    ],
    (12, 5): [
        "One two",
        "two three",
        ". Four five",
        "five six",
        "? Seven!",
        "Eight nine",
        "nine ten",
        "ten eleven",
        "twelve",
        ". Thirteen",
        "fourteen",
        "fifteen",
        "Sixteenseve",
        "nseventeenei",
        "eeneighteenn",
        "teennineteen",
        "twenty",
        ".",
    ],
    (30, 10): [
        "One two three",
        ". Four five six? Seven!",
        "Eight nine ten eleven twelve",
        ". Thirteen fourteen",
        "fifteen",
        "Sixteenseventeeneighteenninet",
        "hteennineteen",
        "twenty",
        ".",
    ],
    (60, 0): [
        "One two three. Four five six? Seven!",
        "Eight nine ten eleven twelve. Thirteen fourteen\nfifteen",
        "Sixteenseventeeneighteennineteen twenty.",
    ],
}


@pytest.mark.parametrize(("size", "overlap"), EXPECTED)
def test_chunks_are_those_of_langchain(size, overlap):
    found = Recursive(size=size, overlap=overlap, tokenizer="characters").split(TEXT)
    assert [TEXT[a:b] for a, b, _, _ in found] == EXPECTED[size, overlap]


def test_lengths_are_in_tokens():
    text = "alpha beta gamma delta. " * 40
    small, large = (Recursive(size=size).split(text) for size in (20, 200))
    assert len(small) > len(large)
    assert Recursive(size=201).split(text) == [(0, len(text) - 1, 0, len(text) - 1)]
