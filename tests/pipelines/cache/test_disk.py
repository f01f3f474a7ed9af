"""Artifacts on disk: what was stored comes back, exactly."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipelines.cache import disk
from pipelines.cache.memory import Arrays, Texts

KEY = "00ff" * 8
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(),
    hnp.complex_number_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.datetime64_dtypes(),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(NAMES, ARRAYS, max_size=4).filter(
        lambda arrays: len({name.lower() for name in arrays}) == len(arrays)
    ),
    st.booleans(),
)
def test_arrays_come_back_equal(arrays, transposed):
    if transposed:
        arrays = {name: np.asfortranarray(array) for name, array in arrays.items()}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        disk.write(root, KEY, Arrays.built("s", arrays), inputs={}, seconds=0)
        found = disk.load(root, KEY, verify=True)
        assert set(found) == set(arrays)
        for name, array in arrays.items():
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
            assert found[name].tobytes() == array.tobytes()
            assert not found[name].flags.writeable


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(st.characters(codec=None), max_size=20), max_size=5))
def test_texts_come_back_equal(texts):
    with tempfile.TemporaryDirectory() as folder:
        disk.write(Path(folder), KEY, Texts("s", tuple(texts)), inputs={"t": texts}, seconds=0)
        assert disk.load(Path(folder), KEY, verify=True).items == tuple(texts)


def test_the_sidecar_says_what_made_the_entry(tmp_path):
    inputs = {"depth": 5, "path": Path("docs"), "size": np.int64(3), "odd": "\ud800"}
    value = Arrays.built("hits", {"ids": np.arange(3)})
    disk.write(tmp_path, KEY, value, inputs=inputs, seconds=1.25)
    meta = json.loads((tmp_path / "artifacts" / "00" / KEY / "meta.json").read_text("utf-8"))
    assert meta["stage"] == "hits"
    assert meta["key"] == KEY
    assert meta["schema_version"] == 1
    assert meta["seconds"] == 1.25
    assert meta["inputs"] == {"depth": 5, "path": "docs", "size": "np.int64(3)", "odd": "\ud800"}
    assert meta["files"]["ids.npy"]["bytes"] == meta["bytes"] == 128 + 24


def test_an_entry_that_another_host_wrote_meanwhile_is_kept(tmp_path):
    disk.write(tmp_path, KEY, Texts("s", ("first",)), inputs={}, seconds=0)
    disk.write(tmp_path, KEY, Texts("s", ("second",)), inputs={}, seconds=0)
    assert disk.load(tmp_path, KEY, verify=True).items == ("first",)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_removed_entry_stays_readable_for_those_who_have_it(tmp_path):
    values = np.random.default_rng(0).random(100_000)
    disk.write(tmp_path, KEY, Arrays.built("s", {"x": values.copy()}), inputs={}, seconds=0)
    mapped = disk.load(tmp_path, KEY, verify=False)["x"]
    assert disk.remove(tmp_path, KEY) > 800_000
    assert disk.remove(tmp_path, KEY) == 0
    assert disk.load(tmp_path, KEY, verify=False) is None
    np.testing.assert_array_equal(mapped, values)


def test_pickles_are_not_read(tmp_path):
    disk.write(tmp_path, KEY, Arrays.built("s", {"x": np.arange(9)}), inputs={}, seconds=0)
    folder = tmp_path / "artifacts" / "00" / KEY
    with (folder / "x.npy").open("wb") as file:
        np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    meta = json.loads((folder / "meta.json").read_text())
    meta["files"]["x.npy"]["bytes"] = (folder / "x.npy").stat().st_size
    (folder / "meta.json").write_text(json.dumps(meta))
    with pytest.raises(disk.DamagedError, match="no array"):
        disk.load(tmp_path, KEY, verify=False)
