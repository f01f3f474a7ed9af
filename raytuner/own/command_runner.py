"""Starts the program that a study names, and reads what it prints."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raytuner.component import digest
from raytuner.objective import Meter, ObjectiveFailure
from raytuner.own.command_settings import CommandSettings
from raytuner.own.program import Program
from raytuner.own.program_lines import Line, config_bytes, read_line


class Runner:
    """Starts the program of a study.

    Args:
        settings: the command, and its limits.
        root: folder of the study.
    """

    def __init__(self, settings: CommandSettings, root: Path) -> None:
        self._settings = settings
        self._root = root
        self._identity: str | None = None

    @property
    def identity(self) -> str:
        """Digest the command, the files that it names, and the variables that are set for it."""
        if self._identity is None:
            settings = self._settings
            files = settings.contents(self._root)
            words = [list(settings.command), settings.cwd, dict(settings.env)]
            self._identity = digest("program", words, files, settings.version)
        return self._identity

    @contextlib.contextmanager
    def started(
        self, config: Mapping[str, Any], given: bytes, more: Mapping[str, str]
    ) -> Iterator[Program]:
        """Run it; nothing of it is left afterwards.

        Args:
            config: goes to a file, or before what is given on standard input.
            given: on standard input.
            more: environment variables.

        Raises:
            ObjectiveFailure: it cannot be started.
        """
        settings, said = self._settings, config_bytes(config)
        with tempfile.TemporaryDirectory(prefix="raytuner-") as folder:
            file = Path(folder) / "config.json"
            if settings.reads_file:
                file.write_bytes(said)
            else:
                given = said + given
            try:
                program = Program(
                    settings.words(str(file)),
                    settings.folder(self._root),
                    settings.environment(more),
                    given,
                    settings.limits,
                )
            except OSError as error:
                reason = f"the program could not be started: {error.strerror or error}"
                raise ObjectiveFailure("objective", reason) from error
            with program:
                yield program


def read_lines(program: Program, meter: Meter) -> Iterator[Line]:
    """Give the lines of a program."""
    number = 0
    for rows in program.lines(lambda: meter.cancelled):
        for raw in rows:
            number += 1
            if (line := read_line(raw, number)) is not None:
                yield line


def refuse(program: Program) -> None:
    """Raise what was wrong with the end of a program, if anything was."""
    if (failure := program.failure()) is not None:
        raise ObjectiveFailure(failure.kind, failure.message, retryable=failure.retryable)
