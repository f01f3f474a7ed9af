"""What the test endpoint says: right with a probability that the request decides.

The chance to be right is the model's skill, times how near temperature x top_p is to 0.3, times
what the prompt does for it (`only the context` for questions about a context, `step by step` for
sums), less for penalties and for much context. Whether sample i of a question is right follows
from model, messages and i by hash; so a better setting answers what a worse one did and more, and
samples are independent of each other, unless the temperature is 0: then all are the same.
"""

import math
import re
from dataclasses import dataclass

from tests.endpoint import text as reading

BEST_HEAT = 0.3
_SUM = re.compile(r"-?\d+(?:\s*[*×]\s*-?\d+|\s+[-+/]\s+-?\d+|\+\d+)+")
_TERM = re.compile(r"\s*([-+*×/])?\s*(-?\d+)")
_PHRASES = ("only the context", "only from the context", "not prior knowledge", "context alone")
_GOOD_ADVICE = ("Think step by step.", "Use only the context, whatever else you know.")
_ADVICE = (
    "Be polite.", "Answer like a teacher would.", "Take a deep breath.", "Be brief.",
    "You are an expert.", "Do not apologise.",
)  # fmt: skip
UNKNOWN = "I do not know."


@dataclass(frozen=True)
class Said:
    """One answer: its text, and whether it is right as far as the endpoint knows."""

    text: str
    right: bool = True


def heat(body):
    """Give how random the answer is to be."""
    temperature = body.get("temperature")
    top_p = body.get("top_p")
    return (1.0 if temperature is None else temperature) * (1.0 if top_p is None else top_p)


def skill(settings, body):
    """Give the chance to be right, for a question of average difficulty."""
    own = settings.skills.get(body["model"], settings.skill)
    warm = math.exp(-((heat(body) - BEST_HEAT) ** 2) / (2 * 0.8**2))
    penalties = [body.get(name) or 0.0 for name in ("presence_penalty", "frequency_penalty")]
    return own * warm * (1 - 0.05 * sum(map(abs, penalties)))


def sample_of(body, choice):
    """Number the sample: choice j with seed s is sample s + j; at temperature 0 all are one."""
    return 0 if heat(body) == 0 else (body.get("seed") or 0) + choice


class Draw:
    """Chance for one sample of one request: fixed by model, messages and sample."""

    def __init__(self, settings, body, prompt, sample):
        self.settings = settings
        self.body = body
        self.prompt = prompt
        self.sample = sample
        self._base = (body["model"], *(str(message) for message in body["messages"]))

    def number(self, *what):
        """Give a number in [0, 1)."""
        return reading.chance(*self._base, self.sample, *what)

    def pick(self, options, *what):
        """Give one of some options."""
        return options[int(self.number(*what) * len(options))]

    def right(self, factor):
        """Decide: with hard and easy questions around the mean."""
        chance = min(max(skill(self.settings, self.body) * factor, 0.02), 1.0)
        hard = 0.4 + 1.2 * reading.chance("hard", self.prompt.question)
        return self.number("right") < chance**hard


def say(draw):
    """Answer in free text."""
    prompt = draw.prompt
    low = prompt.text.lower()
    if "improved prompt" in low:
        return _rewritten(draw)
    if re.search(r"yes or no|yes ?/ ?no", low):
        return _yes_or_no(draw)
    if "single score" in low or "score between" in low:
        return Said(f"{1 + 4 * grade(draw):.1f}\nBecause of the words that both share.")
    if "search quer" in low:
        return Said(" ".join(reading.keywords(prompt.question)))
    if "passage that" in low or "hypothetical" in low:
        return _passage(draw)
    sum_ = _SUM.search(prompt.question)
    return _calculated(draw, sum_[0]) if sum_ else _from_context(draw)


def _rewritten(draw):
    """Improve the first text between fences: good advice now and then, mostly none that helps.

    Sometimes a field gets lost.
    """
    text = (re.findall(r"```\n(.*?)\n```", draw.prompt.text, re.DOTALL) or [""])[0]
    good = draw.number("idea") < draw.settings.insight
    fitting = [one for one in (_GOOD_ADVICE if good else _ADVICE) if one not in text]
    advice = draw.pick(fitting or _ADVICE, "advice")
    if draw.number("field") < 0.1:
        text = re.sub(r"\{\w+\}", "it", text, count=1)
    return Said(f"This is what I would say:\n```\n{advice}\n{text}\n```", good)


