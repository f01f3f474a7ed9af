"""Writes the module: constants from the configuration, then the parts that it needs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pprint import pformat
from typing import Any

from pipelines.chat import Chat
from pipelines.config import RagConfig
from pipelines.embedders.minilm import MiniLM
from pipelines.embedders.openai import OpenAI
from pipelines.llm.models import OpenAIModel, resolved
from pipelines.readers import READERS, read_plain
from pipelines.retrievers import Bm25, Hybrid
from pipelines.standalone.fitting import check
from pipelines.stores import Chroma

_ROOM = 20_000
"""Tokens that LlamaIndex may count for prompts, beside passages and answer."""
_TITLE = '''"""A query engine over text files, built with LlamaIndex.

    python MODULE.py DOCUMENTS "QUESTION"

    >>> engine = query_engine("docs/")
    >>> engine.query("How long is the warranty?").source_nodes[0].node.text
"""
'''
_RENAMED = {
    "prompt": {"question": "query_str", "context": "context_str"},
    "refine": {"question": "query_str", "context": "context_msg", "answer": "existing_answer"},
}


def module_files(config: RagConfig) -> Mapping[str, bytes]:
    """Write a pipeline as a module that needs LlamaIndex, and not raytuner.

    Args:
        config: the pipeline, its models resolved.

    Returns:
        Contents of files by the end of their names: `.py`, and `.onnx` where MiniLM embeds.

    Raises:
        ConfigError: naming the part that LlamaIndex cannot express, and what can be.
    """
    check(config)
    parts = ["documents"]
    constants = _documents(config)
    found: dict[str, bytes] = {}
    if config.needs_vectors():
        if isinstance(config.embedder, MiniLM):
            from pipelines.embedders.minilm import verified_weights
            from pipelines.embedders.onnx_graph import sentence_graph

            found[".onnx"] = sentence_graph(verified_weights())
        parts += _dense(config, constants)
    parts += _ranking(config, constants)
    if isinstance(config.generator, Chat):
        parts.append("chat")
        constants |= _chat(config.generator)
    else:
        parts.append("found")
    text = "".join((files(__package__) / "parts" / f"{part}.txt").read_text() for part in parts)
    text += _engine(config)
    spelled = "".join(f"{name} = {_spelled(value)}\n" for name, value in constants.items())
    constant = spelled + _splitter(config)
    source = f"{_TITLE}\n{_imports(text + constant)}\n{constant}{text}"
    return {".py": source.encode(), **found}


# ---- constants


def _documents(config: RagConfig) -> dict[str, Any]:
    return {
        "SUFFIXES": sorted(name for name, reader in READERS.items() if reader is read_plain),
        "OTHER_SUFFIXES": sorted(n for n, reader in READERS.items() if reader is not read_plain),
        "CHUNK_TOKENS": getattr(config.chunker, "size", None),
        "OVERLAP_TOKENS": getattr(config.chunker, "overlap", None),
        "TOP_K": config.retriever.top_k,
    }


def _dense(config: RagConfig, constants: dict[str, Any]) -> list[str]:
    embedder, store = config.embedder, config.store
    parts = ["minilm"]
    if isinstance(embedder, MiniLM):
        constants["MAX_TOKENS"] = embedder.max_tokens
    elif isinstance(embedder, OpenAI):
        parts = ["openai_embedding"]
        constants |= {
            "EMBEDDING_MODEL": embedder.model,
            "DIMENSIONS": embedder.dimensions,
            "EMBEDDING_URL": embedder.base_url,
            "EMBEDDING_KEY_VARIABLE": embedder.api_key_env,
        }
    if isinstance(store, Chroma):
        graph = ("ef_construction", "max_neighbors", "ef_search")
        constants["GRAPH"] = {
            "space": store.distance,
            **{name: getattr(store, name) for name in graph},
        }
        return [*parts, "chroma"]
    return [*parts, "dense"]


def _ranking(config: RagConfig, constants: dict[str, Any]) -> list[str]:
    retriever = config.retriever
    if retriever.min_score is not None:
        constants["MIN_SCORE"] = retriever.min_score
    words = retriever.sparse if isinstance(retriever, Hybrid) else retriever
    if not isinstance(words, Bm25):
        return []
    constants |= {"K1": words.k1, "B": words.b}
    if not isinstance(retriever, Hybrid):
        return ["bm25"]
    constants |= {
        "POOL": retriever.pool,
        "WEIGHT": retriever.weight,
        "RANK_CONSTANT": retriever.rank_constant,
    }
    return ["bm25", "hybrid"]


def _chat(chat: Chat) -> dict[str, Any]:
    model = resolved(chat.model)
    assert isinstance(model, OpenAIModel)  # it was checked
    sampling = dict(chat.sampling().sent())
    sampling[model.length_field] = sampling.pop("max_tokens")
    if chat.seed is not None:
        sampling["seed"] = chat.seed
    return {
        "MODEL": model.model,
        "MODEL_URL": model.base_url,
        "MODEL_KEY_VARIABLE": model.api_key_env,
        "LENGTH_FIELD": model.length_field,
        "SAMPLING": {**sampling, **model.extra},
        "CONTEXT_WINDOW": chat.context_tokens + chat.max_tokens + _ROOM,
        "SYSTEM": _renamed(chat.system, "prompt"),
        "PROMPT": _renamed(chat.prompt, "prompt"),
        "REFINE": _renamed(chat.refine_prompt, "refine"),
    }


def _renamed(template: str, kind: str) -> str:
    """Give a template with LlamaIndex's names of its fields."""
    for ours, theirs in _RENAMED[kind].items():
        template = template.replace(f"{{{ours}}}", f"{{{theirs}}}")
    return template


