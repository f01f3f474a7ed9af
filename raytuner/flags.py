"""Checks of command-line options, as click callbacks, and what becomes of `--output`."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from raytuner.component import ConfigError, nearest


def backend_name(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Check `--backend` here, so that the message names the option and not the study."""
    from raytuner.backends import BackendName

    del context, parameter
    known = get_args(BackendName)
    if value is not None and value not in known:
        raise click.BadParameter(f"{value!r} is none of {', '.join(known)}.{nearest(value, known)}")
    return value


def table_path(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """Want the suffix of the format, so that a slip cannot overwrite a study."""
    del context
    suffix = {"csv_path": ".csv"}.get(parameter.name or "", ".parquet")
    if path is not None and path.suffix != suffix:
        raise click.BadParameter(f"{str(path)!r} must end in {suffix}")
    return path


def deliver(text: str, output: Path | None) -> None:
    """Print a file, or write it where there is none.

    Raises:
        ConfigError: there is a file already, or it cannot be written.
    """
    if output is None:
        click.echo(text, nl=False)
        return
    if output.exists():
        raise ConfigError(f"{output} exists already; name another file or remove it first")
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{output} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {output}")
