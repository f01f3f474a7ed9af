"""Damaged entries, full disks, remains of the dead: the cache mends itself and stops nobody."""

import contextlib
import logging
import os
import resource

import numpy as np
import pytest

from pipelines.cache import Cache
from raytuner.component import ConfigError

KEY = "0123456789abcdef" * 2


def numbers(build_count=None):
    if build_count is not None:
        build_count.append(1)
    return {"ids": np.arange(6).reshape(2, 3), "scores": np.linspace(0, 1, 6)}


def entry(root):
    return root / "artifacts" / KEY[:2] / KEY


def flip(path, position):
    data = bytearray(path.read_bytes())
    data[position] ^= 0x10
    path.write_bytes(data)


DAMAGE = {
    "bit": lambda folder: flip(folder / "ids.npy", -3),
    "header": lambda folder: flip(folder / "ids.npy", 2),
    "short": lambda folder: os.truncate(folder / "scores.npy", 100),
    "empty": lambda folder: os.truncate(folder / "scores.npy", 0),
    "lost": lambda folder: (folder / "ids.npy").unlink(),
    "meta lost": lambda folder: (folder / "meta.json").unlink(),
    "meta torn": lambda folder: os.truncate(folder / "meta.json", 40),
    "meta binary": lambda folder: (folder / "meta.json").write_bytes(b"\xff\x00"),
    "meta list": lambda folder: (folder / "meta.json").write_text("[]"),
    "meta moved": lambda folder: (folder / "meta.json").write_text(
        (folder / "meta.json").read_text().replace(KEY, "f" * 32)
    ),
    "other format": lambda folder: (folder / "meta.json").write_text(
        (folder / "meta.json").read_text().replace('"schema_version": 1', '"schema_version": 7')
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_entries_are_built_anew_with_one_warning(root, damage, caplog):
    Cache(root).arrays("hits", KEY, {}, numbers)
    DAMAGE[damage](entry(root))
    cache, built = Cache(root), []
    with caplog.at_level(logging.WARNING, "raytuner.cache"):
        found = cache.arrays("hits", KEY, {}, lambda: numbers(built))
    np.testing.assert_array_equal(found["scores"], np.linspace(0, 1, 6))
    assert len(built) == 1
    assert [KEY in r.getMessage() and "hits" in r.getMessage() for r in caplog.records] == [True]
    Cache(root).arrays("hits", KEY, {}, lambda: pytest.fail("still damaged"))
    assert list((root / "tmp").iterdir()) == []


def test_damaged_texts_are_built_anew(root, caplog):
    Cache(root).texts("answers", KEY, {}, lambda: ["yes", "no"])
    flip(entry(root) / "texts.json", 3)
    assert Cache(root).texts("answers", KEY, {}, lambda: ["yes", "no"]) == ["yes", "no"]
    assert "checksum" in caplog.text


def test_a_write_that_fails_midway_costs_nothing_but_the_disk(root, start, finish):
    """The file size limit fails a write with an OSError, as a full disk does."""
    printed = finish(
        start("""
        import resource, signal
        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        cache = Cache(root)
        for number in range(3):
            key = f"{number:032x}"
            big = cache.arrays("hits", key, {}, lambda: {"x": np.arange(100_000)})
            assert big["x"][-1] == 99_999 and not big["x"].flags.writeable
            assert cache.arrays("hits", key, {}, lambda: 1 / 0) is big
    """)
    )
    assert printed[0].count("going on in memory") == 1
    assert "File too large" in printed[0]
    assert [path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_files_that_cannot_be_opened_are_left_alone(root, caplog):
    Cache(root).arrays("hits", KEY, {}, numbers)
    cache = Cache(root)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        with contextlib.suppress(OSError):
            opened.extend(os.open(os.devnull, os.O_RDONLY) for _ in range(64))
        found = cache.arrays("hits", KEY, {}, numbers)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in opened:
            os.close(descriptor)
    assert found["ids"].shape == (2, 3)
    assert "going on in memory" in caplog.text
    Cache(root).arrays("hits", KEY, {}, lambda: pytest.fail("the entry was good"))


def test_a_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        Cache(tmp_path / "file")


def test_remains_of_dead_builders_go_after_a_day(root):
    for name, age in (("old", 90_000), ("new", 80_000)):
        folder = root / "tmp" / name
        folder.mkdir(parents=True)
        (folder / "x.npy").touch()
        past = folder.stat().st_mtime - age
        os.utime(folder, (past, past))
    Cache(root)
    assert [path.name for path in (root / "tmp").iterdir()] == ["new"]
