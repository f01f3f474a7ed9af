import importlib.util

import numpy as np
import pytest

from pipelines.embedders import MiniLM, SentenceTransformers
from pipelines.embedders.minilm import model_folder
from raytuner.component import ConfigError, MissingExtraError
from raytuner.objective import Tally

INSTALLED = importlib.util.find_spec("sentence_transformers") is not None
needs_library = pytest.mark.skipif(
    not INSTALLED,
    reason="sentence-transformers is not installed: pip install 'raytuner[sentence-transformers]'",
)
TEXTS = ["short", "two words", "word " * 300, "a rather longer sentence about retrieval", "short"]


def embed(texts, query=False, meter=None, **fields):
    component = SentenceTransformers(**{"model": str(model_folder()), **fields})
    return component.embed(texts, query=query, meter=meter or Tally())


@needs_library
def test_the_same_model_gives_the_vectors_and_cuts_of_minilm():
    meter = Tally()
    theirs, ours = embed(TEXTS, meter=meter), MiniLM().embed(TEXTS, query=False, meter=Tally())
    assert np.abs(theirs.vectors - ours.vectors).max() < 1e-6
    assert np.array_equal(theirs.cut, ours.cut)
    assert meter.counts["texts embedded"] == 4


@needs_library
def test_vectors_do_not_depend_on_the_batch():
    whole = embed(TEXTS).vectors
    assert np.array_equal(embed(TEXTS[::-1]).vectors[::-1], whole)
    assert np.array_equal(embed(TEXTS[1:2]).vectors, whole[1:2])


@needs_library
def test_batches_limits_and_prefixes_take_effect():
    base = embed(TEXTS)
    assert np.abs(embed(TEXTS, batch_size=8).vectors - base.vectors).max() < 1e-6
    assert embed(TEXTS, max_tokens=16).cut.tolist()[2] == 302 - 16
    prefixed = embed(["a"], query=True, query_prefix="query: ").vectors
    assert np.array_equal(prefixed, embed(["query: a"]).vectors)
    assert np.array_equal(embed(["a"], document_prefix="d: ").vectors, embed(["d: a"]).vectors)


@needs_library
def test_limits_beyond_the_model_are_refused():
    with pytest.raises(ConfigError, match="max_tokens 100000 is beyond"):
        embed(["a"], max_tokens=100_000)


@needs_library
def test_a_model_that_is_not_there_is_not_fetched():
    with pytest.raises(ConfigError, match="download: true"):
        embed(["a"], model="someone/absent-model")


@pytest.mark.skipif(INSTALLED, reason="sentence-transformers is installed")
def test_a_missing_package_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"raytuner\[sentence-transformers\]"):
        embed(["a"])


def test_fingerprint_follows_the_content_of_a_folder(tmp_path):
    prints = set()
    for content in ("one", "two"):
        folder = tmp_path / content
        folder.mkdir()
        (folder / "config.json").write_text(content)
        prints.add(SentenceTransformers(model=str(folder)).fingerprint())
    copied = tmp_path / "copy"
    copied.mkdir()
    (copied / "config.json").write_text("one")
    prints.add(SentenceTransformers(model=str(copied)).fingerprint())
    assert len(prints) == 2


def test_every_keyed_field_is_in_the_fingerprint():
    keyed = [
        {}, {"revision": "abc"}, {"query_prefix": "q"}, {"document_prefix": "d"},
        {"max_tokens": 64}, {"device": "cuda"}, {"batch_size": 8}, {"model": "x/z"},
    ]  # fmt: skip
    made = [SentenceTransformers(**{"model": "x/y", **fields}) for fields in keyed]
    assert len({component.fingerprint() for component in made}) == len(keyed)
    assert SentenceTransformers(model="x/y", download=True).fingerprint() == made[0].fingerprint()


@needs_library
def test_an_absent_device_falls_back_to_the_bits_of_the_cpu():
    assert np.array_equal(embed(TEXTS, device="cuda:63").vectors, embed(TEXTS).vectors)
