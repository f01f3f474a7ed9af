"""Any installed LlamaIndex embedding, named by its import path.

Vectors of a local model that pads its batches can depend in their last bits on the batch; such
a model is better served by an embedder of this package.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from pipelines.embedders.batching import distinct, in_threads
from pipelines.embedders.remote import unit_vectors
from pipelines.roles import Embedded, Embedder
from pipelines.scrub import SECRET, scrubbed
from raytuner.component import ConfigError, RaytunerError, digest
from raytuner.objective import Cost, Meter, ObjectiveFailure

_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SECRET_NAME = re.compile(r"(^|_)(key|secret|password|passwd|token|credentials?)$", re.IGNORECASE)


class LlamaIndex(Embedder, kind="llama-index"):
    """Embed with a class derived from LlamaIndex's BaseEmbedding.

    Documents go through `get_text_embedding_batch`, queries through `get_query_embedding`; both
    are then normalised. Keys are read by the class from its own environment variable.
    """

    exclusive: ClassVar[bool] = False
    unkeyed: ClassVar[frozenset[str]] = frozenset({"concurrency"})

    path: str = Field(
        description="class to use, as module:Class, e.g. "
        "llama_index.embeddings.openai:OpenAIEmbedding"
    )
    args: dict[str, Any] = Field(default_factory=dict, description="its arguments; no secrets")
    concurrency: int = Field(default=1, ge=1, le=64, description="queries embedded at a time")

    @field_validator("path")
    @classmethod
    def _import_path(cls, value: str) -> str:
        if not _PATH.fullmatch(value):
            raise ConfigError(f"path {value!r} is not of the form module.name:ClassName")
        return value

    @field_validator("args")
    @classmethod
    def _no_secrets(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, item in _leaves("args", value):
            last = name.rsplit(".", 1)[-1]
            secret = isinstance(item, str) and SECRET.search(item)
            if secret or (_SECRET_NAME.search(last) and item is not None):
                raise ConfigError(
                    f"{name} looks like a secret; leave it out and give the key by environment"
                )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"args must be plain values as in YAML: {error}") from None
        return value

    def fingerprint(self) -> str:
        """Name the class, its arguments and the release of the package that holds it."""
        module = self.path.split(":")[0]
        return f"llama-index/{self.path}/{digest(self.version, self.args, release(module))}"

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts; equal texts cost one. What the class cuts is not known: `cut` is 0.

        Raises:
            ConfigError: if the class cannot be imported or made.
            ObjectiveFailure: whatever it raises, typed.
        """
        unique, inverse = distinct(texts)
        if not unique:
            return Embedded(np.zeros((0, 0), np.float32), inverse)
        model = loaded(self.path, json.dumps(self.args, sort_keys=True))
        calls = len(unique)
        with meter.stage("embed"):
            try:
                if query:
                    rows = list(in_threads(model.get_query_embedding, unique, self.concurrency))
                else:
                    rows = model.get_text_embedding_batch(unique)
                    calls = -(-len(unique) // max(1, int(model.embed_batch_size)))
            except RaytunerError:
                raise
            except Exception as error:  # noqa: BLE001 - any class, any exception
                raise _failure(error, self.path) from None
        meter.settle(0.0, Cost(calls=calls))
        meter.count("texts embedded", len(unique))
        vectors = unit_vectors(rows, expected=len(unique), dimensions=None, source=self.path)
        return Embedded(vectors[inverse], np.zeros(len(texts), np.int64))


@lru_cache(maxsize=4)
def loaded(path: str, args: str) -> Any:
    """Import the class and make one instance per process and configuration.

    Raises:
        ConfigError: if there is no such class, or it refuses its arguments.
    """
    from llama_index.core.base.embeddings.base import BaseEmbedding

    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError as error:
        package = module.replace("_", "-").replace(".", "-")
        raise ConfigError(
            f"path {path!r} cannot be imported: {error}; if it is a LlamaIndex integration, "
            f"run: pip install {package}"
        ) from None
    if not (isinstance(found, type) and issubclass(found, BaseEmbedding)):
        raise ConfigError(f"path {path!r} names no LlamaIndex embedding (no BaseEmbedding)")
    try:
        return found(**json.loads(args))
    except Exception as error:  # noqa: BLE001 - any class, any exception
        raise ConfigError(f"{path} refuses its args: {scrubbed(error)}") from None


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


def _failure(error: Exception, path: str) -> Exception:
    if type(error).__module__.split(".")[0] == "openai":
        from pipelines.embedders.openai import failure_of

        return failure_of(error, path, "the environment")
    kind = "timeout" if "timeout" in type(error).__name__.lower() else "provider"
    message = f"{path}: {type(error).__name__}: {scrubbed(error)}"
    retryable = kind == "timeout" or isinstance(error, OSError)
    return ObjectiveFailure(
        "timeout" if kind == "timeout" else "provider", message, retryable=retryable
    )


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(f"{name}.{key}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _leaves(f"{name}.{number}", item)
    else:
        yield name, value
