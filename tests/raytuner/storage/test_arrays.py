"""Arrays as bytes: bit for bit, without pickle, and any damage is noticed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from raytuner.storage.arrays import DamagedError, pack, unpack

DTYPES = (
    arrays_of.floating_dtypes()
    | arrays_of.integer_dtypes()
    | arrays_of.boolean_dtypes()
    | arrays_of.unicode_string_dtypes(max_len=4)
    | arrays_of.byte_string_dtypes(max_len=4)
)
ARRAYS = st.dictionaries(
    st.text(max_size=5),
    arrays_of.arrays(DTYPES, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0)),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(ARRAYS)
def test_arrays_come_back_bit_for_bit_and_read_only(arrays):
    packed = pack(arrays)
    assert pack(dict(reversed(arrays.items()))) == packed, "equal arrays, equal bytes"
    found = unpack(packed)
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert not found[name].flags.writeable


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_any_cut_or_changed_byte_is_noticed(data):
    packed = pack({"x": np.arange(10, dtype=np.float32), "y": np.array(["a", "b"])})
    position = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(DamagedError):
        unpack(packed[:position])
    changed = bytearray(packed)
    changed[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedError):
        unpack(bytes(changed))


def test_objects_are_refused():
    with pytest.raises(ValueError, match="Object arrays"):
        pack({"x": np.array([{}], dtype=object)})


def test_fortran_order_is_kept():
    array = np.asfortranarray(np.arange(6).reshape(2, 3))
    assert unpack(pack({"x": array}))["x"].flags.f_contiguous
