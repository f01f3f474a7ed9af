"""Classes of LlamaIndex by import path: how they are named, made and told apart, and their errors.

Both adapters use it, that of language models and that of embeddings.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from pipelines.llm.endpoint import Endpoint
from pipelines.llm.wire import BadBodyError, translated
from pipelines.scrub import refuse_secrets, scrubbed
from raytuner.component import ConfigError, RaytunerError, digest
from raytuner.objective import Cost, ObjectiveFailure
from raytuner.ports.gate import Report

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_KEY_NAME = "OPENAI_API_KEY"
"""Where LlamaIndex's classes for OpenAI look for the key."""
_OURS = ("openai", "httpx", "httpx2", "httpcore", "json")
"""Libraries whose errors mean the same here as in calls of our own."""


def _checked_path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ConfigError(f"path {value!r} is not of the form module.name:ClassName")
    return value


def _checked_args(value: dict[str, Any]) -> dict[str, Any]:
    return refuse_secrets("args", value)


ClassPath = Annotated[str, AfterValidator(_checked_path)]
"""A class as module:Class."""
ClassArgs = Annotated[
    dict[str, Any], AfterValidator(_checked_args), Field(description="its arguments; no secrets")
]
"""Arguments of a class, as plain values."""


def loaded(path: str, args: Mapping[str, Any], base: str, what: str, **fixed: Any) -> Any:
    """Import a class and make one instance per process and configuration.

    Args:
        path: of the class.
        args: its arguments.
        base: path of the class that it must be derived from.
        what: what that one is called in messages.
        fixed: further arguments, where the class has fields of that name.

    Raises:
        ConfigError: if there is no such class, or it refuses its arguments.
    """
    return _loaded(path, _spelled(args), base, what, _spelled(fixed), os.getpid())


def _spelled(args: Mapping[str, Any]) -> str:
    return json.dumps(args, sort_keys=True)


@lru_cache(maxsize=8)
def _loaded(path: str, args: str, base: str, what: str, fixed: str, process: int) -> Any:
    del process  # a forked child has other connections
    found = class_of(path, base, what)
    fields = getattr(found, "model_fields", {})
    more = {name: value for name, value in json.loads(fixed).items() if name in fields}
    try:
        return found(**{**json.loads(args), **more})
    except Exception as error:  # noqa: BLE001 - any class, any exception
        raise ConfigError(f"{path} refuses its args: {scrubbed(error)}") from None


def class_of(path: str, base: str, what: str) -> type[Any]:
    """Import a class; see `loaded`.

    Raises:
        ConfigError: there is no such class, or it is not derived from `base`.
    """
    found, parent = _named(path), _named(base)
    if not (isinstance(found, type) and issubclass(found, parent)):
        raise ConfigError(
            f"path {path!r} names no LlamaIndex {what} (no {base.rpartition(':')[2]})"
        )
    return found


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        package = module.replace("_", "-").replace(".", "-")
        raise ConfigError(
            f"path {path!r} cannot be imported: {error}; if it is a LlamaIndex integration, "
            f"run: pip install {package}"
        ) from None


def title(path: str, args: Mapping[str, Any]) -> str:
    """Give the name of the model that the arguments name, or else the class's."""
    return str(args.get("model") or args.get("model_name") or path.rpartition(":")[2])


def fingerprint(version: int, path: str, args: Mapping[str, Any]) -> str:
    """Name the class, its arguments and the release of the package that holds it."""
    return f"llama-index/{path}/{digest(version, args, release(path.partition(':')[0]))}"


def release(module: str) -> str:
    """Give distribution and version that hold `module`, or a digest of its source file.

    Integrations are named after their module: llama_index.embeddings.openai is
    llama-index-embeddings-openai. Imports nothing but the parents of the module.
    """
    parts = module.replace("_", "-").split(".")
    for end in range(len(parts), 0, -1):
        for name in ("-".join(parts[:end]), "-".join([*parts[:end], "core"])):
            try:
                return f"{name} {metadata.version(name)}"
            except metadata.PackageNotFoundError:
                continue
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise ConfigError(f"path: there is no module {module!r}")
    return hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()


def translated_by_name(error: Exception, path: str) -> tuple[Exception, Report]:
    """Say what an error of any library means: of one we do not know, by the name of its class.

    Args:
        error: what a class raised.
        path: of the class, for the message.
    """
    if isinstance(error, RaytunerError):
        return error, Report(cost=Cost())
    library = type(error).__module__.partition(".")[0]
    if type(error).__name__ == "OpenAIError":  # the client cannot be made: there is no key
        return ConfigError(f"{path}: {scrubbed(error)}"), Report(cost=Cost())
    if library in _OURS or isinstance(error, BadBodyError):
        return translated(error, Endpoint(path, _KEY_NAME))
    names = " ".join(kind.__name__ for kind in type(error).__mro__).lower()
    message = f"{path}: {type(error).__name__}: {scrubbed(error)}"
    if "timeout" in names:
        return ObjectiveFailure("timeout", message, retryable=True), Report(cost=None)
    if "ratelimit" in names or "toomanyrequests" in names or "throttl" in names:
        report = Report(throttled=True)
        return ObjectiveFailure("rate_limit", message, retryable=True), report
    if "authentication" in names or "unauthorized" in names:
        return ConfigError(message), Report(cost=Cost(calls=1))
    passing = isinstance(error, OSError) or "connection" in names
    return ObjectiveFailure("provider", message, retryable=passing), Report(cost=None)
