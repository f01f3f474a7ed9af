"""A Ray cluster of several nodes on this machine: on loopback, with a token, easy to break.

Every node is a raylet with processes of its own, as if it were another machine: it can be killed
alone, and has a cache of its own. Nothing but loopback is listened on.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from cluster import process_tree
from cluster.joining import client_environment, write_private
from cluster.launch import ClusterStartError, Launch, Node, with_this_package
from cluster.node import LOOPBACK, NodeRequest
from cluster.process_tree import Group
from raytuner.component import ConfigError

__all__ = ["ClusterStartError", "LocalCluster", "Node"]

_LONGEST = 45
"""Characters of a folder's path that leave room for the sockets in it (107 in all on Linux)."""
_ANSWER = 60.0
"""Seconds that the job server may take to answer, once the nodes are there."""
_FOREIGN = (
    "RAY_ADDRESS",
    "RAY_API_SERVER_ADDRESS",
    "RAY_AUTH_TOKEN",
    "RAY_JOB_CONFIG_JSON_ENV_VAR",
)
"""Variables that would make a node join, or be asked for the token of, another cluster."""


class LocalCluster:
    """A head and workers on this machine, from `with` to the end of its block.

    Node 0 is the head. Processes that shall use the cluster need `environment`, set before they
    import Ray.

    Args:
        nodes: number of nodes, the head included.
        cpus: logical CPUs of each.
        folder: where everything is kept, removed at the end; default: a temporary one. A path
            that you give stays short (Ray puts sockets in it) and is kept.
        environment: further variables of the nodes, and so of every job and worker.
        client_server: whether drivers may come by ray:// too.
        object_store: bytes of shared memory of each node.
        dashboard_port: port of the job server; 0: the first free one from 8265.
        resources: further resources of every node, by name.
        watched: end the nodes when this process dies, whatever kills it.

    Raises:
        ConfigError: a folder whose path is too long, or that others can write to.
        ClusterStartError: a node did not start; holds the end of its log.
    """

    def __init__(
        self,
        nodes: int = 3,
        cpus: float = 1,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        client_server: bool = False,
        object_store: int = 150 * 1024 * 1024,
        dashboard_port: int = 0,
        resources: Mapping[str, float] | None = None,
        watched: bool = True,
    ) -> None:
        self._count = nodes
        self._own_folder = folder is None
        self._given = folder
        self._extra = dict(environment or {})
        self._client_port = _free_port() if client_server else 0
        self._request = NodeRequest(
            "",
            "",
            "",
            cpus,
            0,
            object_store,
            self._client_port,
            dashboard_port,
            dict(resources or {}),
        )
        self._watched = watched
        self._watchdog: subprocess.Popen[str] | None = None
        self._started: list[Node] = []
        self.address = ""
        self.dashboard = ""
        self.folder = Path()

    # ---- what a user of the cluster needs

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node that was started, the head first; killed ones stay in their place."""
        return tuple(self._started)

    @property
    def token_path(self) -> Path:
        """File with the cluster's token, readable by its owner only."""
        return self.folder / "token"

    @property
    def client_address(self) -> str:
        """Address for drivers that come by ray://; empty without `client_server`."""
        return f"ray://{LOOPBACK}:{self._client_port}" if self._client_port else ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which Ray, `ray` and `raytuner` find the cluster and its token."""
        return {**client_environment(self.token_path), **_addresses(self.address, self.dashboard)}

    # ---- from start to end

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the head, then all other nodes at once; returns when all have joined."""
        self.folder = self._prepared_folder()
        write_private(self.token_path, secrets.token_hex(32))
        if self._watched:
            self._watchdog = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "cluster.process_tree", *self._temporary()],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,
                cwd="/",
                env=with_this_package(os.environ),
            )
        try:
            self._launch(1)
            self._launch(self._count - 1)
            self._await_job_server()
        except BaseException:
            self.stop()
            raise

    def stop(self, *, grace: float = 2.0) -> None:
        """End every process of every node, and remove the cluster's temporary folder."""
        for node in reversed(self._started):
            process_tree.end(node.group, grace=grace if node is self._started[0] else 0.0)
        if self._watchdog is not None:
            with contextlib.suppress(OSError):
                self._watchdog.communicate("done 0\n", timeout=5)
            self._watchdog = None
        if self._own_folder and self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill_node(self, index: int) -> None:
        """Kill every process of a node with SIGKILL, as a lost machine would end."""
        process_tree.end(self._started[index].group)

    def add_node(self) -> int:
        """Start one more node; give its index."""
        self._launch(1)
        return len(self._started) - 1

    # ---- how

    def _temporary(self) -> list[str]:
        return [str(self.folder)] if self._own_folder else []

    def _prepared_folder(self) -> Path:
        folder = self._given or Path(tempfile.mkdtemp(prefix="rt-", dir="/tmp"))
        folder = folder.resolve()
        if len(str(folder)) > _LONGEST:
            raise ConfigError(
                f"the cluster's folder {folder} has a path of {len(str(folder))} characters; Ray "
                f"puts sockets in it, so name one of at most {_LONGEST}, for example /tmp/ray1"
            )
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat()
        if owner.st_uid != os.getuid() or owner.st_mode & 0o022:
            raise ConfigError(
                f"the cluster's folder {folder} can be written by others; name one of your own"
            )
        return folder

    def _launch(self, count: int) -> None:
        """Start nodes side by side; the watchdog knows them before they run."""
        first = len(self._started)
        launches: list[Launch] = []
        try:
            for number in range(first, first + count):
                home = self.folder / f"node{number}"
                launches.append(Launch(home, self._asked(home), self._node_environment(), number))
                self._watch(launches[-1].group)
            for launch in launches:
                self._join(launch)
        except BaseException:
            for launch in launches:
                process_tree.end(launch.group)
            raise

    def _await_job_server(self) -> None:
        """Wait until jobs can be asked for: the server opens its port before it can answer."""
        token = self.token_path.read_text(encoding="utf-8")
        headers = {"Authorization": f"Bearer {token}"}
        question = urllib.request.Request(f"{self.dashboard}/api/jobs/", headers=headers)  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        reason = ""
        end = time.monotonic() + _ANSWER
        while time.monotonic() < end:
            try:
                with direct.open(question, timeout=10):
                    return
            except OSError as error:
                reason = str(error)
                time.sleep(0.2)
        raise ClusterStartError(f"the job server at {self.dashboard} does not answer: {reason}")

    def _watch(self, group: Group) -> None:
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.write(f"{group.session} {group.mark}\n")
            self._watchdog.stdin.flush()

    def _join(self, launch: Launch) -> None:
        found = launch.wait()
        if not self.address:
            self.address = found["address"]
            self.dashboard = f"http://{found['dashboard']}"
        node = Node(found["id"], int(found["raylet"]), launch.group, launch.cache)
        self._started.append(node)

    def _asked(self, home: Path) -> NodeRequest:
        """Say what the node with this folder shall be."""
        home.mkdir(exist_ok=True)
        return self._request._replace(
            address=self.address, folder=str(self.folder / "ray"), sockets=str(home)
        )

    def _node_environment(self) -> dict[str, str]:
        """Give the variables that all nodes' processes have in common."""
        own = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        programs = f"{Path(sys.executable).parent}{os.pathsep}{own.get('PATH', os.defpath)}"
        own.pop("RAYTUNER_CACHE", None)
        return {
            **own,
            "PATH": programs,
            **client_environment(self.token_path),
            # A killed node is missed after about five seconds instead of fifteen.
            "RAY_health_check_period_ms": "1000",
            "RAYTUNER_RUNS": str(self.folder / "runs"),
            **self._extra,
        }


def _addresses(address: str, dashboard: str) -> dict[str, str]:
    return {"RAY_ADDRESS": address, "RAY_API_SERVER_ADDRESS": dashboard} if address else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
