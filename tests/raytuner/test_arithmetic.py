"""One thread as long as anybody wants it."""

import threading

import pytest
from threadpoolctl import threadpool_info

from raytuner.arithmetic import one_thread


def threads():
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


def test_callers_have_one_thread_and_take_turns():
    import numpy as np

    assert np.ones(1) @ np.ones(1) == 1  # its BLAS is loaded
    before = threads()
    seen, inside = [], []

    def work():
        for _ in range(20):
            with one_thread(), one_thread():  # may be nested
                inside.append(1)
                seen.append((len(inside), threads()))
                inside.pop()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(seen) == 60
    assert all(one == (1, [1] * len(before)) for one in seen)
    assert threads() == before


def test_a_limit_is_lifted_when_the_work_fails():
    before = threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert threads() == before
