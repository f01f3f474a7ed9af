"""Sends a study to a cluster: checked here, packed, proved complete, started there."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.address import is_loopback
from cluster.attend import Say, Sent
from cluster.job import SEED, complete
from cluster.package import Package, pack, unpack
from cluster.server import ConnectionLostError, JobFacts, JobServer, ServerError
from raytuner import __version__, secrets
from raytuner.component import ConfigError

if TYPE_CHECKING:
    from raytuner.tuner import Prepared

_STOP_SECONDS = "20"
"""How long a job that is stopped may take to end in order."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Submission(NamedTuple):
    """What to send, and how it shall run.

    Attributes:
        study: the study file.
        backend: where trials run over there.
        options: further options of `raytuner run` on the cluster.
        include: further files and folders to pack.
        variables: names of environment variables that must be set on the cluster's nodes.
        secrets: path of a file of secrets on the cluster's nodes, or None.
    """

    study: Path
    backend: str = "ray"
    options: tuple[str, ...] = ()
    include: tuple[Path, ...] = ()
    variables: tuple[str, ...] = ()
    secrets: str | None = None


def check_names(names: Sequence[str]) -> None:
    """Refuse values where names are wanted; the message must not repeat them.

    Raises:
        ConfigError: for anything that is not a plain variable name.
    """
    for name in names:
        if "=" in name:
            raise ConfigError(
                "--env: give the name of a variable, not its value: a value on the command line "
                "is seen by others; set it on the cluster's nodes, or put it into a file there "
                "and name that with --secrets"
            )
        if not _NAME.fullmatch(name):
            raise ConfigError("--env: the name of a variable is letters, digits and `_`")


def send(server: JobServer, submission: Submission, say: Say) -> Sent:
    """Check a study, pack it and start its job; or find the job that runs it already.

    Raises:
        ConfigError: bad input, found on this machine; nothing was sent.
        ServerError: the cluster refused.
    """
    check_names(submission.variables)
    _remark(server, say)
    prepared = _prepared(submission)
    with tempfile.TemporaryDirectory() as temporary:
        package = _packed(submission, prepared, Path(temporary))
        for note in package.notes:
            say(f"note: {note}")
        scope = _proved(submission, package, prepared, Path(temporary))
        key = f"{prepared.study.name}-{scope[:12]}"
        folder = prepared.folder or Path()
        if running := _running(server, key):
            if running.metadata.get("package") != package.digest:
                raise ConfigError(
                    f"the job {running.id} is running another version of this study on the "
                    "cluster; wait for it, or end it: raytuner stop " + running.id
                )
            say(f"the job {running.id} runs this study already; following it")
            return Sent(running.id, folder)
        job = (
            f"raytuner-{prepared.study.name}-{time.strftime('%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}"
        )
        metadata = {
            "raytuner": __version__,
            "study": prepared.study.name,
            "key": key,
            "package": package.digest,
        }
        _start(server, job, _entrypoint(submission, job, metadata), package, submission, metadata)
    say(f"submitted {max(1, package.size // 1000):,} kB as job {job}")
    return Sent(job, folder)


# ---- before anything is sent


def _remark(server: JobServer, say: Say) -> None:
    import ray

    if server.ray_version != ray.__version__:
        say(
            f"note: the cluster runs Ray {server.ray_version}, this machine has "
            f"{ray.__version__}; the study runs under the cluster's"
        )
    if server.address.startswith("http:") and not is_loopback(server.address):
        say(
            "note: over http:// the token and the study's files travel unencrypted; go through "
            "an SSH tunnel or https:// on a network that is not yours"
        )


def _prepared(submission: Submission) -> Prepared:
    """Check the study as `raytuner run` would, short of the cluster itself."""
    from raytuner.document import located, read_yaml
    from raytuner.study import load_study
    from raytuner.tuner import prepare

    path = submission.study
    sys.path.append(str(path.resolve().parent))  # own objectives and plugins lie beside the study
    document = read_yaml(path)
    with located(document):
        # Address and storage are the cluster's, and perhaps not to be reached from here.
        there = {"backend": submission.backend, "address": "auto", "storage": None}
        return prepare(load_study(path, there), path.resolve().parent)


def _packed(submission: Submission, prepared: Prepared, folder: Path) -> Package:
    from raytuner.document import read_yaml

    journal = (prepared.folder or Path()) / "journal.jsonl"
    known = {SEED: complete(journal.read_bytes())} if journal.is_file() else {}
    return pack(
        submission.study,
        read_yaml(submission.study).data,
        folder / "study.zip",
        include=submission.include,
        beside=known,
    )


def _proved(submission: Submission, package: Package, prepared: Prepared, folder: Path) -> str:
    """Check the study again from the archive alone; give the identity of its data.

    Raises:
        ConfigError: the archive lacks something, or makes another study of it.
    """
    unpacked = folder / "unpacked"
    unpacked.mkdir()
    unpack(package.path, unpacked, limit=sys.maxsize)
    given = ["--study", submission.study.name, "--backend", submission.backend]
    checked = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "cluster.job", "describe", *given],
        cwd=unpacked,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        said = [line for line in checked.stderr.splitlines() if line.startswith("error: ")]
        reason = said[-1].removeprefix("error: ") if said else checked.stderr.strip()[-300:]
        raise ConfigError(
            f"what was packed is not enough to run the study ({reason}); add what is missing with "
            "--include PATH"
        )
    facts: dict[str, Any] = json.loads(checked.stdout.splitlines()[-1])
    scope = prepared.objective.scope()
    if facts["scope"] != scope:
        raise ConfigError(
            "what was packed makes another study of it (its documents or questions differ from "
            "those here); add what is missing with --include PATH"
        )
    return scope


def _running(server: JobServer, key: str) -> JobFacts | None:
    return next((j for j in server.jobs() if j.metadata.get("key") == key and not j.over), None)


# ---- the job


def _entrypoint(submission: Submission, job: str, metadata: Mapping[str, str]) -> str:
    words = ["python", "-u", "-m", "cluster.job", "run", "--job", job]
    words += ["--key", metadata["key"], "--name", metadata["study"]]
    words += ["--study", submission.study.name, "--raytuner", __version__]
    words += ["--python", platform.python_version()]
    for name in submission.variables:
        words += ["--env", name]
    words += ["--", "--backend", submission.backend]
    words += ["--address", "auto"] if submission.backend in {"ray", "ray-tune"} else []
    return "exec " + shlex.join([*words, *submission.options])


def _start(
    server: JobServer,
    job: str,
    entrypoint: str,
    package: Package,
    submission: Submission,
    metadata: Mapping[str, str],
) -> None:
    """Submit the job; after a lost connection look first whether it was taken."""
    variables = {"RAY_JOB_STOP_WAIT_TIME_S": _STOP_SECONDS, "RAY_JOB_STOP_SIGNAL": "SIGINT"}
    if submission.secrets:
        variables[secrets.VARIABLE] = submission.secrets
    environment = {"working_dir": str(package.path), "env_vars": variables}
    for attempt in range(5):
        try:
            server.submit(entrypoint, job=job, runtime_env=environment, metadata=dict(metadata))
            return
        except ConnectionLostError:
            time.sleep(1 + attempt)
            if _taken(server, job):
                return
    raise ServerError(f"the connection to {server.address} broke again and again; nothing was sent")


def _taken(server: JobServer, job: str) -> bool:
    try:
        return bool(server.job(job).id)
    except (ConfigError, ConnectionLostError):
        return False
