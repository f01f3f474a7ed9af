# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
# ---

# %% [markdown]
# # A first study
# Which chunk size finds the answers in the pandas and NumPy reference, with plain BM25? No model
# is embedded here and nothing is downloaded, so this takes seconds. Open it in Jupyter as it is
# (jupytext), or run it as a script.

# %%
from raytuner import Study, run

study = Study(
    name="first",
    objective={
        "kind": "rag",
        "documents": "sample:python-api",
        "golden": "sample:python-api",
        "metrics": ["recall@1000tok", "recall", "ndcg@10"],
        "pipeline": {  # the configuration as it stands: trial 0
            "chunker": {"kind": "sentence", "size": 128, "overlap": 0},
            "retriever": {"kind": "bm25", "top_k": 4},
        },
    },
    space={
        "chunker.size": {"choice": [128, 256, 512, 1024]},
        "retriever.split_identifiers": {"bool": True},
        "retriever.top_k": {"choice": [4, 8]},
    },
)
results = run(study)

# %% [markdown]
# ## Is anything better than what stands?
# The search saw 40 % of the questions. At the end the best trials and the configuration as it
# stands met on the other 60 %, which had no part in choosing them. What these say is the verdict.

# %%
print(results.verdict.sentence)

# %%
results.plot.verdict()

# %% [markdown]
# ## What was tried
# One row a configuration, best first: a plain pandas dataframe. Trials that fell behind were
# stopped after a few questions (`pruned`), so there is no mean for them.

# %%
columns = ["trial", "status", *results.parameters, results.metric, "answered"]
results.trials[columns].head(8)

# %% [markdown]
# What to use from now on is not the first row but what the verdict recommends, which may well be
# what you had:

# %%
print("use trial", results.recommended.number, dict(results.recommended.params))

# %% [markdown]
# ## The report
# One HTML file that loads nothing, for those who were not here: the verdict, the leaderboard,
# what each parameter does, and every question with what was found for it. On a command line this
# is `raytuner report runs/first`.

# %%
from raytuner.explaining import explaining
from raytuner.report import write

report = write(results, results.folder / "report.html", explaining(results).explain)
print(report.name, "is there:", report.exists())

# %% [markdown]
# Running this notebook again costs nothing: every score is on record in the run folder.
