"""Whole objects in, whole objects out; a bad address or a secret in it is one sentence."""

import errno
import os
import pickle
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raytuner.component import ConfigError
from raytuner.storage.place import StorageError, place_at, told


def test_objects_come_back_and_go(url):
    place = place_at(url).under("a", "b")
    assert place.names() == []
    assert place.read("x") is None
    assert place.modified("x") is None
    place.write("x", b"one")
    place.write("x", b"two")
    place.write("w", b"")
    assert place.read("x") == b"two"
    assert place.read_all(["w", "none", "x"]) == [b"", None, b"two"]
    assert place.names() == ["w", "x"]
    assert place_at(url).names() == [], "folders are no objects"
    assert abs(place.modified("x") - time.time()) < 60
    place.remove("x")
    place.remove("x")
    assert place.names() == ["w"]


def test_only_one_creates(url):
    place = place_at(url)
    assert place.create("x", b"one")
    assert not place.create("x", b"two")
    assert place.read("x") == b"one"


def test_a_disk_without_links_creates_all_the_same(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    test_only_one_creates(f"file://{tmp_path}")


def test_a_place_travels(url):
    place = pickle.loads(pickle.dumps(place_at(url)))
    place.write("x", b"1")
    assert place_at(url + "/").read("x") == b"1"
    assert place.url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("s4://bucket/x", "unknown scheme 's4'.*known: file, s3, gs"),
        ("bucket/x", "no URL"),
        ("", "no URL"),
        ("file://x/y", "no absolute path"),
        ("file:///", "names no folder"),
        ("s3://", "names no bucket"),
        ("s3:///x", "names no bucket"),
        ("file:///a/../b", "no plain path"),
        ("s3://bucket//x", "no plain path"),
    ],
)
def test_bad_addresses(url, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        place_at(url)
    assert caught.value.field == ("storage",)


@pytest.mark.parametrize(
    "url",
    [
        "s3://user:hunter2@bucket/x",
        "user:hunter2@bucket",
        "s3://bucket/x?secret=hunter2",
        "hunter2?x",
        "gs://bucket/x#hunter2",
        "http://user:hunter2@host",
    ],
)
def test_credentials_in_the_address_are_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="environment") as caught:
        place_at(url)
    assert "hunter2" not in str(caught.value)


def test_secrets_of_the_environment_are_not_repeated(monkeypatch):
    monkeypatch.setenv("SOME_SECRET_KEY", "hunter2hunter2")
    said = told(RuntimeError("bad key hunter2hunter2 at https://me:pw@host/x"))
    assert "hunter2" not in said
    assert "me:pw" not in said
    assert "host" in said


def test_a_disk_that_refuses_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")
    place = place_at(f"file://{tmp_path}/file/x")
    for request in (lambda: place.write("a", b""), lambda: place.create("a", b"")):
        with pytest.raises(StorageError, match="cannot"):
            request()


def test_readers_see_whole_files_only(tmp_path):
    place = place_at(f"file://{tmp_path}")
    place.write("x", b"0" * 100_000)
    ended = threading.Event()

    def write():
        for digit in b"123456789":
            place.write("x", bytes([digit]) * 100_000)
        ended.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not ended.is_set():
        seen = place.read("x")
        assert len(seen) == 100_000
        assert len(set(seen)) == 1
    writer.join()


def test_what_a_killed_writer_left_is_no_object_and_is_swept(tmp_path):
    place = place_at(f"file://{tmp_path}")
    young, old = tmp_path / ".x.1.partial", tmp_path / ".x.2.partial"
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 100_000,) * 2)
    assert place.names() == []
    place.write("y", b"")
    assert young.exists()
    assert not old.exists()


@given(st.binary(max_size=50), st.from_regex(r"[a-z0-9_=+ %*?-]{1,20}", fullmatch=True))
def test_any_bytes_under_any_name(content, name):
    place = place_at("memory://any")
    place.write(f"n{name}", content)
    assert place.read(f"n{name}") == content


def test_names_with_patterns_are_plain_names(tmp_path):
    place = place_at(f"file://{tmp_path}")
    place.write("a*[b]", b"1")
    assert place.read("a*[b]") == b"1"
    assert Path(tmp_path, "a*[b]").exists()
