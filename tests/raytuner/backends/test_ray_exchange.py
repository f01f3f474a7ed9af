"""The exchange on a real Ray: one build per key, whoever is lost on the way."""

import logging
import os
import pickle
import shutil
import signal
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
import ray

from pipelines.objective import RagObjective
from raytuner.backends.ray_exchange import (
    RayExchange,
    join_exchange,
    start_exchange,
    stop_exchange,
)
from raytuner.objective import Tally
from tests.pipelines.conftest import write_handbook
from tests.raytuner.backends.exchange_probes import Stages, Worker, made, plant
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.probes import ROOT


@pytest.fixture(scope="module")
def cluster():
    with local_ray(3, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}}):
        yield


@pytest.fixture(scope="module")
def exchange(cluster):
    handle = start_exchange(Stages())
    yield handle
    stop_exchange(handle)


@pytest.fixture(scope="module")
def hire(exchange):
    """Give workers that live; those of earlier tests first, since a process takes seconds."""
    hired = []

    def alive(worker):
        try:
            return ray.get(worker.pid.remote()) > 0
        except ray.exceptions.ActorDiedError:
            return False

    def hire(count):
        hired[:] = [worker for worker in hired if alive(worker)]
        kind = ray.remote(Worker).options(num_cpus=0)
        hired.extend(kind.remote(exchange) for _ in range(count - len(hired)))
        ray.get([worker.pid.remote() for worker in hired[:count]])
        return hired[:count]

    yield hire
    hired.clear()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log"


@pytest.fixture
def key():
    return uuid.uuid4().hex


def builds(log):
    return len(log.read_text().splitlines())


