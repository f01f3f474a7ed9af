"""What the test endpoint reads in a prompt: tokens, words, sentences, and sections by label."""

import hashlib
import re

_TOKEN = re.compile(r"\w{1,8}|[^\w\s]{1,3}")
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LABEL = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*|\*{1,2}|<)?(?P<name>[A-Za-z][A-Za-z ]{1,28}?)(?:[ _]\d+)?"
    r"(?P<mark>\*{0,2}:\*{0,2}|>|[ \t]*$)(?P<rest>.*)$"
)
_CLOSING = re.compile(r"</[A-Za-z_ ]+(?:[ _]\d+)?>")
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been by can did do does for from had has have how in into is it its "
        "of on or say so such than that the their them then there these they this those to was we "
        "were what when where which who whom whose why will with would you your",
    )
)
_ROLES = {
    "question": ("question", "query", "user query", "user question", "problem"),
    "context": (
        "context", "more context", "new context", "passages", "passage", "document", "text",
        "source", "sources", "context information", "excerpt", "evidence",
    ),
    "answer": (
        "answer", "answer so far", "candidate answer", "candidate", "model answer", "given answer",
        "generated answer", "submitted answer", "response", "query and response", "information",
        "statement", "claim", "existing answer",
    ),
    "reference": (
        "reference", "reference answer", "references", "expected answer", "expected",
        "correct answer", "ground truth", "gold answer",
    ),
}  # fmt: skip
_ROLE_OF = {label: role for role, labels in _ROLES.items() for label in labels}
_ROLE_OF["end"] = ""


def tokens(text):
    """Split into what the endpoint counts and bills: at most 8 letters or 3 other signs each.

    Never more tokens than bytes; about as many as GPT-4 counts in English.
    """
    return _TOKEN.findall(text)


def cut(text, most):
    """Give the first `most` tokens of a text, and whether anything is missing."""
    for number, match in enumerate(_TOKEN.finditer(text)):
        if number == most:
            return text[: match.start()].rstrip(), True
    return text, False


def words(text):
    """Give the content words, shortened so that forms of one word are mostly equal."""
    found = (word.lower() for word in _WORD.findall(text))
    return [word[:5] for word in found if word not in _STOP]


def keywords(text):
    """Give the content words as they are written, each once."""
    found = dict.fromkeys(word for word in _WORD.findall(text) if word.lower() not in _STOP)
    return list(found)


def sentences(text):
    """Split at ends of sentences and lines; headings and rules are no sentences."""
    parts = (part.strip() for part in _SENTENCE.split(text))
    return [part for part in parts if len(_WORD.findall(part)) > 1 and not part.startswith("#")]


def f1(one, other):
    """Give the F1 of two texts' sets of content words."""
    a, b = set(words(one)), set(words(other))
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else float(a == b)


def share(part, whole):
    """Give the share of one text's content words that are in the other."""
    a = set(words(part))
    return len(a & set(words(whole))) / len(a) if a else 0.0


def chance(*parts):
    """Give a number in [0, 1) that depends on all parts and on nothing else."""
    spelled = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(spelled).digest()[:6], "big") / 2**48


def sections(text):
    """Find labelled parts: `Label: ...` or `## Label` up to the next label, or <label> tags.

    Returns: pairs of role (question, context, answer, reference) and text, in order; text before
    the first label has the role "".
    """
    found = [("", [])]
    for line in _CLOSING.sub("\n<end>\n", text).splitlines():
        match = _LABEL.match(line)
        role = _ROLE_OF.get(match["name"].strip().lower().replace("_", " ")) if match else None
        if role is not None and (match["mark"].strip() or line.lstrip()[0] in "#*"):
            found.append((role, [match["rest"]]))
        elif line.startswith("Context information is below"):  # as LlamaIndex says it
            found.append(("context", []))
        else:
            found[-1][1].append(line)
    return [(role, "\n".join(lines).strip()) for role, lines in found]


class Prompt:
    """The messages of a request, and what stands where in them.

    Attributes:
        text: all of it.
        question: after the last `Question:`, else the last line with a question mark, else the
            last line.
        context: labelled as such; else everything that a user says beside the question.
        answers: what is to be judged, in order; empty sections left out.
        reference: what an answer is compared with.
    """

    def __init__(self, messages):
        said = [(str(one.get("role")), _content(one)) for one in messages]
        self.text = "\n".join(text for _, text in said)
        self.user = "\n".join(text for role, text in said if role != "system")
        self.parts = [part for _, text in said for part in sections(text)]
        self.question = self._question()
        self.reference = "\n".join(self._of("reference"))
        self.answers = self._of("answer")
        self.context = "\n".join(self._of("context")) or self._rest(said)

    def _of(self, role):
        return [text for found, text in self.parts if found == role and text]

    def _question(self):
        labelled = self._of("question")
        if labelled:
            lines = labelled[-1].split("\n\n")[0].splitlines()
            return "\n".join(line for line in lines if not line.rstrip().endswith(":")).strip()
        lines = [line.strip() for line in self.user.splitlines() if line.strip()]
        asking = [line for line in lines if "?" in line]
        line = (asking or lines or [""])[-1]
        ends = [part for part in _SENTENCE.split(line) if "?" in part]
        return ends[-1] if ends else line

    def _rest(self, said):
        if any(role in ("answer", "reference") for role, text in self.parts if text):
            return ""
        user = self.user.replace(self.question, " ") if self.question else self.user
        rest = [part for part in sentences(user) if _ROLE_OF.get(part.rstrip(":").lower()) is None]
        if not rest:
            rest = [part for role, text in said if role == "system" for part in sentences(text)]
        return "\n".join(rest)

    def says(self, *phrases):
        """Tell whether any phrase is in the prompt, whatever its case."""
        low = self.text.lower()
        return any(phrase in low for phrase in phrases)


def _content(message):
    content = message.get("content") or ""
    if isinstance(content, list):  # parts, as for pictures
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)
