"""Where a cluster's job server is, and the token that opens it."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from urllib.parse import urlsplit

from raytuner.component import ConfigError

VARIABLE = "RAY_API_SERVER_ADDRESS"
"""Environment variable that names the job server where no `--address` does; Ray's own."""


def job_server(given: str | None) -> str:
    """Give the URL of the job server, from an option or from `RAY_API_SERVER_ADDRESS`.

    Raises:
        ConfigError: neither is given, or it is no HTTP address.
    """
    address = (given or os.environ.get(VARIABLE, "")).strip().rstrip("/")
    if not address:
        raise ConfigError(
            "--address: name the cluster's job server, for example http://127.0.0.1:8265, or set "
            f"{VARIABLE}"
        )
    url = address if "://" in address else f"http://{address}"
    try:
        parts = urlsplit(url)
        known = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        known = None
    if not known or address.endswith(":") or parts.path or parts.query or parts.username:
        raise ConfigError(
            f"--address: {address!r} is no job server; it speaks HTTP, on port 8265 unless told "
            "otherwise: http://HOST:8265"
        )
    return url if parts.port else f"{url}:8265"


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def token() -> str | None:
    """Find the token where Ray looks for it, in Ray's order; None if there is none.

    That is `RAY_AUTH_TOKEN`, the file that `RAY_AUTH_TOKEN_PATH` names, `~/.ray/auth_token`.

    Raises:
        ConfigError: the file that is named cannot be read, or holds no token.
    """
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        return None
    if direct := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return _plain(direct, "RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "").strip()
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        if not named and isinstance(error, FileNotFoundError):
            return None
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigError(f"the token file {path} cannot be read: {reason}") from None
    if not text:
        raise ConfigError(f"the token file {path} is empty")
    return _plain(text, str(path))


def _plain(text: str, where: str) -> str:
    """Refuse what no HTTP header can hold; the message must not repeat it."""
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(f"{where} holds no token: it is one line of plain characters")
    return text
