"""Sees a submitted study through to its end: its log, its exit code, its results."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from cluster.follow import GivenUpError, follow
from cluster.home import NoResultsError, bring_home
from cluster.server import JobFacts, JobServer
from raytuner import __version__
from raytuner.component import ConfigError, RaytunerError

INTERRUPTED = 130

Say = Callable[[str], None]


class Sent(NamedTuple):
    """A study on a cluster.

    Attributes:
        job: id of the job that runs it.
        folder: run folder on this machine.
    """

    job: str
    folder: Path


def see_through(server: JobServer, sent: Sent, say: Say, again: str) -> int:
    """Follow a job to its end and bring its results home; give the study's exit code.

    Args:
        server: where the job is.
        sent: the job.
        say: takes sentences for the user.
        again: the command that follows it again.
    """
    try:
        job = follow(server, sent.job, _write, say)
    except KeyboardInterrupt:
        say(f"detached; the job goes on. Follow it: {again}; end it: raytuner stop {sent.job}")
        return INTERRUPTED
    except GivenUpError as error:
        say(f"error: {error}; the job may well go on. Follow it: {again}")
        return 1
    code = exit_code(job)
    _explain(server, job, code)
    try:
        names = bring_home(server, job, sent.folder)
    except RaytunerError as error:
        if not (code and isinstance(error, NoResultsError)):  # else the job has said why
            say(f"error: {error}; once that is mended: raytuner fetch {job.id}")
        return code or 1
    say(f"{len(names)} files are in {_shown(sent.folder)}")
    return code


def exit_code(job: JobFacts) -> int:
    """Give the exit code of the study that a job ran; Ray's own says less."""
    if job.status == "STOPPED":
        return INTERRUPTED
    if job.exit_code is None or job.exit_code < 0:
        return 0 if job.status == "SUCCEEDED" else 1
    return job.exit_code


def _write(chunk: bytes) -> None:
    sys.stdout.write(chunk.decode("utf-8", errors="replace"))
    sys.stdout.flush()


def _explain(server: JobServer, job: JobFacts, code: int) -> None:
    """Turn the one failure that our own program cannot report into a sentence.

    Raises:
        ConfigError: raytuner is not installed on the cluster.
        RaytunerError: the job could not be started at all.
    """
    if code == 0 or job.node is None:
        if code:
            raise RaytunerError(f"the cluster could not start the job: {job.message[:500]}")
        return
    absent = re.search(r"No module named '?cluster|python: (command )?not found", job.message)
    if absent:
        raise ConfigError(
            f"raytuner is not installed on the cluster at {server.address}; its image needs "
            f"raytuner {__version__}"
        )


def _shown(folder: Path) -> str:
    here = Path.cwd()
    return str(folder.relative_to(here) if folder.is_relative_to(here) else folder)
