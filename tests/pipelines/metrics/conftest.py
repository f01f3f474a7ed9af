"""A bench whose judges ask the test endpoint."""

import numpy as np
import pytest

from pipelines.cache.responses import ResponseCache
from pipelines.llm.client import Client
from pipelines.roles import Bench
from pipelines.types import Corpus, Document
from raytuner.objective import Tally
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]


@pytest.fixture
def meter():
    return Tally()


@pytest.fixture
def bench(meter):
    client = Client(ResponseCache(None))
    corpus = Corpus((Document("a.md", "Zinc is mined near Aldersey. It was founded in 1820."),))
    return Bench(
        corpus,
        lambda name, doc: np.zeros(0, np.int64),
        lambda embedder, texts: np.zeros((len(texts), 1), np.float32),
        lambda dialogues, stage: client.converse(dialogues, meter, stage),
    )
