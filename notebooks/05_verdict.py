# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
# ---

# %% [markdown]
# # The verdict explained
# A tuner that returns the best of what it tried always finds something. This notebook shows what
# such a claim is worth, and what raytuner says instead.
#
# ## What "the best one" claims
# Thirty-two configurations that are all equally good answer 50 questions, right or wrong. Nothing
# can be gained here. One of them is what you have; take the best of the others.

# %%
import numpy as np

rng = np.random.default_rng(0)


def equally_good(questions, configurations=32):
    difficulty = rng.beta(2, 1.5, size=(questions, 1))  # how likely each is answered rightly
    return (rng.random((questions, configurations)) < difficulty).astype(float)


studies = [equally_good(50) for _ in range(200)]
claims = np.array([scores.mean(axis=0).max() - scores[:, 0].mean() for scores in studies])
print(f"claimed gain: {100 * claims.mean():.1f} points on average, there is none")
print(f"'improved' in {100 * (claims > 0).mean():.0f} % of the studies")

# %% [markdown]
# The same tables under raytuner's rule: 20 questions choose at most three finalists, and the other
# 30, which had no part in it, judge them.

# %%
from raytuner.verdict import choose_finalists, decide


def judged(scores, searched=20):
    search, held = scores[:searched], scores[searched:]
    finalists = choose_finalists(search, 0, [None] * scores.shape[1])
    compared = held[:, [0, *(column for column, _ in finalists)]]
    trials = range(scores.shape[1])
    return decide("accuracy", search, trials, 0, finalists, compared, resamples=999)


verdicts = [judged(scores) for scores in studies]
wrong = np.mean([verdict.status == "PROVEN" for verdict in verdicts])
print(f"PROVEN in {100 * wrong:.1f} % of the studies; it may be 5 %")

# %% [markdown]
# ## A study and its verdict
# What stands are chunks of 128 tokens. Are larger ones better?

# %%
from raytuner import Study, run

OBJECTIVE = {
    "kind": "rag",
    "documents": "sample:python-api",
    "golden": "sample:python-api",
    "metrics": ["recall@1000tok"],
    "pipeline": {
        "chunker": {"kind": "sentence", "size": 128, "overlap": 0},
        "retriever": {"kind": "bm25", "top_k": 8},
    },
}
first = run(
    Study(name="sizes", objective=OBJECTIVE, space={"chunker.size": {"choice": [128, 256, 512]}})
)
verdict = first.verdict
print(verdict.sentence)

# %%
first.plot.verdict()

# %% [markdown]
# Each row is a finalist: its mean gain on the held-out questions over what stands, with an
# interval that holds for all of them together. Five answers are possible:
#
# | | |
# |---|---|
# | PROVEN | a finalist is better: p below `alpha`, adjusted for how many there are |
# | LEANING | probably: p below five times `alpha`; not recommended unless `policy: lean` |
# | NOT PROVEN | these questions cannot tell it from luck: keep what you have |
# | WORSE | all finalists are worse: keep what you have |
# | NO VERDICT | nothing could be compared, and why |
#
# Questions about one document are no independent evidence, so they stay together in the split and
# in the statistics. Here 180 held-out questions are about few documents (`groups`), and so prove
# less than 180 about as many:

# %%
print(verdict.questions)

# %% [markdown]
# ## Three gains
# What the search claims; the same without the luck of choosing (from the search alone, by
# bootstrap: choose on a sample of questions, score on the rest); and what unseen questions say.
# The last one counts.

# %%
import pandas as pd

gains = {
    "claimed by the search": (verdict.raw_gain, None, None),
    "corrected for the choice": (
        verdict.corrected_gain,
        verdict.corrected_low,
        verdict.corrected_high,
    ),
    "on held-out questions": (verdict.leader.gain, verdict.leader.low, verdict.leader.high),
}
pd.DataFrame(gains, index=["gain", "low", "high"]).T.astype(float).mul(100).round(1)

# %% [markdown]
# ## How many questions it would take
# `detectable` is the smallest true gain that these held-out questions would prove four times out
# of five. `needed_questions` would prove the gain that was seen, if it is as large as it looks.

# %%
print(f"detectable: {100 * verdict.detectable:.1f} points")
print("needed:", verdict.needed_questions)

# %% [markdown]
# Before a study there is a rule of thumb: the number grows with the square of how much answers
# vary, and falls with the square of the gain. Graded metrics vary less than yes or no.

# %%
from raytuner.proof.statistics import needed_questions

rows = {f"{100 * gain:.0f} points": gain for gain in (0.03, 0.05, 0.10, 0.15)}
pd.DataFrame(
    {
        kind: [needed_questions(sd, gain) for gain in rows.values()]
        for kind, sd in {"yes or no": 0.5, "graded": 0.3}.items()
    },
    index=list(rows),
)

# %% [markdown]
# ## Looking twice
# Held-out questions wear out: whoever may look again and again finds something in the end. Every
# look is on record, and each further one halves `alpha`. Add two parameters to the same study; what
# is known is not run again, but other finalists meet on the same questions.

# %%
SPACE = {
    "chunker.size": {"choice": [128, 256, 512]},
    "retriever.split_identifiers": {"bool": True},
    "retriever.stemmer": {"choice": ["none", "english"]},
}
second = run(Study(name="sizes", objective=OBJECTIVE, space=SPACE))
print(second.verdict.sentence)
print("looks:", second.verdict.looks, "alpha:", second.verdict.alpha)

# %% [markdown]
# Had all of it been in the space from the start, there would have been one look.
#
# ## Two runs
# `compare` holds what one run recommends (or any trial) against another run's, on questions that
# had no part in choosing either. Somebody else has settled on longer, overlapping chunks and tuned
# their number, with the same questions. Neither run has proven anything, so what stands in one
# (A) meets what stands in the other (B):

# %%
from raytuner.compare import compare

pipeline = {**OBJECTIVE["pipeline"], "chunker": {"kind": "sentence", "size": 512, "overlap": 64}}
other = run(
    Study(
        name="theirs",
        objective={**OBJECTIVE, "pipeline": pipeline},
        space={"retriever.top_k": {"choice": [2, 4, 8]}},
    )
)
found = compare(first, other)
print("\n".join(found.lines))

# %% [markdown]
# ## In a pipeline of yours
# On a command line these are `raytuner verdict runs/sizes` and `raytuner compare runs/sizes
# runs/theirs`. `--fail-unless proven` ends with exit code 5 where the verdict is anything less, so
# that a build stops before it ships a configuration that is not known to be better.

# %%
import subprocess
import sys

command = [sys.executable, "-m", "raytuner", "verdict", "runs/theirs", "--fail-unless", "proven"]
ended = subprocess.run(command, capture_output=True, text=True)
print(ended.stdout.strip())
print("exit code:", ended.returncode)
