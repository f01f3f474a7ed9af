"""Commands of `raytuner cluster`: a cluster on this machine, and templates for real ones."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cluster.joining import write_private
from cluster.templates import template_command
from raytuner.component import ConfigError

if TYPE_CHECKING:
    from cluster.local import LocalCluster
    from cluster.process_tree import Group

_STATE = "cluster.json"
_folder = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the cluster, with a short path. Default: /tmp/raytuner-UID.",
)


@click.group()
def cluster() -> None:
    """Start a Ray cluster on this machine, or write what starts one elsewhere."""


cluster.add_command(template_command)


@cluster.command()
@click.option("--nodes", type=click.IntRange(1, 64), default=3, show_default=True, help="Nodes.")
@click.option(
    "--cpus", type=click.IntRange(0, 1024), default=1, show_default=True, help="CPUs of a node."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the job server.")
@click.option("--detach", is_flag=True, help="Leave it running; end it with `cluster stop`.")
@_folder
def local(nodes: int, cpus: int, port: int, folder: Path | None, *, detach: bool) -> int:
    """Start a cluster of several nodes on this machine, on loopback, with a token."""
    from cluster.local import LocalCluster

    home = folder or _default_folder()
    _refuse_running(home)
    started = LocalCluster(
        nodes, cpus, folder=home, dashboard_port=port, client_server=True, watched=not detach
    )
    with _told_to_end() as end:
        started.start()
        leave = False
        try:
            _write_state(home, started)
            _introduce(started, home)
            leave = detach and not end.is_set()
            if leave:
                return 0
            while not end.wait(timeout=2):
                if not started.nodes[0].pids:
                    click.echo("the head of the cluster has ended", err=True)
                    return 1
        finally:
            if not leave:
                started.stop()
                _forget(home)
    click.echo("the cluster has ended", err=True)
    return 0


@cluster.command()
@_folder
def stop(folder: Path | None) -> None:
    """End the cluster that `cluster local` started on this machine."""
    from cluster.process_tree import end

    home = folder or _default_folder()
    groups = _groups(home)
    if not groups:
        raise ConfigError(f"no cluster was started in {home}; name its folder with --dir")
    for group in reversed(groups):
        end(group, grace=2.0 if group == groups[0] else 0.0)
    _forget(home)
    click.echo(f"ended {len(groups)} nodes")


def _default_folder() -> Path:
    return Path(f"/tmp/raytuner-{os.getuid()}")  # noqa: S108 - sockets need a short path


def _refuse_running(home: Path) -> None:
    from cluster.process_tree import members

    if any(members(group) for group in _groups(home)):
        raise ConfigError(
            f"a cluster is running in {home}; end it with `raytuner cluster stop --dir {home}`, "
            "or name another folder with --dir"
        )
    shutil.rmtree(home / "ray", ignore_errors=True)  # sessions of clusters that have ended


def _groups(home: Path) -> list[Group]:
    """Read which processes a cluster was started with."""
    from cluster.process_tree import Group

    try:
        state = json.loads((home / _STATE).read_text(encoding="utf-8"))
        return [Group(int(session), str(mark)) for session, mark in state["nodes"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{home / _STATE} cannot be read: {error}") from None


def _write_state(home: Path, started: LocalCluster) -> None:
    nodes = [list(node.group) for node in started.nodes]
    state = {"address": started.address, "dashboard": started.dashboard, "nodes": nodes}
    write_private(home / _STATE, json.dumps(state))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in started.environment.items()]
    write_private(home / "env.sh", "\n".join(lines) + "\n")


def _forget(home: Path) -> None:
    for name in (_STATE, "env.sh", "token"):
        (home / name).unlink(missing_ok=True)


def _introduce(started: LocalCluster, home: Path) -> None:
    click.echo(
        f"{len(started.nodes)} nodes at {started.address}, job server and dashboard at "
        f"{started.dashboard}, drivers at {started.client_address}\n"
        f"In another terminal: . {shlex.quote(str(home / 'env.sh'))}; raytuner submit study.yaml"
    )


@contextlib.contextmanager
def _told_to_end() -> Iterator[threading.Event]:
    """Turn Ctrl-C and SIGTERM into an event, so that nodes are ended in order."""
    told = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: told.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
