"""The part of `raytuner submit` that runs on the cluster: `python -m cluster.job`.

The job's own folder is the unpacked archive, which Ray throws away some day. Results go to a
folder of the head node that stays, named after the study and its data, so that a study that is
submitted again goes on where it ended. At the end, and whenever it is asked, the run folder is
packed into the log folder of the node: there the job server can read it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.package import write_archive
from raytuner import __version__, secrets
from raytuner.component import ConfigError, RaytunerError

RUNS = "RAYTUNER_RUNS"
"""Environment variable of the head node: folder of run folders; default ~/.raytuner/runs."""
OUTBOX = "raytuner"
"""Folder below a node's log folder where archives are put for `raytuner fetch`."""
SEED = ".raytuner/journal.jsonl"
"""Where an archive holds the journal of the machine that submitted it."""
LIMIT = 2 * 1024**3
"""Bytes of a run folder that can be brought home."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run or pack a study; what goes wrong is one sentence and an exit code, as in `raytuner`."""
    given = _parser().parse_args(arguments)
    try:
        code = {"run": _run, "pack": _pack, "describe": _describe}[given.command](given)
    except ConfigError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        code = 2
    except (RaytunerError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
        code = 1
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster.job", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a study, then pack its run folder")
    pack = commands.add_parser("pack", help="pack a run folder as it is now")
    for command in (run, pack):
        command.add_argument("--job", required=True, help="submission id of this very job")
        command.add_argument("--key", required=True, help="name of the folder that stays")
        command.add_argument("--name", required=True, help="name of the study")
    run.add_argument("--study", type=Path, required=True)
    run.add_argument("--raytuner", required=True, help="version that submitted it")
    run.add_argument("--python", required=True, help="version that submitted it")
    run.add_argument("--env", action="append", default=[], help="a variable that must be set")
    run.add_argument("options", nargs="*", help="options of raytuner run")
    describe = commands.add_parser("describe", help="check a study and print what identifies it")
    describe.add_argument("--study", type=Path, required=True)
    describe.add_argument("--backend", required=True, help="where its trials are to run")
    return parser


# ---- run


def _run(given: argparse.Namespace) -> int:
    check_version(given.raytuner)
    if given.python != platform.python_version():
        print(
            f"note: the cluster runs Python {platform.python_version()}, the study was submitted "
            f"from {given.python}",
            flush=True,
        )
    secrets.load()
    check_variables(given.env)
    logs = logs_folder(given.job)
    stays = runs_folder(given.key)
    stays.mkdir(parents=True, exist_ok=True)
    keep_results_in(given.study, stays)
    seed(Path(SEED), stays / given.name / "journal.jsonl")
    # What stops a job is SIGTERM; to a study it means the same as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _raytuner(["run", str(given.study), *given.options])
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        put_out(stays / given.name, given, logs)
    return code


def _raytuner(arguments: Sequence[str]) -> int:
    """Run the command line in this process; give its exit code."""
    from raytuner.cli import main as command_line

    sys.argv = ["raytuner", *arguments]
    try:
        command_line()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        return 130
    return 0


def check_version(wanted: str) -> None:
    """Compare the submitter's version of raytuner with this node's.

    Raises:
        ConfigError: they differ.
    """
    if wanted != __version__:
        raise ConfigError(
            f"the cluster has raytuner {__version__}, the study was submitted with {wanted}; "
            "install the same version on both"
        )


def check_variables(names: Sequence[str]) -> None:
    """Look whether the secrets that the study needs are known on this node.

    Raises:
        ConfigError: naming the variables that are missing.
    """
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"--env: {', '.join(missing)} is not set on the cluster's head node; set it in the "
            f"environment of all nodes, or in the file that {secrets.VARIABLE} names there"
        )


def runs_folder(key: str) -> Path:
    """Give the folder of this node that holds the run folder of one study."""
    given = os.environ.get(RUNS, "").strip() or "~/.raytuner/runs"
    return Path(given).expanduser() / key


