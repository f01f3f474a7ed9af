"""Ray Serve: replicas answer, and what was with a killed one is answered by another."""

import asyncio
import contextlib
import os
import signal
import threading

import openai
import pytest

from raytuner.answering import Query
from raytuner.backends.ray_serve import replicated
from raytuner.component import ConfigError
from raytuner.desk import RefusedError
from raytuner.objective import ObjectiveFailure
from raytuner.serving.app import Service
from raytuner.serving.server import WebServer, bound
from tests.raytuner.backends.local_ray import local_ray
from tests.raytuner.serving.probes import TIMEOUT, until
from tests.raytuner.serving.replica_probes import Named

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of Ray Serve's own
]


@pytest.fixture(scope="module")
def ray_here():
    with local_ray(cpus=3):
        yield


@contextlib.contextmanager
def served(replicas=2, prefix="by", concurrency=8):
    """Serve the probe from replicas; give desk and address."""
    with replicated(
        Named(), {"prefix": prefix}, replicas=replicas, concurrency=concurrency, waiting=400
    ) as desk:
        service = Service(desk=desk, model="named", about={}, timeout=TIMEOUT)
        listening = bound("127.0.0.1", 0)
        server = WebServer(service, listening, queries=500)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        until(lambda: service.state != "loading")
        try:
            yield desk, f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        finally:
            server.leave()
            thread.join(TIMEOUT)


async def load(url, texts, at_once=24):
    """Ask a real client for all of them; give the answers' processes, or raise."""
    turn = asyncio.Semaphore(at_once)

    async with openai.AsyncOpenAI(base_url=url, api_key="x", max_retries=0) as client:

        async def one(text):
            async with turn:
                answer = await client.chat.completions.create(
                    model="named", messages=[{"role": "user", "content": text}]
                )
                return int(answer.choices[0].message.content.split()[1])

        return await asyncio.gather(*map(one, texts))


async def test_no_request_is_lost_with_a_killed_replica(ray_here, tmp_path):
    gate = tmp_path / "go"
    with served() as (desk, url):
        pids = set(await load(url, [f"q{n}" for n in range(64)]))
        assert len(pids) == 2, "both replicas answer"
        held = asyncio.create_task(load(url, [f"hold {gate}"] * 12))
        while desk._asked < 12:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)  # until they have reached the replicas
        victim = min(pids)
        os.kill(victim, signal.SIGKILL)
        gate.touch()
        assert victim not in await held
        assert desk.asked_again >= 1
        assert len(await load(url, [f"r{n}" for n in range(100)])) == 100


async def test_a_load_goes_on_while_replicas_are_killed(ray_here):
    with served() as (desk, url):
        pids = set(await load(url, [f"q{n}" for n in range(32)]))
        task = asyncio.create_task(load(url, [f"q{n}" for n in range(600)]))
        while desk._asked == 0:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.2)
        os.kill(max(pids), signal.SIGKILL)
        assert len(await task) == 600


async def test_what_was_wrong_arrives_as_what_it_is(ray_here):
    with served(replicas=1) as (desk, _):
        assert (await desk.ask(Query("a"))).usage.tokens_out == 4
        with pytest.raises(RefusedError, match="refused") as caught:
            await desk.ask(Query("refuse"))
        assert caught.value.field == ("question",)
        with pytest.raises(ObjectiveFailure) as failed:
            await desk.ask(Query("fail"))
        assert failed.value.failure.kind == "provider"


def test_replicas_that_cannot_load_are_one_sentence(ray_here):
    broken = replicated(Named(), {"prefix": "broken"}, replicas=1, concurrency=1, waiting=1)
    words = r"the replicas cannot be started: .*weights are missing"
    with broken as desk, pytest.raises(ConfigError, match=words):
        asyncio.run(desk.prepare())


def test_more_replicas_than_cpus_are_refused(ray_here):
    many = replicated(Named(), {}, replicas=4, concurrency=1, waiting=1)
    with pytest.raises(ConfigError, match="--replicas 4: the cluster has 3 CPUs"), many:
        pass
