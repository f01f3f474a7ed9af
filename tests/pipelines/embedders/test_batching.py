import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.embedders.batching import (
    cores,
    distinct,
    equal_length_batches,
    in_threads,
    windows,
)

LENGTHS = st.lists(st.integers(1, 300), max_size=60)


@given(st.lists(st.sampled_from(["a", "b", "c", "", "a "])))
@settings(max_examples=50, deadline=None)
def test_distinct_keeps_each_text_once_in_first_order(texts):
    unique, inverse = distinct(texts)
    assert unique == list(dict.fromkeys(texts))
    assert [unique[i] for i in inverse] == texts


@given(LENGTHS, st.integers(1, 1000))
@settings(max_examples=100, deadline=None)
def test_batches_partition_texts_by_length_within_the_budget(lengths, budget):
    batches = equal_length_batches(lengths, budget)
    assert sorted(int(i) for batch in batches for i in batch) == list(range(len(lengths)))
    sizes = []
    for batch in batches:
        (length,) = {lengths[i] for i in batch}
        assert len(batch) == 1 or len(batch) * length <= budget
        sizes.append(length)
    assert sizes == sorted(sizes, reverse=True)


@given(st.integers(0, 100), st.integers(1, 30))
@settings(max_examples=50, deadline=None)
def test_windows_cover_everything_once(total, size):
    covered = [i for window in windows(total, size) for i in range(total)[window]]
    assert covered == list(range(total))


def test_threads_keep_the_order_and_really_run_together():
    barrier = threading.Barrier(2, timeout=10)

    def work(item):
        if item < 2:
            barrier.wait()  # passes only if two calls run at the same time
        return item * 10

    assert list(in_threads(work, range(7), 2)) == [0, 10, 20, 30, 40, 50, 60]


def test_first_failure_is_raised_and_waiting_items_are_dropped():
    done = []

    def work(item):
        if item == 0:
            raise ValueError("first")
        time.sleep(0.01)
        done.append(item)

    with pytest.raises(ValueError, match="first"):
        list(in_threads(work, range(200), 2))
    assert len(done) < 199


def test_one_thread_needs_no_pool():
    names = list(in_threads(lambda _: threading.current_thread().name, [1, 2], 1))
    assert names == [threading.current_thread().name] * 2


def test_cores_are_those_this_process_may_use():
    assert 1 <= cores() <= 4096


def test_no_texts_make_no_batches():
    assert equal_length_batches([], 512) == []
    assert distinct([])[1].dtype == np.int64
