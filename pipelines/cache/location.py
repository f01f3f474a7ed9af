"""Which names may become paths below a root."""

from __future__ import annotations

import re
from pathlib import Path

from raytuner.component import ConfigError

_KEY = re.compile(r"[0-9a-f]{32}")
_PLACE = re.compile(r"[a-z][a-z0-9-]{0,40}")


def check_root(root: Path | None) -> Path | None:
    """Make a root absolute, so that a later change of the working directory moves nothing.

    Raises:
        ConfigError: if it names something that is not a directory.
    """
    if root is None:
        return None
    root = Path(root).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise ConfigError(f"cache directory {str(root)!r} is a file; name a directory")
    return root


def check_key(key: str) -> str:
    """Give the key back if it is one: 32 hexadecimal digits, so no path can leave the root.

    Raises:
        ValueError: if it is anything else.
    """
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no artifact key; keys are 32 lower-case hexadecimal digits")
    return key


def artifact_folder(root: Path, key: str) -> Path:
    """Give the folder of one artifact."""
    return root / "artifacts" / check_key(key)[:2] / key


def locks_folder(root: Path) -> Path:
    """Give the folder of the lock files."""
    return root / "locks"


def work_folder(root: Path) -> Path:
    """Give the folder where entries are prepared: the same file system, so a rename is atomic."""
    return root / "tmp"


def vectors_folder(root: Path) -> Path:
    """Give the folder of the vector databases."""
    return root / "vectors"


def responses_file(root: Path) -> Path:
    """Give the database of language models' answers."""
    return vectors_folder(root) / "responses.sqlite"


def place_folder(root: Path, name: str) -> Path:
    """Give a folder for a part that keeps files of its own, such as a vector store.

    Raises:
        ValueError: if `name` is not a short lower-case word.
    """
    if not _PLACE.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a folder of the cache; use a lower-case word")
    return root / "places" / name
