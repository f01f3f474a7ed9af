"""Storage that cannot be used is one clear sentence before any work, in bounded time."""

import os
import socket
import sys
import time

import pytest

from raytuner.component import ConfigError, MissingExtraError
from raytuner.storage import check_storage
from raytuner.storage.place import _file_system, place_at


def test_what_can_be_written_passes_and_stays_empty(url):
    check_storage(url)
    assert place_at(url).names() == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"storage: file:.*/file/x cannot be used: ") as caught:
        check_storage(f"file://{tmp_path}/file/x")
    assert caught.value.field == ("storage",)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_others(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be used: Permission denied"):
        check_storage(f"file://{tmp_path}/x")


@pytest.mark.parametrize(
    ("url", "module", "extra"), [("s3://b/x", "s3fs", "s3"), ("gs://b/x", "gcsfs", "gcs")]
)
def test_a_missing_package_names_the_command(monkeypatch, url, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{module}.*pip install 'raytuner\[{extra}\]'"):
        check_storage(url)


@pytest.fixture
def endpoint(monkeypatch):
    """Send S3 requests of this process to an address."""
    pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret-at-all")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _file_system.cache_clear()
    yield lambda address: monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    _file_system.cache_clear()


def test_an_endpoint_where_nobody_listens(endpoint):
    endpoint("http://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"s3://bucket/x cannot be used: .*connect") as caught:
        check_storage("s3://bucket/x")
    assert "not-a-secret" not in str(caught.value)


def test_an_endpoint_that_never_answers(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}")
        started = time.monotonic()
        with pytest.raises(ConfigError, match=r"s3://bucket/x: no answer within 0.5 seconds"):
            check_storage("s3://bucket/x", seconds=0.5)
        assert time.monotonic() - started < 5
