"""Addresses of job servers, and where the token is looked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import address
from raytuner.component import ConfigError


@pytest.fixture(autouse=True)
def nobody(monkeypatch, tmp_path):
    for name in (
        "RAY_API_SERVER_ADDRESS",
        "RAY_AUTH_MODE",
        "RAY_AUTH_TOKEN",
        "RAY_AUTH_TOKEN_PATH",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8265", "http://127.0.0.1:8265"),
        ("http://head:8265/", "http://head:8265"),
        ("head:9000", "http://head:9000"),
        ("head", "http://head:8265"),
        ("https://ray.example.org", "https://ray.example.org:8265"),
        ("http://[::1]:8265", "http://[::1]:8265"),
    ],
)
def test_addresses_that_are_understood(given, url):
    assert address.job_server(given) == url


@pytest.mark.parametrize(
    "wrong",
    ["ray://head:10001", "http:///", "http://head:99999", "http://head:8265/api", "a:b@head", "h:x",
     "http://me:secret@head:8265", "auto:"],
)  # fmt: skip
def test_what_is_no_job_server_is_refused_in_one_sentence(wrong):
    with pytest.raises(ConfigError, match="--address"):
        address.job_server(wrong)


def test_the_variable_counts_where_no_option_is_given(monkeypatch):
    with pytest.raises(ConfigError, match="RAY_API_SERVER_ADDRESS"):
        address.job_server(None)
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:8270")
    assert address.job_server(None) == "http://127.0.0.1:8270"


@pytest.mark.parametrize(
    ("url", "here"),
    [("http://127.0.0.1:1", True), ("http://localhost:1", True), ("http://[::1]:1", True),
     ("http://10.0.0.1:1", False), ("http://localhost.example.org:1", False)],
)  # fmt: skip
def test_what_is_this_machine(url, here):
    assert address.is_loopback(url) is here


def test_the_token_is_looked_for_where_ray_looks(monkeypatch, nobody):
    assert address.token() is None
    (nobody / ".ray").mkdir()
    (nobody / ".ray" / "auth_token").write_text("from-home\n")
    assert address.token() == "from-home"
    (nobody / "named").write_text("from-file")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nobody / "named"))
    assert address.token() == "from-file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "direct")
    assert address.token() == "direct"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert address.token() is None


@pytest.mark.parametrize("content", ["", "two words", "first\nsecond", "naïve"])
def test_a_token_file_without_a_token_is_named(monkeypatch, nobody, content):
    (nobody / "named").write_text(content)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nobody / "named"))
    with pytest.raises(ConfigError, match="named") as refused:
        address.token()
    assert not content or content.split()[0] not in str(refused.value)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(nobody / "none"))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        address.token()


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=30))
def test_any_text_is_an_address_or_one_clear_refusal(text):
    refusal = ""
    try:
        url = address.job_server(text or "x/")
    except ConfigError as error:
        refusal = str(error)
    assert refusal.startswith("--address: ") or url.startswith(("http://", "https://"))
