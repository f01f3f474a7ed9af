"""Role Retriever: dense, lexical, fused and diversified rankings.

Every ranking of some depth is a prefix of every deeper one: what depends on a pool of candidates
takes a pool of fixed size, whatever depth is asked for. Nested retrievers are asked through the
library, which answers each of them once.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from pipelines.bm25 import Analyser, Stemmer, Stopwords, term_counts
from pipelines.ranking import FloatArray, best_listed, blocks, padded, snapped, stacked
from pipelines.roles import Library, Retriever
from pipelines.types import IntArray, Ranking

_QUERIES = 32  # whose candidates' vectors are held at once


class Dense(Retriever, kind="dense"):
    """Ranks chunks by the similarity of their vectors to the query's."""

    def rank(self, library: Library, depth: int) -> Ranking:
        """Ask the library's store."""
        return library.dense(depth)


class Bm25(Retriever, kind="bm25"):
    """Ranks chunks by the words they share with the query (Robertson and Zaragoza 2009).

    The formula is in `pipelines.bm25.Terms.search`, what a word is in `pipelines.bm25.Analyser`.
    A chunk that has no word of the query is no hit.
    """

    k1: float = Field(
        default=1.2, ge=0, le=100, description="how slowly repetitions of a word saturate"
    )
    b: float = Field(default=0.75, ge=0, le=1, description="how much long chunks are discounted")
    stemmer: Stemmer = Field(
        default="none", description="language whose word endings are removed (Snowball)"
    )
    stopwords: Stopwords = Field(default="none", description="function words to leave out")
    split_identifiers: bool = Field(
        default=False, description="also index the parts of snake_case and CamelCase words"
    )

    def needs_vectors(self) -> bool:
        """Compare words only."""
        return False

    def rank(self, library: Library, depth: int) -> Ranking:
        """Rank by BM25, ties by chunk number."""
        analyser = Analyser(self.stopwords, self.stemmer, self.split_identifiers)
        terms = term_counts(library.texts, analyser)
        return terms.search(library.queries, depth, k1=self.k1, b=self.b)


class Hybrid(Retriever, kind="hybrid"):
    """Fuses a dense and a sparse ranking.

    `rrf` adds weighted reciprocal ranks, 1 / (rank_constant + rank) (Cormack, Clarke and
    Buettcher 2009), and ignores scores. `min-max` and `z-score` bring the scores of each list to
    a common scale per query, then add them weighted; a chunk that one list does not hold counts
    there as 0 (`min-max`) or as one standard deviation below the list's last hit (`z-score`).
    """

    dense: Retriever = Field(default_factory=Dense, description="one ranking to fuse")
    sparse: Retriever = Field(default_factory=Bm25, description="the other ranking to fuse")
    fusion: Literal["rrf", "min-max", "z-score"] = Field(
        default="rrf", description="fuse ranks, or scores brought to a common scale"
    )
    weight: float = Field(
        default=0.5, ge=0, le=1, description="share of the dense ranking in the fused score"
    )
    rank_constant: int = Field(
        default=60, ge=0, le=10_000, description="rrf only: how little the first ranks stand out"
    )
    pool: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="hits taken from each ranking; the fused ranking holds no others",
    )

    @model_validator(mode="after")
    def _nested_cut_nothing(self) -> Self:
        _refuse_nested_cuts(self, ("dense", "sparse"))
        return self

    def identity(self) -> tuple[Any, ...]:
        """Leave out the rank constant where no ranks are fused: it changes nothing there."""
        role, kind, version, fields = super().identity()
        if self.fusion != "rrf":
            fields = {name: value for name, value in fields.items() if name != "rank_constant"}
        return (role, kind, version, fields)

    def needs_vectors(self) -> bool:
        """Ask the nested retrievers."""
        return self.dense.needs_vectors() or self.sparse.needs_vectors()

    def rank(self, library: Library, depth: int) -> Ranking:
        """Rank the union of both pools; ties by chunk number."""
        depth = min(depth, len(library.texts))
        dense = library.rank(self.dense, self.pool).top(self.pool)
        sparse = library.rank(self.sparse, self.pool).top(self.pool)
        return fused(self._points(dense), self._points(sparse), self.weight, depth)

    def _points(self, ranking: Ranking) -> tuple[Ranking, FloatArray]:
        """Score the places of one list, and absence from it, on the scale of the fusion."""
        hit = ranking.ids >= 0
        if self.fusion == "rrf":
            places = np.arange(1, ranking.ids.shape[1] + 1, dtype=np.float64)
            points = np.where(hit, 1 / (self.rank_constant + places), 0.0)
            return Ranking(ranking.ids, points), np.zeros(len(hit))
        points, absent = _min_max(ranking) if self.fusion == "min-max" else _z_scores(ranking)
        return Ranking(ranking.ids, np.where(hit, points, 0.0)), absent


