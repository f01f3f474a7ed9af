"""LlamaIndex's hyper-parameter tutorial with our tuners: which chunk size, and how many chunks?

Whoever has a script for `llama_index.experimental.param_tuner` changes the import below and
nothing else. This one needs no key and no network: documents and questions are those that ship
with raytuner, and all-MiniLM-L6-v2 runs on this machine. As in the tutorial, an index is built
for every chunk size and kept on disk, every question is answered from it, and what was found is
compared with the reference answer by the similarity of their embeddings (of which the model reads
256 word pieces, so that much text gains little).

    python examples/llamaindex_tutorial.py
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from llama_index.core import (
    Document,
    StorageContext,
    VectorStoreIndex,
    load_index_from_storage,
)
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.evaluation import SemanticSimilarityEvaluator
from llama_index.core.node_parser import SentenceSplitter

from pipelines import samples
from pipelines.embedders import MiniLM
from raytuner import AsyncParamTuner, ParamTuner, RunResult, TunedResult
from raytuner.objective import Tally

DOCUMENTS = ("numpy/indexing.txt", "pandas/dates.txt")
QUESTIONS_EACH = 6


class LocalEmbedding(BaseEmbedding):  # type: ignore[misc]
    """Our MiniLM as LlamaIndex wants an embedding to be."""

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = (
            MiniLM().embed(texts, query=False, meter=Tally()).vectors.astype(float).tolist()
        )
        return rows

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)


EMBEDDING = LocalEmbedding(model_name="all-MiniLM-L6-v2")


def load_data() -> dict[str, Any]:
    """Take two documents and some of the questions about each."""
    corpus, questions = samples.load("python-api")
    kept = [d for d in corpus if d.name in DOCUMENTS]
    asked = []
    for _, group in groupby((q for q in questions if q.group in DOCUMENTS), lambda q: q.group):
        asked += list(group)[:QUESTIONS_EACH]
    return {
        "docs": [Document(text=d.text, doc_id=d.name) for d in kept],
        "eval_qs": [q.text for q in asked],
        "ref_response_strs": [q.answer for q in asked],
    }


def build_index(chunk_size: int, docs: Sequence[Document], folder: Path) -> VectorStoreIndex:
    """Build the index of one chunk size, or load it if it has been built before."""
    place = folder / f"storage_{chunk_size}"
    if place.exists():
        context = StorageContext.from_defaults(persist_dir=str(place))
        return load_index_from_storage(context, embed_model=EMBEDDING)
    splitter = SentenceSplitter(chunk_size=chunk_size, chunk_overlap=20)
    index = VectorStoreIndex(splitter.get_nodes_from_documents(docs), embed_model=EMBEDDING)
    index.storage_context.persist(str(place))
    return index


def summary(scores: Sequence[float], params: dict[str, Any]) -> RunResult:
    """Average over the questions, and keep the single scores."""
    mean = sum(scores) / len(scores)
    return RunResult(score=mean, params=params, metadata={"scores": list(scores)})


def objective_function(params: dict[str, Any]) -> RunResult:
    """Score one combination."""
    index = build_index(params["chunk_size"], params["docs"], params["folder"])
    retriever = index.as_retriever(similarity_top_k=params["top_k"])
    evaluator = SemanticSimilarityEvaluator(embed_model=EMBEDDING)
    scores = []
    for question, answer in zip(params["eval_qs"], params["ref_response_strs"], strict=True):
        found = "\n".join(hit.text for hit in retriever.retrieve(question))
        scores.append(evaluator.evaluate(response=found, reference=answer).score)
    return summary(scores, params)


async def aobjective_function(params: dict[str, Any]) -> RunResult:
    """Do the same without blocking, all questions at once."""
    index = build_index(params["chunk_size"], params["docs"], params["folder"])
    retriever = index.as_retriever(similarity_top_k=params["top_k"])
    evaluator = SemanticSimilarityEvaluator(embed_model=EMBEDDING)

    async def score(question: str, answer: str) -> float:
        found = "\n".join(hit.text for hit in await retriever.aretrieve(question))
        result = await evaluator.aevaluate(response=found, reference=answer)
        return float(result.score)

    pairs = zip(params["eval_qs"], params["ref_response_strs"], strict=True)
    return summary(await asyncio.gather(*(score(*pair) for pair in pairs)), params)


def show(title: str, results: TunedResult) -> None:
    """Print the winner and the table."""
    best = results.best_run_result
    print(f"\n{title}: best chunk size {best.params['chunk_size']}, top-k {best.params['top_k']}")
    print(results.dataframe.drop(columns="failure").to_string(index=False))


def main() -> tuple[TunedResult, TunedResult]:
    """Tune twice, with a sync and with an async objective."""
    with tempfile.TemporaryDirectory() as folder:
        param_dict = {"chunk_size": [64, 128, 256], "top_k": [1, 2, 4]}
        fixed_param_dict = {**load_data(), "folder": Path(folder)}
        param_tuner = ParamTuner(
            param_fn=objective_function,
            param_dict=param_dict,
            fixed_param_dict=fixed_param_dict,
            show_progress=True,
        )
        results = param_tuner.tune()
        show("ParamTuner", results)
        aparam_tuner = AsyncParamTuner(
            aparam_fn=aobjective_function,
            param_dict=param_dict,
            fixed_param_dict=fixed_param_dict,
            num_workers=2,
            show_progress=True,
        )
        aresults = asyncio.run(aparam_tuner.atune())
        show("AsyncParamTuner", aresults)
        return results, aresults


if __name__ == "__main__":
    main()
