"""Named arrays as one object of bytes, with a checksum and without pickle.

One line of JSON (format, checksum of names and arrays, names) is followed by the arrays one
after the other, each in NumPy's `.npy` format. Equal arrays give equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence

import numpy as np

from raytuner.objective import Arrays

_FORMAT = 1


class DamagedError(Exception):
    """The bytes are not what was written; the message says why."""


def pack(arrays: Arrays) -> bytes:
    """Spell arrays as bytes.

    Raises:
        ValueError: an array holds Python objects, which only pickle could spell.
    """
    body = io.BytesIO()
    names = sorted(arrays)
    for name in names:
        np.lib.format.write_array(body, np.asarray(arrays[name]), allow_pickle=False)
    content = body.getbuffer()
    header = {"format": _FORMAT, "blake2b": _checksum(names, content), "names": names}
    return b"".join((json.dumps(header).encode(), b"\n", content))


def unpack(data: bytes) -> Arrays:
    """Read arrays back; they are read-only.

    Raises:
        DamagedError: a byte is wrong or missing, or the format is another one.
    """
    stream = io.BytesIO(data)
    try:
        header = json.loads(stream.readline())
        kind, checksum, names = header["format"], header["blake2b"], header["names"]
    except (ValueError, KeyError, TypeError):
        raise DamagedError("its header cannot be read") from None
    if kind != _FORMAT:
        raise DamagedError(f"it is written in format {kind}, not {_FORMAT}")
    if _checksum(names, memoryview(data)[stream.tell() :]) != checksum:
        raise DamagedError("its checksum does not fit")
    arrays = {name: np.lib.format.read_array(stream, allow_pickle=False) for name in names}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def _checksum(names: Sequence[str], content: memoryview) -> str:
    checksum = hashlib.blake2b(json.dumps(names).encode(), digest_size=16)
    checksum.update(content)
    return checksum.hexdigest()
