"""The study that `init` writes: valid, explained, and about the documents that are there."""

import json

import pytest
from ruamel.yaml import YAML

from pipelines.documents import load_documents
from pipelines.golden import load_golden
from pipelines.starter import write_study
from raytuner.component import ConfigError

TEXT = """Guide

Zebras are known for black and white stripes. Nobody knows for sure why they have them.
Zebras are known for black and white stripes. They live in the south of Africa today.
"""


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "my project"
    (folder / "docs" / "deep").mkdir(parents=True)
    (folder / "docs" / "deep" / "zebra.md").write_text(TEXT, encoding="utf-8")
    return folder


def read(path):
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def test_writes_a_study_for_the_documents(here):
    write_study(here, None)
    study = read(here / "study.yaml")
    assert study["name"] == "my-project"
    assert study["objective"]["documents"] == "docs/"
    assert study["objective"]["golden"] == "golden.jsonl"
    assert study["objective"]["metrics"] == ["recall@1000tok", "recall", "ndcg@10"]
    assert study["space"]["retriever.top_k"] == {"int": [2, 10], "step": 2}
    assert study["constraints"] == ["chunker.overlap < chunker.size"]
    assert study["budget"] == {"trials": 200, "seconds": 3600}
    comments = [line for line in (here / "study.yaml").read_text().splitlines() if "#" in line]
    assert len(comments) > 15
    assert not any("$" in line for line in comments)


def test_the_study_and_its_pipeline_are_valid(here):
    from pipelines.config import RagConfig
    from raytuner.study import Study

    write_study(here, None)
    study = Study.parse(read(here / "study.yaml"))
    study.parsed_space()
    RagConfig.parse(study.objective["pipeline"])


def test_what_is_commented_out_is_valid_too(here):
    from pipelines.objective import RagObjective
    from raytuner.study import Study

    write_study(here, None)
    lines = (here / "study.yaml").read_text(encoding="utf-8").splitlines()
    metrics = next(n for n, line in enumerate(lines) if line.startswith("  metrics:"))
    fields = ("metrics:", "models:", "generator:", "generator.temperature:")
    shown = [
        line.replace("# ", "", 1) if line.strip().removeprefix("# ").startswith(fields) else line
        for n, line in enumerate(lines)
        if n != metrics
    ]
    (here / "study.yaml").write_text("\n".join(shown), encoding="utf-8")
    golden = {"id": "1", "question": "Why?", "answer": "Nobody knows.", "evidence": []}
    (here / "golden.jsonl").write_text(json.dumps(golden), encoding="utf-8")
    study = Study.parse(read(here / "study.yaml"))
    section = {name: value for name, value in study.objective.items() if name != "kind"}
    objective = RagObjective.build(section, root=here, seed=0)
    assert "correctness" in objective.metrics()
    assert "generator.temperature" in study.space
    assert objective.key({"generator.temperature": 0.5}) != objective.key({})


def test_the_example_is_a_golden_set_with_a_real_quote_that_stands_once(here):
    write_study(here, None)
    corpus = load_documents("docs/", here)
    _, golden = load_golden("golden.example.jsonl", corpus, here)
    (span,) = golden.questions[0].evidence[0]
    quote = corpus.documents[span.doc].text[span.start : span.end]
    assert quote == "Nobody knows for sure why they have them."


def test_the_first_readable_document_serves(here):
    (here / "docs" / "a.txt").write_bytes(b"\xff\xfe\x00")
    (here / "docs" / "b.pdf").write_bytes(b"no pdf")
    (here / "docs" / ".hidden.md").write_text("Hidden files are not documents, they are hidden.")
    write_study(here, None)
    example = json.loads((here / "golden.example.jsonl").read_text())
    assert example["evidence"][0]["doc"] == "deep/zebra.md"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("golden.jsonl", '\n{"id": "1", "question": "Why?"}\n'),
        ("my questions.csv", "id;question\n1;Why?\n"),
    ],
)
def test_a_golden_set_that_is_there_is_used(here, name, content):
    (here / "other.jsonl").write_text('{"text": "no questions"}\n')
    (here / "prices.csv").write_text("name,price\n")
    (here / "torn.jsonl").write_text("{")
    (here / name).write_text(content)
    said = write_study(here, None)
    assert read(here / "study.yaml")["objective"]["golden"] == name
    assert not (here / "golden.example.jsonl").exists()
    assert name in said[1]


def test_a_golden_set_beside_the_documents_is_used(here):
    (here / "data").mkdir()
    (here / "docs").rename(here / "data" / "docs")
    (here / "data" / "questions.jsonl").write_text('{"id": "1", "question": "Why?"}\n')
    write_study(here, here / "data" / "docs")
    objective = read(here / "study.yaml")["objective"]
    assert (objective["documents"], objective["golden"]) == ("data/docs/", "data/questions.jsonl")


def test_other_folders_are_found_and_named_as_yaml_needs(here):
    (here / "docs").rename(here / "on: the #1")
    (here / "node_modules" / "x").mkdir(parents=True)
    (here / "node_modules" / "x" / "README.md").write_text("Not a document of this project.")
    write_study(here, None)
    assert read(here / "study.yaml")["objective"]["documents"] == "on: the #1/"


def test_documents_elsewhere_are_named_absolutely(here, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.txt").write_text("One sentence that is long enough to quote.")
    write_study(here, tmp_path / "elsewhere")
    assert read(here / "study.yaml")["objective"]["documents"] == f"{tmp_path}/elsewhere/"


def test_nothing_is_overwritten_unless_forced(here):
    (here / "study.yaml").write_text("mine")
    with pytest.raises(ConfigError, match=r"study\.yaml exists already; use --force"):
        write_study(here, None)
    assert (here / "study.yaml").read_text() == "mine"
    write_study(here, None, force=True)
    (here / "study.yaml").unlink()
    (here / "golden.example.jsonl").write_text("mine")
    write_study(here, None)
    assert (here / "golden.example.jsonl").read_text() == "mine"


def test_folders_that_cannot_serve_are_named(here, tmp_path):
    (here / "empty").mkdir()
    (here / "empty" / "a.bin").touch()
    for folder, reason in (
        ("nowhere", "is not there"),
        ("empty", "no documents"),
        (".", "folder of their own"),
    ):
        with pytest.raises(ConfigError, match=reason):
            write_study(here, here / folder)
    with pytest.raises(ConfigError, match="holds documents; put files ending in"):
        write_study(here / "empty", None)
    assert not (here / "study.yaml").exists()
