"""Fixtures of the tuner's tests."""

import asyncio

import pytest

import raytuner
from raytuner.meter import WorkMeter
from raytuner.worker import Job, Patience, arun_job, run_job
from tests.raytuner.probes import study, table
from tests.raytuner.worker_probes import UNITS


@pytest.fixture(scope="session")
def expected():
    """The table of the probe study, run undisturbed."""
    return table(raytuner.run(study(), in_memory=True))


@pytest.fixture(params=["sync", "async"])
def play(request):
    """Run a job on either boundary; give its end and the batches that were emitted."""

    def run(objective, *, retries=2, wait=0.0, meter=None, emit=None, units=UNITS):
        batches = []

        def keep(batch):
            assert batch, "nothing is emitted in vain"
            batches.append([(s.unit, s.scores.get("hit"), s.failure) for s in batch])
            scores.extend(batch)

        scores = []
        job = Job("k", {}, units, Patience(retries, wait))
        arguments = (objective, job, emit or keep, meter or WorkMeter())
        if request.param == "sync":
            ended = run_job(*arguments)
        else:
            ended = asyncio.run(arun_job(*arguments))
        return ended, batches, scores

    return run
