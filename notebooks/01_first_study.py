# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # A first study
# Which chunk size finds the answers in the pandas and NumPy reference, with plain BM25? No model
# is embedded here, so this takes seconds. Open it in Jupyter as it is (jupytext), or run it as a
# script.

# %%
import tempfile
from pathlib import Path

from raytuner import Study, run

folder = Path(tempfile.mkdtemp())
study = Study(
    name="first",
    objective={
        "kind": "rag",
        "documents": "sample:python-api",
        "golden": "sample:python-api",
        "metrics": ["recall@1000tok", "recall", "ndcg@10"],
        "pipeline": {"retriever": {"kind": "bm25"}},
        "cache": str(folder / "cache"),
    },
    space={
        "chunker.size": {"choice": [64, 128, 256, 512]},
        "retriever.split_identifiers": {"bool": True},
        "retriever.top_k": {"choice": [5, 20]},
    },
)
results = run(study, folder)

# %% [markdown]
# One row a configuration, best first. It is a plain pandas dataframe.

# %%
results.trials.head(8)

# %% [markdown]
# Main effects: the mean of every level over all other parameters.

# %%
results.trials.groupby("chunker.size")["recall@1000tok"].agg(["mean", "max"])

# %% [markdown]
# The scores behind the means, one row per trial and question. Which questions does nobody answer?

# %%
scores = results.scores
recall = scores[scores["metric"] == "recall@1000tok"]
hardest = recall.groupby("unit")["score"].max().sort_values().head(10)
hardest

# %% [markdown]
# Is the lead real? The paired difference to the configuration as it stands, and the trials that
# these questions cannot tell apart from the best one.

# %%
print(results.difference(results.best, results.baseline))
print([trial.number for trial in results.contenders()])
