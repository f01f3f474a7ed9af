"""Adapters as embedders: the file, vectors that depend on their text alone, and bad files."""

import numpy as np
import pytest

from pipelines.cache import Cache
from pipelines.config import RagConfig
from pipelines.embedders import Adapted, AdaptedFitted, Lsa
from pipelines.embedders.adapted import fitted_on, rooted
from pipelines.embedders.projection import AdapterFile, Projection, read_adapter, write_adapter
from pipelines.roles import Embedded, Embedder
from raytuner.component import ConfigError
from raytuner.objective import Tally

RANDOM = np.random.default_rng(5)
TEXTS = [f"text {number} about {topic}" for number in range(9) for topic in ("pumps", "valves")]


class Words(Embedder, kind="words-for-tests"):
    """Vectors of words; counts the texts it embeds."""

    def fingerprint(self):
        return "words"

    def embed(self, texts, *, query, meter):
        meter.count("texts embedded", len(texts))
        rows = np.array([np.random.default_rng(list(t.encode())).normal(size=8) for t in texts])
        rows = rows.reshape(len(texts), 8) / np.linalg.norm(rows, axis=-1, keepdims=True)
        return Embedded(rows.astype(np.float32), np.zeros(len(texts), np.int64))


def linear(width=8, sides="queries"):
    matrix = np.eye(width) + RANDOM.normal(scale=0.4, size=(width, width))
    return Projection("linear", sides, {"matrix": matrix, "bias": RANDOM.normal(size=width)})


def two_layer(width=8, sides="both"):
    weights = {
        "inner": RANDOM.normal(size=(5, width)), "inner_bias": RANDOM.normal(size=5),
        "outer": RANDOM.normal(size=(width, 5)), "bias": RANDOM.normal(size=width),
    }  # fmt: skip
    return Projection("two-layer", sides, weights)


def written(path, projection, base="words", **facts):
    write_adapter(AdapterFile(projection, base, **facts), path)
    return str(path)


def unit(rows, width=8):
    made = RANDOM.normal(size=(rows, width))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


# ---- projections


@pytest.mark.parametrize("projection", [linear(), two_layer()], ids=lambda p: p.kind)
def test_projections_follow_their_formula(projection):
    rows, w = unit(6), projection.weights
    if projection.kind == "linear":
        wanted = rows @ w["matrix"].T + w["bias"]
    else:
        wanted = rows + np.maximum(rows @ w["inner"].T + w["inner_bias"], 0) @ w["outer"].T
        wanted = wanted + w["bias"]
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    assert projection.apply(rows, query=True) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("projection", [linear(96), two_layer(96)], ids=lambda p: p.kind)
def test_a_vector_does_not_depend_on_those_beside_it(projection):
    rows = unit(301, 96)
    together = projection.apply(rows, query=True)
    one_by_one = [projection.apply(rows[n : n + 1], query=True) for n in range(301)]
    assert np.array_equal(together, np.concatenate(one_by_one))
    assert np.array_equal(together[::-1], projection.apply(rows[::-1].copy(), query=True))


def test_the_side_that_is_not_meant_and_empty_vectors_stay_as_they_are():
    rows = unit(3)
    assert linear().apply(rows, query=False) is rows
    assert Projection().apply(rows, query=True) is rows
    plain = Projection("linear", "queries", {"matrix": np.eye(8)})
    assert plain.apply(np.zeros((2, 8), np.float32), query=True) == pytest.approx(0.0)
    assert linear().apply(np.zeros((0, 8), np.float32), query=True).shape == (0, 8)


# ---- the file


def test_a_file_holds_what_was_written(tmp_path):
    projection = two_layer()
    path = tmp_path / "a.npz"
    written(path, projection, fitted_on="f", about={"questions": ["q"]})
    found = read_adapter(path)
    assert found.projection.kind == "two-layer"
    assert found.projection.sides == "both"
    assert found.base == "words"
    assert found.fitted_on == "f"
    assert found.about == {"questions": ["q"]}
    for name, values in projection.weights.items():
        assert np.array_equal(found.projection.weights[name], values)


def test_equal_adapters_have_equal_content_wherever_they_come_from(tmp_path):
    projection = linear()
    one = written(tmp_path / "one.npz", projection, about={"a": 1})
    two = written(tmp_path / "two.npz", projection)
    three = written(tmp_path / "three.npz", projection._replace(sides="both"))
    prints = [Adapted(base=Words(), adapter=path).fingerprint() for path in (one, two, three)]
    assert prints[0] == prints[1] != prints[2]


