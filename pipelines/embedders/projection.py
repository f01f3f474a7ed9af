"""What an adapter does with vectors, and the file that holds one.

Vectors come out the same to the last bit whatever others are projected with them and on however
many threads, as `pipelines.ranking.snapped` has it: an adapted vector, too, depends on nothing but
its text.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.ranking import FloatArray, snapped
from pipelines.types import Vectors
from raytuner.component import ConfigError

Sides = Literal["queries", "both"]
Weights = Mapping[str, FloatArray]
"""float64 by name. `linear`: matrix [d, d], perhaps bias [d]; `two-layer`: inner [h, d],
inner_bias [h], outer [d, h], bias [d]."""

FORMAT = 1
_FACTS = "@facts"
_LARGEST = 1 << 30
"""Bytes of a file's arrays, at most."""
_SHAPES: Mapping[str, Mapping[str, str]] = {
    "none": {},
    "linear": {"matrix": "dd", "bias": "d"},
    "two-layer": {"inner": "hd", "inner_bias": "h", "outer": "dh", "bias": "d"},
}
_OPTIONAL = {("linear", "bias")}


class Projection(NamedTuple):
    """A trained adapter: y = W x + b, or y = x + B relu(A x + a) + b, then to unit length.

    Attributes:
        kind: `none`, `linear` or `two-layer`.
        sides: what it is for: vectors of queries alone, or of queries and documents.
        weights: as `Weights` says.
    """

    kind: str = "none"
    sides: Sides = "queries"
    weights: Weights = MappingProxyType({})

    def changes(self, *, query: bool) -> bool:
        """Tell whether it does anything to vectors of this side."""
        return self.kind != "none" and (query or self.sides == "both")

    def apply(self, vectors: Vectors, *, query: bool) -> Vectors:
        """Project vectors of one side.

        Args:
            vectors: float32 [n, d], of unit length or zero.
            query: whether they are of queries.

        Returns:
            float32 [n, d], of unit length or zero.
        """
        if not self.changes(query=query):
            return vectors
        given = vectors.astype(np.float64)
        if self.kind == "linear":
            found = _product(given, self.weights["matrix"])
        else:
            hidden = _product(given, self.weights["inner"]) + self.weights["inner_bias"]
            found = given + _product(np.maximum(hidden, 0.0), self.weights["outer"])
        return _unit(found + self.weights.get("bias", 0.0))

    @property
    def dimensions(self) -> int | None:
        """Length of the vectors that it takes; None: any."""
        return None if self.kind == "none" else _sizes(self.kind, self.weights)["d"]


class AdapterFile(NamedTuple):
    """An adapter as it is kept on disk.

    Attributes:
        projection: the adapter.
        base: fingerprint of the embedder whose vectors it was trained on.
        fitted_on: digest of the texts that embedder was fitted on; empty if it is not fitted.
        about: where it comes from, as plain JSON values.
        content: SHA-256 of what it computes and is for; the same adapter has the same one.
    """

    projection: Projection
    base: str
    fitted_on: str = ""
    about: Mapping[str, Any] = MappingProxyType({})
    content: str = ""


def write_adapter(adapter: AdapterFile, path: Path) -> None:
    """Write an adapter, whole or not at all: NumPy arrays and JSON in an `.npz` file."""
    kind, sides, weights = adapter.projection
    facts = {
        "format": FORMAT, "kind": kind, "sides": sides, "base": adapter.base,
        "fitted_on": adapter.fitted_on, "about": dict(adapter.about),
    }  # fmt: skip
    arrays: dict[str, Any] = dict(weights)
    arrays[_FACTS] = np.frombuffer(json.dumps(facts, sort_keys=True).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    own = path.with_name(f"{path.name}.tmp")
    try:
        own.write_bytes(buffer.getvalue())
        own.replace(path)
    finally:
        own.unlink(missing_ok=True)


def read_adapter(path: Path) -> AdapterFile:
    """Read an adapter.

    Raises:
        ConfigError: there is no such file, or it holds no adapter.
    """
    try:
        arrays = _arrays(path.read_bytes())
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        version, kind, sides = facts["format"], facts["kind"], facts["sides"]
        base, fitted_on, about = facts["base"], facts["fitted_on"], dict(facts["about"])
    except OSError as error:
        raise ConfigError(f"adapter {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        raise ConfigError(
            f"adapter {path}: this is no adapter, or a damaged one; `raytuner trained` writes them"
        ) from None
    if version != FORMAT:
        raise ConfigError(f"adapter {path}: format {version!r}, known is {FORMAT}")
    if (wrong := _wrong(kind, sides, arrays)) is not None:
        raise ConfigError(f"adapter {path}: {wrong}")
    projection = Projection(kind, sides, {name: arrays[name] for name in sorted(arrays)})
    return AdapterFile(projection, str(base), str(fitted_on), about, _content(projection, facts))


def _arrays(raw: bytes) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if sum(member.file_size for member in archive.infolist()) > _LARGEST:
            raise ValueError
    with np.load(io.BytesIO(raw), allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def _wrong(kind: Any, sides: Any, arrays: Mapping[str, NDArray[Any]]) -> str | None:
    """Say what is wrong with the parts of an adapter; None if nothing is."""
    if kind not in _SHAPES or sides not in {"queries", "both"}:
        return f"kind {kind!r} for {sides!r} is not known"
    wanted = _SHAPES[kind]
    missing = [n for n in wanted if n not in arrays and (kind, n) not in _OPTIONAL]
    if missing or set(arrays) - set(wanted):
        return f"a {kind} adapter holds {', '.join(wanted)}, got {', '.join(arrays) or 'nothing'}"
    for name, values in arrays.items():
        if values.dtype != np.float64 or values.ndim != len(wanted[name]):
            return f"{name} is {values.dtype} of {values.ndim} dimensions"
        if not np.isfinite(values).all():
            return f"{name} holds numbers that are not finite"
    sizes = _sizes(kind, arrays)
    for name, values in arrays.items():
        if values.shape != tuple(sizes[letter] for letter in wanted[name]):
            return f"the sizes of {', '.join(arrays)} do not go together"
    return None


def _sizes(kind: str, weights: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    named = _SHAPES[kind]
    return {
        letter: size
        for name in weights
        for letter, size in zip(named[name], weights[name].shape, strict=True)
    }


def _content(projection: Projection, facts: Mapping[str, Any]) -> str:
    text = [projection.kind, projection.sides, facts["base"], facts["fitted_on"]]
    found = hashlib.sha256(json.dumps(text).encode())
    for name, values in sorted(projection.weights.items()):
        found.update(f"{name}{values.shape}".encode())
        found.update(np.ascontiguousarray(values, "<f8").tobytes())
    return found.hexdigest()


def _product(rows: FloatArray, matrix: FloatArray) -> FloatArray:
    """Give rows @ matrix.T with an error of about 1e-8 and no dependence on the order of sums.

    Both are scaled by powers of two until no row is longer than 1, which changes no bit.
    """
    left, right = _scale(rows), _scale(matrix)
    exact: FloatArray = snapped(rows / left) @ snapped(matrix / right).T
    return exact * left * right.T


def _scale(rows: FloatArray) -> FloatArray:
    """Give the power of two at or above the length of each row; float64 [n, 1]."""
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    found: FloatArray = np.exp2(np.ceil(np.log2(np.where(lengths > 0, lengths, 1.0))))
    return found


def _unit(rows: FloatArray) -> Vectors:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    unit = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 1e-12)
    found: Vectors = unit.astype(np.float32)
    return found
