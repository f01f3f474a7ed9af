"""A folder in storage behind one small face: whole objects in, whole objects out.

Readers see an object complete or not at all: object stores make it so, and on disks a file is
written under another name and then renamed. What a service says is turned into one sentence
without secrets.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raytuner.component import ConfigError, RaytunerError, nearest, require

_PACKAGES: Mapping[str, tuple[str, str] | None] = {
    "file": None,
    "memory": None,
    "s3": ("s3fs", "s3"),
    "gs": ("gcsfs", "gcs"),
}
"""Scheme to the package behind it and the extra that installs it. `memory` is for tests."""
_READERS = 8
_DAY = 86_400.0
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|CREDENTIAL", re.IGNORECASE)


class StorageError(RaytunerError):
    """A request to storage failed.

    Attributes:
        reason: what storage complained about, in a few words.
        lasting: trying again at once would not help.
    """

    def __init__(self, message: str, *, reason: str = "", lasting: bool = False) -> None:
        super().__init__(message)
        self.reason = reason or message
        self.lasting = lasting


@dataclass(frozen=True)
class Place:
    """A folder in storage. Small to pickle; made by `place_at`.

    Attributes:
        scheme: `file`, `s3`, `gs` or `memory`.
        path: bucket and prefix, or an absolute path, without a trailing slash.

    Every method may raise StorageError.
    """

    scheme: str
    path: str

    @property
    def url(self) -> str:
        """The address, as a user would write it."""
        return f"{self.scheme}://{self.path}"

    def under(self, *names: str) -> Place:
        """Give a folder below this one."""
        return Place(self.scheme, "/".join((self.path, *names)))

    def write(self, name: str, data: bytes) -> None:
        """Write an object, or replace it."""
        with self._explained(f"write {name}"):
            if self.scheme == "file":
                _write_file(Path(self.path, name), data)
            else:
                self._system.pipe_file(f"{self.path}/{name}", data)

    def create(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; tell whether what is there now is `data`."""
        failure: Exception | None = None
        with self._explained(f"create {name}"):
            try:
                if self.scheme == "file":  # fsspec's own looks first and writes then
                    _write_file(Path(self.path, name), data, publish=_link)
                else:
                    self._system.pipe_file(f"{self.path}/{name}", data, mode="create")
            except Exception as error:  # noqa: BLE001 - each service has its own for "it exists"
                failure = error
            there = self.read(name)  # some services take the condition and do not keep to it
            if there is None and failure is not None:
                raise failure
        return there == data

    def read(self, name: str) -> bytes | None:
        """Read an object; None if there is none."""
        with self._explained(f"read {name}"):
            try:
                data: bytes = self._system.cat_file(f"{self.path}/{name}")
            except FileNotFoundError:
                return None
            return data

    def read_all(self, names: Sequence[str]) -> list[bytes | None]:
        """Read several objects at the same time, in the order of their names."""
        with ThreadPoolExecutor(_READERS) as pool:
            return list(pool.map(self.read, names))

    def names(self) -> list[str]:
        """List the objects right below this folder, sorted."""
        with self._explained("list"):
            try:
                found = self._system.ls(self.path, detail=True)
            except FileNotFoundError:
                return []
        names = (entry["name"].rsplit("/", 1)[-1] for entry in found if entry["type"] == "file")
        return sorted(name for name in names if not name.startswith("."))

    def remove(self, name: str) -> None:
        """Remove an object; it need not exist."""
        with self._explained(f"remove {name}"), contextlib.suppress(FileNotFoundError):
            self._system.rm_file(f"{self.path}/{name}")

    def modified(self, name: str) -> float | None:
        """Give the time of an object by the clock of the storage, in seconds; None: no object."""
        with self._explained(f"look at {name}"):
            try:
                moment: float = self._system.modified(f"{self.path}/{name}").timestamp()
            except FileNotFoundError:
                return None
            return moment

    @property
    def _system(self) -> Any:
        return _file_system(self.scheme, os.getpid())

    @contextlib.contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - every service brings errors of its own
            reason = told(error)
            if isinstance(error, FileNotFoundError) and self.scheme != "file":
                reason = f"there is no bucket {self.path.partition('/')[0]!r}"
            lasting = isinstance(error, PermissionError | FileNotFoundError)
            raise StorageError(
                f"{self.url}: cannot {action}: {reason}", reason=reason, lasting=lasting
            ) from None


