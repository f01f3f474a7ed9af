"""A test endpoint, and clients that ask it."""

import pytest

from pipelines.cache.responses import ResponseCache
from pipelines.llm.client import Client
from pipelines.llm.types import ChatRequest, Message, Sampling
from raytuner.budget import Purse
from raytuner.objective import Tally
from raytuner.paying.turnstile import LocalGate
from tests.endpoint.fixtures import endpoint, endpoints

__all__ = ["endpoint", "endpoints"]


@pytest.fixture
def client():
    """A client whose answers are kept in memory, and nowhere else."""
    return Client(ResponseCache(None))


@pytest.fixture
def sweep():
    """Give the meter of a sweep with so many dollars; its gate starts with no memory."""

    def start(usd=None):
        return Tally(gate=LocalGate(Purse(usd)))

    return start


@pytest.fixture
def question():
    """Make a request of one question."""

    def make(text="What is 17 + 25?", samples=1, schema=None, logprobs=False, **sampling):
        messages = (Message("system", "Be brief."), Message("user", text))
        return ChatRequest(messages, Sampling(**sampling), samples, schema, logprobs)

    return make
