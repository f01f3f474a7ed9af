"""One holder at a time."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipelines.cache.flight import Flight


@pytest.mark.parametrize("on_disk", [True, False])
def test_threads_take_turns(tmp_path, on_disk):
    flights = [Flight(tmp_path if on_disk else None)] * 4
    if on_disk:
        flights += [Flight(tmp_path) for _ in range(4)]  # others see each other by the file
    inside, most = [], []

    def work(flight):
        for _ in range(10):
            with flight.hold("name"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, flights))
    assert max(most) == 1
    assert len(most) == 10 * len(flights)


def test_names_do_not_wait_for_each_other(tmp_path):
    flight = Flight(tmp_path)
    with flight.hold("one"), flight.hold("two") as held:
        assert held


def test_not_waiting_tells_whether_it_is_held(tmp_path):
    flight, other = Flight(tmp_path), Flight(tmp_path)
    with flight.hold("name"):
        with flight.hold("name", wait=False) as again, other.hold("name", wait=False) as held:
            assert (again, held) == (False, False)
        seen = []

        def look():
            with flight.hold("name", wait=False) as held:
                seen.append(held)

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert seen == [False]
    with other.hold("name", wait=False) as held:
        assert held


def test_a_forgotten_lock_file_lets_the_next_one_in(tmp_path):
    flight = Flight(tmp_path)
    with flight.hold("name"):
        flight.forget("name")
    assert list(tmp_path.iterdir()) == []
    with Flight(tmp_path).hold("name") as held:
        assert held


def test_without_a_place_for_locks_work_goes_on(tmp_path, caplog):
    (tmp_path / "locks").touch()
    flight = Flight(tmp_path / "locks")
    with caplog.at_level(logging.WARNING, "raytuner.cache"):
        for _ in range(2):
            with flight.hold("name") as held:
                assert held
    assert len(caplog.records) == 1


def test_an_error_inside_gives_the_name_back(tmp_path):
    flight = Flight(tmp_path)
    with pytest.raises(ZeroDivisionError), flight.hold("name"):
        raise ZeroDivisionError
    with flight.hold("name", wait=False) as held:
        assert held
