"""Which Ray cluster a study means, and whether it can be used: found out before Ray connects."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.component import ConfigError

_PLACE = re.compile(r"(ray://)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})/?")
_CONNECT = 5.0
"""Seconds to wait for a port to open."""
_PROBE = 12.0
"""Seconds to wait for what answers there to say who it is."""
_FIELD = ("address",)


class Target(NamedTuple):
    """Where to connect.

    Attributes:
        address: what `ray.init` wants: `local`, host:port or ray://host:port.
        loopback: whether the cluster knows its nodes by loopback addresses only.
    """

    address: str
    loopback: bool = False


def checked_address(address: str | None) -> str:
    """Give `local`, `auto`, host:port or ray://host:port; needs no cluster.

    Without an address the one in RAY_ADDRESS counts, which Ray sets inside its jobs.

    Raises:
        ConfigError: it is no address.
    """
    name = "address"
    if not address:
        name, address = "RAY_ADDRESS", os.environ.get("RAY_ADDRESS") or "local"
    found = _PLACE.fullmatch(address)
    if address in {"local", "auto"} or (found and 0 < int(found[3]) < 65_536):
        return address.rstrip("/")
    if address.startswith(("http://", "https://")):
        raise ConfigError(
            f"{name}: {address!r} is a job server: use `raytuner submit --address {address}`, or "
            "give host:port of the cluster itself (default port 6379), or ray://host:10001",
            _FIELD,
        )
    raise ConfigError(
        f"{name}: {address!r} is no address of a Ray cluster; give local, auto, host:port or "
        "ray://host:port",
        _FIELD,
    )


def reachable(address: str) -> Target:
    """Make sure that a cluster answers, lets us in, and runs what we run; takes some seconds.

    Args:
        address: as `checked_address` gives it.

    Raises:
        ConfigError: one sentence that says what is wrong with it.
    """
    _check_token_file()
    if address == "local":
        return Target("local", loopback=True)
    if address != "auto":
        _check_port(address)
    facts = _probe(address)
    address = str(facts["address"])
    ours = (_ray_version(), platform.python_version())
    theirs = (facts["ray"] or ours[0], facts["python"] or ours[1])
    if theirs != ours and "RAY_IGNORE_VERSION_MISMATCH" not in os.environ:
        raise ConfigError(
            f"address: the cluster at {address} runs Ray {theirs[0]} on Python {theirs[1]}, this "
            f"is Ray {ours[0]} on Python {ours[1]}: install the same versions",
            _FIELD,
        )
    hosts = [str(host) for host in facts.get("hosts", ())]
    if not address.startswith("ray://") and not _own(hosts):
        place = address.rsplit(":", 1)[0]
        raise ConfigError(
            f"address: this machine is no node of the cluster at {address}; come by "
            f"ray://{place}:10001, or submit the study as a job",
            _FIELD,
        )
    return Target(address, loopback=bool(hosts) and all(map(_is_loopback, hosts)))


def _check_token_file() -> None:
    """Find a missing token file: Ray would abort the process."""
    mode = os.environ.get("RAY_AUTH_MODE", "token").lower()
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if mode != "token" or not given or os.environ.get("RAY_AUTH_TOKEN"):
        return
    try:
        held = bool(Path(given).expanduser().read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        held = False
    if not held:
        raise ConfigError(
            f"RAY_AUTH_TOKEN_PATH: {given} holds no token; name the file that holds the "
            "cluster's token, readable by you alone"
        )


def _check_port(address: str) -> None:
    host, port = address.removeprefix("ray://").rsplit(":", 1)
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"address: no Ray cluster answers at {address} ({reason.lower()})", _FIELD
        ) from None


def _probe(address: str) -> dict[str, Any]:
    """Ask who is there; in a process of its own, see `ray_probe`."""
    program = [sys.executable, "-P", str(Path(__file__).with_name("ray_probe.py")), address]
    try:
        done = subprocess.run(  # noqa: S603 - our own program, and an address of checked form
            program, capture_output=True, text=True, timeout=_PROBE, check=False
        )
        facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, ValueError, IndexError):
        facts = {"error": "unreachable", "reason": "what answers there is no Ray cluster"}
    if "error" not in facts:
        return facts
    if facts["error"] == "none":
        raise ConfigError(
            "address: auto finds no Ray cluster on this machine; start one with "
            "`raytuner cluster local` or `ray start --head`, or use local",
            _FIELD,
        )
    if facts["error"] == "unauthenticated":
        raise ConfigError(
            f"address: the cluster at {address} refuses the token; set RAY_AUTH_MODE=token, and "
            "RAY_AUTH_TOKEN_PATH to the file that holds the cluster's token",
            _FIELD,
        )
    reason = " ".join(str(facts["reason"]).split())[:200]
    raise ConfigError(f"address: no Ray cluster answers at {address} ({reason})", _FIELD)


def _ray_version() -> str:
    import ray

    return str(ray.__version__)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _own(hosts: list[str]) -> bool:
    """Tell whether one of these addresses is this machine's."""
    for host in hosts:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind((host, 0))  # only an own address can be bound
        except OSError:
            continue
        return True
    return False
