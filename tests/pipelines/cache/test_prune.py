"""Usage and pruning: the least recently used goes, nothing in use is harmed."""

import logging
import os
import threading
import time

import numpy as np
import pytest

from pipelines.cache import Cache
from raytuner.component import digest
from raytuner.objective import Tally

KEYS = [digest("key", number) for number in range(6)]
ENTRY_BYTES = 8128


def age(path, days):
    past = time.time() - days * 86_400
    os.utime(path, (past, past))


def meta(root, key):
    return root / "artifacts" / key[:2] / key / "meta.json"


def size_of(root, key):
    return sum(path.stat().st_size for path in meta(root, key).parent.iterdir())


@pytest.fixture
def filled(root):
    """Six entries of two stages; number n was last used n days ago."""
    cache = Cache(root)
    for number, key in enumerate(KEYS):
        stage = "hits" if number % 2 else "chunks"
        cache.arrays(stage, key, {}, lambda number=number: {"x": np.full(1000, number)})
        age(meta(root, key), number)
    return root


def left(root):
    return [number for number, key in enumerate(KEYS) if meta(root, key).exists()]


def test_usage_sums_up_stages_models_and_places(filled, plain):
    cache = Cache(filled)
    cache.vectors.embed_texts(plain, ["one", "two"], False, Tally())
    (cache.place("stores") / "index").mkdir()
    (cache.place("stores") / "index" / "data").write_bytes(bytes(10))
    used = {(row.kind, row.name): row for row in cache.usage()}
    assert set(used) == {
        ("stage", "hits"), ("stage", "chunks"), ("model", "plain"), ("place", "stores"),
    }  # fmt: skip
    assert used["stage", "hits"].entries == 3
    assert used["stage", "hits"].bytes == sum(size_of(filled, key) for key in KEYS[1::2])
    assert used["model", "plain"].entries == 2
    assert used["place", "stores"][2:] == (1, 10)
    assert [row.bytes for row in cache.usage()] == sorted(r.bytes for r in used.values())[::-1]


def test_nothing_is_there_before_anything_is_stored(root):
    assert Cache(root).usage() == []
    assert Cache(root).prune(max_bytes=0) == 0
    assert Cache(None).usage() == []
    assert Cache(None).prune(max_bytes=0) == 0
    assert not root.exists()


def test_without_a_limit_everything_stays(filled):
    assert Cache(filled).prune() == 0
    assert left(filled) == [0, 1, 2, 3, 4, 5]


def test_the_least_recently_used_go_first(filled):
    room = sum(size_of(filled, key) for key in KEYS[:3])
    freed = Cache(filled).prune(max_bytes=room)
    assert left(filled) == [0, 1, 2]
    assert freed > 3 * 8000


def test_old_entries_go(filled):
    Cache(filled).prune(older_than_days=3.5)
    assert left(filled) == [0, 1, 2, 3]


def test_one_stage_at_a_time(filled):
    Cache(filled).prune(max_bytes=0, stage="hits")
    assert left(filled) == [0, 2, 4]


def test_use_is_noticed_on_disk(filled):
    Cache(filled).arrays("hits", KEYS[5], {}, lambda: pytest.fail("it is there"))
    Cache(filled).prune(older_than_days=0.5)
    assert left(filled) == [0, 5]


def test_a_pruned_entry_is_built_again(filled):
    cache, built = Cache(filled), []

    def build():
        built.append(1)
        return {"x": np.zeros(3)}

    held = cache.arrays("chunks", KEYS[0], {}, build)
    cache.prune(max_bytes=0)
    assert held["x"].sum() == 0
    assert len(held["x"]) == 1000  # still readable
    assert len(cache.arrays("chunks", KEYS[0], {}, build)["x"]) == 3
    assert built == [1]


def test_what_is_being_built_is_skipped(filled):
    cache, inside, proceed = Cache(filled), threading.Event(), threading.Event()
    meta(filled, KEYS[3]).unlink()  # damaged: will be built again, below the eyes of the pruner

    def build():
        inside.set()
        proceed.wait()
        return {"x": np.zeros(3)}

    thread = threading.Thread(target=cache.arrays, args=("hits", KEYS[3], {}, build))
    thread.start()
    inside.wait()
    Cache(filled).prune(max_bytes=0)
    assert (filled / "locks" / f"{KEYS[3]}.lock").exists()
    proceed.set()
    thread.join()
    assert left(filled) == [3]


def test_locks_of_entries_that_are_gone_go_too(filled):
    Cache(filled).prune(max_bytes=0)
    assert list((filled / "locks").iterdir()) == []
    idle = filled / "locks" / f"{digest('never finished')}.lock"
    idle.touch()
    age(idle, 2)
    Cache(filled).prune()
    assert not idle.exists()


def test_models_go_by_age_and_stay_usable(root, plain):
    cache = Cache(root)
    cache.vectors.embed_texts(plain, [f"text {n}" for n in range(500)], False, Tally())
    file = next((root / "vectors").glob("*.sqlite"))
    age(file, 10)
    assert cache.prune(older_than_days=11) == 0
    freed = cache.prune(older_than_days=9)
    assert freed > 10_000
    assert cache.usage() == []
    meter = Tally()
    cache.vectors.embed_texts(plain, ["text 1"], False, meter)
    assert meter.counts == {"texts embedded": 1}


def test_damaged_remains_and_unreadable_files_go(root, plain):
    cache = Cache(root)
    cache.vectors.embed_texts(plain, ["one"], False, Tally())
    file = next((root / "vectors").glob("*.sqlite"))
    file.write_bytes(b"nonsense" * 100)
    file.with_suffix(".damaged").write_bytes(bytes(50))
    assert [(row.kind, row.name) for row in cache.usage()] == [("model", "(unreadable)")]
    assert cache.prune(max_bytes=0) == 850
    assert list((root / "vectors").iterdir()) == []


def test_places_in_use_are_left_alone(root):
    cache = Cache(root)
    for name in ("old", "new"):
        (cache.place("stores") / name).mkdir()
        (cache.place("stores") / name / "data").write_bytes(bytes(100))
    for path in (cache.place("stores") / "old" / "data", cache.place("stores") / "old"):
        age(path, 1)
    assert cache.prune(max_bytes=0) == 100
    assert [path.name for path in cache.place("stores").iterdir()] == ["new"]


def test_pruning_beside_readers_and_builders_harms_nobody(root, start, finish, caplog):
    readers = [
        start("""
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        for turn in range(15):
            cache = Cache(root, memory_bytes=0)
            for number in range(5):
                key = f"{number:032x}"
                def build():
                    return {"x": np.full(5000, number), "y": np.arange(10)}
                found = cache.arrays("hits", key, {}, build)
                assert (found["x"] == number).all() and len(found["y"]) == 10
            found = cache.vectors.embed_texts(Traced(), ["a", "b"], False, Tally())
            assert found.vectors.shape == (2, 8)
    """)
        for _ in range(2)
    ]
    cache = Cache(root)
    pruned = 0
    with caplog.at_level(logging.WARNING, "raytuner.cache"):
        while any(reader.poll() is None for reader in readers):
            pruned += cache.prune(max_bytes=0) > 0
    assert finish(*readers) == ["", ""]  # no warning either
    assert caplog.records == []
    assert pruned > 1
