"""Stores: exactness, ties, prefixes; Chroma embedded and served, interrupted and shared."""

import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import chroma
from pipelines.ranking import snapped
from pipelines.roles import Store
from pipelines.stores import Chroma, Exact
from pipelines.types import Ranking
from raytuner.component import digest
from raytuner.objective import ObjectiveFailure


def unit(seed, count, dimensions=24):
    rows = np.random.default_rng(seed).normal(size=(count, dimensions)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def recall(found, truth):
    pairs = zip(found.ids, truth.ids, strict=True)
    return np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs])


def equal(one, other):
    return np.array_equal(one.ids, other.ids) and np.array_equal(one.scores, other.scores)


def test_exact_agrees_with_a_full_sort_across_row_blocks(tmp_path):
    vectors, queries = unit(3, 20_000), unit(4, 40)
    vectors[19_000:] = vectors[:1000]  # exact duplicates in another block
    found = Exact().index("k", vectors, tmp_path).search(queries, 50)
    scores = snapped(queries) @ snapped(vectors).T
    ids = np.argsort(-scores, axis=1, kind="stable")[:, :50]
    assert equal(found, Ranking(ids, np.take_along_axis(scores, ids, axis=1)))


@given(st.integers(0, 1000), st.integers(1, 30), st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_exact_depends_neither_on_batching_nor_on_depth(seed, count, depth):
    vectors, queries = unit(seed, count), unit(seed + 1, 7)
    index = Exact().index("k", np.vstack([vectors, vectors]), Path())
    whole = index.search(queries, 2 * count)
    single = [index.search(queries[i : i + 1], depth) for i in range(7)]
    assert np.array_equal(np.vstack([one.scores for one in single]), whole.top(depth).scores)
    assert np.array_equal(np.vstack([one.ids for one in single]), whole.top(depth).ids)
    assert (np.diff(whole.scores) <= 0).all()


def test_exact_of_nothing(tmp_path):
    index = Exact().index("k", unit(0, 5), tmp_path)
    assert index.search(unit(0, 0), 3).ids.shape == (0, 3)
    assert Exact().index("k", unit(0, 0), tmp_path).search(unit(0, 2), 3).ids.shape == (2, 0)


def test_chroma_finds_what_exact_finds(tmp_path):
    vectors, queries = unit(5, 1500, 48), unit(6, 100, 48)
    truth = Exact().index("k", vectors, tmp_path).search(queries, 10)
    index = Chroma(ef_search=300).index("k", vectors, tmp_path)
    found = index.search(queries, 10)
    assert recall(found, truth) >= 0.99
    assert np.abs(np.sort(found.scores) - np.sort(truth.scores)).mean() < 1e-4
    for depth in (0, 1, 7):  # prefixes, and single queries
        assert equal(index.search(queries, depth), found.top(depth))
    assert equal(index.search(queries[3:4], 10), type(found)(found.ids[3:4], found.scores[3:4]))


@pytest.mark.parametrize("distance", ["cosine", "ip", "l2"])
def test_chroma_scores_are_cosines_whatever_the_distance(tmp_path, distance):
    vectors = unit(7, 40)
    vectors[30:] = vectors[:10]
    found = Chroma(distance=distance).index("k", vectors, tmp_path).search(vectors[:10], 2)
    assert np.array_equal(found.ids, np.stack([np.arange(10), np.arange(30, 40)], axis=1))
    assert np.allclose(found.scores, 1.0, atol=1e-5)


def test_chroma_pads_and_limits(tmp_path):
    few = Chroma(ef_search=5).index("few", unit(8, 12), tmp_path).search(unit(9, 3), 9)
    assert few.ids.shape == (3, 9)
    assert (few.ids[:, :5] >= 0).all()
    assert (few.ids[:, 5:] == -1).all()
    assert np.isneginf(few.scores[:, 5:]).all()
    assert Chroma().index("one", unit(8, 1), tmp_path).search(unit(9, 2), 5).ids.tolist() == [
        [0],
        [0],
    ]
    empty = Chroma().index("none", unit(8, 0), tmp_path)
    assert empty.search(unit(9, 2), 5).ids.shape == (2, 0)


def test_graph_parameters_reach_chroma(tmp_path):
    vectors, queries = unit(10, 3000, 96), unit(11, 100, 96)
    truth = Exact().index("k", vectors, tmp_path).search(queries, 10)
    weak = Chroma(ef_construction=10, max_neighbors=4, ef_search=10)
    strong = Chroma(ef_construction=300, max_neighbors=48, ef_search=500)
    weaker, stronger = (
        recall(store.index("k", vectors, tmp_path).search(queries, 10), truth)
        for store in (weak, strong)
    )
    assert weaker < 0.7 < 0.98 < stronger


def test_a_built_collection_is_opened_not_built_again(tmp_path, monkeypatch):
    vectors, queries = unit(12, 700), unit(13, 20)
    first = Chroma().index("k", vectors, tmp_path).search(queries, 30)
    monkeypatch.setattr(chroma, "_build", None)
    assert equal(Chroma().index("k", vectors, tmp_path).search(queries, 30), first)


ROOT = Path(__file__).parents[2]
KILLED = """
import os, sys
import numpy as np
from pathlib import Path
from pipelines.chroma import blocks
from pipelines.stores import Chroma
import pipelines.chroma as chroma
def dying(count, size):
    for number, part in enumerate(blocks(count, size)):
        if number == 3:
            os._exit(9)
        yield part
chroma.blocks = dying
Chroma(batch=100).index("k", np.load(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_half_filled_collection_is_built_anew(tmp_path):
    vectors, queries = unit(14, 900), unit(15, 20)
    np.save(tmp_path / "vectors.npy", vectors)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "vectors.npy"), str(tmp_path)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 9
    found = Chroma().index("k", vectors, tmp_path).search(queries, 10)
    truth = Exact().index("k", vectors, tmp_path).search(queries, 10)
    assert recall(found, truth) >= 0.99


def test_a_collection_with_missing_rows_is_built_anew(tmp_path):
    vectors = unit(16, 50)
    index = Chroma().index("k", vectors, tmp_path)
    index._collection.delete(ids=["3"])
    assert Chroma().index("k", vectors, tmp_path).search(vectors[3:4], 1).ids.tolist() == [[3]]


def test_a_deleted_directory_can_be_filled_again_in_one_process(tmp_path):
    vectors = unit(17, 60)
    held = Chroma().index("k", vectors, tmp_path / "a")
    subprocess.run(["rm", "-r", str(tmp_path / "a")], check=True)
    again = Chroma().index("k", vectors, tmp_path / "a").search(vectors, 1)
    assert again.ids[:, 0].tolist() == list(range(60))
    del held


def test_threads_that_want_the_same_index_get_one(tmp_path):
    vectors, queries = unit(18, 500), unit(19, 10)

    def use(_):
        return Chroma().index("k", vectors, tmp_path).search(queries, 5)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(use, range(8)))
    assert all(equal(answers[0], answer) for answer in answers)
    assert len([path for path in tmp_path.glob("*/*") if path.is_dir()]) == 1


PARALLEL = """
import sys
import numpy as np
from pathlib import Path
from pipelines.stores import Chroma
vectors = np.load(sys.argv[1])
print(Chroma().index("k", vectors, Path(sys.argv[2])).search(vectors[:20], 3).ids.tolist())
"""


def test_processes_that_want_the_same_index_get_one(tmp_path):
    np.save(tmp_path / "vectors.npy", unit(20, 600))
    command = [sys.executable, "-c", PARALLEL, str(tmp_path / "vectors.npy"), str(tmp_path)]
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(set(answers)) == 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    port, program = free_port(), Path(sys.executable).with_name("chroma")
    process = subprocess.Popen(
        [program, "run", "--path", tmp_path_factory.mktemp("served"), "--port", str(port)],
        env={**os.environ, "ANONYMIZED_TELEMETRY": "False"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urlopen(f"{url}/api/v2/heartbeat", timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_a_server_answers_as_the_embedded_client_does(tmp_path, server):
    vectors, queries = unit(21, 800), unit(22, 50)
    truth = Exact().index("k", vectors, tmp_path).search(queries, 10)
    for name in ("built", "opened"):
        found = Chroma(url=server).index("k", vectors, tmp_path / name).search(queries, 10)
        assert recall(found, truth) >= 0.99
        assert np.abs(np.sort(found.scores) - np.sort(truth.scores)).max() < 1e-4


def test_hosts_that_share_a_server_build_side_by_side(tmp_path, server):
    vectors = unit(23, 400)

    def use(number):
        index = Chroma(url=server).index("shared", vectors, tmp_path / str(number))
        return index.search(vectors[:50], 3)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(use, range(4)))
    assert all(answer.ids[:, 0].tolist() == list(range(50)) for answer in answers)


def test_a_server_that_is_not_there_is_a_failure_that_names_it(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ObjectiveFailure, match=url) as failure:
        Chroma(url=url).index("k", unit(0, 3), tmp_path)
    assert failure.value.failure.kind == "provider"
    assert failure.value.failure.retryable


@pytest.mark.parametrize(
    "url", ["localhost:8000", "ftp://x", "http://", "http://u:p@h", "http://h/x", "http://h:x"]
)
def test_a_url_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="http://host:8000"):
        Chroma(url=url)


def test_every_field_can_change_results_and_is_in_the_key():
    for change in (
        {"batch": 7},  # another insertion order is another graph
        {"distance": "l2"},
        {"ef_construction": 7},
        {"max_neighbors": 7},
        {"ef_search": 7},
        {"url": "http://h:1"},
    ):
        assert digest(Chroma(**change)) != digest(Chroma())
    with pytest.raises(ValueError, match="Did you mean 'chroma'"):
        Store.model_validate("chrome")
