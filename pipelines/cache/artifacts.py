"""The cache of stage outputs: from memory, from disk, from others, or built exactly once."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import tempfile
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from pipelines.cache import disk
from pipelines.cache.flight import Flight
from pipelines.cache.location import (
    artifact_folder,
    check_key,
    check_root,
    locks_folder,
    place_folder,
)
from pipelines.cache.memory import Arrays, Artifact, Memory, Texts
from pipelines.cache.prune import Usage, prune_root, usage_of
from pipelines.cache.responses import ResponseCache
from pipelines.cache.vectors import VectorCache
from raytuner.component import ConfigError
from raytuner.objective import Exchange, Meter

_log = logging.getLogger("raytuner.cache")
_TOUCH_SECONDS = 60.0
_Form = TypeVar("_Form", Arrays, Texts)


class Cache:
    """Stage outputs under content keys, shared by all threads and processes of a host.

    Args:
        root: the cache directory, made when first needed; None keeps everything in memory.
        memory_bytes: kept by this process beside what is mapped; more has to be built again.

    Attributes:
        root: the absolute directory, or None.
        exchange: where processes without this directory pass artifacts on, or None. Asked for
            what is neither in memory nor on disk; what it gives is kept like what is built.
        vectors, responses: per-text vectors and models' answers below the same root.

    Raises:
        ConfigError: if `root` is a file.
    """

    def __init__(self, root: Path | None, memory_bytes: int = 512 * 1024 * 1024) -> None:
        self.root = check_root(root)
        self.exchange: Exchange | None = None
        self._memory = Memory(memory_bytes)
        self._flight = Flight(locks_folder(self.root) if self.root else None)
        self.vectors = VectorCache(self.root, flight=self._flight)
        self.responses = ResponseCache(self.root, flight=self._flight)
        self._verified: set[str] = set()
        self._touched: dict[str, float] = {}
        self._warned = False
        self._scratch: Path | None = None
        if self.root:
            disk.sweep(self.root)

    def arrays(
        self,
        stage: str,
        key: str,
        inputs: Mapping[str, Any],
        build: Callable[[], Mapping[str, NDArray[Any]]],
        meter: Meter | None = None,
    ) -> Mapping[str, NDArray[Any]]:
        """Give the arrays of a stage, building them if no thread or process has yet.

        Args:
            stage: name of the stage, for counters and explanations.
            key: digest of everything the result depends on.
            inputs: what went into the key, kept for `explain`.
            build: makes the arrays, and hands them over: they become read-only. What it raises
                is raised here and not cached.
            meter: counts `<stage> built`, `<stage> fetched` (from the exchange) or
                `<stage> reused`.

        Returns:
            Read-only arrays, memory-mapped where there is a root.

        Raises:
            ValueError: if the key is no key or belongs to another stage.
        """

        def make() -> Arrays:
            return Arrays.built(stage, build())

        return self._artifact(stage, key, inputs, make, Arrays, meter)

    def texts(
        self,
        stage: str,
        key: str,
        inputs: Mapping[str, Any],
        build: Callable[[], list[str]],
        meter: Meter | None = None,
    ) -> list[str]:
        """Give the texts of a stage, as `arrays` does. The list is the caller's own.

        Raises:
            ValueError: if the key is no key or belongs to another stage.
        """

        def make() -> Texts:
            return Texts(stage, tuple(build()))

        return list(self._artifact(stage, key, inputs, make, Texts, meter).items)

    def place(self, name: str) -> Path:
        """Give a folder for a part that manages its own files, one subfolder per thing.

        A subfolder that nobody has read or changed for an hour may be pruned. Without a root the
        folder is temporary and goes with this object.

        Raises:
            ValueError: if `name` is not a short lower-case word.
        """
        if self.root is None and self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="raytuner-"))
            weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        folder = place_folder(self.root or self._scratch or Path(), name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def explain(self, key: str) -> disk.Sidecar:
        """Tell what an entry is: stage, inputs, when it was made and how large it is.

        Args:
            key: a key, or the beginning of one.

        Raises:
            ConfigError: if no entry, or more than one, has such a key.
        """
        if self.root is None:
            raise ConfigError("this cache lives in memory only; there is nothing to explain")
        if not re.fullmatch(r"[0-9a-f]{1,32}", key):
            raise ConfigError(f"{key!r} is no cache key; give hexadecimal digits, 32 at most")
        found = sorted((self.root / "artifacts").glob(f"{key[:2]}*/{key}*"))
        if not found:
            raise ConfigError(f"no cache entry has a key that starts with {key!r} in {self.root}")
        if len(found) > 1:
            some = ", ".join(folder.name for folder in found[:3])
            raise ConfigError(f"{len(found)} cache entries start with {key!r}: {some}; give more")
        try:
            return disk.read_sidecar(found[0])
        except (disk.DamagedError, OSError) as error:
            raise ConfigError(f"cache entry {found[0].name} cannot be read: {error}") from error

    def usage(self) -> list[Usage]:
        """Sum up entries and bytes on disk per stage, model and place, largest first."""
        return usage_of(self.root) if self.root else []

    def prune(
        self,
        max_bytes: int | None = None,
        older_than_days: float | None = None,
        stage: str | None = None,
    ) -> int:
        """Remove what has not been used for longest; safe beside running readers and builders.

        Args:
            max_bytes: keep at most this much.
            older_than_days: remove whatever has not been used for so long.
            stage: look only at this stage, model or place, as named by `usage`.

        Returns:
            Bytes freed on disk.
        """
        if self.root is None:
            return 0
        freed, keys = prune_root(
            self.root, self._flight, max_bytes=max_bytes, days=older_than_days, name=stage
        )
        for key in keys:
            self._memory.drop(key)
            self._verified.discard(key)
        return freed

    def _artifact(
        self,
        stage: str,
        key: str,
        inputs: Mapping[str, Any],
        make: Callable[[], _Form],
        form: type[_Form],
        meter: Meter | None,
    ) -> _Form:
        check_key(key)
        origin = "reused"
        value = self._ready(key)
        if value is None:
            with self._flight.hold(key):
                value, writable = self._ready_or_cleared(stage, key)
                if value is None:
                    started = time.perf_counter()
                    value, origin = self._obtain(stage, key, make, form)
                    seconds = time.perf_counter() - started
                    value = self._keep(key, value, inputs, seconds, writable)
        if not isinstance(value, form) or value.stage != stage:
            raise ValueError(
                f"key {key} belongs to {type(value).__name__.lower()} of stage "
                f"{value.stage!r}, asked for as {form.__name__.lower()} of {stage!r}"
            )
        if meter is not None:
            meter.count(f"{stage} {origin}")
        self._touch(key)
        return value

    def _ready(self, key: str) -> Artifact | None:
        """Find a value without any lock; whatever looks wrong is judged under the lock."""
        value = self._memory.get(key)
        if value is None and self.root is not None:
            with contextlib.suppress(disk.DamagedError, OSError):
                value = self._load(self.root, key)
        return value

    def _ready_or_cleared(self, stage: str, key: str) -> tuple[Artifact | None, bool]:
        """Find a value under the lock, or make room for it; tell whether it may be written."""
        value = self._memory.get(key)
        if value is not None or self.root is None:
            return value, False
        try:
            return self._load(self.root, key), True
        except disk.DamagedError as damage:
            _log.warning("cache entry %s (stage %s) is made anew: %s", key, stage, damage)
            return None, self._removed(self.root, key)
        except OSError as error:
            self._warn("cannot read", error)
            return None, False

    def _removed(self, root: Path, key: str) -> bool:
        try:
            disk.remove(root, key)
        except OSError as error:
            self._warn("cannot remove a damaged entry", error)
            return False
        return True

    def _obtain(
        self, stage: str, key: str, make: Callable[[], _Form], form: type[_Form]
    ) -> tuple[_Form, str]:
        """Make a value, unless another process has it to give; tell which it was."""
        if self.exchange is None:
            return make(), "built"
        own: list[_Form] = []

        def build() -> Mapping[str, NDArray[Any]]:
            own.append(make())
            return own[-1].plain()

        given = self.exchange.obtain(key, build)
        return (own[-1], "built") if own else (form.given(stage, given), "fetched")

    def _keep(
        self, key: str, value: Artifact, inputs: Mapping[str, Any], seconds: float, writable: bool
    ) -> Artifact:
        if self.root is not None and writable:
            disk.sweep(self.root, key=key)
            try:
                disk.write(self.root, key, value, inputs=inputs, seconds=seconds)
                self._verified.add(key)
                stored = self._load(self.root, key)
            except (OSError, disk.DamagedError) as error:
                self._warn("cannot write", error)
            else:
                value = value if stored is None else stored
        return self._memory.put(key, value)

    def _load(self, root: Path, key: str) -> Artifact | None:
        value = disk.load(root, key, verify=key not in self._verified)
        if value is None:
            return None
        self._verified.add(key)
        return self._memory.put(key, value)

    def _touch(self, key: str) -> None:
        """Note the use for `prune`, in the entry's modification time."""
        now = time.monotonic()
        if self.root is None or now - self._touched.get(key, -_TOUCH_SECONDS) < _TOUCH_SECONDS:
            return
        self._touched[key] = now
        with contextlib.suppress(OSError):
            os.utime(artifact_folder(self.root, key) / disk.SIDECAR_NAME)

    def _warn(self, what: str, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            _log.warning("cache %s: %s (%s); going on in memory", self.root, what, error)
