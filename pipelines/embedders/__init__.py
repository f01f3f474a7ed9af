"""Embedders by kind; importing this package registers them and loads none of their libraries."""

from pipelines.embedders.adapted import Adapted, AdaptedFitted
from pipelines.embedders.lexical import Lsa, TfIdf
from pipelines.embedders.llamaindex import LlamaIndex
from pipelines.embedders.minilm import MiniLM
from pipelines.embedders.openai import OpenAI
from pipelines.embedders.openvino import MiniLMBfloat16
from pipelines.embedders.sentence_transformers import SentenceTransformers
from pipelines.roles import CorpusEmbedder, Embedder

__all__ = [
    "Adapted",
    "AdaptedFitted",
    "CorpusEmbedder",
    "Embedder",
    "LlamaIndex",
    "Lsa",
    "MiniLM",
    "MiniLMBfloat16",
    "OpenAI",
    "SentenceTransformers",
    "TfIdf",
]
