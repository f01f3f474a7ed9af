"""Per-text vectors: embedded once, in order, whoever asks."""

import json
import signal
import sqlite3
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cache import VectorCache
from pipelines.cache.vectors import text_key
from pipelines.roles import Embedded, Embedder
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure, Tally


class Signature(Embedder):
    """Three numbers that differ for different short texts."""

    def fingerprint(self):
        return "signature"

    def embed(self, texts, *, query, meter):
        meter.count("texts embedded", len(texts))
        rows = [
            [len(t), sum(map(ord, t)) % 65_521, zlib.crc32(text_key(t, query=query))] for t in texts
        ]
        return Embedded(np.array(rows, np.float32).reshape(len(texts), 3), np.zeros(len(texts)))


def expected(embedder, texts, query=False):
    return type(embedder)().embed(texts, query=query, meter=Tally())


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("kind", ["plain", "shared"])
def test_only_new_texts_are_embedded(root, on_disk, kind, request):
    embedder = request.getfixturevalue(kind)
    cache, meter = VectorCache(root if on_disk else None), Tally()
    cache.embed_texts(embedder, ["one", "two", "one"], query=False, meter=meter)
    assert meter.counts == {"texts embedded": 2}
    found = cache.embed_texts(embedder, ["three", "two", "one", "three"], False, meter)
    assert meter.counts == {"texts embedded": 3, "texts reused": 2}
    truth = expected(embedder, ["three", "two", "one", "three"])
    np.testing.assert_array_equal(found.vectors, truth.vectors)
    np.testing.assert_array_equal(found.cut, truth.cut)
    assert (found.vectors.dtype, found.cut.dtype) == (np.float32, np.int64)


def test_another_process_would_find_them(root, plain):
    VectorCache(root).embed_texts(plain, ["one", "two"], False, Tally())
    meter = Tally()
    VectorCache(root).embed_texts(plain, ["two"], False, meter)
    assert meter.counts == {"texts reused": 1}
    assert len(list((root / "vectors").iterdir())) == 1  # no log left beside the database


def test_queries_and_documents_differ(root, plain):
    cache = VectorCache(root)
    as_query = cache.embed_texts(plain, ["one"], True, Tally())
    as_document = cache.embed_texts(plain, ["one"], False, Tally())
    assert not np.array_equal(as_query.vectors, as_document.vectors)
    assert plain.asked == [(["one"], True), (["one"], False)]


def test_models_differ(root, plain, shared):
    class Other(type(plain)):
        def fingerprint(self):
            return "other"

    for embedder in (plain, Other()):
        meter = Tally()
        VectorCache(root).embed_texts(embedder, ["one"], False, meter)
        assert meter.counts == {"texts embedded": 1}
    assert len(list((root / "vectors").glob("*.sqlite"))) == 2


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.lists(st.text(st.characters(codec=None), max_size=6), max_size=8), max_size=3),
    st.integers(1, 5),
)
def test_any_texts_in_any_order(tmp_path_factory, calls, slice_texts):
    cache = VectorCache(tmp_path_factory.mktemp("any"), slice_texts=slice_texts)
    seen = set()
    for texts in calls:
        meter = Tally()
        found = cache.embed_texts(Signature(), texts, False, meter)
        assert meter.counts.get("texts embedded", 0) == len(set(texts) - seen)
        assert meter.counts.get("texts reused", 0) == len(set(texts) & seen)
        truth = Signature().embed(texts, query=False, meter=Tally()).vectors
        np.testing.assert_array_equal(found.vectors, truth[:, : 3 if texts else 0])
        seen |= set(texts)


def test_nothing_gives_nothing(root, plain):
    found = VectorCache(root).embed_texts(plain, [], False, Tally())
    assert found.vectors.shape == (0, 0)
    assert found.cut.shape == (0,)
    assert plain.asked == []
    assert not root.exists()


def test_slices_hold_texts_of_similar_length(root, plain):
    texts = ["a" * n for n in (9, 1, 5, 3, 7)]
    VectorCache(root, slice_texts=2).embed_texts(plain, texts, False, Tally())
    assert [[len(text) for text in asked] for asked, _ in plain.asked] == [[1, 3], [5, 7], [9]]


