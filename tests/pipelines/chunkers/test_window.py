"""`sentence-window` matches single sentences and hands on their surroundings."""

import pytest

from pipelines.chunkers import SentenceWindow

TEXT = "Zero is first. One follows.  Two!\nThree? Four is last."


def test_each_sentence_has_its_window():
    found = SentenceWindow(window=1).split(TEXT)
    assert [TEXT[c:d] for _, _, c, d in found] == [
        "Zero is first.", "One follows.", "Two!", "Three?", "Four is last."
    ]  # fmt: skip
    assert [TEXT[a:b] for a, b, _, _ in found] == [
        "Zero is first. One follows.",
        "Zero is first. One follows.  Two!",
        "One follows.  Two!\nThree?",
        "Two!\nThree? Four is last.",
        "Three? Four is last.",
    ]


def test_no_window_is_the_sentence_alone():
    assert all((a, b) == (c, d) for a, b, c, d in SentenceWindow(window=0).split(TEXT))


@pytest.mark.parametrize("window", [1, 3])
def test_sentences_and_windows_are_those_of_llama_index(window):
    from llama_index.core import Document
    from llama_index.core.node_parser import SentenceWindowNodeParser

    parser = SentenceWindowNodeParser.from_defaults(window_size=window)
    nodes = parser.get_nodes_from_documents([Document(text=TEXT)])
    found = SentenceWindow(window=window).split(TEXT)
    assert [TEXT[c:d] for _, _, c, d in found] == [node.text.strip() for node in nodes]
    squeezed = [" ".join(TEXT[a:b].split()) for a, b, _, _ in found]
    assert squeezed == [" ".join(node.metadata["window"].split()) for node in nodes]
