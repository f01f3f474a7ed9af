"""Artifacts as folders of plain files: written whole or not at all, checked when read.

An entry is a folder of `.npy` arrays, or one `texts.json`, beside a `meta.json` that says what
made them and holds a checksum of every file. No pickle is ever written or read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipelines.cache.location import artifact_folder, work_folder
from pipelines.cache.memory import Arrays, Artifact, Texts

SCHEMA_VERSION = 1
SIDECAR_NAME = "meta.json"
_TEXTS_NAME = "texts.json"
_DAY = 86_400.0


class StoredFile(BaseModel):
    """Size and checksum of one file of an entry."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    bytes: int
    blake2b: str


class Sidecar(BaseModel):
    """What an entry is and where it came from (`meta.json`).

    Attributes:
        form: whether the entry holds arrays or texts.
        inputs: what went into the key, as plain JSON.
        created: when, ISO 8601 in UTC.
        seconds: how long it took to build.
        bytes: size of all files but this one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: int = SCHEMA_VERSION
    stage: str
    key: str
    form: Literal["arrays", "texts"]
    inputs: dict[str, Any]
    created: str
    seconds: float
    bytes: int
    files: dict[str, StoredFile]


class DamagedError(Exception):
    """An entry is there but cannot be trusted; the message says why."""


class _Checked:
    """Writes through to a file and keeps the checksum of what should be in it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.blake2b(digest_size=16)
        self._bytes = 0

    def write(self, data: bytes) -> int:
        """Write all of `data`."""
        self._hash.update(data)
        self._bytes += len(data)
        return self._file.write(data)

    def record(self) -> StoredFile:
        """Give size and checksum of everything written."""
        return StoredFile(bytes=self._bytes, blake2b=self._hash.hexdigest())


def read_sidecar(folder: Path) -> Sidecar:
    """Read an entry's description.

    Raises:
        FileNotFoundError: if the entry does not exist.
        DamagedError: if it cannot be read or belongs to another key or version.
    """
    try:
        sidecar = Sidecar.model_validate(json.loads((folder / SIDECAR_NAME).read_bytes()))
    except FileNotFoundError:
        if folder.is_dir():
            raise DamagedError(f"{SIDECAR_NAME} is missing") from None
        raise
    except ValueError as error:
        raise DamagedError(f"{SIDECAR_NAME} cannot be read") from error
    if sidecar.schema_version != SCHEMA_VERSION:
        raise DamagedError(f"written in format {sidecar.schema_version}, not {SCHEMA_VERSION}")
    if sidecar.key != folder.name:
        raise DamagedError(f"{SIDECAR_NAME} describes {sidecar.key!r}")
    return sidecar


def load(root: Path, key: str, *, verify: bool) -> Artifact | None:
    """Read an entry; arrays are memory-mapped, so processes share their pages.

    Args:
        root: the cache directory.
        key: key of the artifact.
        verify: whether to compare every file with its checksum, which reads all of it.

    Returns:
        The artifact, or None if there is no such entry.

    Raises:
        DamagedError: if the entry is incomplete or not what was written.
        OSError: if the system refuses to read it, which says nothing about the entry.
    """
    folder = artifact_folder(root, key)
    try:
        sidecar = read_sidecar(folder)
    except FileNotFoundError:
        return None
    try:
        for name, stored in sidecar.files.items():
            _check_file(folder / name, stored, verify)
        if sidecar.form == "texts":
            return Texts(sidecar.stage, _read_texts(folder / _TEXTS_NAME))
        arrays = {name.removesuffix(".npy"): _read_array(folder / name) for name in sidecar.files}
    except FileNotFoundError as error:
        raise DamagedError(f"{Path(str(error.filename)).name} is missing") from None
    return Arrays.mapped(sidecar.stage, arrays)


