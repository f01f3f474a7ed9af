"""The demo corpus: its size, its shape, and that it is the same in every process."""

import os
import re
import subprocess
import sys

import pytest

from pipelines.samples import python_api
from raytuner.component import ConfigError

CORPUS, SECTIONS = python_api.read()
KEY = "import pipelines.samples.python_api as p; print(p.read()[0].key)"


def test_size_allows_a_demo_of_two_minutes():
    lengths = [len(document.text) for document in CORPUS]
    assert 20 <= len(lengths) <= 30
    assert 350_000 <= sum(lengths) <= 450_000
    assert min(lengths) >= 9_000
    assert max(lengths) <= 25_000


def test_pages_are_in_order_and_every_object_is_on_one_page():
    names = [document.name for document in CORPUS]
    assert names == sorted(python_api.pages())
    objects = [name for page in python_api.pages().values() for name in page]
    assert len(objects) == len(set(objects)) == len(SECTIONS)
    assert {page.split("/")[0] for page in names} == {"numpy", "pandas"}


def test_sections_tile_their_pages_and_begin_with_their_header():
    for page, objects in python_api.pages().items():
        text = CORPUS.documents[CORPUS.positions[page]].text
        ends = [0]
        for name in objects:
            doc, start, end = SECTIONS[name]
            assert CORPUS.documents[doc].name == page
            assert text[start:end].startswith(f"{name}\n{'=' * len(name)}\n\n")
            assert not text[ends[-1] : start].strip()
            assert len(text[start:end]) > len(name) * 2 + 60
            ends.append(end)
        assert not text[ends[-1] :].strip()


def test_texts_hold_nothing_that_changes_between_runs_or_python_versions():
    for document in CORPUS:
        assert not re.search(r"\b0x[0-9a-f]{6,}", document.text)
        assert not re.search(r"^like : array_like", document.text, re.MULTILINE)
        assert "\t" not in document.text
        assert document.text.rstrip("\n") + "\n" == document.text
        assert not re.search(r"[ \t]+$", document.text, re.MULTILINE)


def test_cross_references_and_transcripts_of_examples_are_left_out():
    merging = CORPUS.documents[CORPUS.positions["pandas/merging.txt"]].text
    assert "See Also" not in merging
    assert ">>>" not in merging
    assert "Merge df1 and df2 on the lkey and rkey columns." in merging
    for document in CORPUS:
        assert not re.search(r"^See also\n-", document.text, re.MULTILINE | re.IGNORECASE)
        assert not re.search(r"^Examples\n-+\s*(?:\n\S+\n=|\Z)", document.text, re.MULTILINE)


def test_no_two_sections_are_equal():
    texts = [CORPUS.documents[doc].text[a:b].split("\n", 3)[-1] for doc, a, b in SECTIONS.values()]
    assert len(set(texts)) == len(texts)


def test_key_is_the_same_in_two_other_processes():
    keys = {
        subprocess.run(
            [sys.executable, "-c", KEY],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert keys == {CORPUS.key}


def test_object_that_the_installed_version_lacks_is_named(monkeypatch):
    monkeypatch.setattr(python_api, "_PAGES", {"numpy/old.txt": "zeros row_stacked"})
    python_api.read.cache_clear()
    try:
        with pytest.raises(ConfigError, match=r"numpy\.row_stacked: numpy .* is installed"):
            python_api.read()
    finally:
        python_api.read.cache_clear()