@pytest.mark.parametrize("on_disk", [True, False])
def test_what_would_be_embedded_can_be_counted_without_doing_it(root, plain, on_disk):
    cache = VectorCache(root if on_disk else None)
    assert cache.lookup_missing(plain, ["one", "two", "one"], query=False) == 2
    assert not root.exists()
    cache.embed_texts(plain, ["one"], False, Tally())
    assert cache.lookup_missing(plain, ["one", "two", "one"], query=False) == 1
    assert cache.lookup_missing(plain, ["one"], query=True) == 1
    assert len(plain.asked) == 1


def test_an_error_in_a_later_slice_keeps_the_earlier_ones(root, plain):
    class Failing(type(plain)):
        def embed(self, texts, *, query, meter):
            if "bad" in texts:
                raise ObjectiveFailure("rate_limit", "slow down", retryable=True)
            return super().embed(texts, query=query, meter=meter)

    cache = VectorCache(root, slice_texts=2)
    with pytest.raises(ObjectiveFailure, match="slow down"):
        cache.embed_texts(Failing(), ["b", "a", "bad", "long"], False, Tally())
    meter = Tally()
    cache.embed_texts(plain, ["a", "b", "bad", "long"], False, meter)
    assert meter.counts == {"texts embedded": 2, "texts reused": 2}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda n: Embedded(np.ones((n - 1, 4), np.float32), np.zeros(n - 1)), "3 texts gave 2x4"),
        (lambda n: Embedded(np.ones((n, 4), np.float32), np.zeros(n - 1)), "3 texts gave 3x4"),
        (lambda n: Embedded(np.full((n, 4), np.nan, np.float32), np.zeros(n)), "no finite vector"),
    ],
)
def test_wrong_vectors_fail_and_are_not_kept(root, plain, answer, reason):
    class Broken(type(plain)):
        def embed(self, texts, *, query, meter):
            return answer(len(texts))

    cache = VectorCache(root)
    with pytest.raises(ObjectiveFailure, match=reason):
        cache.embed_texts(Broken(), ["a", "b", "c"], False, Tally())
    assert cache.lookup_missing(plain, ["a", "b", "c"], query=False) == 3


def test_a_fingerprint_that_forgets_the_length_is_named(root, plain):
    class Longer(type(plain)):
        def embed(self, texts, *, query, meter):
            return Embedded(np.ones((len(texts), 9), np.float32), np.zeros(len(texts)))

    cache = VectorCache(root)
    cache.embed_texts(plain, ["a"], False, Tally())
    with pytest.raises(ConfigError, match=r"\[4, 9\] numbers.*fingerprint"):
        cache.embed_texts(Longer(), ["a", "b"], False, Tally())


@pytest.mark.parametrize("kind", ["plain", "shared"])
@pytest.mark.parametrize("on_disk", [True, False])
def test_threads_never_embed_a_text_twice(root, request, kind, on_disk):
    base = type(request.getfixturevalue(kind))

    class Slow(base):
        def embed(self, texts, *, query, meter):
            time.sleep(0.005)
            return super().embed(texts, query=query, meter=meter)

    cache = VectorCache(root if on_disk else None, slice_texts=3)
    texts = [f"text {n}" for n in range(30)]
    orders = [np.random.default_rng(seed).permutation(30)[:25] for seed in range(6)]

    def ask(order):
        wanted = [texts[n] for n in order]
        found = cache.embed_texts(Slow(), wanted, False, Tally())
        return np.array_equal(found.vectors, expected_rows(wanted))

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(ask, orders))
    asked = [text for part, _ in base.asked for text in part]
    assert len(asked) == len(set(asked))


def expected_rows(texts):
    rows = [[len(text), sum(map(ord, text)) % 997, False, 1.0] for text in texts]
    return np.array(rows, np.float32)


def test_a_thread_takes_over_what_another_one_failed_to_embed(shared):
    entered, proceed = threading.Event(), threading.Event()

    class Failing(type(shared)):
        def embed(self, texts, *, query, meter):
            entered.set()
            proceed.wait()
            raise ObjectiveFailure("timeout", "gone")

    cache = VectorCache(None)
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(cache.embed_texts, Failing(), ["a"], False, Tally())
        entered.wait()
        waiting = pool.submit(cache.embed_texts, shared, ["a", "b"], False, Tally())
        proceed.set()
        with pytest.raises(ObjectiveFailure):
            failing.result()
        np.testing.assert_array_equal(waiting.result().vectors, expected_rows(["a", "b"]))


