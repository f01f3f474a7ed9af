"""Documents that are hard to cut, and an embedder that needs no model."""

import numpy as np
import pytest

from pipelines.roles import Embedded, Embedder

PROSE = (
    "The committee met on Tuesday, as it always did; nobody spoke. Why would they? "
    'The chair said: "We have no quorum." (That was true.) Dr. Smith left at 3.15 p.m. sharp.\n'
)
DOCUMENTS = {
    "prose": "\n\n\n".join((PROSE * 6 + "\n" + PROSE * 3) for _ in range(6)),
    "headings": "".join(f"# Part {i}\n\n{PROSE * 3}\n## Sub\n\n- {PROSE}" for i in range(8)),
    "crlf": "\r\n".join(["Line one, two; three.", "", "Second? Yes! no"] * 80),
    "cjk": "漢字仮名。交じり文！です？ " * 120 + "漢字" * 300,
    "emoji": "👩‍👩‍👧 é e\u0301 \U0001f9d1\U0001f3fd\u200d\U0001f680 " * 120,
    "rtl": "عربي نص، آخر؟ עברית כאן. \u200f" * 100,
    "repeated lines": "2026-01-01 INFO request served in 3 ms\n" * 150,
    "repeated rows": "| cash | 1,234 | (56) |\n" * 150,
    "repeated words": "word " * 900,
    "one long word": "QmFzZTY0" * 250,
    "one letter": "a" * 2000,
    "marks": "?! .;, " * 200 + '") . ' * 100,
    "blank runs": ("text" + " \n" * 40 + "\t") * 40,
    "leading blanks": " \n\n\n\n lead. " * 120,
    "newlines": "\n\n\n\n".join(["Para one. Two." * 10] * 10),
    "code": "def f(x):\n    # keep, this.\n    return {'a': x}\n\n\n" * 40,
    "short": "Short.",
    "surrogate": "broken \ud800 text. " * 40,
}


class LetterCounts(Embedder, kind="letter-counts"):
    """Count letters: texts about different letters are far from each other."""

    def fingerprint(self) -> str:
        return "letter-counts:1"

    def embed(self, texts, *, query, meter) -> Embedded:
        meter.count("texts embedded", len(texts))
        vectors = np.ones((len(texts), 27), np.float32) * 0.01
        for row, text in zip(vectors, texts, strict=True):
            for letter in text.lower():
                row[ord(letter) - 97 if "a" <= letter <= "z" else 26] += letter.isalpha()
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embedded(vectors, np.zeros(len(texts), np.int64))


@pytest.fixture(params=DOCUMENTS, scope="session")
def document(request):
    return DOCUMENTS[request.param]
