"""What a user of a configuration would notice: waiting, and the size of the index."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.measuring import PATIENCE, SAMPLE, one_at_a_time, typical
from pipelines.objective import RagObjective
from raytuner.objective import LATENCY, Tally
from tests.pipelines.test_objective import build, priced


def notes_of(objective, params=None, units=None):
    units = objective.units() if units is None else units
    scores = [s for batch in objective.evaluate(params or {}, units, Tally()) for s in batch]
    return {score.unit: score.notes or {} for score in scores}


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still but for what a test adds."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr("pipelines.measuring.time.perf_counter", lambda: now.seconds)
    return now


def test_a_few_queries_are_timed_one_at_a_time_after_one_that_warms_up(clock):
    ran = []

    def run(number):
        clock.seconds += 0.5 if not ran else 0.001 * (number + 1)
        ran.append(number)

    seconds = one_at_a_time(SAMPLE + 5, run)
    known = np.flatnonzero(~np.isnan(seconds))
    assert sorted(ran) == [0, *known.tolist()]
    assert (len(known), known[0], known[-1]) == (SAMPLE, 0, SAMPLE + 4)  # from all over the set
    np.testing.assert_allclose(seconds[known], 0.001 * (known + 1))


def test_slow_stages_need_fewer_queries(clock):
    def run(number):
        del number
        clock.seconds += PATIENCE * 0.75

    seconds = one_at_a_time(10, run)
    assert np.flatnonzero(~np.isnan(seconds)).tolist() == [0, 2]


def test_measuring_fails_nobody():
    def run(number):
        raise RuntimeError(number)

    assert np.isnan(one_at_a_time(3, run)).all()
    assert len(one_at_a_time(0, run)) == 0
    assert math.isnan(typical(one_at_a_time(3, run)))
    assert typical(np.array([3.0, np.nan, 1.0])) == 2.0


@pytest.mark.parametrize(
    "pipeline",
    [
        {"retriever": {"kind": "bm25"}},
        {"retriever": {"kind": "hybrid"}},
        {"retriever": {"kind": "mmr"}, "match": {"kind": "sentences"}},
        {"reranker": {"kind": "lexical"}},
        {"embedder": {"kind": "lsa"}},
    ],
)
def test_every_retrieval_tells_how_long_a_query_takes(handbook, pipeline):
    objective = build(handbook, pipeline=pipeline)
    taken = [note[LATENCY] for note in notes_of(objective).values() if LATENCY in note]
    assert 1 <= len(taken) <= SAMPLE < len(objective.workspace.queries)
    assert all(0 < seconds < 60 for seconds in taken)


def test_a_latency_is_measured_once_and_kept_with_the_ranking(handbook):
    first = notes_of(build(handbook))
    again = notes_of(build(handbook))
    assert again == first


def test_a_ranking_is_the_same_whether_it_is_timed_or_not(handbook):
    objective = build(handbook, pipeline={"retriever": {"kind": "hybrid"}})
    space = objective.workspace
    timed = space.library(objective.config, Tally())
    plain = type(timed)(timed.ingestion, timed.queries, cache=type(space.cache)(None))
    one, other = timed.reranked(64), plain.reranked(64)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert (timed.seconds(64)[:2] > 0).any()
    assert np.isnan(plain.seconds(64)).all()


def test_measuring_is_no_work_of_the_trial(handbook):
    meter = Tally()
    objective = build(handbook)
    list(objective.evaluate({}, objective.units(), meter))
    queries = len(objective.workspace.queries)
    chunks = len(objective.workspace.ingestion(objective.config, Tally()).matched_texts)
    assert meter.counts["texts embedded"] <= queries + chunks


def test_measuring_spends_nothing(handbook):
    meter, objective = Tally(), priced(handbook)
    notes = [s.notes for b in objective.evaluate({}, objective.units(), meter) for s in b]
    texts = {*objective.workspace.queries}
    texts |= {*objective.workspace.ingestion(objective.config, Tally()).texts}
    assert meter.cost.usd == len(texts)
    assert notes == [None] * len(notes)  # what embedding a query takes is not known


def test_the_size_of_an_index_is_that_of_its_vectors_and_texts(handbook):
    objective: RagObjective = build(handbook)
    ingestion = objective.workspace.ingestion(objective.config, Tally())
    texts = sum(len(text.encode()) for text in ingestion.texts)
    vectors = ingestion.document_vectors
    facts = objective.facts({})
    assert facts["chunks"] == len(ingestion.texts)
    assert facts["index_mb"] == pytest.approx((texts + vectors.size * 4) / 1e6)


def test_an_index_of_words_holds_texts_alone(handbook):
    objective = build(handbook, pipeline={"retriever": {"kind": "bm25"}})
    ingestion = objective.workspace.ingestion(objective.config, Tally())
    texts = sum(len(text.encode()) for text in ingestion.texts)
    assert objective.facts({})["index_mb"] == pytest.approx(texts / 1e6)


def test_questions_of_which_none_was_timed_get_the_median(handbook):
    objective = build(handbook)
    notes = notes_of(objective)
    untimed = [unit for unit, note in notes.items() if LATENCY not in note]
    assert untimed
    taken = {note[LATENCY] for note in notes_of(objective, units=untimed).values()}
    assert taken == {round(typical(_local(objective)), 6)}


def _local(objective):
    library = objective.workspace.library(objective.config, Tally())
    library.reranked(64)
    return library.seconds(64)
