# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
# ---

# %% [markdown]
# # A cluster run and its results
# The same study runs in this process, and on a Ray cluster as it is. Here the cluster is started
# on this machine: two nodes, a raylet with processes of its own each, on loopback, with a token.
# With one of yours only the address changes; see `docs/cluster.md` and `docs/deploy.md`.
#
# ## The study
# On a cluster a study is a file.

# %%
from pathlib import Path

STUDY = """\
version: 1
name: sizes
objective:
  kind: rag
  documents: sample:python-api
  golden: sample:python-api
  metrics: [recall@1000tok, recall]
  pipeline: # the configuration as it stands: trial 0
    chunker: {kind: sentence, size: 128, overlap: 0}
    retriever: {kind: bm25, top_k: 4}
space:
  chunker.size: {choice: [128, 256, 512]}
  retriever.top_k: {choice: [4, 8]}
"""
_ = Path("study.yaml").write_text(STUDY)

# %% [markdown]
# ## A cluster
# `raytuner cluster local` does the same on a command line.

# %%
from cluster.local import LocalCluster

ray_cluster = LocalCluster(nodes=2, cpus=1)
ray_cluster.start()
print(len(ray_cluster.nodes), "nodes")

# %% [markdown]
# ## Submit
# `raytuner submit study.yaml` packs the study and what it names, proves that it is the same study
# over there, runs it as a job, follows it, and brings the results home. Its exit code is the
# study's own. The same command resumes.

# %%
import os
import subprocess
import sys

own = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
submitted = subprocess.run(
    [sys.executable, "-m", "raytuner", "submit", "study.yaml"],
    env={**own, **ray_cluster.environment},
    capture_output=True,
    text=True,
)
print("exit code:", submitted.returncode)

# %% [markdown]
# What the cluster has run:

# %%
import json

listed = subprocess.run(
    [sys.executable, "-m", "raytuner", "jobs", "--json"],
    env={**own, **ray_cluster.environment},
    capture_output=True,
    text=True,
)
[(job["study"], job["status"]) for job in json.loads(listed.stdout)]

# %% [markdown]
# The results are here, so the cluster may go. This ends what was started above and nothing else.

# %%
ray_cluster.stop()

# %% [markdown]
# ## Results
# A run folder is a run folder, wherever the trials ran; while they run, `raytuner fetch` brings
# what there is.

# %%
from raytuner import Results

results = Results.open("runs/sizes")
print(results.verdict.sentence)

# %%
columns = ["trial", "status", *results.parameters, *results.metrics, "answered"]
results.trials[columns].round(3)

# %%
results.plot.verdict()

# %% [markdown]
# ## The same as here?
# Run it in this process, in a folder of its own, and compare every single score.

# %%
from raytuner import load_study, run

here = run(load_study("study.yaml", {"run_dir": "runs/here"}))


def by_score(table):
    return table.sort_values(["trial", "part", "metric", "unit"], ignore_index=True)


assert by_score(here.scores).equals(by_score(results.scores))
print(len(here.scores), "scores, all the same; the verdict too:", end=" ")
print(here.verdict.to_dict() == results.verdict.to_dict())
