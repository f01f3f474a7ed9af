"""Starts one node of a local cluster, in a program, session and folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cluster import process_tree
from cluster.node import NodeRequest
from cluster.process_tree import MARK, Group
from raytuner.component import RaytunerError

_START = 120.0
"""Seconds that a node may take to start; a loaded machine needs tens of them."""


class ClusterStartError(RaytunerError):
    """A local cluster could not be started."""


class Node(NamedTuple):
    """One node of a local cluster.

    Attributes:
        id: Ray's id of it.
        raylet: pid of its raylet.
        group: how its processes are recognised.
        cache: its RAYTUNER_CACHE.
    """

    id: str
    raylet: int
    group: Group
    cache: Path

    @property
    def pids(self) -> set[int]:
        """The living processes of the node: Ray's own, its workers, drivers of jobs on it."""
        return process_tree.members(self.group)


class Launch:
    """One node on its way.

    Args:
        home: folder of the node.
        request: what to start.
        environment: variables of all its processes; `RAYTUNER_CACHE` is set here.
        number: place of the node in its cluster.
    """

    def __init__(
        self, home: Path, request: NodeRequest, environment: Mapping[str, str], number: int
    ) -> None:
        self.cache = home / "cache"
        self.cache.mkdir(parents=True, exist_ok=True)
        self._answer = home / "started.json"
        for left in (self._answer, home / "store", home / "raylet"):  # by an earlier cluster
            left.unlink(missing_ok=True)
        self._log = home / "start.log"
        mark = f"{secrets.token_hex(8)}/{number}"
        own = {"RAYTUNER_CACHE": str(self.cache), **environment, MARK: mark}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "cluster.node", str(self._answer)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=home,
                env=with_this_package(own),
            )
        self.group = Group(self._process.pid, mark)
        if self._process.stdin is not None:
            self._process.stdin.write(json.dumps(request._asdict()).encode())
            self._process.stdin.close()

    def wait(self) -> dict[str, str]:
        """Wait until the node has joined; give what `cluster.node.start_node` says of it.

        Raises:
            ClusterStartError: it did not start; holds the end of its log.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_START)
        if self._process.returncode != 0 or not self._answer.exists():
            last = self._log.read_text(encoding="utf-8", errors="replace").strip()[-600:]
            raise ClusterStartError(f"a node of the local cluster did not start: {last}")
        found: dict[str, str] = json.loads(self._answer.read_text(encoding="utf-8"))
        return found


def with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """Let `python -m cluster...` find this package, also where it is not installed."""
    home = str(Path(__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH", "")
    path = f"{home}{os.pathsep}{known}" if known else home
    return {**environment, "PYTHONPATH": path}
