"""LlamaIndex's side of benchmarks/sweep.py: the objective of its tutorial, and its tuner."""

from __future__ import annotations

import importlib.util
import statistics
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sweep_data import Points, Scores, load


def local_embedding(threads: int) -> Any:
    """Make our MiniLM what LlamaIndex wants an embedding to be."""
    from llama_index.core.base.embeddings.base import BaseEmbedding

    from pipelines.embedders import MiniLM
    from raytuner.objective import Tally

    model = MiniLM(threads=threads)

    class LocalEmbedding(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            found = model.embed(texts, query=False, meter=Tally()).vectors
            return [[float(x) for x in row] for row in found]

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    return LocalEmbedding(model_name="all-MiniLM-L6-v2")


def build_index(params: dict[str, Any], embedding: Any, kept: Path | None) -> Any:
    """Build the index of a trial; with `kept`, only the first time, as the tutorial does."""
    from llama_index.core import StorageContext, VectorStoreIndex, load_index_from_storage
    from llama_index.core.node_parser import SentenceSplitter

    place = kept / f"{params['chunk_size']}-{params['overlap']}" if kept else None
    if place and place.exists():
        context = StorageContext.from_defaults(persist_dir=str(place))
        return load_index_from_storage(context, embed_model=embedding)
    splitter = SentenceSplitter(chunk_size=params["chunk_size"], chunk_overlap=params["overlap"])
    nodes = splitter.get_nodes_from_documents(params["docs"])
    index = VectorStoreIndex(nodes, embed_model=embedding)
    if place:
        index.storage_context.persist(str(place))
    return index


def llama_index_sweep(
    folder: Path, points: Points, kept: Path | None, experimental: str, threads: int
) -> Any:
    """Run the tutorial's objective over the grid, one question at a time."""
    from llama_index.core import Document

    from pipelines.metrics.spans import Recall, recalled
    from pipelines.types import Hit

    corpus, golden = load(folder)
    embedding = local_embedding(threads)
    tuner, result = their_tuner(experimental)

    def objective(params: dict[str, Any]) -> Any:
        retriever = build_index(params, embedding, kept).as_retriever(
            similarity_top_k=params["top_k"]
        )
        scores = {}
        for question in golden.questions:
            nodes = [(hit.node, hit.score) for hit in retriever.retrieve(question.text)]
            hits = [
                Hit(corpus.positions[n.ref_doc_id], n.start_char_idx, n.end_char_idx, s, n.text)
                for n, s in nodes
            ]
            scores[question.id] = recalled(Recall().groups(question), hits)
        mean = statistics.fmean(scores.values())
        return result(score=mean, params=params, metadata={"scores": scores})

    docs = [Document(text=d.text, doc_id=d.name) for d in corpus]
    scores: Scores = {}
    for size in points.sizes:  # a grid each, because the overlap depends on the size
        found = tuner(
            param_fn=objective,
            param_dict={"overlap": [0, size // 5], "top_k": list(points.depths)},
            fixed_param_dict={"docs": docs, "chunk_size": size},
        ).tune()
        for run in found.run_results:
            p = run.params
            key = f"{p['chunk_size']}/{p['overlap']}/{p['top_k']}"
            scores[key] = run.metadata["scores"]
    return {
        "scores": scores,
        "tuner": "our own" if tuner is LoopTuner else "LlamaIndex's ParamTuner",
    }


def their_tuner(experimental: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Load LlamaIndex's ParamTuner and RunResult, or give the loop that they amount to."""
    if experimental:
        path = Path(experimental) / "llama_index" / "experimental" / "param_tuner" / "base.py"
        # By its path: the package around it imports torch, polars and more, base.py does not.
        spec = importlib.util.spec_from_file_location("llama_index_param_tuner", path)
        if spec is None or spec.loader is None or not path.exists():
            raise SystemExit(f"--experimental: there is no {path}")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.ParamTuner, module.RunResult
    return LoopTuner, SimpleNamespace


class LoopTuner:
    """Calls the function with every combination, as LlamaIndex's tuner does."""

    def __init__(
        self, param_fn: Callable[..., Any], param_dict: Any, fixed_param_dict: Any
    ) -> None:
        self.call = param_fn
        self.grid = param_dict
        self.fixed = fixed_param_dict

    def tune(self) -> Any:
        """Call it and keep what it gives."""
        found = [
            self.call({**self.fixed, "overlap": overlap, "top_k": k})
            for k in self.grid["top_k"]
            for overlap in self.grid["overlap"]
        ]
        return SimpleNamespace(run_results=found)
