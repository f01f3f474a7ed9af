"""Pages of studies of every kind: sound, without secrets, the same every time, never a crash."""

import base64
import hashlib
import html
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

import raytuner
from raytuner.component import ConfigError
from raytuner.report import render, write
from raytuner.report.page import island
from raytuner.results import Results
from tests.raytuner.probes import Questions, study
from tests.raytuner.report.conftest import HOSTILE, explain

VOID = {"meta", "wbr", "br", "img", "input", "link"}


class Outline(HTMLParser):
    """What a page consists of; asserts that every element is closed where it should be."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.names, self.links = [], [], set(), []
        self.inline = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.names.add(tag)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def run(objective, **fields):
    return raytuner.run(study(objective, **fields), in_memory=True)


def test_the_page_is_whole_and_every_link_leads_somewhere(results):
    page = Outline(render(results, explain=explain))
    assert len(page.ids) == len(set(page.ids))
    assert page.inline == []
    assert not page.names & {"img", "link", "iframe", "object", "form"}
    for link in page.links:
        assert link.startswith("#")
        assert link[1:] in page.ids


def test_the_policy_allows_this_style_and_this_script_alone(results):
    text = render(results)
    policy = html.unescape(re.search(r'Security-Policy" content="([^"]*)"', text)[1])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    for name, pattern in (
        ("style", r"<style>(.*?)</style>"),
        ("script", r"<script>(.*?)</script>"),
    ):
        content = re.search(pattern, text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[f"{name}-src"] == f"'sha256-{digest}'"


def test_the_same_results_give_the_same_page(folder):
    first, second = (render(Results.open(folder), explain=explain) for _ in range(2))
    assert first == second


def test_the_verdict_comes_first_in_words(results):
    text = render(results)
    sentence = results.verdict.to_dict()["sentence"].partition(": ")[2]
    assert html.escape(sentence[:1].upper() + sentence[1:]) in text
    assert text.index('id="verdict"') < text.index('id="leaderboard"') < text.index('id="facts"')


def test_every_trial_has_its_row(results):
    text = render(results)
    for trial in results.record.current:
        assert f'<tr id="trial-{trial.number}"' in text
        score = results.score(trial)
        assert score is None or f"{score:.4f}" in text


def test_data_for_the_script_cannot_leave_its_element():
    text = island({"name": HOSTILE, "lone": "\ud800"})
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text)["name"] == HOSTILE


def test_texts_are_left_out_where_they_would_be_too_many(results, monkeypatch):
    from raytuner.report.sections import questions

    monkeypatch.setattr(questions, "MOST_TEXT", 5_000)
    small = render(results, explain=explain)
    monkeypatch.undo()
    whole = render(results, explain=explain)
    assert len(small) < len(whole) - 100_000
    left = int(re.search(r"texts of (\d+) questions were left out", small)[1])
    assert 0 < left < 60
    assert small.count('class="wording"') == 60 - left
    assert "left out" not in whole
    Outline(small)


def test_it_says_why_there_are_no_texts(results):
    def broken(trial):
        raise ConfigError("the documents have moved")

    assert "Scores only: the documents have moved." in render(results, explain=broken)
    text = render(results, unexplained="the data has changed")
    assert "Scores only: the data has changed." in text


def test_secrets_are_struck_out(results, monkeypatch):
    secret, key = "correct-horse-battery", "sk-" + "a1B2" * 6
    monkeypatch.setenv("SOME_API_KEY", secret)
    results.stop_reason = f"refused by https://me:{'pass' + 'word'}@host/: {key}"

    def leaky(trial):
        rows = explain(trial)
        return [{**row, "answer": f"key {secret} and {key}", "missing": key} for row in rows]

    text = render(results, explain=leaky)
    assert secret not in text
    assert key not in text
    assert "me:password" not in text


def test_marks_outside_of_a_passage_do_no_harm(results):
    def odd(trial):
        marks = [(-5, 3), (2, 10**9), (7, 7), ("a", 1), (1,), (9, 4)]
        passage = {"document": None, "start": None, "text": "evidence <here>", "marks": marks}
        return [{"unit": unit, "retrieved": [passage, {}]} for unit in trial.units]

    text = render(results, explain=odd)
    assert "<mark>evidence &lt;here&gt;</mark>" in text
    Outline(text)


# ---- studies of every kind


@pytest.mark.parametrize(
    "objective",
    [
        Questions(),
        Questions(units=1),
        Questions(units=60, base={"x": 1, "y": "a"}),
        Questions(faults={2: "raise"}),
        Questions(faults=dict.fromkeys((1, 2, 3, 4), "raise")),
    ],
    ids=["plain", "one question", "a baseline", "some fail", "all fail"],
)
def test_any_study_has_a_page(objective):
    found = run(objective)
    found.name = HOSTILE
    text = render(found)
    outline = Outline(text)
    assert {"verdict", "leaderboard", "facts"} <= set(outline.ids)
    assert "img" not in outline.names


def test_one_trial_is_a_study():
    Outline(render(run(Questions(), space={"x": [1], "y": ["a"]})))


def test_a_loss_is_best_where_it_is_least():
    found = run(Questions(), metric="loss")
    text = render(found)
    Outline(text)
    assert "lower is better" in text
    best = min(t.mean("loss") for t in found.record.current)
    assert text.index(f"{best:.4f}") < text.index('id="facts"')


def test_a_study_that_has_just_begun_has_a_page(folder, tmp_path):
    lines = (folder / "journal.jsonl").read_bytes().splitlines(keepends=True)
    for count in (1, 2, 3, len(lines) // 2):
        (tmp_path / "journal.jsonl").write_bytes(b"".join(lines[:count]))
        Outline(render(Results.open(tmp_path), explain=explain, live=True))


def test_scores_that_are_not_there_are_dashes(results):
    for trial in results.record.current[:5]:
        trial.table = np.full_like(trial.table, np.nan)
    text = render(results, explain=explain)
    Outline(text)
    assert ">nan<" not in text


def test_a_file_is_replaced_as_a_whole(results, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    assert write(results, path) == path
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_one_sentence(results, tmp_path):
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        write(results, tmp_path / "nowhere" / "report.html")


class Odd(Questions):
    """Metrics, questions and failures with names that nobody would choose."""

    def units(self):
        return tuple(f"q{number} {HOSTILE}" for number in range(self.count))

    def metrics(self):
        return (f"hit {HOSTILE}", "loss")


def test_hostile_names_of_everything_are_text():
    found = run(Odd(), space={"x": [1, 2], "y": ["a", HOSTILE]})
    found.name = HOSTILE
    found.stop_reason = HOSTILE
    text = render(found, unexplained=HOSTILE)
    outline = Outline(text)
    assert "img" not in outline.names
    assert "injected" not in outline.ids
    assert outline.inline == []
    assert all(link[1:] in outline.ids for link in outline.links)


STATUSES = {
    "PROVEN": "raytuner export",
    "LEANING": "a bet, not a finding",
    "NOT PROVEN": "Keep the configuration as it stands.",
    "WORSE": "Keep the configuration as it stands.",
    "NONE": "a bet, not a finding",
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_verdict_says_what_to_do(results, status):
    given = results.verdict.to_dict()
    trial = next(t.number for t in results.ranked if not t.baseline)
    given |= {"status": status, "sentence": f"{status}: said so.", "leader": trial}
    given |= {"recommended": trial if status == "PROVEN" else 0, "needed_questions": 412}

    class Given:
        def to_dict(self):
            return given

    results.__dict__["verdict"] = Given()
    text = render(results)
    Outline(text)
    assert "Said so." in text
    assert STATUSES[status] in text
    assert ("about 412 questions" in text) == (status != "PROVEN")
