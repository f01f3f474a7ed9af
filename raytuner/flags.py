"""Checks of command-line options, as click callbacks; their messages name the option."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from raytuner.component import nearest


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
