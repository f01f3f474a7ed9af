"""all-MiniLM-L6-v2 in bfloat16 on OpenVINO: several times faster where the processor has bfloat16.

The same graph, tokenizer and batches as `minilm`; another precision, hence other vectors and
another fingerprint. `benchmarks/embed.py` prints its speed and its cosine error.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from pipelines.embedders.batching import cores
from pipelines.embedders.minilm import (
    SHA256,
    BatchTokens,
    Encode,
    MaxTokens,
    Threads,
    embed_texts,
    verified_weights,
)
from pipelines.embedders.onnx_graph import sentence_graph
from pipelines.roles import Embedded, Embedder
from pipelines.types import IntArray, Vectors
from raytuner.component import ConfigError, require
from raytuner.objective import Meter


class MiniLMBfloat16(Embedder, kind="minilm-bf16"):
    """Embed with all-MiniLM-L6-v2 (384 dimensions) in bfloat16.

    Needs the extra `openvino` and a processor with bfloat16 (AVX512_BF16, AMX or Arm BF16).
    Vectors are within a cosine distance of about 1e-4 of those of `minilm`.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"batch_tokens", "threads"})

    max_tokens: MaxTokens = 256
    batch_tokens: BatchTokens = 1024
    threads: Threads = 0

    def fingerprint(self) -> str:
        """Name weights, precision and limit."""
        return f"all-MiniLM-L6-v2@{SHA256[:16]}/bfloat16/{self.max_tokens}/v{self.version}"

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts; equal texts cost one.

        Raises:
            MissingExtraError: if openvino is not installed.
            ConfigError: if the weights are missing or the processor has no bfloat16.
        """
        del query
        threads = self.threads or cores()
        encode = compiled(threads)
        return embed_texts(encode, texts, self.max_tokens, self.batch_tokens, threads, meter)


@lru_cache(maxsize=1)
def compiled(threads: int) -> Encode:
    """Compile the model once per process, with one stream for each calling thread."""
    openvino = require("openvino", extra="openvino")
    core = openvino.Core()
    capabilities = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if "BF16" not in capabilities:
        raise ConfigError(
            "embedder minilm-bf16: this processor has no bfloat16 (it has "
            f"{', '.join(capabilities)}); use minilm"
        )
    # OpenVINO resolves external data against a model file only, so it gets the weights inline.
    model = core.read_model(sentence_graph(verified_weights(), inline=True))
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
    }
    return _per_thread(core.compile_model(model, "CPU", settings))


def _per_thread(model: Any) -> Encode:
    """Give every calling thread an inference request of its own: they cannot be shared."""
    local = threading.local()

    def encode(ids: IntArray) -> Vectors:
        if not hasattr(local, "request"):
            local.request = model.create_infer_request()
        vectors: Vectors = np.array(local.request.infer({0: ids})[0], np.float32)
        return vectors

    return encode
