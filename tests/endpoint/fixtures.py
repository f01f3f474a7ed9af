"""Fixtures over the test endpoint. In a conftest.py or a test module:

from tests.endpoint.fixtures import endpoint, endpoints

__all__ = ["endpoint", "endpoints"]
"""

import contextlib

import pytest

from tests.endpoint.server import Endpoint


@pytest.fixture
def endpoint(monkeypatch):
    """An endpoint with the usual settings; its key is in OPENAI_API_KEY, its URL in
    OPENAI_BASE_URL. `endpoint.configure(...)` changes it.
    """
    with Endpoint() as running:
        monkeypatch.setenv("OPENAI_API_KEY", running.key)
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


@pytest.fixture
def endpoints(monkeypatch):
    """Start endpoints with settings of their own: `endpoints(latency=0.1)`."""
    with contextlib.ExitStack() as stack:

        def start(**settings):
            running = stack.enter_context(Endpoint(**settings))
            monkeypatch.setenv("OPENAI_API_KEY", running.key)
            return running

        yield start
