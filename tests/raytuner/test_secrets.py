"""Secrets come from a private file, override nothing, and never appear in a message."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raytuner import secrets
from raytuner.component import ConfigError


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a file of secrets and name it in the environment."""
    before = dict(os.environ)

    def write(text, mode=0o600):
        path = tmp_path / "secrets.env"
        path.write_text(text) if isinstance(text, str) else path.write_bytes(text)
        path.chmod(mode)
        os.environ[secrets.VARIABLE] = str(path)
        return path

    yield write
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def test_values_reach_the_environment_and_only_names_come_back(written):
    written("# keys\nexport A_KEY='sk 1'\nB_KEY=\"two\"\n\nC_KEY= $HOME=x \n")
    assert secrets.load() == ("A_KEY", "B_KEY", "C_KEY")
    assert [os.environ[name] for name in ("A_KEY", "B_KEY", "C_KEY")] == ["sk 1", "two", "$HOME=x"]
    assert secrets.load() == ()


def test_what_is_set_already_keeps_its_value(written, monkeypatch):
    monkeypatch.setenv("A_KEY", "mine")
    written("A_KEY=theirs\nB_KEY=2\n")
    assert secrets.load() == ("B_KEY",)
    assert os.environ["A_KEY"] == "mine"


def test_no_file_is_asked_for(monkeypatch):
    monkeypatch.delenv(secrets.VARIABLE, raising=False)
    assert secrets.load() == ()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o602, 0o620])
def test_a_file_that_others_can_touch_is_refused(written, mode):
    written("A_KEY=sk-hidden\n", mode)
    with pytest.raises(ConfigError, match="chmod 600") as refused:
        secrets.load()
    assert "sk-hidden" not in str(refused.value)
    assert "A_KEY" not in os.environ


@pytest.mark.parametrize(
    "text", ["sk-hidden\n", "=sk-hidden", "2A=sk-hidden", "A B=sk-hidden", "A=sk-hidden\0"]
)
def test_a_line_that_is_not_understood_is_named_by_number_alone(written, text):
    written(f"OK=1\n{text}")
    with pytest.raises(ConfigError, match="line 2") as refused:
        secrets.load()
    assert "hidden" not in str(refused.value)
    assert "OK" not in os.environ


def test_what_is_no_file_of_secrets_is_refused(written, tmp_path):
    os.environ[secrets.VARIABLE] = str(tmp_path)
    with pytest.raises(ConfigError, match="not a file"):
        secrets.load()
    os.environ[secrets.VARIABLE] = str(tmp_path / "none.env")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        secrets.load()
    written(b"A=\xff\xfe\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        secrets.load()
    written("A=" + "x" * 1_000_001)
    with pytest.raises(ConfigError, match="megabyte"):
        secrets.load()


def test_a_pipe_does_not_block(written, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    os.environ[secrets.VARIABLE] = str(pipe)
    with pytest.raises(ConfigError, match="not a file"):
        secrets.load()


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(codec="ascii", min_codepoint=32, max_codepoint=126)),
        max_size=5,
    )
)
def test_quoted_values_come_back_as_they_were(values):
    text = "".join(f"{name}='{value}'\n" for name, value in values.items())
    assert secrets.parse(text, "f") == values
