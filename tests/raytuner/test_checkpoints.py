"""Checkpoints: whole or not there."""

import numpy as np
import pytest

from raytuner.checkpoints import Checkpoint, Checkpoints
from raytuner.component import digest

KEY = digest("a state")


def only(folder):
    (found,) = [path for path in folder.rglob("*") if path.is_file()]
    return found


def test_what_is_saved_comes_back(tmp_path):
    store = Checkpoints(tmp_path / "states")
    assert store.load(KEY) is None
    state = Checkpoint({"w": np.arange(6.0).reshape(2, 3)}, {"epoch": 3, "past": [{"a": 0.1}]})
    assert store.save(KEY, state)
    assert not store.save(KEY, Checkpoint({}, {})), "it is there"
    found = store.load(KEY)
    assert np.array_equal(found.arrays["w"], state.arrays["w"])
    assert found.facts == state.facts
    store.remove(KEY)
    store.remove(KEY)
    assert store.load(KEY) is None


@pytest.mark.parametrize("damage", [lambda raw: raw[:-7], lambda raw: raw[:40] + b"x" + raw[41:],
                                    lambda raw: b"", lambda raw: b"abc"])  # fmt: skip
def test_a_damaged_one_is_none_and_is_removed(tmp_path, damage, caplog):
    store = Checkpoints(tmp_path)
    store.save(KEY, Checkpoint({"w": np.ones(50)}))
    path = only(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert store.load(KEY) is None
    assert "damaged" in caplog.text
    assert not path.exists()
    assert store.save(KEY, Checkpoint({"w": np.ones(50)}))


def test_no_pickles(tmp_path):
    store = Checkpoints(tmp_path)
    with pytest.raises(ValueError, match="allow_pickle"):
        store.save(KEY, Checkpoint({"w": np.array([object()])}))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_disk_that_refuses_costs_a_warning(tmp_path, caplog):
    (tmp_path / "file").touch()
    store = Checkpoints(tmp_path / "file")  # no folder can be made there
    assert not store.save(KEY, Checkpoint({"w": np.ones(3)}))
    assert "cannot be written" in caplog.text
    assert store.load(KEY) is None
