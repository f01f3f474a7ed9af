"""A study whose answers tell how good they are, and a rater that goes by it."""

import json
import re
import shutil

from raytuner import AskTell
from raytuner.study import Study

LEVELS = (3, 1, 4, 2)
"""How good the trials are, by number."""
ORDER = sorted(range(len(LEVELS)), key=lambda number: -LEVELS[number])
"""Numbers of the trials, best first."""
UNITS = 6
HOSTILE = "</div><script>document.title='owned'</script>\x1b[2J"


def answer(level, unit):
    return f"{unit}-level-{level} {HOSTILE}"


def rated_study(folder, *, levels=LEVELS, **changes):
    """A manual study that goes by ratings, in a folder, with every answer told."""
    folder.mkdir(parents=True, exist_ok=True)
    questions = [{"id": f"q{n}", "question": f"Question {n}, <b>bold</b>?"} for n in range(UNITS)]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, questions)))
    study = Study.parse(
        {
            "name": "rated",
            "objective": {"kind": "manual", "metrics": ["rating"], "units": "questions.jsonl"},
            "space": {"level": {"choice": list(levels)}},
            "search": {"kind": "manual", "points": [{"level": level} for level in levels]},
            **changes,
        }
    )
    with AskTell(study, folder) as tuner:
        while (trial := tuner.ask()) is not None:
            level = trial.params["level"]
            tuner.tell(trial, {u: {"answer": answer(level, u)} for u in trial.units})
    return folder / "runs" / "rated"


def better(left, right):
    """Name the side that the rater prefers, from what is shown of both answers."""
    first, second = (int(re.search(r"level-(\d+)", text)[1]) for text in (left, right))
    return "left" if first > second else "right"


def copied(run, name):
    """The same study beside it, without what was rated."""
    home = run.parent.parent
    other = home.parent / name
    shutil.copytree(home, other, ignore=shutil.ignore_patterns("ratings"))
    return other / "runs" / "rated"


def judgements(run, rater="r1"):
    """What a rater has judged, without times."""
    lines = (run / "ratings" / f"{rater}.jsonl").read_text().splitlines()
    wanted = ("n", "unit", "left", "right", "choice", "answers")
    return [{key: json.loads(line)[key] for key in wanted} for line in lines]
