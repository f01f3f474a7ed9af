"""What commands share: arguments, checks of options, and what becomes of `--output`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from raytuner.component import ConfigError, nearest

if TYPE_CHECKING:
    from raytuner.results import Results

EXIT_FAILED, EXIT_USAGE, EXIT_PARTIAL, EXIT_BUDGET, EXIT_UNPROVEN = 1, 2, 3, 4, 5
EXIT_INTERRUPTED = 130

study_argument = click.argument("study", type=click.Path(path_type=Path), default="study.yaml")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
fail_unless = click.option(
    "--fail-unless",
    type=click.Choice(["proven", "leaning"]),
    help="Exit with 5 unless the verdict says at least this much, for CI.",
)


def open_results(where: Path) -> Results:
    """Open the results of a run folder, or of the study file whose run folder it is."""
    from raytuner.results import Results
    from raytuner.study import load_study

    if where.is_dir():
        return Results.open(where)
    sys.path.append(str(where.resolve().parent))
    return Results.open(load_study(where).folder(where.resolve().parent))


def run_folder(study: Path) -> Path:
    """Give the run folder of a study file, whether it has run or not; or a run folder itself.

    Raises:
        ConfigError: there is no such file or folder.
    """
    from raytuner.study import load_study

    if study.is_dir():
        return study.resolve()
    if not study.exists():
        raise ConfigError(f"{study}: there is no such study file or run folder")
    sys.path.append(str(study.resolve().parent))  # own objectives and plugins lie beside the study
    return load_study(study).folder(study.resolve().parent)


def has_screen() -> bool:
    """Tell whether a browser has somewhere to show itself: one in the terminal would block it."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def met(status: str, wanted: str | None) -> bool:
    """Tell whether a verdict's status is what `--fail-unless` asks for."""
    enough = {"proven": {"PROVEN"}, "leaning": {"PROVEN", "LEANING"}}
    return wanted is None or status in enough[wanted]


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