ASK = """
    class Model(Traced):
        exclusive = {exclusive}
    texts = [f"text {{n}}" for n in range({first}, {last})]
    cache = VectorCache(root, slice_texts=8)
    print(cache.embed_texts(Model(), texts, False, Tally()).vectors.sum(axis=1).round(4).tolist())
"""


def test_processes_never_embed_a_text_twice(root, start, finish):
    spans = [(0, 60), (20, 80), (0, 80)]
    asks = [ASK.format(exclusive=True, first=a, last=b) for a, b in spans]
    finish(*[start(ask) for ask in asks])
    asked = (root.parent / "trace").read_text().splitlines()
    assert sorted(asked) == sorted(f"text {n}" for n in range(80))


def test_writers_of_a_shared_model_lose_nothing(root, start, finish):
    spans = [(0, 100), (50, 150), (100, 200)]
    scripts = [ASK.format(exclusive=False, first=a, last=b) for a, b in spans]
    printed = finish(*[start(script) for script in scripts])
    rows = {}
    for (first, last), line in zip(spans, printed, strict=True):
        for number, value in zip(range(first, last), json.loads(line), strict=True):
            assert rows.setdefault(number, value) == value
    file = next((root / "vectors").glob("*.sqlite"))
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").fetchone() == (200,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def test_a_killed_process_loses_one_slice_at_most(root, start, finish, until):
    trace = root.parent / "trace"
    process = start(ASK.format(exclusive=True, first=0, last=4000))
    until(lambda: trace.exists() and trace.read_text().count("\n") > 60)
    process.send_signal(signal.SIGKILL)
    process.wait()
    asked = trace.read_text().splitlines()
    finish(start(ASK.format(exclusive=True, first=0, last=len(asked))))
    again = trace.read_text().splitlines()[len(asked) :]
    assert set(asked) | set(again) >= {f"text {n}" for n in range(len(asked))}
    assert len(set(asked) & set(again)) <= 8


def test_keys_tell_roles_and_texts_apart():
    texts = ["", "a", "query\0a", "document\0a", "\ud800", "\udc00", "é", "e\u0301"]
    keys = {text_key(text, query=query) for text in texts for query in (True, False)}
    assert len(keys) == 2 * len(texts)


@pytest.mark.slow
def test_a_hundred_thousand_vectors_load_in_seconds(root, plain):
    class Wide(type(plain)):
        def embed(self, texts, *, query, meter):
            rows = np.random.default_rng(len(texts)).random((len(texts), 384), np.float32)
            return Embedded(rows, np.zeros(len(texts), np.int64))

    texts = [f"text {n}" for n in range(100_000)]
    stored = VectorCache(root, slice_texts=4096).embed_texts(Wide(), texts, False, Tally())
    started = time.perf_counter()
    found = VectorCache(root).embed_texts(Wide(), texts, False, Tally())
    assert time.perf_counter() - started < 10
    np.testing.assert_array_equal(found.vectors, stored.vectors)


class BatchBound(Embedder):
    """Adds the size of the batch to every vector: what padding does, made visible."""

    def reusable(self):
        return False

    def fingerprint(self):
        return "batch-bound"

    def embed(self, texts, *, query, meter):
        vectors = np.full((len(texts), 2), len(texts), np.float32)
        return Embedded(vectors, np.zeros(len(texts), np.int64))


def test_vectors_that_depend_on_their_batch_are_not_kept(tmp_path):
    cache = VectorCache(tmp_path)
    both = cache.embed_texts(BatchBound(), ["a", "b"], query=False, meter=Tally())
    one = cache.embed_texts(BatchBound(), ["a"], query=False, meter=Tally())

    assert both.vectors[0, 0] == 2
    assert one.vectors[0, 0] == 1
    assert cache.lookup_missing(BatchBound(), ["a", "a"], query=False) == 1
