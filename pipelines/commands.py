"""Commands that the pipelines add to the command line: `raytuner init` and `raytuner cache`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipelines.cache import Cache, Usage

_SIZE_UNITS = {
    "": 1, "B": 1,
    "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40,
}  # fmt: skip
_AGE_UNITS = {"H": 1 / 24, "D": 1.0, "W": 7.0}


def _measure(text: str, units: Mapping[str, float], example: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in units:
        raise click.BadParameter(f"{text!r} is not understood; write it like {example}")
    return float(match[1]) * units[match[2].upper()]


def _size(text: str) -> int:
    return int(_measure(text, _SIZE_UNITS, "2GB or 500MiB"))


def _days(text: str) -> float:
    return _measure(text, _AGE_UNITS, "30d, 12h or 2w")


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    folder = click.option(
        "--cache-dir",
        type=click.Path(path_type=Path),
        help="Cache directory. Default: RAYTUNER_CACHE, or ~/.cache/raytuner.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    return folder(as_json(command))


@click.group(invoke_without_command=True)
@_options
@click.pass_context
def cache(context: click.Context, cache_dir: Path | None, as_json: bool) -> None:
    """Look into the cache, or make room. Without a command: show what it holds."""
    context.obj = (cache_dir, as_json)
    if context.invoked_subcommand is None:
        context.invoke(show, cache_dir=cache_dir, as_json=as_json)


@cache.command()
@_options
@click.pass_context
def show(context: click.Context, cache_dir: Path | None, as_json: bool) -> None:
    """List stages and embedding models with their entries and size."""
    opened, as_json = _opened(context, cache_dir, as_json)
    rows = opened.usage()
    if as_json:
        used = {"directory": str(opened.root), "bytes": sum(row.bytes for row in rows)}
        click.echo(json.dumps({**used, "entries": [row._asdict() for row in rows]}, indent=2))
    elif rows:
        _print_table(opened, rows)
    else:
        click.echo(f"The cache in {opened.root} is empty.")


@cache.command()
@_options
@click.option("--max-size", type=_size, metavar="SIZE", help="Keep at most this much, e.g. 2GB.")
@click.option(
    "--older-than",
    type=_days,
    metavar="AGE",
    help="Remove what was not used for so long, e.g. 30d.",
)
@click.option("--stage", help="Only this stage, model or place, as `show` names it.")
@click.option("--all", "everything", is_flag=True, help="Remove everything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def prune(
    context: click.Context,
    cache_dir: Path | None,
    as_json: bool,
    max_size: int | None,
    older_than: float | None,
    stage: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Remove entries, least recently used first. Safe while studies are running."""
    opened, as_json = _opened(context, cache_dir, as_json)
    if max_size is None and older_than is None:
        if not everything and stage is None:
            raise click.UsageError("say what to remove: --max-size, --older-than, --stage or --all")
        max_size = 0
    if stage is not None:
        _check_name(opened, stage)
    if not yes:
        what = f"{stage!r}" if stage else "entries"
        click.confirm(f"Remove {what} from {opened.root}?", abort=True, err=True)
    freed = opened.prune(max_bytes=max_size, older_than_days=older_than, stage=stage)
    left = sum(row.bytes for row in opened.usage())
    if as_json:
        click.echo(json.dumps({"freed": freed, "bytes": left}))
    else:
        click.echo(f"Freed {_readable(freed)}; {_readable(left)} left in {opened.root}.")


@cache.command()
@_options
@click.argument("key")
@click.pass_context
def explain(context: click.Context, cache_dir: Path | None, as_json: bool, key: str) -> None:
    """Tell what made the entry whose KEY starts like this."""
    opened, as_json = _opened(context, cache_dir, as_json)
    found = opened.explain(key)
    if as_json:
        click.echo(json.dumps(found.model_dump(), indent=2))
        return
    click.echo(f"key      {found.key}")
    click.echo(f"stage    {found.stage} ({found.form})")
    click.echo(f"created  {found.created}, in {found.seconds:.3g} s")
    click.echo(f"size     {_readable(found.bytes)}")
    for name, file in found.files.items():
        click.echo(f"  {name}  {_readable(file.bytes)}")
    click.echo("inputs")
    for line in json.dumps(found.inputs, indent=2).splitlines()[1:-1]:
        click.echo(line)


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite what an earlier init wrote.")
def init(folder: Path | None, force: bool) -> None:
    """Write a commented study for the documents in FOLDER (default: docs, or the first found)."""
    from pipelines.starter import write_study

    for line in write_study(Path.cwd(), folder, force=force):
        click.echo(line)


def _opened(context: click.Context, folder: Path | None, as_json: bool) -> tuple[Cache, bool]:
    """Open the cache; options may stand before or behind the command's name."""
    from pipelines.cache import Cache, default_cache_dir

    outer_folder, outer_json = context.obj or (None, False)
    return Cache(folder or outer_folder or default_cache_dir()), as_json or outer_json


def _check_name(opened: Cache, name: str) -> None:
    from raytuner.component import ConfigError, nearest

    known = [row.name for row in opened.usage()]
    if name not in known:
        raise ConfigError(
            f"the cache in {opened.root} holds nothing called {name!r}; it holds: "
            f"{', '.join(known) or 'nothing'}.{nearest(name, known)}"
        )


def _print_table(opened: Cache, rows: list[Usage]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    click.echo(f"Cache in {opened.root}")
    table = Table(box=None, pad_edge=False)
    table.add_column("what")
    table.add_column("name", overflow="fold")
    table.add_column("entries", justify="right")
    table.add_column("size", justify="right")
    for row in rows:
        table.add_row(row.kind, escape(row.name), f"{row.entries:,}", _readable(row.bytes))
    table.add_section()
    table.add_row("total", "", "", _readable(sum(row.bytes for row in rows)))
    Console(highlight=False).print(table)


def _readable(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
