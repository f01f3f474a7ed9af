"""This process's connection to Ray: made for a run, or found; ended by whoever made it.

Ray's chatter goes to a file in the run folder, and nothing of it to the console.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from raytuner.backends.ray_address import Target, reachable
from raytuner.component import ConfigError

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_TQDM": "0",
}
"""Ray looks for news, warns of its own future, and reports errors that we handle."""

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_lock = threading.Lock()
_users = 0
"""Runs of this process that use the connection which the first of them has made."""
_made = False
_folder: Path | None = None
"""Where a cluster that was started here keeps its sockets and logs."""


class Session(NamedTuple):
    """A connection to Ray.

    Attributes:
        name: of the cluster, for people.
        private: whether the cluster was started for this run, so that it cannot grow.
        logs: folder of log files, or None.
    """

    name: str
    private: bool
    logs: Path | None


@contextlib.contextmanager
def connected(address: str, folder: Path | None = None) -> Iterator[Session]:
    """Connect for a run; a connection that the process has already is used and left alone.

    A cluster started here listens on loopback only and ends with the run, its files too.

    Args:
        address: as `ray_address.checked_address` gives it.
        folder: run folder; Ray's log is kept in `logs/ray.log` there.

    Raises:
        ConfigError: no such cluster, or it cannot be used; within some 20 seconds.
    """
    logs = _log_folder(folder)
    import_module("ray")  # which sets its logger up
    with _quiet(logs):
        name, private = _enter(address)
        try:
            yield Session(name, private, logs)
        finally:
            _leave()


def _enter(address: str) -> tuple[str, bool]:
    """Connect, unless this process is connected; give the cluster's name, whether it is ours."""
    global _users, _made, _folder  # noqa: PLW0603 - Ray's connection is of the whole process too
    import ray

    with _lock:
        private = False
        if not ray.is_initialized():
            target = reachable(address)
            _start(target)
            private = target.address == "local"
            _made = True
            if private:
                node = import_module("ray._private.worker").global_worker.node
                _folder = Path(node.get_session_dir_path())
        if _made:
            _users += 1
        name = "this process's Ray" if not _made else address
        return name, private


def _leave() -> None:
    global _users, _made, _folder  # noqa: PLW0603
    import ray

    with _lock:
        if not _made:
            return
        _users -= 1
        if _users == 0:
            _made = False
            ray.shutdown()
            _forget_token()
            if _folder is not None:
                shutil.rmtree(_folder, ignore_errors=True)
                _folder = None


def _start(target: Target) -> None:
    """Call `ray.init`; leave the process's environment and signal handlers as they were."""
    import ray

    options: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": logging.INFO,  # of the file: see _quiet
        "logging_format": _FORMAT,
    }
    if target.address == "local":
        options |= {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    variables = dict(_QUIET)
    if target.loopback:
        variables["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    if target.address == "local":
        variables |= _own_token()
    with _environment(variables), loopback(on=target.loopback), _same_signals():
        try:
            ray.init(address=target.address, **options)
            if ray.util.client.ray.is_connected():
                ray.util.client.ray.worker.log_client.disable_logs()
        except Exception as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigError(
                f"address: Ray at {target.address} cannot be used: {reason}", ("address",)
            ) from error


def _own_token() -> dict[str, str]:
    """Make a token for a cluster of this run alone, unless the user has one or wants none.

    Ray would write one into the home folder, where others can read it.
    """
    if os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return {}
    if "RAY_AUTH_TOKEN_PATH" in os.environ or "RAY_AUTH_TOKEN" in os.environ:
        return {}
    _forget_token()
    return {"RAY_AUTH_TOKEN": secrets.token_hex(32)}


def _forget_token() -> None:
    """Let Ray read the token anew at its next connection."""
    import_module("ray._raylet").AuthenticationTokenLoader.instance().reset_cache()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables that nobody has set, for what is started inside."""
    names = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in names})
    try:
        yield
    finally:
        for name in names:
            os.environ.pop(name, None)


@contextlib.contextmanager
def loopback(*, on: bool) -> Iterator[None]:
    """Let Ray know this machine by its loopback address, and so listen there only.

    Ray has a switch for it, which it reads when it is first imported.
    """
    from ray._private import ray_constants

    before = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = before and not on
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextlib.contextmanager
def _same_signals() -> Iterator[None]:
    """Undo that Ray takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread() and before is not None:
            signal.signal(signal.SIGTERM, before)


def _log_folder(folder: Path | None) -> Path | None:
    if folder is None:
        return None
    logs = folder / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"run_dir: {logs} cannot be made: {error.strerror}", ("run_dir",)
        ) from None
    return logs.resolve()


@contextlib.contextmanager
def _quiet(logs: Path | None) -> Iterator[None]:
    """Keep what Ray's Python side says in a file, and off the console."""
    logger = logging.getLogger("ray")
    handler: logging.Handler = logging.NullHandler()
    if logs is not None:
        handler = logging.FileHandler(logs / "ray.log", delay=True, encoding="utf-8")
        handler.setFormatter(logging.Formatter(_FORMAT))
    before = (logger.propagate, logger.level, list(logger.handlers))
    logger.propagate, logger.handlers = False, [handler]
    logger.setLevel(logging.INFO)
    try:
        with _muted(logger):
            yield
    finally:
        handler.close()
        logger.propagate, logger.handlers = before[0], before[2]
        logger.setLevel(before[1])


@contextlib.contextmanager
def _muted(logger: logging.Logger) -> Iterator[None]:
    """Log what Ray prints of lost workers even where nothing is forwarded to the driver."""
    from ray._private import worker

    before = worker.print_to_stdstream

    def log(data: Mapping[str, Any], **_: Any) -> None:
        logger.warning("(%s) %s", data.get("pid"), "\n".join(data.get("lines", ())))

    worker.print_to_stdstream = log
    try:
        yield
    finally:
        worker.print_to_stdstream = before
