"""Caches of different folders that pass artifacts on, as those of different nodes do."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.cache import Cache
from pipelines.cache.location import artifact_folder
from pipelines.cache.packing import pack_texts, unpack_texts
from raytuner.objective import Tally

KEY = "0123456789abcdef" * 2
ARRAYS = {"ids": np.arange(6).reshape(2, 3), "weights": np.array([0.5, -1.0], np.float32)}


class Board:
    """An exchange between the caches of one process."""

    def __init__(self):
        self.kept = {}
        self.asked = 0
        self._lock = threading.RLock()

    def obtain(self, key, build):
        with self._lock:
            self.asked += 1
            if key not in self.kept:
                self.kept[key] = {name: np.array(array) for name, array in build().items()}
                for array in self.kept[key].values():
                    array.flags.writeable = False
            return self.kept[key]


@pytest.fixture
def board():
    return Board()


@pytest.fixture
def cache(tmp_path, board):
    def open_cache(name):
        cache = Cache(tmp_path / name if name else None)
        cache.exchange = board
        return cache

    return open_cache


def arrays(cache, build=None):
    meter = Tally()
    made = cache.arrays("stage", KEY, {}, build or (lambda: dict(ARRAYS)), meter)
    return made, meter.counts


def unwanted():
    raise AssertionError("built again")


def test_memory_and_disk_come_before_the_exchange_and_that_before_building(cache, board):
    first = cache("one")
    assert arrays(first)[1] == {"stage built": 1}
    assert arrays(first, unwanted)[1] == {"stage reused": 1}
    assert arrays(cache("one"), unwanted)[1] == {"stage reused": 1}
    assert board.asked == 1
    second = cache("two")
    fetched, counts = arrays(second, unwanted)
    assert counts == {"stage fetched": 1}
    assert arrays(second, unwanted)[1] == {"stage reused": 1}
    assert board.asked == 2
    for name, array in ARRAYS.items():
        assert fetched[name].dtype == array.dtype
        assert np.array_equal(fetched[name], array)
        assert not fetched[name].flags.writeable


def test_what_was_fetched_is_on_disk_for_later_runs(cache, tmp_path):
    arrays(cache("one"))
    arrays(cache("two"), unwanted)
    later, counts = arrays(Cache(tmp_path / "two"), unwanted)
    assert counts == {"stage reused": 1}
    assert np.array_equal(later["ids"], ARRAYS["ids"])


def test_without_a_folder_the_bytes_stay_where_they_are(cache, board):
    arrays(cache("one"))
    fetched, _ = arrays(cache(None), unwanted)
    assert np.shares_memory(fetched["ids"], board.kept[KEY]["ids"])
    assert not fetched["ids"].flags.writeable


def test_a_damaged_entry_is_fetched_not_built(cache, tmp_path):
    arrays(cache("one"))
    arrays(cache("two"), unwanted)
    file = artifact_folder(tmp_path / "two", KEY) / "ids.npy"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    again, counts = arrays(cache("two"), unwanted)
    assert counts == {"stage fetched": 1}
    assert np.array_equal(again["ids"], ARRAYS["ids"])


def test_what_build_raises_is_raised_and_kept_nowhere(cache, board):
    def broken():
        raise KeyError("no such thing")

    first = cache("one")
    with pytest.raises(KeyError, match="no such thing"):
        arrays(first, broken)
    assert board.kept == {}
    assert arrays(first)[1] == {"stage built": 1}


def test_a_stage_inside_a_stage_is_shared_too(cache):
    inner = "f" * 32

    def outer_of(cache, meter):
        def build():
            return dict(cache.arrays("inner", inner, {}, lambda: dict(ARRAYS), meter))

        return cache.arrays("outer", KEY, {}, build, meter)

    first, second = Tally(), Tally()
    outer_of(cache("one"), first)
    other = cache("two")
    other.arrays("inner", inner, {}, unwanted, second)
    outer_of(other, second)
    assert first.counts == {"inner built": 1, "outer built": 1}
    assert second.counts == {"inner fetched": 1, "outer fetched": 1}


@pytest.mark.parametrize("name", ["two", None])
def test_texts_are_passed_on(cache, name):
    texts = ["", "plain", "Grüße \U0001f600", "half \ud800 pair", ""]
    first, second = Tally(), Tally()
    assert cache("one").texts("texts", KEY, {}, lambda: list(texts), first) == texts
    assert cache(name).texts("texts", KEY, {}, unwanted, second) == texts
    assert (first.counts, second.counts) == ({"texts built": 1}, {"texts fetched": 1})


def test_no_texts_are_passed_on_as_none(cache):
    cache("one").texts("texts", KEY, {}, list)
    assert cache("two").texts("texts", KEY, {}, unwanted) == []


@given(st.lists(st.text(st.characters(codec=None))))
@settings(deadline=None, max_examples=50)
def test_packing_loses_no_text(texts):
    packed = pack_texts(texts)
    assert packed["bytes"].dtype == np.uint8
    assert unpack_texts(packed) == tuple(texts)
