"""Reads secrets from a file that only their owner can read, into this process's environment.

On a cluster the file lies on every node (a Kubernetes secret, a file written by the machine's
administrator); studies, jobs and logs name the file, never what is in it.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from raytuner.component import ConfigError

VARIABLE = "RAYTUNER_SECRETS_FILE"
"""Environment variable that names the file."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MOST_BYTES = 1_000_000


def load() -> tuple[str, ...]:
    """Read the file that `RAYTUNER_SECRETS_FILE` names, if any; to be called before any work.

    A variable that is set already keeps its value.

    Returns:
        The names that were set by this call, sorted; never their values.

    Raises:
        ConfigError: the file is missing, can be read by others, or is not understood. Names the
            line, never its content.
    """
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return ()
    path = Path(given).expanduser()
    fresh = {n: v for n, v in parse(_text(path), str(path)).items() if n not in os.environ}
    os.environ.update(fresh)
    return tuple(sorted(fresh))


def parse(text: str, name: str) -> dict[str, str]:
    """Read lines of NAME=value; `export`, quotes around a value, empty lines and # are known.

    Nothing is expanded: a dollar sign is a dollar sign.

    Args:
        text: content of the file.
        name: what errors call the file.

    Raises:
        ConfigError: naming the line, never its content.
    """
    found: dict[str, str] = {}
    for number, row in enumerate(text.split("\n"), start=1):
        line = row.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        key, sign, value = line.partition("=")
        if not sign or not _NAME.fullmatch(key.rstrip()) or "\0" in value:
            raise ConfigError(f"{VARIABLE}: {name}, line {number}: expected NAME=value")
        found[key.rstrip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _text(path: Path) -> str:
    """Read the file through one handle, so that what was checked is what is read."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        reason = f"{VARIABLE}: {path} cannot be read: {error.strerror}"
        raise ConfigError(reason) from None
    try:
        _check_owner(path, os.fstat(handle))
    except ConfigError:
        os.close(handle)
        raise
    with os.fdopen(handle, "rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{VARIABLE}: {path} is larger than a megabyte: not a file of secrets")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{VARIABLE}: {path} is not UTF-8") from None


def _check_owner(path: Path, facts: os.stat_result) -> None:
    """Refuse what others can read.

    A secret that Kubernetes mounts belongs to root and is readable by the pod's group alone;
    that is the one case in which a group may read it.
    """
    if not stat.S_ISREG(facts.st_mode):
        raise ConfigError(f"{VARIABLE}: {path} is not a file")
    if not hasattr(os, "getuid"):  # Windows keeps its rights elsewhere
        return
    mounted = facts.st_uid == 0 != os.getuid()
    if facts.st_mode & (0o037 if mounted else 0o077):
        raise ConfigError(
            f"{VARIABLE}: others than its owner have access to {path} (mode "
            f"{stat.S_IMODE(facts.st_mode):04o}); run: chmod 600 {path}"
        )
