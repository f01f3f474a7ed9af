"""A study with questions, texts and hostile names, its page, and a Chromium to open it in."""

import contextlib

import pytest

import raytuner
from raytuner.report import write
from raytuner.results import Results
from tests.raytuner.probes import Questions, study

HOSTILE = '</script><img src=x onerror="document.title=1"><b id=injected>\u2028&amp;'
"""What a name, a question or a document may hold."""


class Told(Questions):
    """Probe questions whose texts are as hostile as their scores are harmless."""


def explain(trial):
    """Show what a trial did with every probe question."""
    text = f"Before. {HOSTILE} The evidence. After."
    start = text.index("The evidence")
    mark = [(start, start + len("The evidence."))]
    passage = {"document": HOSTILE, "start": 0, "end": len(text), "text": text, "score": 0.5}
    return [
        {
            "unit": unit,
            "question": f"{unit}? {HOSTILE}",
            "reference": HOSTILE,
            "evidence": [{**passage, "marks": mark}],
            "retrieved": [{**passage, "marks": mark}, {**passage, "document": "other.md"}],
            "answer": f"trial {trial.number} says {HOSTILE}",
        }
        for unit in [*trial.units, *trial.held.units]
    ]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A run folder: 12 trials and the baseline on 60 questions, of which 36 are held out."""
    root = tmp_path_factory.mktemp("report")
    run = study(
        Told(units=60, batch=20, base={"x": 1, "y": "a"}),
        space={"x": [1, 2, 3, 4], "y": ["a", HOSTILE, "c"]},
        name="probe",
        baseline=True,
        run_dir=str(root / "runs"),
    )
    return raytuner.run(run).folder


@pytest.fixture
def results(folder):
    return Results.open(folder)


@pytest.fixture(scope="session")
def page_file(folder, tmp_path_factory):
    """The report with texts, as a file."""
    found = Results.open(folder)
    found.name = f"study {HOSTILE}"
    return write(found, tmp_path_factory.mktemp("page") / "report.html", explain)


class Seen:
    """A page, and everything it asked for or said."""

    def __init__(self, page):
        self.page, self.requests, self.said = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))


@pytest.fixture
def visit(browser):
    """Open a file offline; give what was seen. Every context is closed at the end."""
    with contextlib.ExitStack() as stack:

        def go(path, fragment="", *, width=1280, **options):
            size = {"width": width, "height": 900}
            context = browser.new_context(offline=True, viewport=size, **options)
            stack.callback(context.close)
            seen = Seen(context.new_page())
            seen.page.goto(path.as_uri() + fragment)
            return seen

        yield go
