"""What is packed with a study, what never is, and how archives are opened."""

import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import package
from cluster.package import pack, unpack, write_archive
from raytuner.component import ConfigError


@pytest.fixture
def site(tmp_path):
    """A folder with more in it than a study needs."""
    root = tmp_path / "site"
    for name in (
        "study.yaml", "docs/a.md", "docs/deep/b.md", "docs/.git/config", "golden.jsonl",
        "other.bin", "obj.py", "beside.py", "plugin/__init__.py", "plugin/part.py",
        "prompts/one.txt", ".env", "docs/server.pem", "runs/toy/journal.jsonl",
        ".venv/lib/x.py", "__pycache__/obj.pyc",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def packed(site, tmp_path, include=(), **data):
    return pack(site / "study.yaml", data, tmp_path / "out.zip", include=include)


RAG = {"kind": "rag", "documents": "docs", "golden": {"path": "golden.jsonl", "format": "native"}}


def test_data_that_the_study_names_is_packed_and_nothing_else(site, tmp_path):
    made = packed(site, tmp_path, objective=RAG)
    assert made.names == ("docs/a.md", "docs/deep/b.md", "golden.jsonl", "study.yaml")
    assert made.notes == ("server.pem may hold secrets and is not packed",)
    assert made.size == (tmp_path / "out.zip").stat().st_size


def test_globs_lists_and_values_of_the_space_are_followed(site, tmp_path):
    rag = {"kind": "rag", "documents": ["docs/*.md"], "golden": "golden.jsonl"}
    made = packed(site, tmp_path, objective=rag, space={"prompt": {"choice": ["prompts/one.txt"]}})
    assert made.names == ("docs/a.md", "golden.jsonl", "prompts/one.txt", "study.yaml")


def test_own_modules_travel_with_their_neighbours(site, tmp_path):
    made = packed(site, tmp_path, objective={"kind": "obj:score"}, plugins=["plugin.part"])
    assert made.names == (
        "beside.py", "obj.py", "plugin/__init__.py", "plugin/part.py", "study.yaml",
    )  # fmt: skip
    assert packed(site, tmp_path, objective={"kind": "json:loads"}).names == ("study.yaml",)


def test_more_is_packed_when_asked_for_but_no_secret_result_or_cache(site, tmp_path, monkeypatch):
    made = packed(site, tmp_path, include=[site], objective=RAG)
    assert set(made.names) == {
        "beside.py", "docs/a.md", "docs/deep/b.md", "golden.jsonl", "obj.py", "other.bin",
        "plugin/__init__.py", "plugin/part.py", "prompts/one.txt", "study.yaml",
    }  # fmt: skip
    assert ".env may hold secrets and is not packed" in made.notes
    for wrong, words in ((site.parent, "lies outside"), (site / "none", "there is no")):
        with pytest.raises(ConfigError, match=words):
            packed(site, tmp_path, include=[wrong], objective=RAG)


def test_absolute_paths_stay_where_they_are_and_are_told(site, tmp_path):
    made = packed(site, tmp_path, objective={"kind": "rag", "documents": str(tmp_path)})
    assert made.names == ("study.yaml",)
    assert "must have it at the same place" in made.notes[0]


def test_what_leads_out_of_the_folder_is_not_packed(site, tmp_path):
    (tmp_path / "private.txt").write_text("mine")
    (site / "link.txt").symlink_to(tmp_path / "private.txt")
    objective = {"kind": "rag", "documents": "../private.txt", "golden": "link.txt"}
    assert packed(site, tmp_path, objective=objective).names == ("study.yaml",)


@pytest.mark.parametrize("name", ["raytuner/__init__.py", "ray.py", "cluster/__init__.py"])
def test_a_file_in_the_place_of_one_of_our_packages_is_refused(site, tmp_path, name):
    (site / name).parent.mkdir(exist_ok=True)
    (site / name).write_text("")
    with pytest.raises(ConfigError, match="take the place of the package"):
        packed(site, tmp_path, include=[site], objective=RAG)


def test_too_much_is_refused_with_the_largest_file(site, tmp_path, monkeypatch):
    monkeypatch.setattr(package, "LIMIT", 1000)
    (site / "docs" / "big.md").write_bytes(bytes(range(256)) * 1000)
    with pytest.raises(ConfigError, match=r"largest: docs/big\.md"):
        packed(site, tmp_path, objective=RAG)


def test_equal_files_make_equal_archives_and_any_change_another(site, tmp_path):
    first = packed(site, tmp_path, objective=RAG)
    content = first.path.read_bytes()
    (site / "docs" / "a.md").touch()
    again = packed(site, tmp_path, objective=RAG)
    assert (again.digest, again.path.read_bytes()) == (first.digest, content)
    beside = pack(site / "study.yaml", {"objective": RAG}, tmp_path / "b.zip", beside={"j": b"1"})
    assert beside.digest == first.digest, "what is no part of the study does not count"
    (site / "docs" / "a.md").write_text("changed")
    assert packed(site, tmp_path, objective=RAG).digest != first.digest


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr(name, "x")
    (tmp_path / "in").mkdir()
    with pytest.raises(ConfigError, match="leads out"):
        unpack(tmp_path / "bad.zip", tmp_path / "in", limit=100)
    assert not list((tmp_path / "in").iterdir())
    assert not (tmp_path / "out.txt").exists()


def test_a_bomb_and_a_damaged_archive_are_refused(tmp_path):
    write_archive({"zeros": b"\0" * 10_000}, tmp_path / "bomb.zip")
    with pytest.raises(ConfigError, match="more than 9,999 bytes"):
        unpack(tmp_path / "bomb.zip", tmp_path, limit=9_999)
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(ConfigError, match="damaged"):
        unpack(tmp_path / "bad.zip", tmp_path, limit=100)


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.from_regex(r"[a-zé0-9_-]{1,8}(/[a-z]{1,8}){0,2}\.txt", fullmatch=True),
        st.binary(max_size=50),
        max_size=5,
    )
)
def test_what_is_packed_comes_out_as_it_was(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("round")
    write_archive(files, folder / "a.zip")
    names = unpack(folder / "a.zip", folder / "out", limit=10_000)
    assert {name: (folder / "out" / name).read_bytes() for name in names} == files
