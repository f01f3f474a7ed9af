"""Measure what nodes of a cluster share: a grid of 48 points with 6 ingestions on 1, 2 and 4 nodes.

Chunk size {192, 256, 320} x overlap {0, a fifth} x top-k {1 to 8}, the documents of our sample and
64 of its questions (two calls; a call embeds 32 texts so that an ingestion takes many), and an
OpenAI-compatible embedding service on loopback that answers every call after the same time.
Every node is a Ray node of its own on this machine, with one logical CPU and a cache of its own;
documents reach it through the exchange only. The service, not the processor, is what is waited
for, as long as the machine has a core to spare.

Ideal is the time of one node, shared out by ingestion, each of which one node has to do: its
number of calls, the ingestions taken in order by whichever node is free. That is a little less
than can be had: one node embeds a text of two ingestions once, nodes that do them at the same time
twice (`twice`).

    python benchmarks/ray_sharing.py                  # about four minutes
    python benchmarks/ray_sharing.py --latency 0.1    # a quick look
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = (192, 256, 320)
DEPTHS = tuple(range(1, 9))
BATCH = 32
"""Texts in a request, one request at a time: a slow service's throughput is fixed."""
QUESTIONS = 64
TARGET = 1.3
Report = dict[str, Any]


def study(url: str) -> Any:
    """The grid, as a study."""
    from raytuner import Study

    size, overlap = "chunker.size", "chunker.overlap"
    return Study(
        name="sharing",
        objective={
            "kind": "rag",
            "documents": "sample:python-api",
            "golden": "questions.jsonl",
            "metrics": ["recall"],
            "pipeline": {
                "chunker": "sentence", "store": "exact", "retriever": "dense",
                "embedder": {
                    "kind": "openai", "base_url": url, "api_key_env": None,
                    "batch_size": BATCH, "concurrency": 1,
                },
            },
        },
        space={
            size: {"choice": list(SIZES)},
            overlap: {"choice": [0, *(s // 5 for s in SIZES)]},
            "retriever.top_k": {"choice": list(DEPTHS)},
        },
        constraints=(f"{overlap} == 0 or 5 * {overlap} <= {size} and 6 * {overlap} > {size}",),
        baseline=False,
        backend="ray",
        address=os.environ["RAY_ADDRESS"],
        resources={"cpu": 1},
    )  # fmt: skip


def write_questions(folder: Path) -> None:
    """Write an evenly spread part of the sample's questions."""
    from pipelines import samples

    corpus, questions = samples.load("python-api")
    lines = []
    for question in questions[:: len(questions) // QUESTIONS][:QUESTIONS]:
        groups = [
            {"any_of": [{"doc": corpus.documents[s.doc].name, "start": s.start, "end": s.end}
                        for s in group]}
            for group in question.evidence
        ]  # fmt: skip
        line = {"id": question.id, "question": question.text, "evidence": groups}
        lines.append(json.dumps(line) + "\n")
    (folder / "questions.jsonl").write_text("".join(lines), encoding="utf-8")


def work(url: str, folder: Path) -> None:
    """Run the study on the cluster of this environment, and write what was found."""
    from raytuner import run

    write_questions(folder)
    began = time.time()
    results = run(study(url), folder)
    scores = {
        "/".join(str(value) for _, value in sorted(trial.params.items())): [
            float(value) for value in trial.values("recall")
        ]
        for trial in results.record.current
    }
    found = {"began": began, "ended": time.time(), "work": results.work, "scores": scores}
    (folder / "found.json").write_text(json.dumps(found))


def measure(nodes: int, latency: float) -> Report:
    """Run the study in a process of its own, on a cluster of `nodes` nodes."""
    from cluster.local import LocalCluster
    from tests.pipelines.embedders.server import running

    with (
        tempfile.TemporaryDirectory() as name,
        running() as server,
        LocalCluster(nodes, cpus=1) as cluster,
    ):
        server.delay = latency
        asked: list[float] = []
        usual = server.usual

        def reply(body: dict[str, Any]) -> Any:
            asked.append(time.time() - latency)
            return usual(body)

        server.usual = reply
        command = [sys.executable, __file__, "--worker", server.url, "--folder", name]
        environment = {**os.environ, **cluster.environment, "PYTHONPATH": str(ROOT)}
        environment["RAYTUNER_CACHE"] = f"{name}/driver"
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=1800
        )
        if done.returncode:
            raise SystemExit(f"{nodes} nodes failed:\n{done.stderr[-3000:]}")
        found: Report = json.loads((Path(name) / "found.json").read_text())
    texts = [text for body in server.requests for text in body["input"]]
    return {
        **found,
        "nodes": nodes,
        "calls": len(server.requests),
        "texts": len(texts),
        "distinct": len(set(texts)),
        "start": min(asked) - found["began"],
        "seconds": found["ended"] - min(asked),
    }


def calls_of_ingestions() -> list[int]:
    """Count the calls that each ingestion needs, in the order of the grid."""
    from pipelines import samples
    from pipelines.chunkers import Sentence

    corpus, _ = samples.load("python-api")
    counts = []
    for size in SIZES:
        for overlap in (0, size // 5):
            chunker = Sentence(size=size, overlap=overlap)
            texts = {d.text[a:b] for d in corpus for a, b, _, _ in chunker.split(d.text)}
            counts.append(math.ceil(len(texts) / BATCH))
    return counts


def share_of(nodes: int, calls: list[int]) -> float:
    """Give the part of all calls that the busiest node makes."""
    busy = [0] * nodes
    for count in calls:
        busy[busy.index(min(busy))] += count
    return max(busy) / sum(calls)


def show(reports: list[Report], calls: list[int]) -> None:
    """Print the table, and whether the targets are met."""
    most = sum(calls) + math.ceil(QUESTIONS / BATCH)
    one = reports[0]
    print(
        f"{'nodes':>5}{'ingestions':>12}{'embed calls':>13}{'texts':>8}{'twice':>7}"
        f"{'start s':>9}{'seconds':>9}{'ideal':>8}{'over ideal':>12}"
    )
    ratios = []
    for report in reports:
        ideal = one["seconds"] * share_of(report["nodes"], calls)
        ratios.append(report["seconds"] / ideal)
        built = report["work"].get("document vectors built", 0)
        print(
            f"{report['nodes']:>5}{built:>12}{report['calls']:>13}{report['texts']:>8}"
            f"{report['texts'] - report['distinct']:>7}{report['start']:>9.1f}"
            f"{report['seconds']:>9.1f}{ideal:>8.1f}{ratios[-1]:>12.2f}"
        )
    same = all(report["scores"] == one["scores"] for report in reports)
    print(f"scores on all numbers of nodes are {'equal' if same else 'DIFFERENT'}")
    once = all(r["work"].get("document vectors built") == len(calls) for r in reports)
    once = once and max(report["calls"] for report in reports) <= most
    print(
        f"one ingestion each, and the questions once, are {most} calls at most: "
        f"{'met' if once else 'missed'}"
    )
    worst = max(ratios)
    verdict = "met" if worst <= TARGET else "missed"
    print(f"at most {worst:.2f} times ideal; target {TARGET}: {verdict}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4], help="cluster sizes")
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of every embed call")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, Path(options.folder))
        return
    loads = [os.getloadavg()[0]]
    calls = calls_of_ingestions()
    reports = [measure(nodes, options.latency) for nodes in options.nodes]
    loads.append(os.getloadavg()[0])
    if options.json:
        print(json.dumps({"reports": reports, "calls": calls, "load average": loads}))
        return
    show(reports, calls)
    print(f"load average {loads[0]:.1f} before, {loads[1]:.1f} after")


if __name__ == "__main__":
    main()