def _min_max(ranking: Ranking) -> tuple[FloatArray, FloatArray]:
    """Scale each row's hits to [0, 1]; hits that score alike to 1. Absence is 0."""
    hit = ranking.ids >= 0
    low = np.where(hit, ranking.scores, np.inf).min(axis=1, initial=np.inf, keepdims=True)
    high = np.where(hit, ranking.scores, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    span = np.where(high > low, high - low, 1.0)
    scaled = np.where(hit, (np.where(hit, ranking.scores, 0.0) - np.where(hit, low, 0)) / span, 0.0)
    return np.where(high > low, scaled, 1.0), np.zeros(len(hit))


def _z_scores(ranking: Ranking) -> tuple[FloatArray, FloatArray]:
    """Standardise each row's hits. Absence is one deviation below the last of them."""
    hit = ranking.ids >= 0
    scores = np.where(hit, ranking.scores, 0.0)
    count = np.maximum(hit.sum(axis=1, keepdims=True), 1)
    mean = scores.sum(axis=1, keepdims=True) / count
    centred = np.where(hit, scores - mean, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / count)
    # Equal scores leave a deviation of rounding errors: no scale to speak of.
    flat = deviation <= 1e-9 * np.maximum(1.0, np.abs(mean))
    points = np.where(flat, 0.0, centred / np.where(flat, 1.0, deviation))
    absent = points.min(axis=1, initial=0.0, where=hit) - 1.0
    return points, np.where(hit.any(axis=1), absent, 0.0)


def fused(
    one: tuple[Ranking, FloatArray], other: tuple[Ranking, FloatArray], weight: float, depth: int
) -> Ranking:
    """Add two lists of points per query.

    Args:
        one: points of the first list, and per query what absence from it counts.
        other: the same of the second list.
        weight: share of the first list.
        depth: chunks to keep.

    Returns:
        Ranking [queries, depth], ties by chunk number.
    """
    (first, first_absent), (second, second_absent) = one, other
    ids = np.hstack([first.ids, second.ids])
    mine = np.hstack([first.scores, np.tile(first_absent[:, None], second.ids.shape[1])])
    theirs = np.hstack([np.tile(second_absent[:, None], first.ids.shape[1]), second.scores])
    # Sorted by id, a chunk of both lists lies at two neighbouring places: the first list's point
    # at the left one, the second list's at the right one.
    order = np.argsort(ids, axis=1, kind="stable")
    ids, mine, theirs = (np.take_along_axis(array, order, axis=1) for array in (ids, mine, theirs))
    twin = (ids[:, 1:] == ids[:, :-1]) & (ids[:, 1:] >= 0)
    theirs[:, :-1] = np.where(twin, theirs[:, 1:], theirs[:, :-1])
    ids[:, 1:][twin] = -1
    return best_listed(ids, weight * mine + (1 - weight) * theirs, depth, by_id=True)


class Mmr(Retriever, kind="mmr"):
    """Prefers chunks unlike those before them: maximal marginal relevance.

    Greedily takes the candidate with the greatest (1 - diversity) * cosine(query, chunk) -
    diversity * (its greatest cosine to a chunk already taken, at least 0). Source: Carbonell and
    Goldstein (1998), whose lambda is 1 - diversity; the bound at 0 keeps scores from rising.
    """

    retriever: Retriever = Field(
        default_factory=Dense, description="where the candidates come from; their scores are unused"
    )
    diversity: float = Field(
        default=0.1, ge=0, le=1, description="0 ranks by relevance alone, 1 by novelty alone"
    )
    pool: int = Field(
        default=50, ge=1, le=10_000, description="candidates; the ranking holds no others"
    )

    @model_validator(mode="after")
    def _nested_cut_nothing(self) -> Self:
        _refuse_nested_cuts(self, ("retriever",))
        return self

    def rank(self, library: Library, depth: int) -> Ranking:
        """Reorder the candidates; ties in the candidates' order."""
        depth = min(depth, len(library.texts))
        candidates = library.rank(self.retriever, self.pool).top(self.pool)
        vectors, queries = library.vectors(), library.query_vectors()
        found = []
        for part in blocks(len(queries), _QUERIES):
            ids = candidates.ids[part]
            near = snapped(vectors[np.maximum(ids, 0).ravel()]).reshape(
                *ids.shape, vectors.shape[1]
            )
            found.append(self._greedy(ids, near, snapped(queries[part]), depth))
        return stacked(found, depth)

    def _greedy(self, ids: IntArray, near: FloatArray, queries: FloatArray, depth: int) -> Ranking:
        relevance = (1 - self.diversity) * np.matmul(near, queries[:, :, None])[:, :, 0]
        likeness = np.zeros(ids.shape)
        free, rows = ids >= 0, np.arange(len(ids))
        steps = min(depth, ids.shape[1])
        taken = Ranking(np.full((len(ids), steps), -1), np.full((len(ids), steps), -np.inf))
        for step in range(steps):
            scores = np.where(free, relevance - self.diversity * likeness, -np.inf)
            best = scores.argmax(axis=1)
            taken.ids[:, step] = np.where(free[rows, best], ids[rows, best], -1)
            taken.scores[:, step] = scores[rows, best]
            free[rows, best] = False
            latest = np.matmul(near, near[rows, best][:, :, None])[:, :, 0]
            likeness = np.maximum(likeness, latest)
        return padded(taken, depth)


def _refuse_nested_cuts(outer: Retriever, names: tuple[str, ...]) -> None:
    """Refuse nested retrievers that ask for a cut: only the outermost ranking is cut."""
    for name in names:
        nested = getattr(outer, name)
        for late in sorted(nested.late):
            value, default = getattr(nested, late), type(nested).model_fields[late].default
            if value != default:
                raise ValueError(
                    f"{late} of the {name} retriever inside {outer.kind!r} would have no effect: "
                    f"leave it out (it is {value!r}) and set {late} of {outer.kind!r}"
                )
