import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.embedders import LlamaIndex
from pipelines.llm.imported import release
from pipelines.llm.prices import FREE
from raytuner.budget import BudgetExhaustedError
from raytuner.component import ConfigError
from raytuner.objective import Cost, ObjectiveFailure, Tally
from raytuner.ports.gate import paid_counter

from .server import embedding_list, error, rows_of, vector_of

OPENAI = "llama_index.embeddings.openai:OpenAIEmbedding"
MODULE = """
from llama_index.core.base.embeddings.base import BaseEmbedding

class Counting(BaseEmbedding):
    scale: float = 1.0
    def _get_text_embedding(self, text):
        if text == "fail":
            raise OSError("disk on fire, key sk-abcdefghijklmnopqrst")
        return [self.scale * len(text), 1.0]
    def _get_query_embedding(self, query):
        return [1.0, float(len(query))]
    async def _aget_query_embedding(self, query):
        return self._get_query_embedding(query)

class Other:
    pass
"""


@pytest.fixture
def own(own_module):
    return own_module(MODULE)


def openai_args(server):
    return {"api_base": server.url, "max_retries": 0, "embed_batch_size": 3}


def in_order(body):
    return embedding_list(body, rows_of(body))


def embed(component, texts, query=False, meter=None):
    return component.embed(texts, query=query, meter=meter or Tally())


def test_an_installed_integration_embeds_documents_and_queries(server, key):
    component = LlamaIndex(path=OPENAI, args=openai_args(server), concurrency=2)
    texts = ["one", "two", "three", "four", "two"]
    expected = np.array([vector_of(text) / np.linalg.norm(vector_of(text)) for text in texts])
    meter = Tally()
    server.usual = in_order  # this class relies on the order of the rows
    assert np.allclose(embed(component, texts, meter=meter).vectors, expected, atol=1e-6)
    assert (meter.cost.calls, meter.counts["texts embedded"]) == (2, 4)
    assert np.allclose(embed(component, texts, query=True).vectors, expected, atol=1e-6)
    assert set(server.keys) == {f"Bearer {key}"}


def test_failures_of_an_openai_class_are_typed(server, key):
    component = LlamaIndex(path=OPENAI, args={**openai_args(server), "timeout": 5.0})
    server.script = [error(400, "bad")]
    with pytest.raises(ObjectiveFailure) as caught:
        embed(component, ["a"])
    assert (caught.value.failure.kind, caught.value.failure.retryable) == ("provider", False)


def test_every_batch_asks_the_gate_and_is_counted_in_tokens(server, key, make_gate):
    component = LlamaIndex(path=OPENAI, args=openai_args(server), usd_per_million_tokens=1e6)
    server.usual = in_order
    meter = Tally(gate=make_gate())
    embed(component, ["one", "two three", "four", "five"], meter=meter)
    assert [(d.usd, d.tokens) for d in meter.gate.demands] == [(4.0, 4), (1.0, 1)]
    assert meter.cost == Cost(5.0, 5, 0, 2)
    assert meter.counts["tokens embedded"] == 5
    assert meter.counts[paid_counter("embed", "OpenAIEmbedding", "calls")] == 2


def test_one_dollar_budget_covers_it(server, key, make_gate):
    component = LlamaIndex(path=OPENAI, args=openai_args(server), usd_per_million_tokens=1e6)
    server.usual = in_order
    meter = Tally(gate=make_gate(usd=4.5))
    with pytest.raises(BudgetExhaustedError):
        embed(component, ["one", "two three", "four", "five"], meter=meter)
    assert len(server.requests) == 1
    assert meter.cost.usd == 4.0


def test_of_a_class_without_a_price_nobody_knows_it(own):
    path = f"{own}:Counting"
    assert LlamaIndex(path=path).rates() is None
    assert LlamaIndex(path=path, free=True).rates() == FREE
    assert LlamaIndex(path=path, args={"model_name": "m"}).name == "m"


def test_queries_and_documents_take_their_own_methods(own):
    component = LlamaIndex(path=f"{own}:Counting")
    assert np.allclose(embed(component, ["abc"]).vectors, np.array([[3, 1]]) / np.sqrt(10))
    assert np.allclose(embed(component, ["abc"], True).vectors, np.array([[1, 3]]) / np.sqrt(10))
    assert embed(component, []).vectors.shape[0] == 0


def test_other_exceptions_are_typed_and_scrubbed(own):
    with pytest.raises(ObjectiveFailure) as caught:
        embed(LlamaIndex(path=f"{own}:Counting"), ["fail"])
    found = caught.value.failure
    assert (found.kind, found.retryable) == ("provider", True)
    assert "disk on fire" in found.message
    assert "sk-" not in found.message


@pytest.mark.parametrize(
    "args",
    [
        {"api_key": "x"},
        {"nested": {"access_token": "x"}},
        {"headers": [{"Authorization": "Bearer sk-abcdefghijklmnopqrst"}]},
        {"password": "x"},
    ],
)
def test_secrets_in_args_are_refused_without_repeating_them(args):
    with pytest.raises(ValidationError, match="give the key by environment") as caught:
        LlamaIndex(path=OPENAI, args=args)
    assert "sk-abc" not in caught.value.errors()[0]["msg"]


def test_harmless_args_with_similar_names_pass():
    LlamaIndex(path=OPENAI, args={"max_tokens": 8, "tokenizer": "t", "api_key": None})


@pytest.mark.parametrize(
    "path", ["OpenAIEmbedding", "a.b.C", "a:b:c", "a b:C", "../x:C", ":C", "a:"]
)
def test_only_import_paths_are_taken(path):
    with pytest.raises(ValidationError, match=r"module\.name:ClassName"):
        LlamaIndex(path=path)


def test_what_cannot_be_imported_names_the_package():
    component = LlamaIndex(path="llama_index.embeddings.absent_maker:Absent")
    with pytest.raises(ConfigError, match="pip install llama-index-embeddings-absent-maker"):
        embed(component, ["a"])


def test_what_is_no_embedding_is_refused(own):
    for name in ("Other", "Absent"):
        with pytest.raises(ConfigError, match="names no LlamaIndex embedding"):
            embed(LlamaIndex(path=f"{own}:{name}"), ["a"])


def test_args_that_the_class_refuses_are_a_configuration_error(own):
    component = LlamaIndex(path=f"{own}:Counting", args={"scale": "wide"})
    with pytest.raises(ConfigError, match="Counting refuses its args"):
        embed(component, ["a"])


def test_fingerprint_covers_class_args_and_release(own, tmp_path):
    one = LlamaIndex(path=f"{own}:Counting")
    assert one.fingerprint() != LlamaIndex(path=f"{own}:Counting", args={"scale": 2}).fingerprint()
    assert one.fingerprint() == LlamaIndex(path=f"{own}:Counting", concurrency=3).fingerprint()
    before = one.fingerprint()
    (tmp_path / f"{own}.py").write_text(MODULE + "\n# changed\n")
    assert one.fingerprint() != before


def test_release_finds_the_distribution():
    from importlib.metadata import version

    name = "llama-index-embeddings-openai"
    assert release("llama_index.embeddings.openai") == f"{name} {version(name)}"
    assert (
        release("llama_index.core.embeddings") == f"llama-index-core {version('llama-index-core')}"
    )
    with pytest.raises(ConfigError, match="no module 'absent_module'"):
        release("absent_module")
