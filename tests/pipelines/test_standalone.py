"""The chosen pipeline as a module: without raytuner it finds and answers the same."""

import json
import subprocess
import sys

import pytest

from pipelines import RagObjective
from raytuner.answering import Query
from raytuner.component import ConfigError
from tests.endpoint.fixtures import endpoint

__all__ = ["endpoint"]

RUN = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"raytuner", "pipelines", "cluster", "ray"}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Blocked())
try:
    import raytuner
except ImportError:
    pass
else:
    raise SystemExit("raytuner is there")
sys.path.insert(0, sys.argv[1])
import best
engine = best.query_engine(sys.argv[2])
found = []
for question in json.load(sys.stdin):
    response = engine.query(question)
    hits = [[hit.node.ref_doc_id, hit.node.text, hit.score] for hit in response.source_nodes]
    found.append([str(response), hits])
print(json.dumps(found))
"""
SPLIT = {"kind": "sentence", "size": 24}
MODELS = {"small": {"kind": "openai", "model": "good-1", "free": True}}
CHAT = {"kind": "chat", "model": "small"}


def objective_of(handbook, pipeline, **more):
    section = {**handbook.section, "pipeline": {"chunker": SPLIT, **pipeline}, **more}
    return RagObjective.build(section, root=handbook.root, seed=0)


def answers_without_us(handbook, objective, questions):
    """Write the module and ask it in a process where raytuner cannot be imported."""
    folder = handbook.root / "module"
    folder.mkdir()
    for suffix, content in objective.answerer({}).module().items():
        (folder / f"best{suffix}").write_bytes(content)
    ran = subprocess.run(
        [sys.executable, "-I", "-c", RUN, str(folder), str(handbook.root / "docs")],
        input=json.dumps(questions), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])  # LlamaIndex talks of small chunks


def assert_same(handbook, objective, *, scores=True, answers=False, step=1):
    """Hold module and pipeline against each other on the golden questions."""
    queries = objective.workspace.queries[::step]
    ours = objective.answerer({})
    for question, (answer, hits) in zip(
        queries, answers_without_us(handbook, objective, queries), strict=True
    ):
        served = ours.answer(Query(question))
        assert [hit[:2] for hit in hits] == [[p["document"], p["text"]] for p in served.passages]
        if scores:
            expected = [passage["score"] for passage in served.passages]
            assert [hit[2] for hit in hits] == pytest.approx(expected, abs=1e-6)
        if answers:
            assert answer == served.answer


@pytest.mark.parametrize(
    "pipeline",
    [
        {"retriever": {"kind": "bm25", "top_k": 3, "k1": 0.9}},
        pytest.param({"retriever": {"kind": "dense", "top_k": 4}}, marks=pytest.mark.slow),
        pytest.param(
            {"chunker": {"kind": "token", "size": 32, "overlap": 8}, "retriever": "hybrid"},
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"retriever": {"kind": "dense", "min_score": 0.4}, "chunker": {"kind": "sentence"}},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_it_finds_the_same(handbook, pipeline):
    assert_same(handbook, objective_of(handbook, pipeline))


@pytest.mark.slow
@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_it_finds_the_same_through_chroma(handbook, distance):
    pipeline = {"store": {"kind": "chroma", "distance": distance}, "retriever": "dense"}
    assert_same(handbook, objective_of(handbook, pipeline), scores=False)


@pytest.mark.slow
def test_a_model_is_asked_the_same_and_answers_the_same(handbook, endpoint):
    endpoint.configure(facts={"price of the pump": "seven crowns", "colour": "green"})
    generator = {**CHAT, "temperature": 0.3, "seed": 5, "max_tokens": 40, "stop": ["###"]}
    objective = objective_of(handbook, {"retriever": "bm25", "generator": generator}, models=MODELS)
    assert_same(handbook, objective, answers=True, step=4)
    bodies = [record.body for record in endpoint.requests]
    half = len(bodies) // 2
    for ours, theirs in zip(bodies[half:], bodies[:half], strict=True):
        assert theirs == {**ours, "stream": False}


@pytest.mark.slow
def test_vectors_may_be_openai_s(handbook, endpoint):
    pipeline = {"embedder": {"kind": "openai", "free": True}, "retriever": "dense"}
    assert_same(handbook, objective_of(handbook, pipeline), step=3)


def test_the_module_shows_what_was_chosen(handbook, endpoint):
    objective = objective_of(
        handbook,
        {"retriever": {"kind": "hybrid", "weight": 0.25, "top_k": 7}, "generator": CHAT},
        models=MODELS,
    )
    source = objective.answerer({"retriever.top_k": 9}).module()[".py"].decode()
    for line in ("TOP_K = 9", "CHUNK_TOKENS = 24", "WEIGHT = 0.25", "MODEL = 'good-1'"):
        assert f"\n{line}\n" in source
    compile(source, "best.py", "exec")
    assert "raytuner" not in source
    assert endpoint.key not in source
    assert str(handbook.root) not in source


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        ({"embedder": "lsa"}, "embedder: 'lsa' cannot be written as a module; a module takes"),
        ({"chunker": "recursive"}, "chunker: 'recursive'"),
        ({"chunker": {"kind": "sentence", "tokenizer": "words"}}, "chunker.tokenizer: 'words'"),
        ({"match": "sentences"}, "match: 'sentences'"),
        ({"preprocess": ["lowercase"]}, "preprocess: a preprocessor"),
        ({"reranker": "lexical"}, "reranker: 'lexical'"),
        ({"retriever": "mmr"}, "retriever: 'mmr'"),
        ({"retriever": {"kind": "hybrid", "fusion": "min-max"}}, r"'hybrid' \(min-max\)"),
        ({"retriever": {"kind": "bm25", "stemmer": "english"}}, "stemmer of bm25"),
        ({"generator": "extractive"}, "generator: 'extractive'"),
        ({"generator": {**CHAT, "mode": "refine"}}, "generator: mode 'refine'"),
        ({"generator": {**CHAT, "n": 3}}, "choosing among answers"),
        ({"generator": {**CHAT, "context_tokens": 100}}, "context_tokens below"),
        ({"store": {"kind": "chroma", "url": "http://localhost:1"}}, "'chroma' with a url"),
    ],
)
def test_what_llamaindex_cannot_express_is_named(handbook, pipeline, words):
    answerer = objective_of(handbook, pipeline, models=MODELS).answerer({})
    with pytest.raises(ConfigError, match=words) as caught:
        answerer.module()
    assert "\n" not in caught.value.message


@pytest.mark.slow
def test_documents_it_cannot_read_are_named(handbook):
    (handbook.root / "docs" / "page.html").write_text("<p>Hello</p>")
    with pytest.raises(AssertionError, match=r"this reads .*\.txt only, not \['page.html'\]"):
        answers_without_us(handbook, objective_of(handbook, {"retriever": "bm25"}), ["a"])
