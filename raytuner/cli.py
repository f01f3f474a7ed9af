"""The command line: `raytuner check | run | status | schema`; more come as entry points.

Bad input is one sentence on standard error and exit code 2. Other codes: 0 done, 1 failed while
running, 3 finished with some trials failed, 4 stopped by the budget, 5 a `--fail-unless` gate not
met, 130 interrupted.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner import __version__
from raytuner.commands.flags import (
    EXIT_BUDGET,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_PARTIAL,
    EXIT_UNPROVEN,
    EXIT_USAGE,
    backend_name,
    fail_unless,
    json_option,
    met,
    open_results,
    study_argument,
)
from raytuner.component import ConfigError, RaytunerError
from raytuner.packages import check_packages

if TYPE_CHECKING:
    from raytuner.results import Results
    from raytuner.tuner import Prepared


class _Group(click.Group):
    """Adds the commands that other packages bring (entry points `raytuner.commands`)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_commands()})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        own = super().get_command(ctx, name)
        if own is not None or name not in _commands():
            return own
        command: click.Command = _commands()[name].load()
        return command


def _commands() -> dict[str, importlib.metadata.EntryPoint]:
    return _entry_points("raytuner.commands")


def _entry_points(group: str) -> dict[str, importlib.metadata.EntryPoint]:
    return {e.name: e for e in importlib.metadata.entry_points(group=group)}


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="raytuner")
def cli() -> None:
    """Find the configuration that is really best for your data."""


def _overrides(**given: Any) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _prepare(path: Path, overrides: dict[str, Any] | None = None) -> Prepared:
    from raytuner.document import located, read_yaml
    from raytuner.study import load_study
    from raytuner.tuner import prepare

    sys.path.append(str(path.resolve().parent))  # own objectives and plugins lie beside the study
    study = load_study(path, overrides)
    with located(read_yaml(path)):
        return prepare(study, path.resolve().parent)


@cli.command()
@study_argument
@json_option
def check(study: Path, *, as_json: bool) -> None:
    """Check a study without running anything: data, space, metrics, and what it would cost."""
    from raytuner.forecast import print_plan

    prepared = _prepare(study)
    print_plan(prepared, as_json=as_json)


@cli.command()
@study_argument
@click.option(
    "--backend",
    callback=backend_name,
    help="inprocess, threads, processes, async, ray or ray-tune.",
)
@click.option("--address", help="Ray cluster: local, auto, host:port or ray://host:port.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Trials at the same time.")
@click.option("--seed", type=click.IntRange(0), help="Seed of every random choice.")
@click.option("--dry-run", is_flag=True, help="Print what would be done, and stop.")
@click.option("--no-report", is_flag=True, help="Write no report.html into the run folder.")
@fail_unless
@json_option
def run(
    study: Path,
    backend: str | None,
    address: str | None,
    workers: int | None,
    seed: int | None,
    *,
    dry_run: bool,
    no_report: bool,
    fail_unless: str | None,
    as_json: bool,
) -> None:
    """Run a study. The same command resumes: nothing on record is done again."""
    from raytuner.forecast import notes, outlook, print_plan
    from raytuner.printable import plain
    from raytuner.secrets import load as load_secrets
    from raytuner.terminal.progress import listener_for
    from raytuner.terminal.show import print_results
    from raytuner.tuner import run_prepared

    load_secrets()
    given = _overrides(backend=backend, address=address, workers=workers, seed=seed)
    prepared = _prepare(study, given)
    if dry_run:
        print_plan(prepared, as_json=as_json)
        return
    for warning in notes(prepared):
        click.echo(f"note: {plain(warning)}", err=True)
    if prepared.split.held_out and (foreseen := outlook(prepared)) is not None:
        click.echo(f"{plain(foreseen.sentence)}.", err=True)
    listener = listener_for(prepared.planned, prepared.metric, maximise=prepared.maximise)
    try:
        results = run_prepared(prepared, listener=listener)
    except KeyboardInterrupt:
        again = f"raytuner run {shlex.quote(str(study))}"
        click.echo(f"interrupted; everything is on record. Resume: {again}", err=True)
        raise SystemExit(EXIT_INTERRUPTED) from None
    finally:
        close = getattr(listener, "close", None)
        if close is not None:
            close()
    saved = _save(results)
    print_results(results, as_json=as_json, study=study)
    if not no_report:
        _report(results, quiet=as_json)
    code = _code(results) if saved else EXIT_FAILED
    if not code and not met(results.verdict.status, fail_unless):
        code = EXIT_UNPROVEN
    raise SystemExit(code)


def _save(results: Results) -> bool:
    """Write the tables; they can be made again from the journal, so a full disk loses nothing."""
    try:
        results.save()
    except OSError as error:
        click.echo(
            f"error: the trial table in {results.folder} cannot be written "
            f"({error.strerror or error}); everything is on record: free some space and run the "
            "same command again",
            err=True,
        )
        return False
    return True


def _report(results: Results, *, quiet: bool) -> None:
    """Write the report; `raytuner report` can do that again, so nothing that fails here matters."""
    from raytuner.explaining import explaining
    from raytuner.printable import near, plain
    from raytuner.report import write

    if results.folder is None or not results.record.current:
        return
    told = explaining(results)
    try:
        path = write(results, results.folder / "report.html", told.explain, unexplained=told.reason)
    except (RaytunerError, OSError) as error:
        click.echo(f"note: no report could be written: {plain(error)}", err=True)
        return
    if not quiet:
        click.echo(f"Report: {plain(near(path))}")


def _code(results: Results) -> int:
    if results.stop_reason:
        return EXIT_BUDGET
    if results.failed or any(trial.held.failures for trial in results.compared):
        return EXIT_PARTIAL if results.best is not None else EXIT_FAILED
    return 0


@cli.command()
@study_argument
@click.option("--address", help="Job server, where STUDY is the id of a submitted job.")
@json_option
def status(study: Path, address: str | None, *, as_json: bool) -> None:
    """Say how far a run is, also while it runs; or how a submitted job is, by its id."""
    from raytuner.terminal.show import print_status

    job = _entry_points("raytuner.jobs").get("status")
    if job is not None and (address or not (study.exists() or study.suffix)):
        job.load()(str(study), address, as_json=as_json)
        return
    print_status(open_results(study), as_json=as_json)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from raytuner.schema import study_schema

    click.echo(json.dumps(study_schema(), indent=2))


def main() -> None:
    """Run the command line; turns errors into one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="backslashreplace")
    try:
        check_packages()
        code = cli.main(standalone_mode=False, prog_name="raytuner")
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        code = 0
    except (click.exceptions.Abort, click.ClickException, KeyboardInterrupt) as error:
        code = _refused(error)
    except (RaytunerError, OSError) as error:
        click.echo(f"error: {' '.join(str(error).split())}", err=True)
        code = EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    raise SystemExit(code if isinstance(code, int) else 0)


def _refused(error: BaseException) -> int:
    """Say why a command did not begin, or was given up, in one line."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return EXIT_USAGE
    if isinstance(error, click.ClickException):
        message = error.format_message().rstrip(".")
        context = getattr(error, "ctx", None)
        hint = f" (see: {context.command_path} --help)" if context else ""
        click.echo(f"error: {message[:1].lower()}{message[1:]}{hint}", err=True)
        return error.exit_code
    interrupted = isinstance(error, KeyboardInterrupt) or isinstance(
        error.__cause__, KeyboardInterrupt
    )
    click.echo("interrupted" if interrupted else "given up; nothing was changed", err=True)
    return EXIT_INTERRUPTED if interrupted else EXIT_FAILED