def place_at(url: str) -> Place:
    """Read a storage URL.

    Raises:
        ConfigError: unknown scheme, no bucket, no absolute path, or credentials in the URL.
    """
    scheme, separator, path = url.partition("://")
    authority = path.partition("/")[0] if separator else url
    if "@" in authority or "?" in url or "#" in url:
        raise _bad(
            "the URL holds a user, a password or options; give bucket and folder alone, "
            "credentials and endpoint come from the environment"
        )
    if not separator:
        raise _bad(f"{url!r} is no URL; write s3://bucket/folder, gs://bucket/folder or file:///…")
    if scheme not in _PACKAGES:
        known = [name for name in _PACKAGES if name != "memory"]
        raise _bad(
            f"unknown scheme {scheme!r} in {url!r}; known: {', '.join(known)}."
            f"{nearest(scheme, known)}"
        )
    if scheme == "file" and not path.startswith("/"):
        raise _bad(f"{url!r} has no absolute path; write file:///folder with three slashes")
    if ".." in path.split("/") or "//" in path or "\0" in path:
        raise _bad(f"{url!r} is no plain path; leave out `..` and doubled slashes")
    path = path.rstrip("/")
    if not path or (scheme != "file" and path.startswith("/")):
        raise _bad(f"{url!r} names no {'folder' if scheme == 'file' else 'bucket'}")
    return Place(scheme, path)


def load_package(place: Place) -> None:
    """Import what the scheme of a place needs.

    Raises:
        MissingExtraError: with the command that installs it.
    """
    package = _PACKAGES[place.scheme]
    if package is not None:
        require(package[0], extra=package[1])


def told(error: Exception) -> str:
    """Say in a few words what a service or a disk complained about, without secrets."""
    name = type(error).__name__
    if "Credentials" in name:
        return "no credentials were found in the environment"
    if isinstance(error, OSError) and error.strerror:
        return _without_secrets(error.strerror)
    if isinstance(error, PermissionError):
        return f"access is refused with the credentials in the environment ({_line(error)})"
    return f"{name}: {_line(error)}" if str(error) else name


def _line(error: Exception) -> str:
    return _without_secrets(" ".join(str(error).split())[:200])


def _without_secrets(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) >= 6 and _SECRET.search(name):
            text = text.replace(value, "***")
    return re.sub(r"//[^/@\s]+@", "//***@", text)


def _bad(message: str) -> ConfigError:
    return ConfigError(f"storage: {message}", ("storage",))


@functools.lru_cache(maxsize=8)
def _file_system(scheme: str, process: int) -> Any:
    """Open one file system per process: its connections do not survive a fork."""
    del process
    options: dict[str, Any] = {"skip_instance_cache": True, "use_listings_cache": False}
    if scheme == "s3":
        retries = {"max_attempts": 1}
        options["config_kwargs"] = {"connect_timeout": 5, "read_timeout": 20, "retries": retries}
    system = importlib.import_module("fsspec").filesystem(scheme, **options)
    if scheme == "s3":
        system.retries = 2  # ours come on top
    return system


def _write_file(
    path: Path, data: bytes, publish: Callable[[Path, Path], object] = Path.replace
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        publish(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _link(partial: Path, path: Path) -> None:
    """Give a file its name unless the name is taken."""
    try:
        path.hardlink_to(partial)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with path.open("xb") as file:
            file.write(partial.read_bytes())


def _sweep(folder: Path) -> None:
    """Remove what writers that were killed a day ago left behind."""
    for partial in folder.glob(".*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - partial.stat().st_mtime > _DAY:
                partial.unlink()
