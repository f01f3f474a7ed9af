"""Measure the embedders: tokens per CPU second, beside sentence-transformers and the FLOP bound.

Texts are docstrings of numpy and pandas, packed line by line into pieces of at most 64, 128 and
256 word pieces, so that lengths vary as those of real chunks do. Every system runs in processes
of its own, in alternating rounds, and tokenizes, embeds and normalises the same texts; the
median round counts. CPU time is the yardstick, since it is steady on a machine that does other
things too; wall time is printed for all threads.

    python benchmarks/embed.py --python /path/to/other/venv/bin/python

`--python` names further interpreters, for what is not installed here: one with
sentence-transformers, one with openvino, onnx, tokenizers and pydantic.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pydoc
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
Report = dict[str, Any]
"""What one round measured: CPU and wall seconds for each set of texts, and for loading."""
LIMIT = 256
LINEAR_FLOP = 6 * 2 * (4 * 384 * 384 + 2 * 384 * 1536)
"""Per token: six layers of query, key, value, output and the two feed-forward products."""
ATTENTION_FLOP = 6 * 2 * 2 * 384
"""Per token and token attended to."""
NEEDS = {
    "minilm": "onnxruntime",
    "minilm-bf16": "openvino",
    "sentence-transformers": "sentence_transformers",
}


def docstrings() -> list[str]:
    """Collect the texts: what `help` would show for the public names of numpy and pandas."""
    import pandas as pd

    found: dict[str, None] = {}
    for owner in (np, np.linalg, np.random, pd, pd.DataFrame, pd.Series):
        for name in sorted(vars(owner)):
            text = pydoc.getdoc(getattr(owner, name, None)) if not name.startswith("_") else ""
            if len(text) > 400:
                found.setdefault(text)
    return list(found)


def pieces(texts: Sequence[str], size: int, tokens: int) -> list[str]:
    """Pack lines into pieces of at most `size` word pieces until there are `tokens` in all."""
    from pipelines.tokenizers import tokenizer

    count = tokenizer("wordpiece").count
    packed: list[str] = []
    total = 0
    for text in texts:
        lines: list[str] = []
        for line in text.splitlines():
            if lines and count("\n".join([*lines, line])) + 2 > size:
                packed.append("\n".join(lines))
                total += size
                lines = []
            lines.append(line)
        if total >= tokens:
            break
    return packed


def embedder(system: str, threads: int, folder: str) -> Callable[[list[str]], np.ndarray]:
    """Load one system, ready to embed."""
    if system == "sentence-transformers":
        from sentence_transformers import SentenceTransformer

        importlib.import_module("torch").set_num_threads(threads)
        model = SentenceTransformer(folder, device="cpu")
        return lambda texts: model.encode(texts, normalize_embeddings=True)
    from pipelines.embedders import Embedder
    from raytuner.objective import Tally

    made = Embedder.named(system).model_validate({"threads": threads})
    made.embed(["warm up"], query=False, meter=Tally())
    return lambda texts: made.embed(texts, query=False, meter=Tally()).vectors


def gemm_peak() -> float:
    """Measure float32 FLOP per CPU second of one thread on the model's largest product."""
    rng = np.random.default_rng(0)
    left = rng.standard_normal((512, 384), dtype=np.float32)
    right = rng.standard_normal((384, 1536), dtype=np.float32)
    rates = []
    for _ in range(5):
        start = time.process_time()
        for _ in range(100):
            left @ right
        rates.append(100 * 2 * 512 * 384 * 1536 / (time.process_time() - start))
    return statistics.median(rates)


def work(system: str, threads: int, texts_file: str, folder: str, vectors_file: str) -> None:
    """Run one round in this process and print it as JSON."""
    if system == "gemm":
        print(json.dumps({"flop": gemm_peak()}))
        return
    sets: dict[str, list[str]] = json.loads(Path(texts_file).read_text())
    start = time.process_time()
    embed = embedder(system, threads, folder)
    report: Report = {"load": time.process_time() - start}
    vectors: dict[str, Any] = {}
    for name, texts in sets.items():
        embed(texts[:8])
        cpu, wall = time.process_time(), time.perf_counter()
        vectors[name] = embed(texts)
        report[name] = (time.process_time() - cpu, time.perf_counter() - wall)
    np.savez(vectors_file, **vectors)
    print(json.dumps(report))


