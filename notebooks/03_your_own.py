# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
# ---

# %% [markdown]
# # Your own objective, your own component
# Anything with parameters and questions can be tuned. First an objective that has nothing to do
# with retrieval; then a chunker of your own inside a RAG pipeline. Both are one class.
#
# ## An objective with units
# Someone mistypes the name of a pandas function: which one was meant? The candidates are ranked by
# how many n-grams of letters they share with what was typed. Tuned are `n`, whether the ends of a
# word count, and a bonus for the right first letter. A *unit* is one mistyped name: trials are
# compared unit by unit, and that is what makes a verdict possible.
#
# Here are 150 mistyped names; some functions come more than once. A slip is a letter that is
# dropped, doubled, or swapped with the next one; every name suffers two.

# %%
import random

import pandas as pd

NAMES = sorted(name for name in dir(pd.DataFrame) if name.isascii() and name[0] != "_")


def mistype(name: str, generator: random.Random) -> str:
    for _ in range(2):
        at = generator.randrange(len(name) - 1)
        name = generator.choice(
            [
                name[:at] + name[at + 1 :],
                name[: at + 1] + name[at:],
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
            ]
        )
    return name


generator = random.Random(1)
long_names = [name for name in NAMES if len(name) > 4]
MEANT = {mistype(name, generator): name for name in generator.choices(long_names, k=150)}
list(MEANT.items())[:5]

# %% [markdown]
# An objective names its units, gives every configuration a key (equal keys are never evaluated
# twice), and scores units in batches. `defaults` says how things stand: that becomes trial 0.
# `groups` says that slips of one name are not independent evidence.

# %%
from raytuner import Objective, UnitScore
from raytuner.component import digest


class Meant(Objective):
    """Ranks names by the share of letter n-grams that they have in common with a mistyped one."""

    def units(self):
        return tuple(MEANT)

    def groups(self):
        return MEANT

    def scope(self):
        return digest("meant", NAMES, MEANT)

    def key(self, params):
        return digest(self.scope(), dict(params))

    def defaults(self, names):
        return {"n": 3, "ends": False, "first": 0.0}

    def metrics(self):
        return ("reciprocal rank", "hit@1")

    def evaluate(self, params, units, meter):
        grams = {name: ngrams(name, params) for name in NAMES}
        for start in range(0, len(units), 25):  # a batch is on record before the next begins
            yield [self.score(unit, params, grams) for unit in units[start : start + 25]]

    def score(self, unit, params, grams):
        typed = ngrams(unit, params)

        def likeness(name):
            shared = 2 * len(typed & grams[name]) / ((len(typed) + len(grams[name])) or 1)
            return shared + params["first"] * (name[0] == unit[0])

        rank = 1 + sorted(NAMES, key=lambda name: (-likeness(name), name)).index(MEANT[unit])
        return UnitScore(unit, {"reciprocal rank": 1 / rank, "hit@1": float(rank == 1)})


def ngrams(word, params):
    word, n = (f"<{word}>" if params["ends"] else word), params["n"]
    return {word[i : i + n] for i in range(len(word) - n + 1)}


# %% [markdown]
# Try it on one unit before it is tuned:

# %%
from raytuner.objective import Tally

objective = Meant()
next(objective.evaluate(objective.defaults(()), objective.units()[:2], Tally()))

# %%
from raytuner import Study, run

study = Study(
    name="meant",
    objective=objective,
    space={
        "n": {"int": [1, 4]},
        "ends": {"bool": True},
        "first": {"choice": [0.0, 0.1, 0.3]},
    },
)
results = run(study)
print(results.verdict.sentence)

# %%
results.plot.importance()

# %%
columns = ["trial", "status", *results.parameters, *results.metrics, "answered"]
results.trials[columns].head(6).round(3)

# %% [markdown]
# A function of a dict works as well (`Study(objective=function, ...)`). It gives one number for
# all questions together, so there is nothing to hold out and no verdict: write a class where an
# answer matters.
#
# ## A component of your own
# A chunker, retriever, metric or search is a class that names its `kind`. Its fields are its YAML
# schema, its search space and its cache key. This chunker cuts at blank lines and puts short
# paragraphs together.

# %%
import re

from pydantic import Field

from pipelines.roles import Chunker


class Paragraphs(Chunker, kind="paragraphs"):
    """Whole paragraphs, as many as fit; a longer one is a chunk of its own."""

    longest: int = Field(default=2_000, ge=1, description="characters per chunk, if it can be")

    def split(self, text):
        parts = [m.span() for m in re.finditer(r"\S.*?(?=\n\s*\n|\s*\Z)", text, re.DOTALL)]
        chunks = []
        for start, end in parts:
            if chunks and end - chunks[-1][0] <= self.longest:
                start = chunks.pop()[0]
            chunks.append((start, end))
        return [(start, end, start, end) for start, end in chunks]


# %% [markdown]
# A chunker gives offsets, never text, and must lose nothing. On a small text one sees it:

# %%
text = "One.\n\nTwo is longer.\n\n\nThree.\n"
[text[start:end] for start, end, *_ in Paragraphs(longest=25).split(text)]

# %% [markdown]
# On the real documents one asserts it:

# %%
from pipelines import samples

documents, _ = samples.load("python-api")
for document in documents:
    chunks = Paragraphs().split(document.text)
    covered = "".join(document.text[start:end] for start, end, *_ in chunks)
    assert "".join(covered.split()) == "".join(document.text.split()), document.name
print(len(documents), "documents, nothing lost")

# %% [markdown]
# From here it is a value like any other: `chunker.kind: paragraphs`, `chunker.longest: ...`. A
# parameter that only one kind has is given `when` it is active.

# %%
study = Study(
    name="paragraphs",
    objective={
        "kind": "rag",
        "documents": "sample:python-api",
        "golden": "sample:python-api",
        "metrics": ["recall@1000tok", "precision"],
        "pipeline": {
            "chunker": {"kind": "sentence", "size": 256, "overlap": 0},
            "retriever": {"kind": "bm25", "top_k": 8, "split_identifiers": True},
        },
    },
    space={
        "chunker.kind": {"choice": ["sentence", "paragraphs"]},
        "chunker.size": {"choice": [256, 512], "when": {"chunker.kind": "sentence"}},
        "chunker.longest": {"choice": [500, 1000, 2000], "when": {"chunker.kind": "paragraphs"}},
    },
    scheduler="none",
)
results = run(study)
results.trials[["trial", *results.parameters, *results.metrics]].round(3)

# %%
print(results.verdict.sentence)

# %% [markdown]
# In a file instead of a notebook, name its module in the study (`plugins: [my_team.chunkers]`):
# then `raytuner run study.yaml` and the workers of a cluster know it too.
