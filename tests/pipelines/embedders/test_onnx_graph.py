import json
import struct

import numpy as np
import pytest

from pipelines.embedders.minilm import session, verified_weights
from pipelines.embedders.onnx_graph import float_tensors, sentence_graph
from raytuner.component import ConfigError


@pytest.fixture(scope="module")
def weights():
    """All tensors of the model by name, read without the code under test."""
    content = verified_weights().read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            start, end = entry["data_offsets"]
            raw = content[8 + length + start : 8 + length + end]
            found[name] = np.frombuffer(raw, np.float32).reshape(entry["shape"])
    return found


def reference(weights, ids):
    """BERT as in arXiv:1810.04805, in float64, one text, mean pooling, L2."""
    from scipy.special import erf, softmax

    def get(name):
        return weights[name].astype(np.float64)

    def linear(x, name):
        return x @ get(name + ".weight").T + get(name + ".bias")

    def norm(x, name):
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-12)
        return x * get(name + ".weight") + get(name + ".bias")

    x = get("embeddings.word_embeddings.weight")[ids]
    x = x + get("embeddings.position_embeddings.weight")[: len(ids)]
    x = norm(x + get("embeddings.token_type_embeddings.weight")[0], "embeddings.LayerNorm")
    for layer in range(6):
        p = f"encoder.layer.{layer}."
        q, k, v = (
            linear(x, f"{p}attention.self.{part}").reshape(len(ids), 12, 32).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        mixed = softmax(q @ k.transpose(0, 2, 1) / np.sqrt(32), axis=-1) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(ids), 384)
        x = norm(linear(mixed, p + "attention.output.dense") + x, p + "attention.output.LayerNorm")
        y = linear(x, p + "intermediate.dense")
        y = y * 0.5 * (1 + erf(y / np.sqrt(2)))
        x = norm(linear(y, p + "output.dense") + x, p + "output.LayerNorm")
    mean = x.mean(axis=0)
    return mean / np.linalg.norm(mean)


@pytest.mark.parametrize("length", [2, 3, 17, 64, 256])
def test_graph_computes_the_published_model(weights, length):
    ids = np.random.default_rng(length).integers(1000, 30_000, (2, length))
    vectors = session()(ids)
    for row, vector in zip(ids, vectors, strict=True):
        assert np.abs(reference(weights, row) - vector).max() < 2e-6


def test_graph_holds_no_weights_unless_asked_to():
    assert len(sentence_graph(verified_weights())) < 50_000


def test_tensors_point_at_their_bytes(weights):
    path = verified_weights()
    tensor = float_tensors(path)["embeddings.LayerNorm.weight"]
    with path.open("rb") as file:
        file.seek(tensor.offset)
        raw = np.frombuffer(file.read(tensor.size), np.float32)
    assert np.array_equal(raw.reshape(tensor.shape), weights["embeddings.LayerNorm.weight"])


@pytest.mark.parametrize("content", [b"", b"\x01", b"not a safetensors file at all", b"\xff" * 64])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"model\.safetensors is not a safetensors file"):
        sentence_graph(path)


def test_another_model_is_refused_naming_the_tensor(tmp_path):
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with pytest.raises(ConfigError, match=r"no float32 tensor 'embeddings\.word_embeddings"):
        sentence_graph(path)
