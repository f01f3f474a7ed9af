"""What HTTP adds to a pipeline's answers: `raytuner serve` against the bare pipeline, in one run.

Both answer the same number of new questions, 32 at a time: the bare pipeline called from 32
threads of this process, and the server, a process of its own, by 32 connections that are kept.
They take turns, so that whatever else the machine does falls on both. The documents are the
sample's (pandas, NumPy, the standard library), the vectors MiniLM's; one pipeline answers with a
sentence it has found, one by a language model on loopback that takes 200 ms.

    python benchmarks/serve.py [--requests 256] [--rounds 3]

Prints mean, median and 95th percentile of the latency, and the ratio of the means.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from raytuner.answering import Query
from raytuner.results import Results
from raytuner.serving.choice import choose
from tests.endpoint.server import started

STUDY = """\
version: 1
name: served
objective:
  kind: rag
  documents: sample:python-api
  golden: sample:python-api
  metrics: [recall]
  pipeline:
    retriever: {{kind: {retriever}, top_k: 5}}{generator}
space:
  retriever.top_k: {{choice: [5]}}
metric: recall
search: grid
"""
CHAT = """
    generator: {kind: chat, model: answering}
  models:
    answering: {kind: openai, model: good-1, free: true, concurrency: 64}"""
CASES = {
    "dense, a sentence found": ("dense", ""),
    "hybrid, a sentence found": ("hybrid", ""),
    "dense, a model of 200 ms": ("dense", CHAT),
}


def questions(answerer_golden, count, label):
    """Give questions that nobody has asked before."""
    texts = [question.text for question in answerer_golden]
    return [f"{texts[n % len(texts)]} ({label} {n})" for n in range(count)]


def timed(ask, texts, at_once):
    """Ask all, `at_once` at a time; give seconds of each."""
    with ThreadPoolExecutor(at_once) as pool:

        def one(text):
            began = time.perf_counter()
            ask(text)
            return time.perf_counter() - began

        return np.array(list(pool.map(one, texts)))


@contextlib.contextmanager
def server(study):
    """Start the real command; give its port."""
    command = [sys.executable, "-m", "raytuner", "serve", str(study), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        for line in process.stdout:
            if found := re.match(r"ready: http://127\.0\.0\.1:(\d+);", line):
                yield int(found[1])
                return
        raise SystemExit("the server did not start")
    finally:
        process.terminate()
        process.wait(60)


def over_http(port):
    """Give what asks the server; a connection per thread."""
    own = threading.local()

    def ask(text):
        if not hasattr(own, "connection"):
            own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        body = json.dumps({"question": text})
        own.connection.request("POST", "/query", body, {"Content-Type": "application/json"})
        response = own.connection.getresponse()
        found = response.read()
        if response.status != 200:
            raise SystemExit(f"{response.status}: {found!r}")

    return ask


def told(name, seconds):
    ms = 1000 * seconds
    mean, median, late = ms.mean(), np.median(ms), np.percentile(ms, 95)
    return f"  {name:<6} mean {mean:7.1f} ms   median {median:7.1f} ms   95 % {late:7.1f} ms"


def case(name, folder, requests, rounds, at_once):
    """Measure one pipeline."""
    retriever, generator = CASES[name]
    study = folder / "study.yaml"
    study.write_text(STUDY.format(retriever=retriever, generator=generator))
    subprocess.run(
        [sys.executable, "-m", "raytuner", "run", str(study), "--no-report"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    choice = choose(Results.open(folder / "runs" / "served"))
    objective = choice.recipe.objective()
    answerer = choice.recipe.answerer(objective)
    answerer.prepare()
    golden = objective.workspace.golden.questions
    for _ in answerer.answers([Query(question.text) for question in golden]):
        pass  # sentences of hits are embedded once, whoever asks first
    bare, served = [], []
    with server(study) as port:
        ask = over_http(port)
        for turn in range(-1, rounds):  # the first turn warms both up
            count = requests if turn >= 0 else at_once
            own = timed(
                lambda text: answerer.answer(Query(text)),
                questions(golden, count, f"bare {turn}"),
                at_once,
            )
            http_ = timed(ask, questions(golden, count, f"http {turn}"), at_once)
            if turn >= 0:
                bare.append(own)
                served.append(http_)
    own, http_ = np.concatenate(bare), np.concatenate(served)
    ratios = [s.mean() / b.mean() for b, s in zip(bare, served, strict=True)]
    print(f"{name}, {at_once} at a time, {len(own)} requests each")
    print(told("bare", own))
    print(told("served", http_))
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"  served / bare: {http_.mean() / own.mean():.2f} (by round: {shown})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=256, help="per round and side")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--only", choices=CASES, help="one pipeline")
    given = parser.parse_args()
    with started(latency=0.2, concurrency=256) as endpoint:
        os.environ |= {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": endpoint.key}
        for name in [given.only] if given.only else CASES:
            with tempfile.TemporaryDirectory() as folder:
                case(name, Path(folder), given.requests, given.rounds, given.at_once)


if __name__ == "__main__":
    main()
