"""A workflow with a router: which reference to search, what to hand on, what to say.

Nothing here knows which model is asked, what the prompts say, or how a question finds its part:
these are steps of the study, by name.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from workflows import Workflow, step
from workflows.events import Event, StartEvent, StopEvent

from pipelines import samples
from pipelines.bm25 import Analyser, Terms, term_counts
from pipelines.chunkers import Sentence
from pipelines.metrics import TokenF1

LOCK = threading.Lock()
PARTS = {
    "numpy": [
        "NumPy: arrays and their dtypes, shapes, broadcasting and indexing",
        "np.linspace, np.dot, np.random: linear algebra, random numbers, numeric functions",
    ],
    "pandas": [
        "pandas: DataFrame and Series, rows, columns and their index",
        "df.groupby, pd.merge, pd.read_csv: grouping, joining, dates, missing values, files",
    ],
}


class Routed(Event):
    """The part of the documents that a question is about."""

    question: str
    part: str


class Found(Event):
    """What that part says."""

    question: str
    part: str
    context: str


class DocsRouter(Workflow):
    """Routes, searches, answers. `self.steps` comes from the study."""

    steps: Any

    @step
    async def route(self, ev: StartEvent) -> Routed:
        part = await self.steps["route"].achoose(ev.question, PARTS)
        return Routed(question=ev.question, part=part)

    @step
    async def search(self, ev: Routed) -> Found:
        texts = search(ev.part, ev.question, self.steps["search"].settings["top_k"])
        return Found(question=ev.question, part=ev.part, context="\n\n".join(texts))

    @step
    async def draft(self, ev: Found) -> StopEvent:
        said = await self.steps["draft"].acomplete(context=ev.context)
        return StopEvent(result={"part": ev.part, "answer": said})


def search(part: str, question: str, top_k: int) -> list[str]:
    """Give the passages of a part that share most words with the question (BM25)."""
    with LOCK:  # items run side by side: the first one builds the index
        passages, terms = index(part)
    ranking = terms.search([question], top_k, k1=1.2, b=0.75)
    return [passages[number] for number in ranking.ids[0] if number >= 0]


@lru_cache
def index(part: str) -> tuple[list[str], Terms]:
    """Cut the documents of a part into passages, and count their words."""
    corpus, _ = samples.load("python-api")
    texts = [one.text for one in corpus.documents if one.name.startswith(f"{part}/")]
    chunker = Sentence(size=192, overlap=0)
    passages = [text[a:b] for text in texts for a, b, _, _ in chunker.split(text)]
    return passages, term_counts(passages, Analyser("english", "english", True))


def score(answer: dict[str, str], item: dict[str, str]) -> dict[str, float]:
    """Compare the answer with the reference, and the part with the right one."""
    return {
        "f1": TokenF1().compare(answer["answer"], item["answer"]) if answer["answer"] else 0.0,
        "routed": answer["part"] == item["part"],
    }
