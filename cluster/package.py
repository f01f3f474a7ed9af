"""Packs a study with what it needs into one archive: its data, its own modules, nothing secret.

A study refers to files by paths relative to its own folder, and to modules by name. Both are
found here by looking which of its words name something there; that the archive is complete is
then proved by checking the study again from the archive alone.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import ConfigError

LIMIT = 100 * 1024 * 1024
"""Bytes of an archive: what Ray's job server takes in one upload."""

_SKIPPED_FOLDERS = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", "__pycache__", "node_modules", ".mypy_cache"}
    | {".ruff_cache", ".pytest_cache", ".ipynb_checkpoints", ".cache", ".ssh", ".aws", ".ray"}
)
_SECRET_FILES = (".env", ".env.*", "*.env", "*.pem", "*.key", "*.p12", "id_rsa*", "id_ed25519*")
"""Files that are likely to hold secrets; never packed."""
_OURS = ("raytuner", "pipelines", "cluster", "ray")
"""Packages that a file of the study must not take the place of on the cluster."""
_MODULE = re.compile(r"([A-Za-z_]\w*)(\.\w+)*(:[A-Za-z_]\w*)?")
_GLOB = re.compile(r"[*?\[]")


class Package(NamedTuple):
    """An archive.

    Attributes:
        path: the file.
        digest: of the study's files in it, 32 hexadecimal digits; equal for equal files.
        size: bytes.
        names: what is in it, sorted.
        notes: what was left out, or will be looked for on the cluster itself; one sentence each.
    """

    path: Path
    digest: str
    size: int
    names: tuple[str, ...]
    notes: tuple[str, ...]


def pack(
    study: Path,
    data: Mapping[str, Any],
    target: Path,
    *,
    include: Sequence[Path] = (),
    beside: Mapping[str, bytes] | None = None,
) -> Package:
    """Write the archive of a study.

    Args:
        study: the study file; its folder is the root of the archive.
        data: the parsed file.
        target: archive to write.
        include: further files and folders below the study's folder.
        beside: what else goes into the archive, and is no part of the study.

    Raises:
        ConfigError: a file that cannot be read, leads out of the folder, or takes the place of
            one of our packages; or an archive that is too large.
    """
    root = study.resolve().parent
    notes: list[str] = []
    wanted = [study.resolve(), *_data(data, root, notes), *_modules(data, root)]
    wanted += [_inside(path, root) for path in include]
    skipped = _run_folder(data, root)
    files: dict[str, Path] = {}
    for path in wanted:
        for file in _files(path, skipped, notes):
            files[file.relative_to(root).as_posix()] = file
    _refuse_ours(files)
    _write(files, beside or {}, target)
    size = target.stat().st_size
    if size > LIMIT:
        raise ConfigError(_too_large(files, size))
    names = tuple(sorted(files))
    return Package(target, _digest(files), size, names, tuple(dict.fromkeys(notes)))


def _digest(files: Mapping[str, Path]) -> str:
    made = hashlib.blake2b(digest_size=16)
    for name in sorted(files):
        content = hashlib.blake2b(files[name].read_bytes()).hexdigest()
        made.update(f"{len(name)}:{name}{content}".encode())
    return made.hexdigest()


def unpack(archive: Path, folder: Path, *, limit: int) -> list[str]:
    """Unpack an archive of plain files; give their names.

    Raises:
        ConfigError: it holds what leads out of `folder`, or more than `limit` bytes.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            for entry in entries:
                target = (folder / entry.filename).resolve()
                if not target.is_relative_to(folder.resolve()):
                    raise ConfigError(
                        f"the archive leads out of its folder: {entry.filename!r:.80}"
                    )
            if sum(entry.file_size for entry in entries) > limit:
                raise ConfigError(f"the archive holds more than {limit:,} bytes")
            for entry in entries:
                opened.extract(entry, folder)
            return [entry.filename for entry in entries]
    except zipfile.BadZipFile as error:
        raise ConfigError(f"the archive is damaged: {error}") from None


def write_archive(files: Mapping[str, bytes | Path], target: Path) -> None:
    """Write an archive whose bytes depend on names and contents alone."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name in sorted(files):
            content = files[name]
            entry = zipfile.ZipInfo(name)  # dated 1980, whenever it was written
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content if isinstance(content, bytes) else content.read_bytes())


