"""Starts the processes of one Ray node on loopback, in a program of its own.

`ray start` cannot do this: it turns 127.0.0.1 into the address of a network card, whose ports
everybody on the network reaches. The node is started as `ray.cluster_utils` does it, and its
processes go on after this program has ended.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

LOOPBACK = "127.0.0.1"


class NodeRequest(NamedTuple):
    """What to start.

    Attributes:
        address: of the head's control store, host:port; empty: start a head.
        folder: Ray's temporary folder of the cluster.
        sockets: folder for the sockets of this node alone: nodes that start at the same time
            would otherwise choose the same names.
        cpus: number of logical CPUs.
        gpus: number of logical GPUs.
        object_store: bytes of shared memory.
        client_port: port for ray:// drivers on the head; 0: none.
        dashboard_port: port of the job server on the head; 0: the first free one from 8265.
        resources: further resources, by name.
    """

    address: str
    folder: str
    sockets: str
    cpus: float
    gpus: float
    object_store: int
    client_port: int
    dashboard_port: int
    resources: dict[str, float]


def start_node(request: NodeRequest) -> dict[str, Any]:
    """Start a node and wait until the head knows it.

    Returns:
        `address`, `dashboard` (host:port), `id` and the pid of the `raylet`.
    """
    from ray._private.node import Node
    from ray._private.parameter import RayParams
    from ray._private.utils import write_ray_address

    head = not request.address
    parameters: dict[str, Any] = {
        "node_ip_address": LOOPBACK,
        "num_cpus": request.cpus,
        "num_gpus": request.gpus,
        "object_store_memory": request.object_store,
        "resources": request.resources,
        "min_worker_port": 0,
        "max_worker_port": 0,
        "dashboard_agent_listen_port": 0,
        "temp_dir": request.folder,
        "plasma_store_socket_name": f"{request.sockets}/store",
        "raylet_socket_name": f"{request.sockets}/raylet",
        # A node that unpacks a job's folder first removes what is there: its neighbour's.
        "runtime_env_dir_name": f"runtime_resources_{Path(request.sockets).name}",
    }
    if head:
        parameters |= {
            "gcs_server_port": 0,
            "include_dashboard": True,
            "dashboard_host": LOOPBACK,
            "dashboard_port": request.dashboard_port or None,
            "ray_client_server_port": request.client_port or None,
        }
    else:
        parameters |= {"gcs_address": request.address, "include_log_monitor": False}
    node = Node(RayParams(**parameters), head=head, shutdown_at_exit=False, spawn_reaper=False)
    if head:  # drivers of jobs look it up; without it they take any cluster of this machine
        write_ray_address(node.gcs_address, request.folder)
    raylet = node.all_processes["raylet"][0].process.pid
    return {
        "address": node.gcs_address,
        "dashboard": node.webui_url or "",
        "id": node.node_id,
        "raylet": raylet,
    }


def main() -> None:
    """Read a request from standard input, write what was started to the file named in argv."""
    request = NodeRequest(**json.load(sys.stdin))
    Path(sys.argv[1]).write_text(json.dumps(start_node(request)), encoding="utf-8")


if __name__ == "__main__":
    main()
