"""`raytuner cache` and `raytuner init` as a user types them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from pipelines.cache import Cache
from pipelines.commands import cache, init
from raytuner.component import ConfigError, digest

KEY = digest("some hits")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "cache"
    filled = Cache(folder)
    filled.arrays("hits", KEY, {"depth": 5, "tag": "[b]"}, lambda: {"ids": np.arange(1000)})
    filled.texts("answers", digest("answers"), {}, lambda: ["yes"])
    return folder


def run(command, *args, **options):
    result = CliRunner().invoke(command, [str(arg) for arg in args], **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_showing_is_the_default(root):
    for args in ([], ["show"], ["show", "--cache-dir", root]):
        result = run(cache, "--cache-dir", root, *args)
        assert result.exit_code == 0
        assert [line.split()[:2] for line in result.output.splitlines()[2:4]] == [
            ["stage", "hits"],
            ["stage", "answers"],
        ]
        assert "kB" in result.output


def test_json_for_scripts_wherever_the_options_stand(root):
    for args in (["--cache-dir", root, "--json"], ["show", "--cache-dir", root, "--json"]):
        used = json.loads(run(cache, *args).output)
        assert used["directory"] == str(root)
        assert [row["name"] for row in used["entries"]] == ["hits", "answers"]
        assert used["bytes"] == sum(row["bytes"] for row in used["entries"])


def test_the_environment_names_the_directory(root, monkeypatch, tmp_path):
    monkeypatch.setenv("RAYTUNER_CACHE", str(root))
    assert json.loads(run(cache, "--json").output)["directory"] == str(root)
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "none"))
    assert "is empty" in run(cache).output
    assert not (tmp_path / "none").exists()


def test_explains_an_entry(root):
    text = run(cache, "explain", KEY[:8], "--cache-dir", root).output
    assert f"key      {KEY}" in text
    assert "stage    hits (arrays)" in text
    assert '"depth": 5' in text
    assert json.loads(run(cache, "--json", "explain", KEY, "--cache-dir", root).output)[
        "inputs"
    ] == {"depth": 5, "tag": "[b]"}
    with pytest.raises(ConfigError, match="no cache entry"):
        run(cache, "explain", "ffff0000", "--cache-dir", root)


def test_prunes_what_is_asked_for(root):
    result = run(cache, "--cache-dir", root, "prune", "--stage", "answers", "--yes", "--json")
    assert json.loads(result.output)["freed"] > 0
    assert [row.name for row in Cache(root).usage()] == ["hits"]
    run(cache, "--cache-dir", root, "prune", "--older-than", "30d", "--max-size", "1GB", "--yes")
    assert [row.name for row in Cache(root).usage()] == ["hits"]
    result = run(cache, "--cache-dir", root, "prune", "--all", "--yes")
    assert "0 B left" in result.output
    assert Cache(root).usage() == []


@pytest.mark.parametrize(
    ("size", "left"),
    [
        ("8kB", ["answers"]),
        ("8.2 KiB", ["answers"]),
        ("20 KB", ["hits", "answers"]),
        ("0.02mb", ["hits", "answers"]),
        ("20000", ["hits", "answers"]),
        ("0", []),
    ],
)
def test_sizes_have_units(root, size, left):
    run(cache, "prune", "--cache-dir", root, "--max-size", size, "--yes")
    assert [row.name for row in Cache(root).usage()] == left


@pytest.mark.parametrize(
    "args", [[], ["--max-size", "2 boxes"], ["--max-size", "-1"], ["--older-than", "soon"]]
)
def test_unclear_wishes_remove_nothing(root, args):
    result = run(cache, "--cache-dir", root, "prune", "--yes", *args)
    assert result.exit_code == 2
    assert "--max-size" in result.output or "--older-than" in result.output
    assert len(Cache(root).usage()) == 2


def test_asks_before_removing(root):
    result = run(cache, "--cache-dir", root, "prune", "--all", input="n\n")
    assert result.exit_code == 1
    assert len(Cache(root).usage()) == 2
    run(cache, "--cache-dir", root, "prune", "--all", input="y\n")
    assert Cache(root).usage() == []


def test_an_unknown_stage_is_named(root):
    with pytest.raises(ConfigError, match="Did you mean 'hits'"):
        run(cache, "--cache-dir", root, "prune", "--stage", "hit", "--yes")


def test_init_says_what_it_wrote_and_what_comes_next(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("The answer to the question is known to be 42.")
    monkeypatch.chdir(tmp_path)
    result = run(init)
    assert "study.yaml and golden.example.jsonl" in result.output
    with pytest.raises(ConfigError, match="--force"):
        run(init)
    assert run(init, "--force", "docs").exit_code == 0
