"""Corrects misspelt words. What do an inserted, a dropped, a doubled and a swapped letter cost?"""

from functools import cache
from pathlib import Path

from raytuner.decorator import objective


@cache
def words():
    return Path(__file__).with_name("words.txt").read_text().split()


@objective(items="typos.jsonl", stratum="error", metrics=("right", "rank"), minimise="rank")
def correct(item, config):
    typed = item["typed"]
    alike = [word for word in words() if abs(len(word) - len(typed)) <= 2]
    ranking = sorted(alike, key=lambda word: (distance(typed, word, config), word))
    place = ranking.index(item["meant"])
    return {"right": place == 0, "rank": place + 1, "guess": ranking[0]}


def distance(typed, word, config):
    """The least cost of edits that turn what was typed into a word (Damerau-Levenshtein)."""
    rows = [[0.0] * (len(word) + 1) for _ in range(len(typed) + 1)]
    for i in range(len(typed) + 1):
        for j in range(len(word) + 1):
            rows[i][j] = _cell(rows, typed, word, i, j, config) if i or j else 0.0
    return rows[-1][-1]


def _cell(rows, typed, word, i, j, config):
    costs = []
    if i:
        doubled = i > 1 and typed[i - 1] == typed[i - 2]
        costs.append(rows[i - 1][j] + config["cost.doubled" if doubled else "cost.extra"])
    if j:
        doubled = j > 1 and word[j - 1] == word[j - 2]
        costs.append(rows[i][j - 1] + config["cost.doubled" if doubled else "cost.missing"])
    if i and j:
        both = {typed[i - 1], word[j - 1]}
        other = "cost.vowel" if both <= set("aeiouy") else "cost.other"
        costs.append(rows[i - 1][j - 1] + (0.0 if len(both) == 1 else config[other]))
    if i > 1 and j > 1 and typed[i - 2 : i] == word[j - 2 : j][::-1]:
        costs.append(rows[i - 2][j - 2] + config["cost.swapped"])
    return min(costs)
