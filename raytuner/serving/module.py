"""The chosen configuration as a module that runs without raytuner."""

from __future__ import annotations

import textwrap
from pathlib import Path

from raytuner import __version__
from raytuner.component import ConfigError
from raytuner.printable import plain
from raytuner.results import Results
from raytuner.serving.choice import choose
from raytuner.strike import strike


def write_module(results: Results, number: int | None, output: Path) -> list[Path]:
    """Write the module, and what it needs beside it.

    Args:
        results: of a run folder.
        number: the trial; None: what the verdict recommends, or the best.
        output: the module, ending in `.py`.

    Returns:
        The files.

    Raises:
        ConfigError: what the configuration has cannot be written so, or a file is there already.
    """
    if output.suffix != ".py" or not output.stem.isidentifier():
        raise ConfigError(
            f"-o {output}: a module is a file such as best.py, named with letters, digits and _"
        )
    choice = choose(results, number)
    found = dict(choice.recipe.answerer().module())
    head = [
        f"# Written by raytuner {__version__}, which it does not need.",
        *textwrap.wrap(plain(strike(choice.said)), 96, initial_indent="# ", subsequent_indent="# "),
        f"# key {choice.key}",
    ]
    found[".py"] = "\n".join(head).encode() + b"\n" + found[".py"]
    paths = {output.with_suffix(suffix): content for suffix, content in sorted(found.items())}
    for path in paths:
        if path.exists():
            raise ConfigError(f"{path} exists already; name another file or remove it first")
    for path, content in paths.items():
        try:
            path.write_bytes(content)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    return list(paths)