# ---- text


def _splitter(config: RagConfig) -> str:
    if config.chunker.kind == "sentence":
        return (
            "SPLITTER = SentenceSplitter(chunk_size=CHUNK_TOKENS, chunk_overlap=OVERLAP_TOKENS)\n"
        )
    return (
        "SPLITTER = TokenTextSplitter(  # which sets two tokens aside for metadata\n"
        "    chunk_size=CHUNK_TOKENS + 2, chunk_overlap=OVERLAP_TOKENS\n)\n"
    )


def _engine(config: RagConfig) -> str:
    kinds = {"dense": "dense_retriever", "bm25": "Bm25", "hybrid": "Hybrid"}
    steps = ["InOrder()"]
    if config.retriever.min_score is not None:
        steps.append("SimilarityPostprocessor(similarity_cutoff=MIN_SCORE)")
    text = (files(__package__) / "parts" / "engine.txt").read_text()
    text = text.replace("RETRIEVER(", f"{kinds[config.retriever.kind]}(")
    return text.replace("POSTPROCESSORS", f"[{', '.join(steps)}]")


_IMPORTS = (
    ("import os", "os."),
    ("import re", "re."),
    ("import sys", "sys."),
    ("import unicodedata", "unicodedata."),
    ("from collections import Counter", "Counter("),
    ("from pathlib import Path", "Path("),
    ("", ""),
    ("import numpy as np", "np."),
    ("from llama_index.core import Document", "Document("),
    ("from llama_index.core import VectorStoreIndex", "VectorStoreIndex("),
    ("from llama_index.core.base.embeddings.base import BaseEmbedding", "BaseEmbedding"),
    ("from llama_index.core.llms import LLMMetadata", "LLMMetadata("),
    ("from llama_index.core.llms import MockLLM", "MockLLM("),
    ("from llama_index.core.node_parser import SentenceSplitter", "SentenceSplitter("),
    ("from llama_index.core.node_parser import TokenTextSplitter", "TokenTextSplitter("),
    ("from llama_index.core.postprocessor import SimilarityPostprocessor", "SimilarityPostproc"),
    ("from llama_index.core.postprocessor.types import BaseNodePostprocessor", "BaseNodePostproc"),
    ("from llama_index.core.prompts import ChatMessage, ChatPromptTemplate", "ChatMessage"),
    ("from llama_index.core.query_engine import RetrieverQueryEngine", "RetrieverQueryEngine("),
    ("from llama_index.core.response_synthesizers.no_text import NoText", "NoText("),
    ("from llama_index.core.response_synthesizers import ResponseMode", "ResponseMode."),
    ("from llama_index.core.response_synthesizers import get_response_synthesizer", "get_resp"),
    ("from llama_index.core.retrievers import BaseRetriever", "BaseRetriever"),
    ("from llama_index.core.schema import NodeWithScore", "NodeWithScore("),
    ("from llama_index.embeddings.openai import OpenAIEmbedding", "OpenAIEmbedding("),
    ("from llama_index.llms.openai import OpenAI", "OpenAI)"),
)
"""Lines of import, and what in the text shows that they are needed."""


def _imports(text: str) -> str:
    return "".join(f"{line}\n" for line, mark in _IMPORTS if mark in text)


def _spelled(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        lines = value.splitlines(keepends=True)
        return "(\n" + "".join(f"    {line!r}\n" for line in lines) + ")"
    return pformat(value, width=88, sort_dicts=False, compact=True)
