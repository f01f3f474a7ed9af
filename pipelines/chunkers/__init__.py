"""Chunkers: ways to cut a document, each a kind of the role `Chunker`.

Importing this package registers them. Offsets are exact in all of them: the places of the
pieces are carried along and never searched for again, so repeated text is placed rightly.
"""

from pipelines.chunkers.code import Code
from pipelines.chunkers.fixed import Fixed
from pipelines.chunkers.markdown import Markdown
from pipelines.chunkers.recursive import Recursive
from pipelines.chunkers.semantic import Semantic
from pipelines.chunkers.sentence import Sentence
from pipelines.chunkers.sized import Sized
from pipelines.chunkers.token import Token
from pipelines.chunkers.window import SentenceWindow

__all__ = [
    "Code",
    "Fixed",
    "Markdown",
    "Recursive",
    "Semantic",
    "Sentence",
    "SentenceWindow",
    "Sized",
    "Token",
]
