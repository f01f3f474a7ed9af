"""The commands of studies that people evaluate: `raytuner ask` and `raytuner tell`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner.commands.flags import EXIT_BUDGET, json_option, study_argument
from raytuner.component import ConfigError
from raytuner.printable import near, plain, print_json, spell_params

if TYPE_CHECKING:
    from raytuner.asktell import Asked, AskTell

_WAIT = 10.0
"""Seconds that a command waits while another one has the journal: each is over in a moment."""
_file = click.Path(path_type=Path)


@click.command()
@study_argument
@click.option("-n", "--number", type=click.IntRange(1, 1000), help="Suggestions wanted in all.")
@click.option("--new", is_flag=True, help="Only new ones, though others are open.")
@json_option
def ask(study: Path, number: int | None, *, new: bool, as_json: bool) -> None:
    """Say what to try next; suggestions that nobody has told the result of come first.

    STUDY is a study file, or its run folder, with an objective of kind `manual`.
    """
    with _open(study) as tuner:
        waiting = tuner.waiting
        skipped = waiting if new else 0
        wanted = skipped + (number or 1) if new else max(number or 1, waiting)
        asked: list[Asked] = []
        while len(asked) < wanted and (one := tuner.ask()) is not None:
            asked.append(one)
        reason = tuner.reason if len(asked) < wanted else None
        shown = asked[skipped:]
        stopped = bool(reason and tuner.stopped and not shown)
    if as_json:
        known = tuner.folder
        print_json(
            {
                "suggestions": [_facts(one, open_before=one in asked[:waiting]) for one in shown],
                "reason": reason,
                "folder": str(known),
            }
        )
    else:
        for one in shown:
            _print(one, tuner)
        if reason is not None:
            click.echo(f"{'no more' if shown else 'nothing to try'}: {plain(reason)}")
    if stopped:
        raise SystemExit(EXIT_BUDGET)


@click.command()
@click.argument("study", type=_file)
@click.argument("trial", type=click.IntRange(0))
@click.argument("results", nargs=-1, metavar="[METRIC=NUMBER]...")
@click.option("--unit", help="The unit that the numbers are of, where the study has several.")
@click.option("--file", "path", type=_file, help="Results by unit: JSON, or JSON Lines.")
@click.option("--answers", type=_file, help="Answers by unit, for those who rate them.")
@click.option(
    "--failed", metavar="REASON", help="It could not be evaluated; it is not tried again."
)
@click.option("--correct", metavar="REASON", help="Withdraw what was entered wrongly, and why.")
@json_option
def tell(
    study: Path,
    trial: int,
    results: tuple[str, ...],
    unit: str | None,
    path: Path | None,
    answers: Path | None,
    failed: str | None,
    correct: str | None,
    *,
    as_json: bool,
) -> None:
    """Record how a trial went, as METRIC=NUMBER, and what it cost, as cost=DOLLARS.

    Everything is checked first: if anything is wrong, nothing is recorded.
    """
    if failed is not None and (results or path or answers or unit or correct is not None):
        raise click.UsageError("--failed goes with no results; tell them first, by --unit")
    with _open(study) as tuner:
        if failed is not None:
            tuner.fail(trial, failed)
            left: list[str] = []
        else:
            entries = _entries(tuner, results, unit, path, answers)
            if correct is not None:
                tuner.correct(trial, entries, correct)
                left = []
            else:
                left = tuner.tell(trial, entries)
    if as_json:
        print_json({"trial": trial, "failed": failed is not None, "left": left})
    elif failed is not None:
        click.echo(f"trial {trial}: failed, and not to be tried again")
    elif correct is not None:
        click.echo(f"trial {trial}: corrected; what was told before stays on record")
    elif left:
        click.echo(f"trial {trial}: recorded; {len(left)} still to come: {plain(_some(left))}")
    else:
        click.echo(f"trial {trial}: recorded; what is next: raytuner ask {_where(tuner)}")


def _entries(
    tuner: AskTell,
    results: tuple[str, ...],
    unit: str | None,
    path: Path | None,
    answers: Path | None,
) -> dict[str, dict[str, Any]]:
    """Put together what arguments and files say of every unit."""
    from raytuner.manual.entries import pairs_of, read_answers, read_entries

    units = tuner.objective.units()
    only = unit or (units[0] if len(units) == 1 else None)
    found: dict[str, dict[str, Any]] = {} if path is None else read_entries(path, only)
    if unit is not None and found and set(found) != {unit}:
        raise ConfigError(f"--unit {unit} goes with no file that has other units; leave it out")
    if results:
        if only is None:
            raise ConfigError(
                f"this study has {len(units)} units: name the one that the numbers are of by "
                f"--unit, or give all by --file; its units: {_some(units)}"
            )
        _merge(found, {only: pairs_of(results)})
    if answers is not None:
        _merge(found, read_answers(answers, only))
    return found


def _merge(found: dict[str, dict[str, Any]], more: dict[str, Any]) -> None:
    for unit, entry in more.items():
        known = found.setdefault(unit, {})
        for name, value in entry.items():
            if name in known:
                raise ConfigError(f"{unit}: {name} is given twice")
            known[name] = value


def _open(study: Path) -> AskTell:
    """Open a study file, or the study whose run folder it is.

    Raises:
        ConfigError: there is none, or it is wrong.
    """
    from raytuner.asktell import AskTell
    from raytuner.document import located, read_yaml
    from raytuner.journal import read
    from raytuner.recorded import recorded
    from raytuner.study import load_study

    if not study.is_dir():
        sys.path.append(str(study.resolve().parent))
        loaded = load_study(study)
        with located(read_yaml(study)):
            return AskTell(loaded, study.resolve().parent, wait=_WAIT)
    if not read(study / "journal.jsonl")[0]:
        raise ConfigError(f"{study}: no run here (journal.jsonl is missing or empty)")
    known = recorded(study)
    if known is None:
        raise ConfigError(f"{study}: its study is a Python object; tell it in Python (`AskTell`)")
    tuner = AskTell(known.study(), Path(known.root), wait=_WAIT)
    if tuner.folder is None or tuner.folder.resolve() != study.resolve():
        tuner.close()
        raise ConfigError(f"{study}: this run folder has been moved; name its study file instead")
    return tuner


def _facts(one: Asked, *, open_before: bool) -> dict[str, Any]:
    return {
        "trial": one.number,
        "params": dict(one.params),
        "units": list(one.units),
        "held_out": one.final,
        "open_before": open_before,
    }


def _print(one: Asked, tuner: AskTell) -> None:
    """Print a suggestion, and how to tell what came of it."""
    units = tuner.objective.units()
    click.echo(f"trial {one.number}: {spell_params(one.params, width=200)}")
    if len(units) > 1:
        kind = "questions that no search has seen" if one.final else "of its units"
        click.echo(f"  on {len(one.units)} {kind}: {plain(_some(one.units))}")
    results = " ".join(f"{shlex.quote(name)}=..." for name in tuner.objective.entered)
    if tuner.objective.rated:
        results = "--answers FILE"
    elif len(units) > 1:
        results = "--file RESULTS.json"
    click.echo(f"  raytuner tell {_where(tuner)} {one.number} {results}")


def _where(tuner: AskTell) -> str:
    return shlex.quote(plain(near(tuner.folder or Path())))


def _some(units: Any) -> str:
    return f"{', '.join(units[:6])}{', ...' if len(units) > 6 else ''}"
