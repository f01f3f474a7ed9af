"""Commands for studies on a cluster: `raytuner submit | jobs | stop | fetch`, and `status JOB`."""

from __future__ import annotations

import datetime as dt
import json
import os
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raytuner.component import ConfigError, RaytunerError

if TYPE_CHECKING:
    from cluster.server import JobFacts, JobServer

_address = click.option(
    "--address", help="The cluster's job server, http://HOST:8265. Default: RAY_API_SERVER_ADDRESS."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PATIENCE = 120.0
"""Seconds that a stopped job and its workers may take to be gone."""


def _say(sentence: str) -> None:
    click.echo(sentence, err=True)


@click.command()
@click.argument("study", type=click.Path(path_type=Path), default="study.yaml")
@_address
@click.option("--workers", type=click.IntRange(1, 1024), help="Trials at the same time.")
@click.option("--seed", type=click.IntRange(0), help="Seed of every random choice.")
@click.option("--backend", default="ray", show_default=True, help="Where trials run over there.")
@click.option(
    "--include",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Pack this file or folder too; may be repeated.",
)
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME",
    help="A variable that must be set on the cluster's nodes, e.g. an API key; may be repeated.",
)
@click.option(
    "--secrets", metavar="PATH", help="A file of secrets that lies on the cluster's nodes."
)
@click.option("--no-wait", is_flag=True, help="Return once the job is submitted.")
def submit(
    study: Path,
    address: str | None,
    workers: int | None,
    seed: int | None,
    backend: str,
    include: tuple[Path, ...],
    variables: tuple[str, ...],
    secrets: str | None,
    *,
    no_wait: bool,
) -> int:
    """Run a study on a Ray cluster and bring its results home; the same command resumes."""
    from cluster.attend import see_through
    from cluster.server import JobServer
    from cluster.submit import Submission, check_names, send

    check_names(variables)
    _known_backend(backend)
    server = JobServer(address)
    options = _options(workers=workers, seed=seed)
    given = Submission(study, backend, options, include, variables, secrets)
    sent = send(server, given, _say)
    again = f"raytuner submit {shlex.quote(str(study))} --address {server.address}"
    if no_wait:
        click.echo(sent.job)
        _say(f"follow it: {again}")
        return 0
    return see_through(server, sent, _say, again)


def _known_backend(name: str) -> None:
    from typing import get_args

    from raytuner.backends import BackendName

    if name not in get_args(BackendName):
        raise ConfigError(f"--backend: {name!r} is none of {', '.join(get_args(BackendName))}")


def _options(**numbers: int | None) -> tuple[str, ...]:
    words = ([f"--{name}", str(value)] for name, value in numbers.items() if value is not None)
    return tuple(word for pair in words for word in pair)


@click.command()
@_address
@_json
def jobs(address: str | None, *, as_json: bool) -> None:
    """List the studies that were submitted to a cluster, latest first."""
    from cluster.server import JobServer

    found = [job for job in JobServer(address).jobs() if "key" in job.metadata]
    if as_json:
        click.echo(json.dumps([_facts(job) for job in found], indent=2))
        return
    if not found:
        click.echo("No study was submitted to this cluster.")
        return
    _print_table(found)


@click.command()
@click.argument("job")
@_address
def stop(job: str, address: str | None) -> None:
    """End a job; what is on record stays, and submitting the study again resumes it."""
    from cluster.server import JobServer

    server = JobServer(address)
    found = _ours(server, job)
    if found.over:
        click.echo(f"{job} has ended already ({found.status})")
        return
    server.stop(job)
    _wait_until(lambda: server.job(job).over, f"{job} has not ended yet")
    driver = server.job(job).driver
    if driver:
        _wait_until(lambda: server.living_actors(driver) == 0, f"workers of {job} still run")
    click.echo(f"stopped {job}; submit the study again to resume it")


@click.command()
@click.argument("job")
@_address
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Run folder to write; default: runs/NAME.",
)
def fetch(job: str, address: str | None, output: Path | None) -> None:
    """Bring the journal, tables and log of a job home, also while it runs."""
    from cluster.home import bring_home
    from cluster.server import JobServer

    server = JobServer(address)
    found = _ours(server, job)
    folder = output or Path("runs") / found.metadata["study"]
    names = bring_home(server, found, folder)
    click.echo(
        f"{len(names)} files are in {folder}; see: raytuner results {shlex.quote(str(folder))}"
    )


def job_status(job_id: str, address: str | None = None, *, as_json: bool = False) -> None:
    """Print how a job is: what `raytuner status` shows of anything that is no file or folder.

    Args:
        job_id: its submission id.
        address: the job server; None: `RAY_API_SERVER_ADDRESS`.
        as_json: print JSON.

    Raises:
        ConfigError: no such job, no cluster there, no token or a wrong one.
    """
    from cluster.address import VARIABLE
    from cluster.server import JobServer

    if not address and not os.environ.get(VARIABLE):
        raise ConfigError(
            f"{job_id}: no such file or folder; for a job that was submitted, name the cluster's "
            f"job server by --address or {VARIABLE}"
        )
    server = JobServer(address)
    found = _ours(server, job_id)
    latest = _latest_line(server, found)
    if as_json:
        click.echo(json.dumps({**_facts(found), "latest": latest}, indent=2))
        return
    shown = {name: value for name, value in _facts(found).items() if value is not None}
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")
    if latest:
        click.echo(f"latest: {latest}")


def _ours(server: JobServer, job: str) -> JobFacts:
    """Find a job that `raytuner submit` made.

    Raises:
        ConfigError: there is none of this id, or somebody else's.
    """
    found = server.job(job)
    if "key" not in found.metadata or "study" not in found.metadata:
        raise ConfigError(
            f"the job {job} was not submitted by `raytuner submit`; use `ray job logs {job}` and "
            "its like"
        )
    return found


def _latest_line(server: JobServer, job: JobFacts) -> str:
    """Give the last line that the job has written."""
    from raytuner.printable import plain

    if job.node is None:
        return ""
    try:
        log = server.read(job.node, f"job-driver-{job.id}.log", lines=5)
    except (RaytunerError, FileNotFoundError):
        return ""
    lines = [line.strip() for line in log.decode(errors="replace").splitlines() if line.strip()]
    return plain(lines[-1])[:200] if lines else ""


def _wait_until(done: Callable[[], bool], otherwise: str) -> None:
    from cluster.server import ConnectionLostError

    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        try:
            if done():
                return
        except ConnectionLostError:
            pass
        time.sleep(0.3)
    raise RaytunerError(f"{otherwise} after {_PATIENCE:.0f} seconds; try again")


def _facts(job: JobFacts) -> Mapping[str, Any]:
    ended = job.ended if job.over else None
    began = job.started
    seconds = round((ended or time.time()) - began, 1) if began else None
    return {
        "job": job.id,
        "study": job.metadata.get("study"),
        "status": job.status,
        "started": _time(began),
        "seconds": seconds,
        "exit_code": job.exit_code,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return dt.datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _print_table(found: list[JobFacts]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("job", "study", "status", "started", "seconds", "exit"):
        numeric = name in {"seconds", "exit"}
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for job in found:
        values = ("" if value is None else str(value) for value in _facts(job).values())
        table.add_row(*(escape(value) for value in values))
    console = Console(highlight=False)
    if not console.is_terminal:  # a pipe has no width: an id stays in one piece
        console = Console(highlight=False, width=Console(width=100_000).measure(table).maximum)
    console.print(table)