def write(
    root: Path, key: str, value: Artifact, *, inputs: Mapping[str, Any], seconds: float
) -> None:
    """Write an entry so that it appears complete or not at all, even after a power failure.

    Raises:
        OSError: if the disk is full or may not be written; nothing is left behind.
    """
    work = work_folder(root) / f"{key}-{secrets.token_hex(4)}"
    work.mkdir(parents=True)
    try:
        files = {name: _write_file(work / name, fill) for name, fill in _parts(value).items()}
        sidecar = Sidecar(
            stage=value.stage,
            key=key,
            form="texts" if isinstance(value, Texts) else "arrays",
            inputs=_plain_json(inputs),
            created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            seconds=round(seconds, 6),
            bytes=sum(stored.bytes for stored in files.values()),
            files=files,
        )
        described = json.dumps(sidecar.model_dump(), indent=1).encode()
        _write_file(work / SIDECAR_NAME, lambda file: file.write(described))
        _sync_folder(work)
        _place(work, artifact_folder(root, key))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def remove(root: Path, key: str) -> int:
    """Take an entry away at once, then delete it. Readers that have it mapped are not disturbed.

    Returns:
        Bytes freed; 0 if there was no entry.
    """
    folder = artifact_folder(root, key)
    size = folder_bytes(folder)
    grave = work_folder(root) / f"{key}-{secrets.token_hex(4)}"
    grave.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.rename(grave)
    except FileNotFoundError:
        return 0
    shutil.rmtree(grave, ignore_errors=True)
    return size


def folder_bytes(folder: Path) -> int:
    """Add up the files of a folder; one that vanishes meanwhile counts as nothing."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            total += file.stat().st_size
    return total


def sweep(root: Path, *, key: str | None = None, older_than: float = _DAY) -> None:
    """Delete what killed builders left behind.

    Args:
        root: the cache directory.
        key: only the remains of this key, of any age; the caller holds its lock.
        older_than: otherwise, the least age in seconds.
    """
    with contextlib.suppress(OSError), os.scandir(work_folder(root)) as folders:
        for folder in list(folders):
            mine = key is not None and folder.name.startswith(f"{key}-")
            old = key is None and time.time() - folder.stat().st_mtime > older_than
            if mine or old:
                shutil.rmtree(folder.path, ignore_errors=True)


def _plain_json(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Spell inputs as JSON, for people: numbers that JSON lacks become text."""
    from pydantic_core import to_jsonable_python

    spelled = json.dumps(to_jsonable_python(dict(inputs), fallback=repr))
    return dict(json.loads(spelled, parse_constant=str))


def _parts(value: Artifact) -> dict[str, Callable[[_Checked], Any]]:
    if isinstance(value, Texts):
        # Half of a surrogate pair is legal in a str, so it must survive the round trip.
        text = json.dumps(value.items, ensure_ascii=False).encode("utf-8", "surrogatepass")
        return {_TEXTS_NAME: lambda file: file.write(text)}
    return {f"{name}.npy": partial(_write_array, array=array) for name, array in value.items()}


def _write_array(file: _Checked, array: NDArray[Any]) -> None:
    np.lib.format.write_array(file, array, allow_pickle=False)


def _write_file(path: Path, fill: Callable[[_Checked], Any]) -> StoredFile:
    with path.open("xb") as file:
        checked = _Checked(file)
        fill(checked)
        file.flush()
        os.fsync(file.fileno())
    return checked.record()


def _place(work: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        work.rename(folder)
    except OSError:
        if not (folder / SIDECAR_NAME).exists():
            raise
        return  # written meanwhile by a host that does not see our locks: as good as ours
    _sync_folder(folder.parent)
    _sync_folder(folder.parent.parent)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a directory
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_file(path: Path, stored: StoredFile, verify: bool) -> None:
    size = path.stat().st_size
    if size != stored.bytes:
        raise DamagedError(f"{path.name} has {size} bytes instead of {stored.bytes}")
    if verify:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        if found != stored.blake2b:
            raise DamagedError(f"{path.name} does not match its checksum")


def _read_array(path: Path) -> NDArray[Any]:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)  # type: ignore[no-any-return]
    except (ValueError, EOFError) as error:
        raise DamagedError(f"{path.name} is no array: {error}") from error


def _read_texts(path: Path) -> tuple[str, ...]:
    try:
        return tuple(json.loads(path.read_bytes().decode("utf-8", "surrogatepass")))
    except ValueError as error:
        raise DamagedError(f"{path.name} is no list of texts: {error}") from error
