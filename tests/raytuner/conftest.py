"""Fixtures of the tuner's tests."""

import asyncio
import shutil

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


def chromium():
    """Find Debian's Chromium, or another one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="module")
def browser():
    path = chromium()
    if path is None:
        pytest.skip("no chromium on this machine (apt install chromium)")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    """A tab, what it said in its console, and what it asked for."""
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.set_default_timeout(60_000)
    page.said, page.asked = [], []
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    page.close()
