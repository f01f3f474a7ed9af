"""One writer at a time: a living run is not disturbed, a dead one is succeeded."""

import os
import threading
import time

import pytest

from raytuner.component import ConfigError
from raytuner.storage.lease import STALE, Lease, LeaseLostError, folder_identity
from raytuner.storage.place import place_at


@pytest.fixture
def place(url):
    return place_at(url).under("owner")


@pytest.fixture
def disk(tmp_path):
    return place_at(f"file://{tmp_path}/owner")


def age(place, seconds):
    """Make the last sign of life so old."""
    name = place.names()[-1]
    moment = time.time() - seconds
    os.utime(f"{place.path}/{name}", (moment, moment))


def test_a_living_run_is_not_disturbed(place):
    first = Lease(place, "a")
    first.acquire()
    with pytest.raises(ConfigError, match=r"in use by process \d+ on .* since .* sign of life"):
        Lease(place, "b").acquire()
    first.keep()
    assert len(place.names()) == 1, "no probe stays"


def test_a_released_lease_is_free_at_once(place):
    for identity in "abc":
        lease = Lease(place, identity)
        lease.acquire()
        lease.keep()
        lease.release()
    assert len(place.names()) == 1, "old terms are removed"


def test_the_same_folder_need_not_wait_for_its_dead_run(place):
    dead = Lease(place, "a")
    dead.acquire()
    heir = Lease(place, "a")
    heir.acquire()
    heir.keep()
    with pytest.raises(LeaseLostError):
        dead.keep()
    dead.release()
    heir.keep()


def test_a_dead_run_is_succeeded_after_a_minute(disk):
    dead = Lease(disk, "a")
    dead.acquire()
    age(disk, STALE - 10)
    with pytest.raises(ConfigError, match=r"try again in (9|10) s if it is dead"):
        Lease(disk, "b").acquire()
    age(disk, STALE + 10)
    heir = Lease(disk, "b")
    heir.acquire()
    with pytest.raises(LeaseLostError, match="taken this study over"):
        dead.keep()
    heir.keep()


def test_a_sign_of_life_is_given_when_due(disk, monkeypatch):
    lease = Lease(disk, "a")
    lease.acquire()
    age(disk, STALE + 10)
    lease.keep()
    later = time.time() + 20
    monkeypatch.setattr(time, "time", lambda: later)
    lease.keep()
    monkeypatch.undo()
    with pytest.raises(ConfigError, match="in use"):
        Lease(disk, "b").acquire()


def test_clocks_of_machines_need_not_agree(disk, monkeypatch):
    Lease(disk, "a").acquire()
    later = time.time() + 10_000
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(ConfigError, match="in use"):
        Lease(disk, "b").acquire()


def test_a_half_written_term_counts_as_living(disk):
    disk.write("00000001.json", b'{"hold')
    with pytest.raises(ConfigError, match="another run"):
        Lease(disk, "b").acquire()


def test_a_store_without_conditions_is_noticed_with_the_next_sign_of_life(disk, monkeypatch):
    lease = Lease(disk, "a")
    lease.acquire()
    disk.write(disk.names()[0], b'{"token": "another"}')
    later = time.time() + 20
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(LeaseLostError):
        lease.keep()


@pytest.mark.parametrize("attempt", range(15))
def test_of_many_that_start_at_once_one_wins(disk, attempt):
    meeting = threading.Barrier(6)
    won, refused = [], []

    def start(identity):
        lease = Lease(disk, str(identity))
        meeting.wait()
        try:
            lease.acquire()
            won.append(lease)
        except ConfigError:
            refused.append(identity)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 5
    won[0].keep()


def test_folders_have_identities_of_their_own(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal.lock").touch()
    first, second = (folder_identity(tmp_path / name) for name in "ab")
    assert first != second
    assert folder_identity(tmp_path / "a") == first
