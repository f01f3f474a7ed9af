"""What a study says of a program that is its objective, and how it is started."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from raytuner.component import ConfigError
from raytuner.document import file_inside
from raytuner.own.program import Limits
from raytuner.own.settings import Declared

CONFIG = "{config}"
"""In a word of the command: the path of a JSON file with the configuration."""
PYTHON = "{python}"
"""In a word of the command: the Python that raytuner runs in."""
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_SECRETIVE = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class CommandSettings(Declared):
    """What can be said of a program."""

    command: tuple[str, ...] = Field(
        description="program and arguments; `{config}` is the path of a JSON file, `{python}` the "
        "Python of raytuner; without `{config}` the configuration is on standard input"
    )
    steps: int | None = Field(
        default=None, ge=1, le=1_000_000,
        description="lines that a training prints, one a step; instead of items",
    )  # fmt: skip
    batch: int | None = Field(
        default=None, ge=1, description="items that one process is given; null: all of a rung"
    )
    timeout: float | None = Field(
        default=None, gt=0, description="seconds that one process may take"
    )
    memory_mb: float | None = Field(
        default=None, ge=1, description="address space of each of its processes, in 10^6 bytes"
    )
    max_output: int = Field(
        default=10_000_000, ge=1, description="bytes on standard output, and on standard error"
    )
    retry_codes: tuple[int, ...] = Field(
        default=(75,), description="exit codes that say that another try may go well"
    )
    env: dict[str, str] = Field(default_factory=dict, description="more environment variables")
    cwd: str = Field(default=".", description="folder it runs in, from that of the study")
    files: tuple[str, ...] = Field(
        default=(), description="more files that decide its results, such as modules it imports"
    )

    @field_validator("command", mode="before")
    @classmethod
    def _command(cls, value: Any) -> Any:
        if isinstance(value, str) or not isinstance(value, list | tuple) or not value:
            raise ConfigError(
                f"give a list of words such as ['python', 'train.py'] (no shell reads it), got "
                f"{value!r:.80}"
            )
        words = [str(word) if isinstance(word, int | float) else word for word in value]
        for word in words:
            if not isinstance(word, str) or "\0" in word:
                raise ConfigError(f"a word of it is a text, got {word!r:.80}")
            for name in _PLACEHOLDER.findall(word):
                if name not in {CONFIG, PYTHON}:
                    raise ConfigError(f"there is no {name}; there are {CONFIG} and {PYTHON}")
        return tuple(words)

    @field_validator("env", mode="before")
    @classmethod
    def _env(cls, value: Any) -> Any:
        for name, text in value.items() if isinstance(value, Mapping) else ():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise ConfigError(f"{name!r:.60} cannot name an environment variable")
            if _SECRETIVE.search(name):
                raise ConfigError(
                    f"{name} looks like a secret, which a study keeps on record; set it in the "
                    "environment of raytuner, which the program inherits"
                )
            if isinstance(text, bool) or not isinstance(text, str | int | float):
                raise ConfigError(f"{name} is a text or a number, got {text!r:.60}")
        return {k: str(v) for k, v in value.items()} if isinstance(value, Mapping) else value

    @field_validator("retry_codes", mode="before")
    @classmethod
    def _codes(cls, value: Any) -> Any:
        codes = value if isinstance(value, list | tuple) else [value]
        for code in codes:
            if isinstance(code, bool) or not isinstance(code, int) or not 1 <= code <= 255:
                raise ConfigError(f"an exit code is a whole number from 1 to 255, got {code!r:.60}")
        return tuple(codes)

    def check(self) -> None:
        """Refuse settings that do not go together."""
        super().check()
        for name in ("items", "batch"):
            if self.steps is not None and getattr(self, name) is not None:
                raise ConfigError(
                    f"{name}: a training has steps and no items; leave it out", (name,)
                )
        if self.batch is not None and self.items is None:
            raise ConfigError("batch: there are no items; leave it out", ("batch",))

    @property
    def limits(self) -> Limits:
        """What one process may use."""
        memory = None if self.memory_mb is None else int(self.memory_mb * 1_000_000)
        return Limits(self.timeout, memory, self.max_output, self.retry_codes)

    @property
    def reads_file(self) -> bool:
        """Whether the configuration is in a file, not on standard input."""
        return any(CONFIG in word for word in self.command)

    def words(self, config: str) -> list[str]:
        """Give the words of the command.

        Args:
            config: path of the file with the configuration.
        """
        return [
            word.replace(PYTHON, sys.executable).replace(CONFIG, config) for word in self.command
        ]

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Give the variables of a process."""
        return {**os.environ, **self.env, **more}

    def folder(self, root: Path) -> Path:
        """Find the folder that it runs in; on a host without `root`, the current one stands for it.

        Raises:
            ConfigError: there is no such folder, or it lies outside of `root`.
        """
        root = root if root.is_dir() else Path.cwd()
        found = file_inside(self.cwd, root, "cwd")
        if not found.is_dir():
            raise ConfigError(f"cwd: {self.cwd!r:.80} is no folder", ("cwd",))
        return found

    def check_start(self, root: Path) -> None:
        """Refuse a program that is not there.

        Raises:
            ConfigError: naming it.
        """
        folder = self.folder(root)
        program = self.words("config.json")[0]
        if "/" in program:
            path = folder / program
            if not path.is_file():
                raise ConfigError(f"command: there is no program {program!r:.80}", ("command",))
            if not os.access(path, os.X_OK):
                raise ConfigError(
                    f"command: {program!r:.80} cannot be executed; run: chmod +x {program}",
                    ("command",),
                )
        elif shutil.which(program, path=self.environment({}).get("PATH")) is None:
            raise ConfigError(f"command: there is no program {program!r:.80}", ("command",))

    def contents(self, root: Path) -> dict[str, str]:
        """Digest the files that the command names inside of its folder, and those in `files`.

        Raises:
            ConfigError: one of `files` is not there.
        """
        folder = self.folder(root)
        found = {word: _inside(folder / word, root) for word in self.command if word}
        named = {word: path for word, path in found.items() if path is not None}
        for name in self.files:
            path = file_inside(name, root, "files")
            if not path.is_file():
                raise ConfigError(f"files: there is no file {name!r:.80}", ("files",))
            named[f"files: {name}"] = path
        return {name: _digest(path) for name, path in named.items()}


def _inside(path: Path, root: Path) -> Path | None:
    """Give a path if it is a file below `root`."""
    try:
        resolved = path.resolve()
        return resolved if resolved.is_file() and resolved.is_relative_to(root.resolve()) else None
    except (OSError, ValueError, RuntimeError):  # too long for a name, a loop of links
        return None


def _digest(path: Path) -> str:
    try:
        return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except OSError as error:
        raise ConfigError(
            f"files: {path.name} cannot be read: {error.strerror}", ("files",)
        ) from None
