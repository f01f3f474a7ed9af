"""The commands that say how sure a result is: `verdict` of one run, `compare` of two."""

from __future__ import annotations

from pathlib import Path

import click

from raytuner.commands.flags import (
    EXIT_UNPROVEN,
    fail_unless,
    json_option,
    met,
    open_results,
    study_argument,
)
from raytuner.printable import plain, print_json


@click.command()
@study_argument
@fail_unless
@json_option
def verdict(study: Path, fail_unless: str | None, *, as_json: bool) -> None:
    """Say whether anything that was tried is really better, and how sure that is."""
    found = open_results(study).verdict
    if as_json:
        print_json(found.to_dict())
    else:
        click.echo(plain(found.sentence))
    if not met(found.status, fail_unless):
        raise SystemExit(EXIT_UNPROVEN)


@click.command()
@click.argument("standing", metavar="A", type=click.Path(path_type=Path))
@click.argument("challenger", metavar="B", type=click.Path(path_type=Path))
@click.option("--trial-a", type=int, help="Trial of A; default: the one that A recommends.")
@click.option("--trial-b", type=int, help="Trial of B; default: the one that B recommends.")
@fail_unless
@json_option
def compare(
    standing: Path,
    challenger: Path,
    trial_a: int | None,
    trial_b: int | None,
    fail_unless: str | None,
    *,
    as_json: bool,
) -> None:
    """Compare a configuration of run B with one of run A, on the questions they share.

    A and B are run folders or study files; A is what stands, B what may replace it.
    """
    from raytuner.compare import compare as compared

    found = compared(open_results(standing), open_results(challenger), trial_a, trial_b)
    if as_json:
        print_json(found.to_dict())
    else:
        for line in found.lines:
            click.echo(plain(line))
    if not met(found.verdict.status, fail_unless):
        raise SystemExit(EXIT_UNPROVEN)
