"""What raytuner itself costs: the demo's time by stage, and memory against the number of trials.

    python benchmarks/overhead.py            # both, about two minutes
    python benchmarks/overhead.py --memory   # memory alone

Overhead is everything that is not splitting, embedding or searching: starting Python, reading
the data, caches, journal, scoring, tables.
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

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "examples" / "demo" / "study.yaml"
WORK = ("chunk", "embed", "search")


def demo() -> None:
    """Run the demo from an empty cache and print where its time went."""
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study.yaml"
        study.write_text(DEMO.read_text(encoding="utf-8"), encoding="utf-8")
        environment = {**os.environ, "RAYTUNER_CACHE": str(Path(folder) / "cache")}
        command = [sys.executable, "-m", "raytuner", "run", str(study), "--json"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    stages = json.loads(done.stdout)["stage seconds"]
    work = sum(stages.get(stage, 0.0) for stage in WORK)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"demo: {wall:.1f} s wall, {cpu:.1f} s CPU")
    for stage, seconds in stages.items():
        print(f"  {stage:>10}: {seconds:7.2f} s  {seconds / wall:6.1%}")
    print(f"  {'the rest':>10}: {wall - sum(stages.values()):7.2f} s")
    print(f"overhead (not {', '.join(WORK)}): {(wall - work) / wall:.1%} of the wall time")


MEMORY = """
import resource, sys
from raytuner import Study, run
n = int(sys.argv[1])
study = Study(name="m", objective=lambda p: p["x"], space={"x": {"int": [1, n]}})
run(study, in_memory=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def memory() -> None:
    """Print the peak memory of studies with ever more trials."""
    peaks = {}
    for trials in (10, 1_000, 5_000):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-c", MEMORY, str(trials)]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        peaks[trials] = int(done.stdout)
        print(f"memory: {trials:>6} trials: {peaks[trials]} MiB at the peak")
    extra = (peaks[5_000] - peaks[10]) * 1024 / 4_990
    ratio = peaks[5_000] / peaks[10]
    print(f"memory: {extra:.1f} KiB a trial; ratio 5,000 to 10 trials: {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", action="store_true", help="memory alone")
    options = parser.parse_args()
    memory()
    if not options.memory:
        demo()


if __name__ == "__main__":
    main()
