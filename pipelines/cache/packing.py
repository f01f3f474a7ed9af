"""Texts as arrays, which is what passes between processes and lies in object stores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def pack_texts(texts: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Spell texts as arrays; lone surrogates survive.

    Returns:
        `bytes`, uint8 [total]: UTF-8 of all texts in a row; `ends`, int64 [texts]: where each ends.
    """
    spelled = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum([len(one) for one in spelled], dtype=np.int64)
    return {"bytes": np.frombuffer(b"".join(spelled), dtype=np.uint8), "ends": ends}


def unpack_texts(arrays: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Read what `pack_texts` has written."""
    buffer = memoryview(np.asarray(arrays["bytes"]).data)
    ends: list[int] = arrays["ends"].tolist()
    starts = [0, *ends][: len(ends)]
    return tuple(
        str(buffer[start:end], "utf-8", "surrogatepass")
        for start, end in zip(starts, ends, strict=True)
    )
