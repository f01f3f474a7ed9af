"""Which pipelines LlamaIndex can express so that it finds the same."""

from __future__ import annotations

from collections.abc import Callable

from pipelines.chat import Chat
from pipelines.config import RagConfig
from pipelines.embedders.minilm import MiniLM
from pipelines.embedders.openai import OpenAI
from pipelines.llm.models import OpenAIModel, resolved
from pipelines.retrievers import Bm25, Dense, Hybrid
from pipelines.roles import Retriever
from pipelines.stores import Chroma, Exact
from raytuner.component import ConfigError

CAN = (
    "a module takes chunkers sentence and token (cl100k), embedders minilm and openai, stores "
    "exact and chroma (without a server), retrievers dense, bm25 and hybrid (rrf), and generator "
    "chat (compact, one answer, an openai model) or none"
)


def check(config: RagConfig) -> None:
    """Refuse what a module cannot do as the pipeline does it.

    Raises:
        ConfigError: naming the part, and what a module takes.
    """
    for part, why in (
        *_simple(config),
        *_retriever(config.retriever, config),
        *_vectors(config),
        *_generator(config),
    ):
        if why:
            raise ConfigError(f"{part}: {why} cannot be written as a module; {CAN}", (part,))


_Found = list[tuple[str, str | None]]


def _simple(config: RagConfig) -> _Found:
    chunker = config.chunker
    counted = getattr(chunker, "tokenizer", None)
    return [
        ("preprocess", "a preprocessor" if config.preprocess else None),
        ("chunker", None if chunker.kind in {"sentence", "token"} else f"{chunker.kind!r}"),
        ("chunker.tokenizer", None if counted in {None, "cl100k"} else f"{counted!r}"),
        ("match", None if config.match.kind == "chunk" else f"{config.match.kind!r}"),
        ("query", f"{config.query.kind!r}" if config.query is not None else None),
        ("reranker", f"{config.reranker.kind!r}" if config.reranker is not None else None),
    ]


def _retriever(retriever: Retriever, config: RagConfig) -> _Found:
    if isinstance(retriever, Dense):
        graph = isinstance(config.store, Chroma) and retriever.min_score is not None
        return [("retriever.min_score", "a limit on Chroma's scores" if graph else None)]
    if isinstance(retriever, Bm25):
        options = ("stemmer", "stopwords", "split_identifiers")
        given = [name for name in options if getattr(retriever, name) not in {"none", False}]
        return [("retriever", f"{given[0]} of bm25" if given else None)]
    if isinstance(retriever, Hybrid) and retriever.fusion == "rrf":
        kinds = (retriever.dense.kind, retriever.sparse.kind)
        nested = None if kinds == ("dense", "bm25") else f"hybrid of {' and '.join(kinds)}"
        return [("retriever", nested), *_retriever(retriever.sparse, config)]
    fusion = f" ({retriever.fusion})" if isinstance(retriever, Hybrid) else ""
    return [("retriever", f"{retriever.kind!r}{fusion}")]


def _vectors(config: RagConfig) -> _Found:
    if not config.needs_vectors():
        return []
    embedder, store = config.embedder, config.store
    found: _Found = []
    if isinstance(embedder, OpenAI):
        odd = embedder.query_prefix or embedder.document_prefix or embedder.azure_api_version
        found.append(("embedder", "openai with prefixes or Azure's version" if odd else None))
    elif not isinstance(embedder, MiniLM):
        found.append(("embedder", f"{embedder.kind!r}"))
    server = isinstance(store, Chroma) and store.url is not None
    known = isinstance(store, Exact | Chroma) and not server
    return [*found, ("store", None if known else f"{store.kind!r}{' with a url' * server}")]


def _generator(config: RagConfig) -> _Found:
    chat = config.generator
    if chat is None:
        return []
    if not isinstance(chat, Chat):
        return [("generator", f"{chat.kind!r}")]
    model = resolved(chat.model)
    standard = isinstance(model, OpenAIModel) and model.azure_api_version is None
    passages = config.retriever.top_k * int(getattr(config.chunker, "size", 0))
    templates = (chat.system, chat.prompt, chat.refine_prompt)
    wrong: list[tuple[str, Callable[[], bool]]] = [
        (f"model {model.kind!r}", lambda: not standard),
        (f"mode {chat.mode!r}", lambda: chat.mode != "compact"),
        ("a template of passages", lambda: (chat.passage, chat.separator) != ("{text}", "\n\n")),
        ("choosing among answers", lambda: chat.n > 1),
        ("a response_schema", lambda: chat.response_schema is not None),
        ("a doubled brace", lambda: any("{{" in text or "}}" in text for text in templates)),
        ("context_tokens below what is handed on", lambda: passages > chat.context_tokens),
    ]
    return [("generator", why if true() else None) for why, true in wrong]
