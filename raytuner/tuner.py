"""Runs a study: checks it, opens its journal, and drives a backend until nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from raytuner.backends import asynchronous, choose
from raytuner.prepare import Prepared, preflight, prepare
from raytuner.results import Results
from raytuner.session import Session
from raytuner.study import Study
from raytuner.sweeping.listener import Listener

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
    preflight(prepared)
    with _stored(prepared):
        with Session(prepared, listener) as session:
            choose(prepared.study.setting(prepared.folder))(session.sweep)
            results = session.results()
        return _kept(results, prepared)


async def arun(
    study: Study,
    root: Path | None = None,
    *,
    listener: Listener | None = None,
    in_memory: bool = False,
) -> Results:
    """Run a study as tasks of the running event loop; see `run`."""
    prepared = prepare(study, root, in_memory=in_memory)
    await asyncio.to_thread(preflight, prepared)
    with _stored(prepared):
        with Session(prepared, listener) as session:
            await asynchronous.arun(session.sweep, study.workers or 1, study.timeout)
            results = session.results()
        return _kept(results, prepared)


def _stored(prepared: Prepared) -> contextlib.AbstractContextManager[None]:
    """Keep a copy of the run folder where the study wants one."""
    if prepared.study.storage is None:
        return contextlib.nullcontext()
    from raytuner.storage import backed_up

    return backed_up(prepared.study.storage, prepared.folder)


def _kept(results: Results, prepared: Prepared) -> Results:
    """Write the tables while they are still copied; without a copy, that is the caller's affair."""
    if prepared.study.storage is not None:
        with contextlib.suppress(OSError):  # a full disk: the journal has it all
            results.save()
    return results