def run_worker(python: str, system: str, threads: int, texts: str, vectors: str) -> Report:
    """Run one round in a process of its own."""
    from pipelines.embedders.minilm import model_folder

    limits = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    environment = {**os.environ, **limits, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [python, __file__, "--worker", system, str(threads), texts]
    done = subprocess.run(
        [*command, str(model_folder()), vectors],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{system} failed in {python}:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def interpreter(module: str, candidates: Sequence[str]) -> str | None:
    """Find the first interpreter that can import `module`."""
    test = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    for python in candidates:
        if subprocess.run([python, "-c", test], check=False).returncode == 0:
            return python
    return None


def seen_lengths(texts: Sequence[str]) -> np.ndarray:
    """Count the word pieces of each text that the model sees."""
    from pipelines.embedders.minilm import word_pieces

    return np.array([len(ids) for ids in word_pieces(texts, LIMIT)[0]])


def measure(
    systems: dict[str, str], sets: dict[str, list[str]], rounds: int, threads: Sequence[int]
) -> tuple[dict[tuple[str, int], list[Report]], dict[str, dict[str, np.ndarray]]]:
    """Run all systems in alternating rounds."""
    reports: dict[tuple[str, int], list[Report]] = {}
    vectors: dict[str, dict[str, np.ndarray]] = {}
    with tempfile.TemporaryDirectory() as folder:
        texts = str(Path(folder) / "texts.json")
        Path(texts).write_text(json.dumps(sets))
        for _ in range(rounds):
            for count in threads:
                for system, python in systems.items():
                    out = str(Path(folder) / "vectors.npz")
                    report = run_worker(python, system, count, texts, out)
                    reports.setdefault((system, count), []).append(report)
                    if system != "gemm":
                        vectors[system] = dict(np.load(out))
    return reports, vectors


def show(
    sets: dict[str, list[str]],
    reports: dict[tuple[str, int], list[Report]],
    vectors: dict[str, dict[str, np.ndarray]],
    every: int,
) -> None:
    """Print the table and the ratios, all from this run."""
    peak = statistics.median(report["flop"] for report in reports["gemm", 1])
    print(f"float32 GEMM, numpy, 1 thread: {peak / 1e9:.0f} GFLOP per CPU second")
    names = [system for system in NEEDS if (system, 1) in reports]
    base = "sentence-transformers"
    title = f"{'pieces':>7} {'system':<22} {'tok/CPU-s':>10} {'of bound':>9} {'x s-t':>6}"
    print(f"{title} {f'tok/wall-s, {every} thr':>19} {'max 1-cos to minilm':>20}")
    for name, texts in sets.items():
        lengths = seen_lengths(texts)
        flop = float((lengths * (LINEAR_FLOP + ATTENTION_FLOP * lengths)).sum())
        rates = {
            key: [
                lengths.sum() / statistics.median(report[name][clock] for report in found)
                for clock in (0, 1)
            ]
            for key, found in reports.items()
            if key[0] != "gemm"
        }
        for system in names:
            rate = rates[system, 1][0]
            share = rate * flop / lengths.sum() / peak
            ratio = f"{rate / rates[base, 1][0]:.2f}" if base in names else "-"
            error = 1 - (vectors[system][name] * vectors["minilm"][name]).sum(axis=1)
            wall = f"{rates[system, every][1]:.0f}"
            print(
                f"{name:>7} {system:<22} {rate:>10.0f} {share:>9.0%} {ratio:>6} {wall:>19} "
                f"{error.max():>20.1e}"
            )
    for system in names:
        load = statistics.median(report["load"] for report in reports[system, 1])
        print(f"{system}: {load:.1f} CPU seconds to import, load and embed a first text")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", action="append", default=[], help="further interpreter")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--tokens", type=int, default=40_000, help="tokens for each size")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        system, threads, texts, folder, vectors = options.worker
        work(system, int(threads), texts, folder, vectors)
        return
    from pipelines.embedders.batching import cores

    systems = {"gemm": sys.executable}
    for system, module in NEEDS.items():
        python = interpreter(module, [sys.executable, *options.python])
        if python is None:
            print(f"{system}: skipped, no interpreter has {module}; name one with --python")
        else:
            systems[system] = python
    source = docstrings()
    sets = {str(size): pieces(source, size, options.tokens) for size in options.sizes}
    every = cores()
    reports, vectors = measure(systems, sets, options.rounds, sorted({1, every}))
    show(sets, reports, vectors, every)
    print(f"load average {os.getloadavg()[0]:.1f} on {every} cores")


if __name__ == "__main__":
    main()
