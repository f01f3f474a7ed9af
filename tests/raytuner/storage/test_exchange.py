"""Artifacts in storage: made once, checked when read, and never a reason for a trial to fail."""

import logging
import pickle
import threading

import numpy as np
import pytest

from raytuner.storage import StorageExchange
from raytuner.storage.place import place_at

KEY = "0123456789abcdef" * 2
OBJECT = f"artifacts/01/{KEY}"


class Builder:
    """Makes one artifact and counts how often."""

    def __init__(self):
        self.built = 0

    def __call__(self):
        self.built += 1
        return {"vectors": np.arange(6, dtype=np.float32).reshape(2, 3), "ids": np.array(["a"])}


@pytest.fixture
def build():
    return Builder()


def same(found):
    expected = Builder()()
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_the_second_run_finds_what_the_first_built(url, build):
    same(StorageExchange(url).obtain(KEY, build))
    same(StorageExchange(url).obtain(KEY, build))
    assert build.built == 1
    assert place_at(url).read(OBJECT) is not None


def test_an_exchange_travels(url, build):
    exchange = pickle.loads(pickle.dumps(StorageExchange(url)))
    exchange.obtain(KEY, build)
    pickle.loads(pickle.dumps(exchange)).obtain(KEY, build)
    assert build.built == 1


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"not json\n", "cut", "flip"])
def test_a_damaged_artifact_is_rebuilt_and_replaced(url, build, damage, caplog):
    exchange = StorageExchange(url)
    exchange.obtain(KEY, build)
    good = place_at(url).read(OBJECT)
    bad = {"cut": good[:-1], "flip": good[:-1] + bytes([good[-1] ^ 1])}.get(damage, damage)
    place_at(url).write(OBJECT, bad)
    with caplog.at_level(logging.WARNING):
        same(exchange.obtain(KEY, build))
        same(exchange.obtain(KEY, build))
    assert build.built == 2
    assert len(caplog.records) == 1
    assert "made anew: its " in caplog.text
    assert place_at(url).read(OBJECT) == good


def test_what_build_raises_is_raised_and_not_kept(url, build):
    def fail():
        raise RuntimeError("out of luck")

    exchange = StorageExchange(url)
    with pytest.raises(RuntimeError, match="out of luck"):
        exchange.obtain(KEY, fail)
    same(exchange.obtain(KEY, build))


def test_trouble_is_one_warning_and_a_local_build(tmp_path, build, caplog):
    (tmp_path / "file").write_text("in the way")
    exchange = StorageExchange(f"file://{tmp_path}/file/x", attempts=2, wait=0)
    for _ in range(3):
        same(exchange.obtain(KEY, build))
    assert build.built == 3
    assert len(caplog.records) == 1
    assert "artifacts are built here" in caplog.text


def test_trouble_that_passes_is_tried_again(tmp_path, build, caplog):
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    exchange = StorageExchange(f"file://{tmp_path}/file/x", attempts=8, wait=0.02)
    remover = threading.Timer(0.05, obstacle.unlink)
    remover.start()
    same(exchange.obtain(KEY, build))
    remover.join()
    same(exchange.obtain(KEY, build))
    assert build.built == 1
    assert not caplog.records


def test_what_only_pickle_could_spell_is_not_kept(url, caplog):
    def build():
        return {"x": np.array([{}], dtype=object)}

    assert StorageExchange(url).obtain(KEY, build)["x"].shape == (1,)
    assert "is not kept" in caplog.text
    assert place_at(url).read(OBJECT) is None


@pytest.mark.parametrize("key", ["", "x" * 32, "../" + "0" * 29, KEY.upper(), KEY + "\n"])
def test_a_key_is_32_hexadecimal_digits(url, key, build):
    with pytest.raises(ValueError, match="no artifact key"):
        StorageExchange(url).obtain(key, build)


def test_two_builders_at_once_both_get_it(url):
    builders = [Builder() for _ in range(4)]
    meeting = threading.Barrier(4)
    found = []

    def run(builder):
        exchange = StorageExchange(url)
        meeting.wait()
        found.append(exchange.obtain(KEY, builder))

    threads = [threading.Thread(target=run, args=(builder,)) for builder in builders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for arrays in found:
        same(arrays)


def test_after_trouble_storage_is_left_alone_for_a_while(tmp_path, build):
    obstacle = tmp_path / "file"
    obstacle.write_text("in the way")
    exchange = StorageExchange(f"file://{tmp_path}/file/x", attempts=2, wait=0)
    exchange.obtain(KEY, build)
    obstacle.unlink()
    same(exchange.obtain(KEY, build))
    assert not obstacle.exists()
    same(pickle.loads(pickle.dumps(exchange)).obtain(KEY, build))
    assert obstacle.is_dir(), "another process tries for itself"
