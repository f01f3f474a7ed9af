"""Asks a Ray cluster who it is, as a program of its own: `python -P ray_probe.py ADDRESS`.

Ray's own connection waits for minutes where no cluster answers, and aborts the whole process
where a token file is missing; a program of its own can be given up. It prints one JSON object.
"""

import importlib
import json
import sys
from typing import Any

_PATIENCE = 5
"""Seconds to wait for one answer."""


def main(address: str) -> dict[str, Any]:
    """Find out what answers at an address.

    Returns:
        Either `error` (none, unauthenticated, unreachable) and `reason`; or `address`, the `ray`
        and `python` versions of the cluster where they can be told, and, unless it is a Ray
        Client server, `hosts`, the addresses of its living nodes.
    """
    if address.startswith("ray://"):
        return _client_server(address.removeprefix("ray://"))
    if address == "auto":
        from ray._private.services import get_ray_address_from_environment

        try:
            address = get_ray_address_from_environment("auto", None)
        except ConnectionError as error:
            return {"error": "none", "reason": str(error)}
    return _head(address)


def _head(address: str) -> dict[str, Any]:
    from ray.exceptions import AuthenticationError

    connect = importlib.import_module("ray._raylet").GcsClient

    try:
        client = connect(address=address)
        stored = client.internal_kv_get(b"CLUSTER_METADATA", b"cluster", timeout=_PATIENCE)
        nodes = client.get_all_node_info(timeout=_PATIENCE).values()
    except AuthenticationError as error:
        return {"error": "unauthenticated", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no cluster to use
        return {"error": "unreachable", "reason": str(error)}
    facts = json.loads(stored or b"{}")
    hosts = [node.node_manager_address for node in nodes if node.state == 0]
    return {
        "address": address,
        "ray": facts.get("ray_version"),
        "python": facts.get("python_version"),
        "hosts": hosts,
    }


def _client_server(place: str) -> dict[str, Any]:
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import ray_client_pb2, ray_client_pb2_grpc

    grpc = importlib.import_module("grpc")
    try:
        channel = init_grpc_channel(place)
        grpc.channel_ready_future(channel).result(timeout=_PATIENCE)
        kind = ray_client_pb2.ClusterInfoType.PING
        request = ray_client_pb2.ClusterInfoRequest(type=kind)
        ray_client_pb2_grpc.RayletDriverStub(channel).ClusterInfo(request, timeout=_PATIENCE)
    except grpc.FutureTimeoutError:
        return {"error": "unreachable", "reason": "it does not speak to Ray clients"}
    except grpc.RpcError as error:
        refused = error.code() == grpc.StatusCode.UNAUTHENTICATED
        kind = "unauthenticated" if refused else "unreachable"
        return {"error": kind, "reason": error.details()}
    return {"address": f"ray://{place}", "ray": None, "python": None}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))
