"""Addresses of Ray clusters, and what is said of those that cannot be used."""

import socket
import time

import pytest

from raytuner.backends import Setting, choose
from raytuner.backends.ray_address import Target, checked_address, reachable
from raytuner.component import ConfigError


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "address", ["local", "auto", "10.0.0.1:6379", "ray://head.example:10001", "[::1]:6379"]
)
def test_addresses(address):
    assert checked_address(address) == address


def test_the_cluster_this_runs_in_is_the_default(monkeypatch):
    assert checked_address(None) == "local"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert checked_address(None) == "10.0.0.1:6379"
    assert checked_address("local") == "local"
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(ConfigError, match="RAY_ADDRESS: 'nowhere' is no address"):
        checked_address(None)


@pytest.mark.parametrize(
    "address", ["head", "head:", "10.0.0.1:0", "10.0.0.1:99999", "ray:/h:1", "user:pw@h:1", "a b:1"]
)
def test_what_is_no_address_is_refused_before_any_work(address):
    with pytest.raises(ConfigError, match="is no address of a Ray cluster; give local, auto,"):
        choose(Setting(backend="ray", address=address))


def test_a_job_server_is_told_apart():
    with pytest.raises(ConfigError, match=r"is a job server: use `raytuner submit --address http"):
        checked_address("http://127.0.0.1:8265")


def test_a_closed_port_is_said_at_once():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            with pytest.raises(ConfigError, match=f"no Ray cluster answers at {address} .*refused"):
                reachable(address)


@pytest.mark.slow
def test_what_is_no_cluster_is_given_up():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
            began = time.monotonic()
            with pytest.raises(ConfigError, match=f"no Ray cluster answers at {address}"):
                reachable(address)
            assert time.monotonic() - began < 20


def test_a_missing_token_file_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(ConfigError, match=r"RAY_AUTH_TOKEN_PATH: .*token holds no token"):
        reachable("local")
    (tmp_path / "token").write_text("0123456789abcdef\n")
    assert reachable("local") == Target("local", loopback=True)
    (tmp_path / "token").unlink()
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert reachable("local") == Target("local", loopback=True)
