"""`code` cuts between syntax nodes; without its extra it says how to get it."""

import importlib.util

import pytest

from pipelines.chunkers import Code
from raytuner.component import MissingExtraError

INSTALLED = importlib.util.find_spec("tree_sitter_language_pack") is not None
needs_extra = pytest.mark.skipif(not INSTALLED, reason="needs the extra `code`")
SOURCE = '"""Doc, é 漢字."""\n\nimport os\n\n\n' + "".join(
    f"def function_{i}(value):\n    if value > {i}:\n        return 'naïve' * {i}\n    return 0\n\n"
    for i in range(12)
)


@pytest.mark.skipif(INSTALLED, reason="the extra `code` is installed")
def test_without_the_extra_it_says_how_to_get_it():
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[code\]'"):
        Code(language="python")


@needs_extra
@pytest.mark.parametrize("size", [120, 400, 1500])
def test_texts_equal_code_splitter(size):
    from llama_index.core.node_parser import CodeSplitter

    expected = [text for text in CodeSplitter("python", max_chars=size).split_text(SOURCE) if text]
    found = Code(language="python", size=size, tokenizer="characters").split(SOURCE)
    assert [SOURCE[a:b] for a, b, _, _ in found] == expected


@needs_extra
def test_broken_code_is_cut_too():
    source = "function f( {{{ é \n x=1;" * 5
    chunks = Code(language="javascript", size=20).split(source)
    assert chunks[0][0] == 0
    assert chunks[-1][1] == len(source)


@needs_extra
def test_unknown_languages_are_named():
    with pytest.raises(ValueError, match="Did you mean 'python'"):
        Code(language="pyton")
