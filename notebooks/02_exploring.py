# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
# ---

# %% [markdown]
# # Exploring a trial dataframe
# LlamaIndex's tutorial on hyper-parameters tunes chunk size and top-k over a grid and ends with
# the best of the two. The winner is the least of what such a grid knows. Here is the same grid, a
# little larger, and what can be read from it: which parameter matters, which questions decide,
# what one has to give for what.
#
# First a run to look at. `scheduler: none` lets every trial answer every question: it costs more
# than stopping early, and gives complete tables. Skip this if you have a run folder.

# %%
from raytuner import Study, run

_ = run(
    Study(
        name="grid",
        objective={
            "kind": "rag",
            "documents": "sample:python-api",
            "golden": "sample:python-api",
            "metrics": ["recall@1000tok", "recall", "precision"],
            "pipeline": {
                "chunker": {"kind": "sentence", "size": 1024, "overlap": 0},
                "embedder": "lsa",
                "retriever": {"kind": "dense", "top_k": 2},
            },
        },
        space={
            "chunker.size": {"choice": [128, 256, 512, 1024]},
            "retriever.kind": {"choice": ["dense", "bm25", "hybrid"]},
            "retriever.top_k": {"choice": [2, 4, 8, 16]},
        },
        scheduler="none",
    )
)

# %% [markdown]
# ## From a run folder to a plot
# Three lines, also while the run goes on:

# %%
from raytuner import Results

results = Results.open("runs/grid")
results.plot.importance()

# %% [markdown]
# Each row is the mean difference between the trials with a value and those that differ from them
# in nothing else, with its 95 % interval. Where it crosses the dashed line, the value may as well
# do nothing.

# %% [markdown]
# ## Trials
# `results.trials` is a pandas dataframe, one row a trial, best first. What the tutorial prints:

# %%
best = results.trials.iloc[0]
print("best chunk size:", best["chunker.size"], "best top-k:", best["retriever.top_k"])

# %% [markdown]
# And how much less the next ones are worth. `low` and `high` are the 95 % interval of the mean:
# neighbours overlap widely, so their order is largely luck.

# %%
columns = ["trial", *results.parameters, *results.metrics, "low", "high"]
results.trials[columns].head(6).round(3)

# %% [markdown]
# The tables of any grid are one pivot away.

# %%
results.trials.pivot_table(
    index="retriever.kind", columns="chunker.size", values="recall@1000tok"
).round(3)

# %%
results.plot.heatmap("chunker.size", "retriever.top_k")

# %% [markdown]
# ## Which parameter matters
# `ranking` is the distance between the best and the worst value of a parameter, in units of the
# metric; `effects` has what the first plot shows. The model is a second opinion, and is there only
# if it can predict trials that it has not seen.

# %%
importance = results.importance()
print(importance.note)
importance.ranking.round(3)

# %%
importance.effects[["parameter", "level", "effect", "low", "high"]].round(3)

# %% [markdown]
# ## Scores and questions
# `results.scores` is the long form, a row for every trial, question and metric. Finalists also
# have answered the held-out questions.

# %%
scores = results.scores
scores.groupby(["part", "metric"])["score"].agg(["size", "mean"]).round(3)

# %% [markdown]
# What does one question say? Those that every trial gets right (`saturated`), or none (`hopeless`),
# decide nothing and cost as much as the others. The most discriminating ones agree with the rest
# on which trials are good.

# %%
questions = results.questions
questions["remark"].str.split(", ").explode().value_counts().drop("", errors="ignore")

# %%
told = questions[questions["remark"].str.contains("most discriminating")]
told[["question", "mean", "discrimination"]].round(2)

# %%
results.plot.questions(30)

# %% [markdown]
# What is wrong with one of them? This asks the objective what a configuration found; it is read
# from the cache and nothing is paid for.

# %%
from raytuner.explaining import explaining

hopeless = questions.loc[questions["remark"].str.contains("hopeless"), "question"].iloc[0]
[shown] = explaining(results).explain(results.best, [hopeless])
print("question: ", shown["question"])
print("wanted:   ", shown["reference"])
print("looked in:", ", ".join(dict.fromkeys(hit["document"] for hit in shown["retrieved"])))

# %% [markdown]
# ## One goal against another
# More chunks find more and bury it in more text. The front is what no other trial beats in both;
# `firm` points are on it in at least half of 500 resamples of the questions.

# %%
goals = {"recall": "max", "precision": "max"}
front = results.pareto(goals)
front.loc[front["on_front"], ["trial", *results.parameters, *goals, "share", "firm"]].round(3)

# %%
results.plot.pareto(goals)

# %% [markdown]
# ## All parameters at once, and the way there

# %%
results.plot.parallel()

# %%
results.plot.curve()

# %% [markdown]
# ## So, is the best one better?
# None of the above can tell: all of it looks at the questions that chose the best. The verdict
# does not; see `05_verdict.py`.

# %%
print(results.verdict.sentence)