def _write(files: Mapping[str, Path], beside: Mapping[str, bytes], target: Path) -> None:
    for name, path in files.items():
        if not os.access(path, os.R_OK):
            raise ConfigError(f"{name} cannot be read, so it cannot be packed")
    total = sum(path.stat().st_size for path in files.values())
    if total > 20 * LIMIT:  # not worth compressing
        raise ConfigError(_too_large(files, total))
    write_archive({**files, **beside}, target)


def _too_large(files: Mapping[str, Path], size: int) -> str:
    largest = max(files, key=lambda name: files[name].stat().st_size)
    return (
        f"what the study needs comes to {size / 2**20:,.0f} MiB, and a job server takes "
        f"{LIMIT / 2**20:.0f} (largest: {largest}); put the documents where all nodes can read "
        "them and name that place by an absolute path"
    )


def _data(data: Mapping[str, Any], root: Path, notes: list[str]) -> Iterator[Path]:
    """Give what words of the study name in its folder: documents, golden questions, prompts."""
    for word in _words([data.get("objective"), data.get("space")]):
        if not word or "://" in word or "\n" in word or len(word) > 1000 or "\0" in word:
            continue
        path = Path(word)
        if path.is_absolute() or word.startswith("~"):
            if path.expanduser().exists():
                notes.append(
                    f"{word} lies outside the study's folder and is not packed; the cluster's "
                    "nodes must have it at the same place"
                )
        elif _GLOB.search(word):
            yield from (found for found in root.glob(word) if _is_inside(found, root))
        elif (root / path).exists() and _is_inside(root / path, root):
            yield root / path


def _modules(data: Mapping[str, Any], root: Path) -> Iterator[Path]:
    """Give the modules that the study names and that lie beside it, and their neighbours."""
    plugins = data.get("plugins")
    named = [word for word in _words(data.get("objective")) if ":" in word]
    named += [word for word in plugins if isinstance(word, str)] if plugins else []
    tops = {match[1] for word in named if (match := _MODULE.fullmatch(word))}
    found = [root / f"{top}.py" for top in tops] + [root / top for top in tops]
    local = [path for path in found if path.is_file() or (path / "__init__.py").is_file()]
    yield from local
    if local:  # what they import may lie beside them
        yield from root.glob("*.py")


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _words(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _words(value)


def _run_folder(data: Mapping[str, Any], root: Path) -> frozenset[Path]:
    """Name the folders of results, which are no input."""
    given = data.get("run_dir", "runs")
    cache = data["objective"].get("cache") if isinstance(data.get("objective"), Mapping) else None
    folders = [word for word in (given, cache) if isinstance(word, str)]
    return frozenset((root / Path(word).expanduser()).resolve() for word in folders) - {root}


def _files(path: Path, skipped: Iterable[Path], notes: list[str]) -> Iterator[Path]:
    """Give the files of a folder, in any depth, without caches, results and secrets."""
    if path.is_file():
        if _is_secret(path.name):
            notes.append(f"{path.name} may hold secrets and is not packed")
        else:
            yield path
        return
    for folder, folders, names in os.walk(path):
        here = Path(folder)
        folders[:] = [
            name
            for name in sorted(folders)
            if name not in _SKIPPED_FOLDERS and (here / name).resolve() not in skipped
        ]
        for name in sorted(names):
            if _is_secret(name):
                notes.append(f"{name} may hold secrets and is not packed")
            elif (here / name).is_file():
                yield here / name


def _is_secret(name: str) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in _SECRET_FILES)


def _is_inside(path: Path, root: Path) -> bool:
    return path.resolve().is_relative_to(root)


def _inside(path: Path, root: Path) -> Path:
    """Check a path that was asked for; relative ones start in the current folder.

    Raises:
        ConfigError: there is nothing, or it lies outside the study's folder.
    """
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links inside stay links inside
    if not absolute.exists():
        raise ConfigError(f"--include: there is no {path}")
    if not absolute.is_relative_to(root) and absolute.resolve().is_relative_to(root):
        absolute = absolute.resolve()
    if not absolute.is_relative_to(root):
        raise ConfigError(f"--include: {path} lies outside the study's folder {root}")
    return absolute


def _refuse_ours(files: Iterable[str]) -> None:
    for name in files:
        for ours in _OURS:
            if name in {f"{ours}.py", f"{ours}/__init__.py"}:
                raise ConfigError(
                    f"{name} beside the study would take the place of the package `{ours}` on the "
                    "cluster; call it otherwise"
                )
