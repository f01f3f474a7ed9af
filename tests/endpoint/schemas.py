"""JSON that fits a schema: verdicts, questions about a document, orders of passages, fillings."""

import json
import re

from tests.endpoint import answers
from tests.endpoint import text as reading

_GRADES = (
    "score", "grade", "rating", "verdict", "mark", "correct", "supported", "faithful", "relevan",
    "answerable", "passed", "pass", "label", "quality", "agree",
)  # fmt: skip
_NO = ("no", "not", "in", "un", "false", "fail", "wrong", "bad", "contra", "irr")
_PARTLY = ("part", "some", "neutral", "mixed", "border")
_PASSAGE = re.compile(r"^\[(\d+)\]\s*(.*?)(?=^\[\d+\]|\Z)", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"^- (\w+): (.*)$", re.MULTILINE)
_MOST_ITEMS = 3


class Filler:
    """Fills one schema for one sample."""

    def __init__(self, draw, schema):
        self.draw = draw
        self.root = schema
        self.prompt = draw.prompt
        self.document = document(draw.prompt)
        self._asks_for_questions = False

    def text(self):
        """Give the JSON."""
        return json.dumps(self.fill(self.root, "", None), ensure_ascii=False)

    def fill(self, schema, name, focus):
        """Fill a schema.

        Args:
            schema: JSON Schema.
            name: of the property that it is for.
            focus: the sentence that the object around it is about.
        """
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._of_enum(schema["enum"], name, focus)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind == "null":
            return None
        return getattr(self, f"_{kind}")(schema, name, focus)

    def _resolved(self, schema):
        while True:
            if "$ref" in schema:
                node = self.root
                for part in schema["$ref"].removeprefix("#/").split("/"):
                    node = node[part]
                schema = node
            elif choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = next((one for one in choices if one.get("type") != "null"), choices[0])
            else:
                return schema

    def _object(self, schema, _, focus):
        fields = schema.get("properties", {})
        if focus is None and "question" in fields and self.document:
            focus = self.draw.pick(self.document, "sentence")
        before, self._asks_for_questions = self._asks_for_questions, "question" in fields
        filled = {name: self.fill(own, name, focus) for name, own in fields.items()}
        self._asks_for_questions = before
        return filled

    def _array(self, schema, name, focus):
        items = schema.get("items", {"type": "string"})
        least, most = schema.get("minItems", 0), schema.get("maxItems", _MOST_ITEMS)
        kind = self._resolved(items).get("type")
        if kind == "integer" and (order := self._order()):
            return order
        if "quer" in name and kind == "string":
            found = _wordings(self.prompt.question)
        elif focus is not None:
            found = [focus]
        else:
            found = self._subjects(self._resolved(items))
        found = found[: max(most, least)] or [None]
        while len(found) < least:
            found.append(found[-1])
        if kind == "string" and focus is None:
            return [_clipped(one or "", self._resolved(items)) for one in found]
        return [self.fill(items, name, one) for one in found]

    def _subjects(self, items):
        """Choose what the items of an array are about: sentences of an answer or a document."""
        if "question" in items.get("properties", {}):
            start = int(self.draw.number("first") * max(len(self.document), 1))
            return (self.document[start:] + self.document[:start])[:_MOST_ITEMS]
        judged = reading.sentences("\n".join(self.prompt.answers))
        return (judged or self.document or reading.sentences(self.prompt.text))[:_MOST_ITEMS]

    def _order(self):
        """Put numbered passages in order of the question's words in them; worse if wrong."""
        passages = {int(number): body for number, body in _PASSAGE.findall(self.prompt.text)}
        right = self.draw.right(1.0)

        def key(number):
            near = reading.share(self.prompt.question, passages[number])
            return -near if right else self.draw.number("order", number)

        return sorted(passages, key=key)

    def _string(self, schema, name, focus):
        low = name.lower()
        subject = focus or next(iter(self.document), "") or self.prompt.question
        if self._asks_for_questions and low == "question":
            return _clipped(_question_about(subject), schema)
        if low in ("answer", "response") and not self._asks_for_questions:
            return _clipped(answers.say(self.draw).text, schema)
        if any(part in low for part in ("reason", "explanation", "rationale", "comment")):
            words = reading.keywords(subject)[:5]
            return _clipped(f"Because of {', '.join(words) or 'nothing'}.", schema)
        return _clipped(subject, schema)

    def _boolean(self, _, name, focus):
        return self._graded(name, focus) >= 0.5

    def _number(self, schema, name, focus):
        low, high = _bounds(schema, (0.0, 1.0))
        if not _is_grade(name):
            return low
        return round(low + (high - low) * self._graded(name, focus), 4)

    def _integer(self, schema, name, focus):
        low, high = _bounds(schema, (1, 5) if _is_grade(name) else (0, 0))
        if name == "best" and len(self.prompt.answers) > 1:
            best = _consensus(self.prompt.answers) + 1
            return int(min(max(best, low), high))
        if not _is_grade(name):
            return int(low)
        return round(low + (high - low) * self._graded(name, focus))

    def _of_enum(self, values, name, focus):
        if name == "route":
            return self._route(values)
        if not _is_grade(name):
            return values[0]
        ranked = sorted(values, key=_merit)
        return ranked[min(int(self._graded(name, focus) * len(ranked)), len(ranked) - 1)]

    def _route(self, values):
        """Choose the name whose line `- name: …` shares most words with the question."""
        told = {name: rest for name, rest in _OPTION.findall(self.prompt.text) if name in values}
        if not told or not self.draw.right(1.2):
            return self.draw.pick(values, "route")
        asked = set(reading.words(self.prompt.question))
        return max(told, key=lambda name: len(asked & set(reading.words(f"{name} {told[name]}"))))

    def _graded(self, name, focus):
        value = answers.grade(self.draw, focus)
        low = name.lower()
        return 1 - value if low.startswith(("un", "in", "irr", "not_", "hallucinat")) else value


def document(prompt):
    """Give the sentences of the text that a prompt is about."""
    labelled = [text for role, text in prompt.parts if role == "context" and text]
    if labelled:
        return reading.sentences("\n".join(labelled))
    paragraphs = [part for part in prompt.user.split("\n\n") if part.strip()]
    return reading.sentences(max(paragraphs, key=len, default=""))


def _question_about(sentence):
    about = sorted(reading.keywords(sentence), key=len, reverse=True)[:3]
    ordered = sorted(about, key=sentence.find)
    return f"What is said about {' '.join(ordered) or 'this'}?"


def _wordings(question):
    keys = reading.keywords(question)
    return list(dict.fromkeys([" ".join(keys), " ".join(reversed(keys)), " ".join(keys[:3])]))


def _consensus(said):
    def near(number):
        others = (other for place, other in enumerate(said) if place != number)
        return sum(reading.f1(said[number], other) for other in others)

    return max(range(len(said)), key=lambda number: (near(number), -number))


def _is_grade(name):
    return any(part in name.lower() for part in _GRADES)


def _merit(value):
    if not isinstance(value, str):
        return float(value)
    low = value.lower()
    if low.startswith(_PARTLY):
        return 1.0
    return 0.0 if low.startswith(_NO) else 2.0


def _bounds(schema, usual):
    low = schema.get("minimum", schema.get("exclusiveMinimum", usual[0]))
    return low, max(schema.get("maximum", schema.get("exclusiveMaximum", usual[1])), low)


def _clipped(text, schema):
    text = text[: schema.get("maxLength", len(text))]
    return text.ljust(schema.get("minLength", 0), ".")
