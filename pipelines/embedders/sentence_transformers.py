"""Any sentence-transformers model, on any device that torch knows.

torch sums in another order for another batch shape, so that the last bits of a vector would
depend on its batch-mates; on a CPU texts are therefore by default embedded one at a time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.embedders.batching import distinct, encodable, equal_length_batches
from pipelines.embedders.devices import torch_device, warn_once
from pipelines.embedders.remote import unit_vectors
from pipelines.roles import Embedded, Embedder
from raytuner.component import ConfigError, digest, require
from raytuner.objective import Meter

GPU_BATCH = 64
REMEDY = "install the torch that fits this GPU's driver: https://pytorch.org/get-started/locally"


class SentenceTransformers(Embedder, kind="sentence-transformers"):
    """Embed with a model folder or a model of the Hugging Face hub; needs the extra.

    Source: Reimers and Gurevych, Sentence-BERT, arXiv:1908.10084. Vectors are normalised.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"download"})

    model: str = Field(min_length=1, description="folder, or name on the Hugging Face hub")
    revision: str | None = Field(
        default=None, description="commit of a hub model; null: whatever `main` is"
    )
    query_prefix: str = Field(default="", description="put before every query")
    document_prefix: str = Field(default="", description="put before every document")
    max_tokens: int | None = Field(
        default=None, ge=3, description="tokens the model sees; null: its own limit"
    )
    device: (
        Literal["auto", "cpu", "cuda", "mps"]
        | Annotated[str, Field(pattern=r"^(cuda|xpu)(:\d+)?$")]
    ) = Field(
        default="cpu",
        description="torch device: cpu, cuda, cuda:1, mps, xpu; auto: cuda where there is one. "
        "Without it the CPU is used. Vectors of CPU and GPU differ in their last bits, so trials "
        "on them are different trials",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=4096,
        description="texts of equal length embedded together; above 1 the last bits of a vector "
        f"may depend on its batch, so vectors are not kept per text; null: 1 on a CPU, {GPU_BATCH} "
        "elsewhere",
    )
    download: bool = Field(default=False, description="fetch a hub model that is not there")

    def reusable(self) -> bool:
        """Keep vectors only where no batch can change their last bits."""
        return self._batch() == 1

    def _batch(self) -> int:
        return self.batch_size or (GPU_BATCH if torch_device(self.device).gpu else 1)

    def fingerprint(self) -> str:
        """Name the model by the content of its folder, or by hub name and revision.

        A device other than the CPU is named as what it is here.
        """
        folder = Path(self.model)
        content = _folder_digest(folder.resolve()) if folder.is_dir() else self.model
        device = torch_device(self.device).bits or "cpu"
        own = {"model": content, "device": device, "batch_size": self._batch()}
        fields = {**self.identity()[3], **own}
        return f"sentence-transformers/{digest(self.version, fields)}"

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts; equal texts cost one.

        Raises:
            MissingExtraError: if sentence-transformers is not installed.
            ConfigError: if the model is not to be had.
        """
        prefix = self.query_prefix if query else self.document_prefix
        unique, inverse = distinct([encodable(prefix + text) for text in texts])
        if not unique:
            return Embedded(np.zeros((0, 0), np.float32), inverse)
        device = torch_device(self.device)
        with meter.stage("embed"):
            model = loaded(self.model, self.revision, device.use, self.max_tokens, self.download)
            warn_once(self.kind, self.device, device, REMEDY)
            size = self._batch()
            limit = int(model.max_seq_length or 1 << 30)
            lengths = _token_counts(model, unique)
            rows: list[Any] = [None] * len(unique)
            seen = np.minimum(lengths, limit)
            for batch in equal_length_batches(list(seen), 1 << 62):
                for start in range(0, len(batch), size):
                    places = batch[start : start + size]
                    part = [unique[i] for i in places]
                    # prompt="": prefixes are the fields above, never a default of the model
                    vectors = model.encode(
                        part, prompt="", batch_size=len(part), show_progress_bar=False
                    )
                    for place, vector in zip(places, vectors, strict=True):
                        rows[place] = vector
        meter.count("texts embedded", len(unique))
        meter.count("tokens embedded", int(seen.sum()))
        vectors = unit_vectors(rows, expected=len(unique), dimensions=None, source=self.model)
        return Embedded(vectors[inverse], (lengths - seen)[inverse])


def _token_counts(model: Any, texts: Sequence[str]) -> Any:
    """Count tokens with the special ones, as if the model had no limit."""
    encoded = model.tokenizer(list(texts), truncation=False, padding=False, verbose=False)
    return np.array([len(ids) for ids in encoded["input_ids"]], np.int64)


@lru_cache(maxsize=2)
def loaded(
    name: str, revision: str | None, device: str, max_tokens: int | None, download: bool
) -> Any:
    """Load a model once per process and configuration.

    Raises:
        MissingExtraError: if sentence-transformers is not installed.
        ConfigError: if the model is not to be had, or its limit is below `max_tokens`.
    """
    library = require("sentence_transformers", extra="sentence-transformers")
    try:
        model = library.SentenceTransformer(
            name, revision=revision, device=device, local_files_only=not download
        )
    except (OSError, ValueError, RuntimeError) as error:
        hint = "" if download else "; set download: true to fetch it from the hub"
        raise ConfigError(
            f"model {name!r} cannot be loaded on {device}: {str(error).splitlines()[0]}{hint}"
        ) from None
    if max_tokens is not None:
        places = getattr(model.tokenizer, "model_max_length", max_tokens)
        if max_tokens > places:
            raise ConfigError(f"max_tokens {max_tokens} is beyond the {places} of model {name!r}")
        model.max_seq_length = max_tokens
    return model


@lru_cache(maxsize=8)
def _folder_digest(folder: Path) -> str:
    """Digest names and contents of all files; a model folder has few and large ones."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(f"{path.relative_to(folder).as_posix()}\0{content}\0".encode())
    return total.hexdigest()