BAD = {
    "text": b"hello",
    "empty": b"",
    "zip": b"PK\x05\x06" + bytes(18),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_adapter_is_refused_in_one_sentence(tmp_path, name):
    path = tmp_path / "bad.npz"
    path.write_bytes(BAD[name])
    with pytest.raises(ConfigError, match=r"bad.npz: this is no adapter, or a damaged one"):
        read_adapter(path)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    written(path, linear())
    raw = bytearray(path.read_bytes())
    for place in (len(raw) // 3, len(raw) - 30):
        broken = bytearray(raw)
        broken[place] ^= 0xFF
        path.write_bytes(broken)
        with pytest.raises(ConfigError, match=r"a.npz: "):
            read_adapter(path)
    with pytest.raises(ConfigError, match="No such file"):
        read_adapter(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("projection", "said"),
    [
        (Projection("linear", "queries", {"matrix": np.full((2, 2), np.nan)}), "not finite"),
        (Projection("linear", "queries", {"matrix": np.zeros((2, 3))}), "do not go together"),
        (Projection("linear", "queries", {"matrix": np.zeros(3)}), "of 1 dimensions"),
        (Projection("linear", "queries", {"bias": np.zeros(3)}), "holds matrix, bias, got bias"),
        (Projection("cubic", "queries", {}), "kind 'cubic'"),
        (Projection("linear", "rows", {"matrix": np.eye(2)}), "for 'rows' is not known"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tmp_path, projection, said):
    path = tmp_path / "a.npz"
    written(path, projection)
    with pytest.raises(ConfigError, match=said):
        read_adapter(path)


# ---- as embedders


def test_vectors_of_the_base_are_embedded_once_whatever_is_adapted(tmp_path):
    cache, meter = Cache(tmp_path / "cache"), Tally()
    base = Words()
    plain = cache.vectors.embed_texts(base, TEXTS, query=True, meter=meter).vectors
    for number in (1, 2):
        projection = linear()
        embedder = Adapted(base=base, adapter=written(tmp_path / f"{number}.npz", projection))
        assert cache.vectors.lookup_missing(embedder, TEXTS, query=True) == 0
        found = cache.vectors.embed_texts(embedder, TEXTS, query=True, meter=meter).vectors
        assert np.array_equal(found, projection.apply(plain, query=True))
        assert np.array_equal(found, embedder.embed(TEXTS, query=True, meter=Tally()).vectors)
        documents = embedder.embed(TEXTS, query=False, meter=Tally()).vectors
        assert np.array_equal(documents, plain)  # this base knows no roles
    assert meter.counts["texts embedded"] == len(TEXTS)


def test_a_changed_file_is_another_embedder(tmp_path):
    path = tmp_path / "a.npz"
    embedder = Adapted(base=Words(), adapter=written(path, linear()))
    before = embedder.fingerprint(), embedder.identity()
    written(path, two_layer())
    assert embedder.fingerprint() != before[0]
    assert embedder.identity() != before[1]


def test_an_adapter_of_another_base_or_size_is_refused_in_one_sentence(tmp_path):
    other = Adapted(base="minilm", adapter=written(tmp_path / "a.npz", linear()))
    with pytest.raises(ConfigError, match=r"it was trained on words, and the base is all-MiniLM"):
        other.fingerprint()
    short = Adapted(base=Words(), adapter=written(tmp_path / "b.npz", linear(6)))
    with pytest.raises(ConfigError, match="it takes vectors of 6 numbers, and the base gives 8"):
        short.embed(TEXTS, query=True, meter=Tally())
    lost = Adapted(base=Words(), adapter=str(tmp_path / "none.npz"))
    with pytest.raises(ConfigError, match=r"none.npz: No such file"):
        lost.embed(TEXTS, query=True, meter=Tally())


def test_fitted_bases_are_adapted_for_the_chunks_they_are_fitted_on(tmp_path):
    base = Lsa(dimensions=6)
    plain, embed = base.fit(TEXTS)
    projection = linear(plain.shape[1])
    file = written(tmp_path / "a.npz", projection, base.fingerprint(), fitted_on=fitted_on(TEXTS))
    embedder = AdaptedFitted(base=base, adapter=file)
    documents, queries = embedder.fit_embed(TEXTS, ["pumps", "text 3"])
    assert np.array_equal(documents, plain)
    wanted = projection.apply(embed(["pumps", "text 3"]), query=True)
    assert np.array_equal(queries, wanted)
    with pytest.raises(ConfigError, match="lsa fitted on other chunks than these 17"):
        embedder.fit(TEXTS[1:])


@pytest.mark.parametrize(
    ("kind", "base", "said"),
    [("adapted", "lsa", "write `kind: adapted-fitted`"), ("adapted-fitted", "minilm", "`adapted`")],
)
def test_each_kind_takes_its_bases(kind, base, said):
    with pytest.raises(ConfigError, match=said):
        RagConfig.parse({"embedder": {"kind": kind, "base": base, "adapter": "a.npz"}})


def test_relative_paths_start_where_the_study_is(tmp_path):
    config = RagConfig.parse({"embedder": {"kind": "adapted", "adapter": "sub/a.npz"}})
    assert rooted(config, tmp_path).embedder.adapter == str(tmp_path / "sub" / "a.npz")
    assert config.embedder.adapter == "sub/a.npz"
    outside = RagConfig.parse({"embedder": {"kind": "adapted", "adapter": "../a.npz"}})
    with pytest.raises(ConfigError, match=r"\.\./a\.npz"):
        rooted(outside, tmp_path)
    plain = RagConfig.parse({})
    assert rooted(plain, tmp_path) is plain
