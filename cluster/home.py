"""Brings a run folder home from a cluster, checked, and never over answers that it lacks."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shlex
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.job import LIMIT, OUTBOX, complete
from cluster.package import unpack
from cluster.server import ConnectionLostError, JobFacts, JobServer, ServerError
from raytuner.component import ConfigError, RaytunerError

_ATTEMPTS = 5
_PACKING = 180.0
"""Seconds that packing may take on the head node, the start of its job included."""


class TransferError(RaytunerError):
    """A run folder did not come home whole."""


class NoResultsError(ConfigError):
    """The job has left nothing that could come home."""


def bring_home(server: JobServer, job: JobFacts, folder: Path) -> list[str]:
    """Bring the run folder of a study's job home; also while the job runs.

    Args:
        server: where the job is.
        job: a job of ours.
        folder: run folder on this machine; made if it is not there.

    Returns:
        The names of the files that were written.

    Raises:
        ConfigError: the folder holds answers that the cluster's copy lacks, or is in use; or
            there are no results yet.
        TransferError: what arrived was damaged, again and again.
    """
    node = job.node
    if node is None:
        raise ConfigError(f"the job {job.id} has not begun: there is nothing to fetch yet")
    manifest = _manifest(server, job, node)
    with tempfile.TemporaryDirectory() as temporary:
        archive = Path(temporary) / "archive.zip"
        _download(server, node, manifest, archive)
        arrived = Path(temporary) / "run"
        arrived.mkdir()
        names = unpack(archive, arrived, limit=2 * LIMIT)
        log = f"job-driver-{job.id}.log"
        with contextlib.suppress(FileNotFoundError, ConnectionLostError, ServerError):
            (arrived / f"{job.id}.log").write_bytes(server.read(node, log))
            names.append(f"{job.id}.log")
        with _alone(folder):
            _refuse_loss(arrived / "journal.jsonl", folder / "journal.jsonl", job)
            _move(arrived, names, folder)
    return sorted(names)


def _manifest(server: JobServer, job: JobFacts, node: str) -> dict[str, Any]:
    """Give the facts of an archive that is as new as the run folder."""
    name = f"{OUTBOX}/{job.metadata['key']}.json"
    if job.over and job.exit_code is not None:  # packed at its own end
        with contextlib.suppress(FileNotFoundError):
            found = _read_json(server, node, name)
            if found.get("job") == job.id:
                return found
    packer = _pack(server, job)
    if packer.node is None:
        raise TransferError("the cluster did not start the job that packs the results")
    return _read_json(server, packer.node, name)


def _pack(server: JobServer, job: JobFacts) -> JobFacts:
    """Have the run folder packed as it is now, by a small job on the head node."""
    packer = f"{job.id}-pack-{uuid.uuid4().hex[:6]}"
    facts = {"--job": packer, "--key": job.metadata["key"], "--name": job.metadata["study"]}
    options = [word for pair in facts.items() for word in pair]
    environment = {"working_dir": job.package} if job.package else {}
    server.submit(
        shlex.join(["exec", "python", "-m", "cluster.job", "pack", *options]),
        job=packer,
        runtime_env=environment,
        metadata={"raytuner-pack": job.id},
    )
    end = time.monotonic() + _PACKING
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionLostError):
            found = server.job(packer)
            if found.status == "SUCCEEDED":
                return found
            if found.over:
                raise _packing_failed(server, found, job)
        time.sleep(0.3)
    raise TransferError(f"packing the results took longer than {_PACKING:.0f} seconds")


def _packing_failed(server: JobServer, packer: JobFacts, job: JobFacts) -> RaytunerError:
    """Say why there is nothing to fetch; exit code 2 means that there are no results."""
    text = ""
    if packer.node:
        with contextlib.suppress(FileNotFoundError, RaytunerError):
            text = server.read(packer.node, f"job-driver-{packer.id}.log").decode(errors="replace")
    said = [line for line in text.splitlines() if line.startswith("error: ")]
    reason = said[-1].removeprefix("error: ") if said else packer.message[-300:]
    kind = NoResultsError if packer.exit_code == 2 else TransferError
    return kind(f"nothing to fetch for the job {job.id}: {reason}")


def _read_json(server: JobServer, node: str, name: str) -> dict[str, Any]:
    for _ in range(_ATTEMPTS):
        with contextlib.suppress(ConnectionLostError, ValueError):
            found = json.loads(server.read(node, name))
            if isinstance(found, dict):
                return found
        time.sleep(0.5)
    raise TransferError(f"{server.address} does not give {name}")


def _download(server: JobServer, node: str, manifest: dict[str, Any], target: Path) -> None:
    """Fetch an archive; a broken or damaged transfer is begun again."""
    reason = ""
    for attempt in range(_ATTEMPTS):
        time.sleep(min(attempt, 3))
        checksum, size = hashlib.sha256(), 0
        try:
            with target.open("wb") as file:
                for chunk in server.stream(node, f"{OUTBOX}/{manifest['archive']}"):
                    file.write(chunk)
                    checksum.update(chunk)
                    size += len(chunk)
        except ConnectionLostError as error:
            reason = str(error)
            continue
        except FileNotFoundError:
            raise TransferError("the results were packed anew in the meantime; try again") from None
        if checksum.hexdigest() == manifest["sha256"] and size == manifest["bytes"]:
            return
        reason = f"{size:,} of {manifest['bytes']:,} bytes came, or others"
    raise TransferError(f"the results did not arrive whole after {_ATTEMPTS} attempts: {reason}")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a run on this machine from writing to the folder meanwhile.

    Raises:
        ConfigError: one is writing to it now.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{folder} cannot be made: {error.strerror}") from None
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with (folder / "journal.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"{folder} is in use by a run on this machine; stop that first"
            ) from None
        except OSError:  # a file system without locks
            pass
        yield


def _refuse_loss(arrived: Path, mine: Path, job: JobFacts) -> None:
    """Let a journal only be replaced by one that goes on where it ends.

    Raises:
        ConfigError: this machine's journal holds what the cluster's does not.
    """
    if not mine.exists():
        return
    known = complete(mine.read_bytes())
    if not arrived.exists() or not arrived.read_bytes().startswith(known):
        raise ConfigError(
            f"{mine.parent} holds results that the cluster's do not go on from; nothing was "
            f"overwritten: fetch them into another folder with raytuner fetch {job.id} -o DIR"
        )


def _move(arrived: Path, names: list[str], folder: Path) -> None:
    """Put the files in place, each at once; the journal first, for all else follows from it."""
    for name in sorted(names, key=lambda name: (name != "journal.jsonl", name)):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.arriving")
        fresh.write_bytes((arrived / name).read_bytes())
        fresh.replace(target)