def _yes_or_no(draw):
    yes = grade(draw) >= 0.5
    return Said("YES" if yes else "NO")


def _passage(draw):
    question = draw.prompt.question
    known = _known({**draw.settings.facts, **draw.settings.knowledge}, question)
    if known and draw.right(0.8):
        return Said(known)
    return Said(f"This is about {' and '.join(reading.keywords(question)[:4])}.", right=False)


def _calculated(draw, sum_):
    step = draw.prompt.says("step by step")
    right = draw.right(1.0 if step else 0.7)
    value = calculate(sum_)
    if not right:
        off = 1 + int(draw.number("off") * 9)
        value += off if draw.number("sign") < 0.5 else -off
    spelled = rf"\boxed{{{value:g}}}" if draw.prompt.says("boxed") else f"{value:g}"
    thoughts = f"Let us go through {sum_} from left to right, one step after the other. "
    return Said(f"{thoughts if step else ''}The answer is {spelled}.", right)


def calculate(sum_):
    """Work out +, -, * and / of whole numbers, products first."""
    total, product = 0.0, 0.0
    for sign, digits in _TERM.findall(sum_):
        number = float(digits)
        if sign in ("*", "×"):
            product *= number
        elif sign == "/":
            product /= number or 1.0
        else:
            total, product = total + product, -number if sign == "-" else number
    return total + product


def _from_context(draw):
    prompt, settings = draw.prompt, draw.settings
    known = _known(settings.knowledge, prompt.question)
    found = reading.sentences(prompt.context)
    crowd = max(0.7, 1 - 0.004 * len(found))
    candidates = [*found, *prompt.answers]
    strict = prompt.says(*_PHRASES)
    best = _supported(settings, prompt, candidates) or known
    if best is None:
        invents = not strict and draw.number("invents") < 0.5
        return Said(_invented(draw), right=False) if invents else Said(UNKNOWN)
    if draw.right((1.0 if strict else 0.8) * crowd):
        return Said(best)
    others = [one for one in found if one != best]
    if others and draw.number("how") < 0.5:
        return Said(draw.pick(others, "other"), right=False)
    return Said(_invented(draw) if draw.number("what") < 0.6 else UNKNOWN, right=False)


def _supported(settings, prompt, candidates):
    """Give the fact that the context holds, else its sentence that is nearest to the question."""
    fact = _known(settings.facts, prompt.question)
    if fact is not None:
        return fact if reading.share(fact, "\n".join(candidates)) >= 0.7 else None
    asked = set(reading.words(prompt.question))
    scored = [(len(asked & set(reading.words(one))), one) for one in candidates]
    overlap, best = max(scored, key=lambda pair: pair[0], default=(0, ""))
    return best if overlap else None


def _known(facts, question):
    low = question.lower()
    return next((answer for part, answer in facts.items() if part.lower() in low), None)


def _invented(draw):
    about = reading.keywords(draw.prompt.question)[:3] or ["that"]
    year = 1800 + int(draw.number("year") * 200)
    return f"As experts have agreed since {year}, {' and '.join(about)} are mostly a legend."


def grade(draw, focus=None):
    """Grade from 0 to 1: the answer by the reference, else by the context, else by the question.

    Without an answer, the context is graded by the question; without anything, by hash.

    Args:
        draw: of the judge's sample.
        focus: what is graded instead of the answer: one statement of it.
    """
    prompt = draw.prompt
    answer = focus or "\n".join(prompt.answers)
    if answer and prompt.reference:
        value = reading.f1(answer, prompt.reference)
    elif answer and prompt.context:
        value = reading.share(answer, prompt.context)
    elif answer:
        value = reading.share(prompt.question, answer)
    elif prompt.context:
        parts = reading.sentences(prompt.context)
        value = max((reading.share(prompt.question, part) for part in parts), default=0.0)
    else:
        value = reading.chance(prompt.text)
    noise = (2 * draw.number("noise", focus) - 1) * draw.settings.judge_noise
    return min(max(value + noise, 0.0), 1.0)
