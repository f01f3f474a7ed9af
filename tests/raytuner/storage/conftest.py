"""Storage to test against: a disk, memory, and (slow) a real S3 server on loopback."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from typing import NamedTuple

import pytest

from raytuner.journal import encode
from raytuner.storage.place import _file_system


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path):
    """An empty place."""
    if request.param == "file":
        return f"file://{tmp_path}/storage"
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def lines():
    """Give so many new journal lines."""
    numbers = itertools.count()

    def make(count):
        return b"".join(
            encode({"event": "units", "n": next(numbers), "t": 1.0}) for _ in range(count)
        )

    return make


class Server(NamedTuple):
    """A running S3 server, and what reaches it."""

    endpoint: str
    environment: dict
    url: str


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    """Start an S3 server that checks signatures, with one user and one bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path_factory.mktemp("s3") / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": "4"},
        stdout=log,
        stderr=log,
    )
    try:
        _wait_for(port, process)
        yield _furnish(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.fixture
def s3(s3_server, monkeypatch):
    """Point this process at the S3 server; give an empty place on it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    _file_system.cache_clear()
    yield f"{s3_server.url}/{uuid.uuid4().hex}"
    _file_system.cache_clear()


def _wait_for(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, "the S3 server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the S3 server does not answer")


def _furnish(endpoint):
    import boto3

    options = {
        "endpoint_url": endpoint,
        "region_name": "us-east-1",
        "aws_access_key_id": "setup",
        "aws_secret_access_key": "setup",
    }
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam = boto3.client("iam", **options)
    iam.create_user(UserName="tuner")
    key = iam.create_access_key(UserName="tuner")["AccessKey"]
    iam.put_user_policy(UserName="tuner", PolicyName="all", PolicyDocument=policy)
    boto3.client("s3", **options).create_bucket(Bucket="bucket")
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    return Server(endpoint, environment, "s3://bucket")
