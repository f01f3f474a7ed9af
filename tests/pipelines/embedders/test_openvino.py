import importlib.util

import numpy as np
import pytest

from pipelines.embedders import MiniLM, MiniLMBfloat16
from raytuner.component import ConfigError, MissingExtraError
from raytuner.objective import Tally

INSTALLED = importlib.util.find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(
    not INSTALLED, reason="openvino is not installed: pip install 'raytuner[openvino]'"
)
TEXTS = [f"sentence {i} about " + "tuning retrieval pipelines " * (i % 9) for i in range(40)]


def embed(component, texts):
    """Embed, or skip where the processor has no bfloat16."""
    try:
        return component.embed(texts, query=False, meter=Tally())
    except ConfigError as error:
        if "no bfloat16" in str(error):
            pytest.skip(str(error))
        raise


@needs_openvino
def test_vectors_are_close_to_float32_and_of_unit_length():
    fast, exact = embed(MiniLMBfloat16(), TEXTS), embed(MiniLM(), TEXTS)
    assert np.allclose(np.linalg.norm(fast.vectors, axis=1), 1, atol=1e-2)
    error = 1 - (fast.vectors * exact.vectors).sum(axis=1)
    assert error.max() < 0.005
    assert not np.array_equal(fast.vectors, exact.vectors)
    assert np.array_equal(fast.cut, exact.cut)


@needs_openvino
def test_vectors_are_bitwise_free_of_batch_order_and_threads():
    whole = embed(MiniLMBfloat16(), TEXTS).vectors
    rng = np.random.default_rng(3)
    for threads, budget in ((1, 1), (2, 64), (2, 4096)):
        chosen = rng.permutation(len(TEXTS))[:17]
        part = embed(
            MiniLMBfloat16(threads=threads, batch_tokens=budget), [TEXTS[i] for i in chosen]
        )
        assert np.array_equal(part.vectors, whole[chosen])


@pytest.mark.skipif(INSTALLED, reason="openvino is installed")
def test_a_missing_package_names_the_extra():
    with pytest.raises(MissingExtraError, match=r"pip install 'raytuner\[openvino\]'"):
        embed(MiniLMBfloat16(), ["a"])


def test_precision_tells_the_fingerprints_apart():
    assert MiniLMBfloat16().fingerprint() != MiniLM().fingerprint()
    assert MiniLMBfloat16(max_tokens=8).fingerprint() != MiniLMBfloat16().fingerprint()
