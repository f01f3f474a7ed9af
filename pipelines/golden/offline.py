"""Writes golden questions without a model, by templates over what a document says in so many words.

Such questions share their words with their evidence. They flatter lexical retrieval, and are for
trying things out, not for decisions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from typing import NamedTuple

from pipelines.golden import filters
from pipelines.golden.files import append_records
from pipelines.golden.filters import Draft, flaw
from pipelines.golden.growing import GoldenFile, Progress, Wanted
from pipelines.golden.spans import Locator
from pipelines.sentences import sentence_spans
from pipelines.types import Corpus, Span
from raytuner.component import digest

GENERATED = "generated:offline"
WARNING = (
    "questions written without a model share words with their evidence, so they flatter lexical "
    "retrieval (BM25): try things out with them, decide nothing by them"
)

_HEADING = re.compile(
    r"^(?:(?P<marks>#{1,6})[ \t]+(?P<atx>[^\n]+?)[ \t#]*"
    r"|(?P<under>[^\s][^\n]{0,98})\n(?P<line>={3,}|-{3,}|~{3,})[ \t]*)$",
    re.MULTILINE,
)
_FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_CODE = r"`{1,2}[^`\s][^`\n]{0,60}`{1,2}|[A-Za-z]\w*(?:[._]\w+)+(?:\(\))?|[a-z]\w*\(\)"
_DEFINITION = re.compile(
    rf"(?P<term>(?:The |An? )?(?:{_CODE}|[A-Za-z][\w'’-]*(?: [\w'’-]+){{0,3}}?)) "
    r"(?P<verb>is|are) (?P<answer>(?:an?|the|one of) .+?)[.!]?"
)
_DOES = re.compile(rf"(?P<term>{_CODE}) (?P<answer>[a-z]{{3,}}s (?!to\b).+?)[.!]?")
_MONTHS = (
    "January|February|March|April|May|June|July|August|September|October|November|December"
)  # fmt: skip
_DATE = re.compile(
    rf"(?<![\w'\"/.-])(?P<answer>(?:\d{{1,2}} )?(?:{_MONTHS})(?: \d{{1,2}},?)?(?: \d{{4}})?"
    r"|(?:1[5-9]|20)\d\d)(?![\w'\"/-]|\.\d)"
)
_NUMBER = re.compile(
    r"(?<![\w.,$€£/-])(?P<answer>\d+(?:,\d{3})*(?:\.\d+)?) "
    r"(?P<unit>(?:[a-z]+ )??[a-z]{3,}s)(?![\w(])"
)
_ENTITY = re.compile(rf"(?<=[a-z,] )(?P<answer>{_CODE}|[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)+)(?!\w)")
_NO_TERM = frozenset([
    "it", "this", "that", "these", "those", "there", "they", "he", "she", "we", "you", "i", "here",
    "what", "which", "who", "if", "when", "where", "while", "as", "since", "because", "although",
    "but", "and", "or", "so", "then", "also", "note", "for", "in", "on", "at", "to", "with",
    "only", "one", "each", "both", "all", "some", "any", "such", "not", "its", "their", "by",
    "from", "after",
])  # fmt: skip
_MARKUP = re.compile(r"\s:\s|::|>>>|\.\. |\s[-*] |\||\n[ \t]*\n|\t")
_SENTENCE = (30, 300)
_GAP = "…"


class _Sentence(NamedTuple):
    text: str
    span: Span
    section: str
    first: bool


def write_offline(corpus: Corpus, file: GoldenFile, wanted: Wanted) -> Progress:
    """Add questions to a file until it holds enough, or the documents have no more.

    Documents take turns; which sentences of a document come first depends on the seed.
    """
    progress = Progress(there=len(file))
    locator = Locator(corpus)
    found = list(drafts(corpus))
    answers = Counter(draft.question for draft in found)
    by_document: dict[int, list[Draft]] = {}
    for draft in sorted(found, key=lambda d: digest("offline", wanted.seed, d.question)):
        by_document.setdefault(draft.evidence.doc, []).append(draft)
    names = [document.name for document in corpus]
    order = sorted(by_document, key=lambda doc: digest("document", wanted.seed, names[doc]))
    turns = zip_longest(*(_mixed(by_document[doc]) for doc in order))
    kept = []
    for draft in (draft for turn in turns for draft in turn if draft is not None):
        if progress.held >= wanted.questions:
            break
        record = draft.record(locator)
        if record["id"] in file.ids or file.full(record["group"], wanted.per_document):
            continue
        progress.asked += 1
        wrong = _wrong(draft, corpus, answers, file)
        if wrong is not None:
            progress.drop(wrong)
            continue
        kept.append(record)
        file.note(record)
        progress.kept += 1
    if kept:
        append_records(file.path, kept)
    return progress


def _mixed(own: list[Draft]) -> list[Draft]:
    """Let templates take turns: some fit far more sentences than others."""
    by_template: dict[str, list[Draft]] = {}
    for draft in own:
        by_template.setdefault(draft.tags[-1], []).append(draft)
    turns = zip_longest(*(by_template[name] for name in sorted(by_template)))
    return [draft for turn in turns for draft in turn if draft is not None]


def _wrong(draft: Draft, corpus: Corpus, answers: Counter[str], file: GoldenFile) -> str | None:
    if answers[draft.question] > 1:
        return filters.AMBIGUOUS
    text = corpus.documents[draft.evidence.doc].text
    wrong = flaw(draft.question, draft.answer, text[draft.evidence.start : draft.evidence.end])
    return filters.TWICE if wrong is None and file.asked.like(draft.question) else wrong


def drafts(corpus: Corpus) -> Iterator[Draft]:
    """Give every question that a template makes of the documents, at most one a sentence."""
    for number, document in enumerate(corpus):
        for sentence in _sentences(number, document.text):
            made = _question(sentence, document.name)
            if made is not None:
                kind, question, answer = made
                yield Draft(question, answer, sentence.span, (GENERATED, f"template:{kind}"))


def _sentences(number: int, text: str) -> Iterator[_Sentence]:
    """Give sentences of a fair length under their headings; headings and code are none."""
    text = _FENCED.sub(lambda fenced: " " * len(fenced[0]), text)
    titles: dict[int, str] = {}
    begin = 0
    for heading in [*_HEADING.finditer(text), None]:
        end = len(text) if heading is None else heading.start()
        section, first = ", ".join(list(titles.values())[-2:]), True
        for start, stop in sentence_spans(text[begin:end]):
            raw = text[begin + start : begin + stop]
            if _is_prose(raw):
                span = Span(number, begin + start, begin + stop)
                yield _Sentence(" ".join(raw.split()), span, section, first)
                first = False
        if heading is not None:
            level = len(heading["marks"] or "") or 1 + "=-~".index(heading["line"][0])
            title = " ".join((heading["atx"] or heading["under"]).split()).strip("`*_")
            titles = {n: t for n, t in titles.items() if n < level} | {level: title}
            begin = heading.end()


def _is_prose(raw: str) -> bool:
    """Tell a plain sentence from lists, tables, entries of parameters and code."""
    text = " ".join(raw.split())
    indents = {len(line) - len(line.lstrip()) for line in raw.splitlines()[1:]}
    letters = sum(character.isalpha() or character == " " for character in text)
    return (
        _SENTENCE[0] <= len(text) <= _SENTENCE[1]
        and len(text.split()) >= 5
        and letters >= 0.75 * len(text)
        and text[-1] in ".!"
        and (text[0].isupper() or text[0] == "`")
        and len(indents) < 2
        and _MARKUP.search(raw) is None
    )


def _question(sentence: _Sentence, name: str) -> tuple[str, str, str] | None:
    """Apply the first template that fits; gives its name, the question and the answer."""
    text = sentence.text
    place = sentence.section or name
    defined = _DEFINITION.fullmatch(text)
    if defined and not _NO_TERM & set(defined["term"].lower().split()):
        question = f"What {defined['verb']} {_lowered(defined['term'])}?"
        return "definition", question, defined["answer"]
    does = _DOES.fullmatch(text)
    if does:
        return "identifier", f"What does {does['term']} do?", does["answer"]
    date = _only(_DATE, text)
    if date and re.search(r"\d", date["answer"]):
        return "date", f"When, according to {place}: {_gapped(text, date)}", date["answer"]
    number = _only(_NUMBER, text)
    if number:
        what = f"How many {number['unit']}, according to {place}: {_gapped(text, number)}"
        return "number", what, number["answer"]
    entity = _only(_ENTITY, text)
    if entity:
        what = f"Who or what, according to {place}: {_gapped(text, entity)}"
        return "entity", what, entity["answer"]
    if sentence.section and sentence.first:
        return "heading", f"What does {name} say on {sentence.section}?", text
    return None


def _only(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    """Find a pattern that a text holds once, and whose match it holds once."""
    found = list(pattern.finditer(text))
    if len(found) != 1 or text.count(found[0]["answer"]) != 1:
        return None
    return found[0]


def _gapped(text: str, match: re.Match[str]) -> str:
    """Leave the answer out of its sentence."""
    start, end = match.span("answer")
    return f"“{text[:start]}{_GAP}{text[end:].rstrip('.!')}”?"


def _lowered(term: str) -> str:
    """Begin with a small letter where only an article has a capital one."""
    for article in ("The ", "An ", "A "):
        if term.startswith(article):
            return article.lower() + term[len(article) :]
    return term
