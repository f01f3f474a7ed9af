"""Measure a sweep of 24 points: LlamaIndex's ParamTuner, its index on disk or not, and ours.

Chunk size {128, 256, 512} x overlap {0, a fifth} x top-k {1, 3, 5, 10}, all-MiniLM-L6-v2 in
float32 everywhere, on the same documents and questions. Every system runs once, in a process of
its own, imports and reading included; CPU time is the yardstick, since it is steady on a machine
that does other things too. All embed on one thread (see `--threads`): where two share a core, the
CPU seconds of both grow. Recall is compared question by question.

    python benchmarks/sweep.py                  # about ten minutes on one core
    python benchmarks/sweep.py --points small   # a quick look

LlamaIndex's tuner is loaded from `--experimental PATH` (a folder with the package
llama-index-experimental, which nothing else needs); without it the same loop runs here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sweep_data import GRIDS, NEXT_SIZE, ROOT, Points, Scores, load, prepare
from sweep_llamaindex import llama_index_sweep

TARGETS = {"scratch": 5.5, "persisted": 2.5}
"""How many times less CPU ours is meant to need."""
TITLES = {
    "scratch": "LlamaIndex, index built for every trial",
    "persisted": "LlamaIndex, index kept on disk",
    "ours": "raytuner, empty cache",
    "again": "raytuner, the same again",
    "wider": f"raytuner, chunk size {NEXT_SIZE} added",
    "sentences": "raytuner, match: sentences, empty cache",
}
Report = dict[str, Any]
"""CPU and wall seconds, scores, and for ours the work counters."""


def our_sweep(
    folder: Path, points: Points, name: str, *, match: str, cache: str, threads: int
) -> Any:
    """Run the grid as a study."""
    from raytuner import Study, run

    size, overlap = "chunker.size", "chunker.overlap"
    study = Study(
        name=name,
        objective={
            "kind": "rag",
            "documents": "docs",
            "golden": "questions.jsonl",
            "metrics": ["recall"],
            "pipeline": {
                "chunker": "sentence", "match": match, "store": "exact", "retriever": "dense",
                "embedder": {"kind": "minilm", "threads": threads},
            },
            "cache": cache,
        },
        space={
            size: {"choice": list(points.sizes)},
            overlap: {"choice": [0, *(s // 5 for s in points.sizes)]},
            "retriever.top_k": {"choice": list(points.depths)},
        },
        constraints=(f"{overlap} == 0 or 5 * {overlap} <= {size} and 6 * {overlap} > {size}",),
        baseline=False,
    )  # fmt: skip
    results = run(study, folder)
    scores: Scores = {}
    for trial in results.record.current:
        point = "/".join(str(trial.params[name]) for name in (size, overlap, "retriever.top_k"))
        scores[point] = dict(zip(trial.units, trial.values("recall").tolist(), strict=True))
    return {"scores": scores, "work": results.work}


def work(system: str, folder: Path, options: argparse.Namespace) -> None:
    """Run one system in this process and write what it found."""
    grid, threads = GRIDS[options.points], options.threads
    if system in {"scratch", "persisted"}:
        kept = folder / "storage" if system == "persisted" else None
        found = llama_index_sweep(folder, grid, kept, options.experimental, threads)
    elif system == "sentences":
        found = our_sweep(
            folder, grid, system, match="sentences", cache="cache-sentences", threads=threads
        )
    else:
        wide = Points((*grid.sizes, NEXT_SIZE), grid.depths) if system == "wider" else grid
        found = our_sweep(folder, wide, system, match="chunk", cache="cache", threads=threads)
    (folder / f"{system}.json").write_text(json.dumps(found))


def measure(system: str, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run one system in a process of its own."""
    command = [sys.executable, __file__, "--worker", system, "--folder", str(folder)]
    command += ["--points", options.points, "--experimental", options.experimental]
    command += ["--threads", str(options.threads)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{system} failed:\n{done.stderr[-3000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": wall, **json.loads((folder / f"{system}.json").read_text())}


def new_texts(folder: Path, points: Points) -> int:
    """Count the distinct chunk texts that only the widened grid has."""
    from pipelines.chunkers import Sentence

    corpus, _ = load(folder)

    def texts(size: int) -> set[str]:
        cut = [Sentence(size=size, overlap=overlap) for overlap in (0, size // 5)]
        return {d.text[a:b] for c in cut for d in corpus for a, b, _, _ in c.split(d.text)}

    return len(texts(NEXT_SIZE) - set().union(*map(texts, points.sizes)))


def differences(left: Scores, right: Scores) -> tuple[int, float]:
    """Count the recalls that differ by more than 1e-6, and give the largest difference."""
    gaps = [
        abs(value - right[point][question])
        for point, row in left.items()
        for question, value in row.items()
    ]
    return sum(gap > 1e-6 for gap in gaps), max(gaps)


def show(reports: dict[str, Report], expected: int) -> None:
    """Print the table, the ratios and how far the scores agree."""
    head = f"{'':<42}{'CPU s':>8}{'wall s':>8}{'ours x':>8}{'texts embedded':>16}"
    print(head)
    ours = reports["ours"]
    for system, report in reports.items():
        ratio = f"{report['cpu'] / ours['cpu']:.2f}"
        embedded = report["work"].get("texts embedded", 0) if "work" in report else "-"
        print(
            f"{TITLES[system]:<42}{report['cpu']:>8.1f}{report['wall']:>8.1f}{ratio:>8}"
            f"{embedded:>16}"
        )
    print(f"texts that only the widened grid has: {expected}")
    for system in TARGETS:
        scores = reports[system]["scores"]
        count, largest = differences(scores, ours["scores"])
        total = sum(len(row) for row in scores.values())
        print(f"{TITLES[system]}: {count} of {total} recalls differ, at most by {largest:.1e}")
    print(f"the loop over the grid: {reports['scratch']['tuner']}")


def show_targets(reports: dict[str, Report]) -> None:
    """Compare the ratios of the full grid with what they are meant to be."""
    for system, target in TARGETS.items():
        ratio = reports[system]["cpu"] / reports["ours"]["cpu"]
        verdict = "met" if ratio >= target else "missed"
        print(f"{TITLES[system]}: {ratio:.2f} times our CPU time; target {target}: {verdict}")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", help="folder or glob; default: ours")
    parser.add_argument("--golden", help="questions about them, in any known format")
    parser.add_argument("--points", choices=sorted(GRIDS), default="full")
    parser.add_argument("--experimental", default="", help="folder with LlamaIndex's tuner")
    parser.add_argument("--threads", type=int, default=1, help="to embed with; 0: every core")
    parser.add_argument("--json", action="store_true", help="print everything as JSON")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, Path(options.folder), options)
        return
    if (options.documents is None) != (options.golden is None):
        parser.error("--documents and --golden belong together")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(options.documents, options.golden, options.points, folder)
        loads = [os.getloadavg()[0]]
        reports = {system: measure(system, folder, options) for system in TITLES}
        loads.append(os.getloadavg()[0])
        expected = new_texts(folder, GRIDS[options.points])
    if options.json:
        print(json.dumps({"reports": reports, "new texts": expected, "load average": loads}))
        return
    show(reports, expected)
    if options.points == "full":
        show_targets(reports)
    print(f"load average {loads[0]:.1f} before, {loads[1]:.1f} after")


if __name__ == "__main__":
    main()
