"""Runs a study: checks it, opens its journal, and drives a backend until nothing is left."""

from __future__ import annotations

from pathlib import Path

from raytuner.backends import asynchronous, choose
from raytuner.listener import Listener
from raytuner.prepare import Prepared, prepare
from raytuner.results import Results
from raytuner.session import Session
from raytuner.study import Study

__all__ = ["Prepared", "arun", "prepare", "run", "run_prepared"]


def run(
    study: Study,
    root: Path | None = None,
    *,
    listener: Listener | None = None,
    in_memory: bool = False,
) -> Results:
    """Run a study to its end, resuming whatever its run folder already holds.

    Works inside a running event loop (a notebook) for every backend.

    Raises:
        ConfigError: bad input, before any work.
        JournalFullError: the disk is full; what is recorded stands.
        KeyboardInterrupt: after the workers have ended and everything is on record.
    """
    return run_prepared(prepare(study, root, in_memory=in_memory), listener=listener)


def run_prepared(prepared: Prepared, *, listener: Listener | None = None) -> Results:
    """Run a study that has been checked; see `run`."""
    with Session(prepared, listener) as session:
        choose(prepared.study.setting(prepared.folder))(session.sweep)
        return session.results()


async def arun(
    study: Study,
    root: Path | None = None,
    *,
    listener: Listener | None = None,
    in_memory: bool = False,
) -> Results:
    """Run a study as tasks of the running event loop; see `run`."""
    prepared = prepare(study, root, in_memory=in_memory)
    with Session(prepared, listener) as session:
        await asynchronous.arun(session.sweep, study.workers or 1)
        return session.results()