def keep_results_in(study: Path, folder: Path) -> None:
    """Let the study in the job's own folder write its results to one that stays.

    The file becomes JSON, which is YAML too.
    """
    from raytuner.document import read_yaml

    data = {**read_yaml(study).data, "run_dir": str(folder)}
    # The unpacked archive may be another job's too: never a half-written file.
    fresh = study.with_name(f".{study.name}.{os.getpid()}")
    fresh.write_text(json.dumps(data, indent=1), encoding="utf-8")
    fresh.replace(study)


def seed(journal: Path, target: Path) -> None:
    """Begin with what the submitter has on record, unless this node knows more, or otherwise."""
    if not journal.exists():
        return
    ahead = journal.read_bytes()
    known = complete(target.read_bytes()) if target.exists() else b""
    if len(ahead) > len(known) and ahead.startswith(known):
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".seed")
        shutil.copyfile(journal, fresh)
        fresh.replace(target)


def complete(journal: bytes) -> bytes:
    """Give a journal without the line that is being written."""
    return journal[: journal.rfind(b"\n") + 1]


# ---- what others ask for


def _pack(given: argparse.Namespace) -> int:
    folder = runs_folder(given.key) / given.name
    if not folder.is_dir():
        raise ConfigError(f"this node holds no results of {given.name} yet")
    put_out(folder, given, logs_folder(given.job))
    return 0


def logs_folder(job: str, here: Path | None = None) -> Path:
    """Find the log folder of this node's Ray session: the one with this job's own log.

    Raises:
        ConfigError: this is not a job's folder.
    """
    here = here or Path.cwd()
    sessions = [*here.parents, Path(os.environ.get("RAY_TMPDIR") or "/tmp/ray", "session_latest")]  # noqa: S108
    for session in sessions:
        logs = session / "logs"
        if (logs / f"job-driver-{job}.log").exists():
            return logs
    raise ConfigError(f"{here} is not inside a Ray session that runs the job {job}")


def put_out(folder: Path, given: argparse.Namespace, logs: Path) -> None:
    """Pack a run folder to where the job server reads files, with a note of its checksum."""
    if not folder.is_dir():
        return
    files: dict[str, bytes | Path] = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.suffix not in {".lock", ".seed"}
    }
    if sum(path.stat().st_size for path in files.values() if isinstance(path, Path)) > LIMIT:
        raise ConfigError(f"the run folder is larger than {LIMIT / 2**30:.0f} GiB; it stays here")
    if "journal.jsonl" in files:
        files["journal.jsonl"] = complete((folder / "journal.jsonl").read_bytes())
    outbox = logs / OUTBOX
    outbox.mkdir(exist_ok=True)
    fresh = outbox / f".{given.key}.{os.getpid()}"
    write_archive(files, fresh)
    checksum = hashlib.sha256(fresh.read_bytes()).hexdigest()
    archive = outbox / f"{given.key}-{checksum[:16]}.zip"
    size = fresh.stat().st_size
    fresh.replace(archive)
    facts = {"archive": archive.name, "sha256": checksum, "bytes": size, "files": len(files)}
    fresh.write_text(json.dumps({**facts, "job": given.job, "name": given.name}), encoding="utf-8")
    fresh.replace(outbox / f"{given.key}.json")
    for older in outbox.glob(f"{given.key}-*.zip"):
        if older != archive:
            older.unlink(missing_ok=True)


def _describe(given: argparse.Namespace) -> int:
    print(json.dumps(describe(given.study, given.backend)))
    return 0


def describe(study: Path, backend: str) -> dict[str, Any]:
    """Check a study in the place where it lies, and give what tells it from others.

    Args:
        study: the study file.
        backend: where its trials are to run; no cluster is asked.
    """
    from raytuner.study import load_study
    from raytuner.tuner import prepare

    root = study.resolve().parent
    sys.path.append(str(root))
    there = {"backend": backend, "address": "auto", "storage": None}
    prepared = prepare(load_study(study, there), root)
    return {"scope": prepared.objective.scope(), "units": len(prepared.objective.units())}


if __name__ == "__main__":
    main()
