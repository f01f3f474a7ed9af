"""Fixtures of the embedder tests."""

import pytest

from tests.endpoint.fixtures import endpoint

from .server import running

__all__ = ["endpoint"]

KEY = "sk-test-0123456789abcdefghij"


@pytest.fixture
def server():
    with running() as started:
        yield started


@pytest.fixture
def key(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return KEY
