"""How processes of this machine find a local cluster: by their environment."""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def client_environment(token_path: Path) -> dict[str, str]:
    """Give the variables with which Ray's processes talk to a cluster on loopback.

    `RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0` is what makes Ray take 127.0.0.1 as it is; otherwise it
    puts the address of a network card in its place. Ray reads it when it is imported.
    """
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token_path),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read: a token, or what names one."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


@contextlib.contextmanager
def in_this_process(environment: Mapping[str, str]) -> Iterator[None]:
    """Let Ray use a local cluster from this very process, inside a `with` block.

    For tests: Ray, imported before, has read other variables, and must be made to read again.

    Args:
        environment: `LocalCluster.environment`.
    """
    before = {name: os.environ.get(name) for name in (*environment, "RAY_AUTH_TOKEN")}
    os.environ.pop("RAY_AUTH_TOKEN", None)
    os.environ.update(environment)
    constants: Any = importlib.import_module("ray._private.ray_constants")
    networked = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    _read_token_anew()
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = networked
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _read_token_anew()


def _read_token_anew() -> None:
    """Make Ray forget the mode and token that it read before."""
    core: Any = importlib.import_module("ray._raylet")
    core.Config.initialize("")
    core.AuthenticationTokenLoader.instance().reset_cache()