def wait_for(condition, seconds=20.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def lost(reference):
    try:
        ray.get(reference)
    except ray.exceptions.ObjectLostError:
        return True
    return False


def test_an_artifact_that_many_want_is_built_once_and_not_copied(hire, log, key):
    asked = [worker.obtain.remote(key, log, 100_000, seconds=0.3) for worker in hire(3)]
    found = ray.get(asked)
    assert builds(log) == 1
    assert {value for value, _, _ in found} == {made(100_000)["row"].sum()}
    assert sorted(built for _, built, _ in found) == [False, False, True]
    assert [own for _, built, own in found if not built] == [False, False]


def test_an_error_stays_with_its_builder(hire, log, key):
    first, second = hire(2)
    failing = first.obtain.remote(key, log, fault="raise", seconds=0.3)
    wait_for(log.exists)
    waiting = second.obtain.remote(key, log)
    with pytest.raises(LookupError, match="nothing to build from"):
        ray.get(failing)
    assert ray.get(waiting)[:2] == (45, True)
    assert ray.get(first.obtain.remote(key, log))[:2] == (45, False)
    assert builds(log) == 2


def test_a_killed_builder_is_replaced_at_once(hire, log, key):
    workers = hire(3)
    doomed = workers[0].obtain.remote(key, log, fault="kill", seconds=0.5)
    wait_for(log.exists)
    others = [worker.obtain.remote(key, log) for worker in workers[1:]]
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(doomed)
    died = time.monotonic()
    found = ray.get(others)
    assert time.monotonic() - died < 10
    assert [value for value, *_ in found] == [45, 45]
    assert builds(log) == 2


def test_what_is_finished_outlives_its_builder(hire, log, key):
    first, second = hire(2)
    ray.get(first.obtain.remote(key, log, 100_000))
    os.kill(ray.get(first.pid.remote()), signal.SIGKILL)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(first.pid.remote())
    value, built, _ = ray.get(second.obtain.remote(key, log))
    assert (value, built) == (made(100_000)["row"].sum(), False)
    assert builds(log) == 1


def test_a_lost_object_is_built_again(exchange, hire, log, key):
    owner, first, second = hire(3)
    ray.get(first.obtain.remote(key, log))
    boxed = ray.get(owner.put.remote())
    ray.kill(owner)
    wait_for(lambda: lost(boxed[0]))
    ray.get(exchange.registry.__ray_call__.remote(plant, key, boxed))
    assert ray.get(second.obtain.remote(key, log))[:2] == (45, True)
    assert ray.get(first.obtain.remote(key, log))[:2] == (45, False)
    assert builds(log) == 2


def test_a_builder_that_is_restarted_does_not_keep_its_old_lease(exchange, log, key):
    kind = ray.remote(Worker).options(num_cpus=0, max_restarts=1, max_task_retries=1)
    worker = kind.remote(exchange)
    assert ray.get(worker.obtain.remote(key, log, fault="kill"))[:2] == (45, True)
    assert builds(log) == 2
    place = Path("/proc") / str(ray.get(worker.pid.remote()))
    del worker
    wait_for(lambda: not place.exists())  # its lease has not kept it alive


def test_without_the_registry_every_process_builds_after_one_warning(cluster, caplog):
    objective = Stages()
    handle = start_exchange(objective)
    ray.kill(handle.registry)
    with caplog.at_level(logging.WARNING, logger="raytuner.ray"):
        for key in ("0" * 32, "1" * 32):
            assert objective.exchange.obtain(key, lambda: made(3))["row"].tolist() == [0, 1, 2]
    assert len(caplog.records) == 1
    assert "more than once" in caplog.text


def test_a_stopped_exchange_leaves_the_objective_usable_and_says_nothing(cluster, key, caplog):
    objective = Stages()
    handle = start_exchange(objective)
    assert len(objective.exchange.obtain(key, lambda: made(3))["row"]) == 3
    stop_exchange(handle)
    assert len(objective.exchange.obtain(key, lambda: made(4))["row"]) == 4
    assert not caplog.records


def test_an_objective_may_keep_its_exchange_and_be_pickled(exchange, key):
    objective = Stages()
    objective.share(RayExchange(exchange, driver=True))
    objective.exchange.obtain(key, lambda: made(3))
    copy = pickle.loads(pickle.dumps(objective))
    assert len(copy.exchange.obtain(key, lambda: made(4))["row"]) == 4
    assert len(objective.exchange.obtain(key, lambda: made(5))["row"]) == 3


def test_an_objective_that_cannot_share_leaves_nothing_behind(cluster):
    class Broken(Stages):
        def share(self, exchange):
            super().share(exchange)
            raise LookupError("no data")

    objective = Broken()
    with pytest.raises(LookupError, match="no data"):
        start_exchange(objective)
    registry = objective.exchange._handle.registry
    wait_for(lambda: gone(registry))


def gone(actor):
    try:
        ray.get(actor.__ray_ready__.remote())
    except ray.exceptions.ActorDiedError:
        return True
    return False


def test_only_actors_may_join(exchange):
    join = ray.remote(num_cpus=0)(join_exchange)
    with pytest.raises(RuntimeError, match="actors only"):
        ray.get(join.remote(exchange, Stages()))


POINTS = [{"chunker.size": size, "retriever.top_k": k} for size in (32, 64) for k in (1, 3)]


def evaluated(objective):
    """Scores by point and question, and work done."""
    tally, found = Tally(), {}
    for point in POINTS:
        for batch in objective.evaluate(point, objective.units(), tally):
            found |= {(objective.key(point), row.unit): dict(row.scores) for row in batch}
    return found, Counter(tally.counts)


@pytest.mark.slow
def test_nodes_share_ingestion_and_need_no_files(hire, monkeypatch, tmp_path):
    handbook = write_handbook(tmp_path)
    section = {**handbook.section, "cache": None, "pipeline": {"retriever": "hybrid"}}
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "alone"))
    expected, alone = evaluated(RagObjective.build(section, root=tmp_path, seed=1))
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "driver"))
    objective = RagObjective.build(section, root=tmp_path, seed=1)
    handle = start_exchange(objective)
    shutil.rmtree(tmp_path / "docs")
    (tmp_path / "golden.jsonl").unlink()
    nodes = [tmp_path / "first", tmp_path / "second"]
    workers = hire(2)
    ray.get([w.move.remote(str(n), handle, objective) for w, n in zip(workers, nodes, strict=True)])
    done = ray.get([worker.score.remote(POINTS) for worker in workers])
    stop_exchange(handle)
    assert [found for found, _ in done] == [expected, expected]
    work = Counter(done[0][1]) + Counter(done[1][1])
    for name, count in alone.items():
        if name.endswith(" built") or name == "texts embedded":
            assert work[name] == count, name
    assert work["chunks built"] == work["chunks fetched"] == 2
    assert all(node.is_dir() for node in nodes)
