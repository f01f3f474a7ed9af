import json
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from pipelines.golden import load_golden
from pipelines.workspace import load_corpus
from tests.endpoint.fixtures import endpoint as endpoint  # noqa: PLC0414 - a fixture
from tests.endpoint.fixtures import endpoints as endpoints  # noqa: PLC0414

CITIES = [
    ("Arlen", "copper bells", "harbour", "Mirova"),
    ("Brindle", "glass lanterns", "observatory", "Tesk"),
    ("Corvale", "oak barrels", "lighthouse", "Ulmstead"),
    ("Dunmore", "paper kites", "granary", "Quill"),
    ("Estwick", "silver thimbles", "aqueduct", "Hadrin"),
    ("Farrow", "woollen carpets", "amphitheatre", "Lindqvist"),
]
TEXT = (
    "# {0}\n\nThe workshops of {0} export {1} to every neighbouring province by river barge.\n"
    "Its {2} was designed by the architect {3} during the drought of the third dynasty.\n"
)


@pytest.fixture
def work(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    for city in CITIES:
        (tmp_path / "docs" / f"{city[0].lower()}.md").write_text(TEXT.format(*city))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAYTUNER_CACHE", str(tmp_path / "cache"))
    return tmp_path


def records(path="golden.jsonl"):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


ASK = ["golden", "generate", "docs", "--model", "good-1", "--price", "1", "2"]


def test_written_questions_resolve_and_say_who_wrote_them(raytuner, work, endpoint):
    done = raytuner(*ASK, "--n", "4")
    assert done.code == 0, done
    kept = records()
    assert len(kept) == 4
    assert len({record["group"] for record in kept}) == 4
    assert all(record["tags"] == ["generated:llm", "model:good-1"] for record in kept)
    corpus, _ = load_corpus("docs", work)
    _, golden = load_golden("golden.jsonl", corpus, work)
    for question, record in zip(golden.questions, kept, strict=True):
        ((span,),) = question.evidence
        assert (
            corpus.documents[span.doc].text[span.start : span.end]
            == (record["evidence"][0]["quote"])
        )
    assert "kept     4" in done.out
    assert endpoint.calls("chat") > 4 * 2


def test_the_estimate_bounds_what_is_spent(raytuner, work, endpoint):
    done = raytuner(*ASK, "--n", "3")
    low, high = map(float, re.search(r"\$([\d.]+) to \$([\d.]+)", done.out).groups())
    spent = float(re.search(r"spent +\$([\d.]+)", done.out)[1])
    assert low <= spent <= high
    assert spent > 0


def test_dry_run_asks_nothing(raytuner, work, endpoint):
    done = raytuner(*ASK, "--dry-run")
    assert done.code == 0
    assert "calls" in done.out
    assert endpoint.calls("chat") == 0
    assert not Path("golden.jsonl").exists()


def test_the_same_command_again_is_free_and_a_larger_one_goes_on(raytuner, work, endpoint):
    assert raytuner(*ASK, "--n", "2").code == 0
    first = Path("golden.jsonl").read_bytes()
    calls = endpoint.calls("chat")
    again = raytuner(*ASK, "--n", "2")
    assert again.code == 0
    assert endpoint.calls("chat") == calls
    Path("golden.jsonl").rename("elsewhere.jsonl")
    raytuner(*ASK, "--n", "2")  # everything is in the cache
    assert endpoint.calls("chat") == calls
    assert Path("golden.jsonl").read_bytes() == first
    raytuner(*ASK, "--n", "4")
    assert Path("golden.jsonl").read_bytes().startswith(first)
    assert len(records()) == 4
    assert not endpoint.repeated()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"question": "", "answer": "", "quote": ""}, "nothing to ask"),
        (
            {
                "question": "Which goods go by barge?",
                "answer": "bells",
                "quote": "The workshops of Nowhere export sand.",
            },
            "its quote is not in the passage",
        ),
        (
            {
                "question": "According to the passage, what is exported?",
                "answer": "bells",
                "quote": "export copper bells",
            },
            "speaks of its passage",
        ),
        ({"question": "What?", "answer": "bells", "quote": "copper bells"}, "too short"),
        ({"question": 7}, "no usable reply"),
        ("this is no JSON", "no usable reply"),
    ],
)
def test_a_bad_draft_is_dropped_with_its_reason(raytuner, work, endpoint, said, reason):
    text = said if isinstance(said, str) else json.dumps(said)
    endpoint.fault("content", text=text)
    done = raytuner(*ASK, "--n", "2")
    assert done.code == 0
    assert re.search(rf"\d  .*{reason}", done.out), done.out
    assert "kept     0" in done.out
    assert not Path("golden.jsonl").exists()


def test_a_question_that_is_there_is_not_written_twice(raytuner, work, endpoint):
    question = "Who were the architects that designed the harbour of Arlen?"
    mine = json.dumps({"id": "mine", "question": question})
    Path("golden.jsonl").write_text(mine)  # no newline at its end
    draft = {
        "question": "Who was the architect that designed the harbour of Arlen?",
        "answer": "Mirova",
        "quote": "designed by the architect Mirova",
    }
    endpoint.fault(
        "content", text=json.dumps(draft), containing="Document: arlen.md\\n\\n<passage>"
    )
    done = raytuner(*ASK, "--n", "6", "--per-document", "1")
    assert re.search(r"\d  much like a question that is there", done.out), done.out
    kept = records()
    assert kept[0] == {"id": "mine", "question": question}
    assert "arlen.md" not in {record.get("group") for record in kept}


def test_what_everybody_knows_is_dropped_or_marked(raytuner, work, endpoint):
    draft = {
        "question": "Who designed the great old harbour of Arlen?",
        "answer": "Mirova",
        "quote": "designed by the architect Mirova",
    }
    answer = json.dumps({"answer": "Mirova", "known": True})
    endpoint.fault("content", text=json.dumps(draft), containing="<passage>")
    endpoint.fault("content", text=answer, containing="great old harbour")
    args = ["golden", "generate", "docs/arlen.md", *ASK[3:], "--n", "1"]
    done = raytuner(*args)
    assert "general knowledge" in done.out
    assert not Path("golden.jsonl").exists()
    raytuner(*args, "--keep-known")
    assert records()[0]["tags"][-1] == "general-knowledge"


def test_what_its_evidence_does_not_answer_is_dropped(raytuner, work, endpoint):
    answer = json.dumps({"answer": "", "known": False})
    endpoint.fault("content", text=answer, containing="<evidence>")
    done = raytuner(*ASK, "--n", "1")
    assert "not answerable" in done.out
    assert "kept     0" in done.out


def test_no_more_is_spent_than_allowed(raytuner, work, endpoint):
    for n in range(80):
        names = [f"{word}{n}" for word in ("Town", "ware", "building", "Architect")]
        (work / "docs" / f"town{n}.md").write_text(TEXT.format(*names))
    done = raytuner(*ASK, "--n", "80", "--usd", "0.03")
    assert done.code == 4
    assert "stopped: the budget of $0.03" in done.out
    assert 0.02 < float(re.search(r"spent +\$([\d.]+)", done.out)[1]) <= 0.03
    held = len(records())
    assert held > 0
    raised = raytuner(*ASK, "--n", str(held + 2), "--usd", "0.03")
    assert raised.code == 0
    assert not endpoint.repeated()


def test_failed_calls_are_no_verdicts(raytuner, work, endpoint):
    endpoint.fault("status", status=400, containing="Document: arlen.md")
    done = raytuner(*ASK, "--n", "12", "--per-document", "2")
    assert done.code == 3
    assert "a call failed" in done.out
    assert {record["group"] for record in records()} > {"brindle.md"}
    assert endpoint.key not in done.out + done.err


def test_an_endpoint_that_fails_always_is_left_alone(raytuner, work, endpoint):
    endpoint.fault("status", status=400)
    done = raytuner(*ASK, "--n", "2")
    assert done.code == 3
    assert endpoint.calls("chat") <= 3


def test_a_studys_model_and_documents(raytuner, work, endpoint):
    study = (
        "objective:\n  kind: rag\n  documents: docs\n  golden: golden.jsonl\n  models:\n"
        "    writer: {model: good-1, free: true}\n    other: gpt-4o\nspace: {}\n"
    )
    (work / "study.yaml").write_text(study)
    done = raytuner(
        "golden", "generate", "--study", "study.yaml", "--model", "writer", "--n", "1", "--usd", "1"
    )
    assert done.code == 0, done
    assert len(records()) == 1
    unknown = raytuner("golden", "generate", "--study", "study.yaml", "--model", "writr")
    assert unknown.code == 2
    assert "'writer'" in unknown.err
    none = raytuner("golden", "generate", "--study", "study.yaml")
    assert none.code == 2
    assert "writer, other" in none.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "m"], "no documents"),
        (["nowhere", "--model", "m"], "nowhere"),
        (["docs"], "--offline"),
        (["docs", "--offline", "--n", "0"], "--n"),
        (["docs", "--offline", "-o", "golden.csv"], ".jsonl"),
        (["docs", "--offline", "-o", "docs/golden.jsonl"], "among the documents"),
        (["docs", "--offline", "-o", "other.jsonl"], "other.jsonl, line 1"),
        (["docs", "--offline", "-o", "no/where.jsonl"], "folder that is not there"),
        (["docs", "--model", "m", "--usd", "1"], "price"),
        (["docs", "--model", "m", "--usd", "0.0000001", "--price", "1", "1"], "give more"),
        (["docs", "--model", "m", "--api-key-env", "MY_OWN_KEY"], "MY_OWN_KEY"),
        (["docs", "--study", "absent.yaml"], "absent.yaml"),
    ],
)
def test_bad_input_is_one_sentence(raytuner, work, endpoint, arguments, message, monkeypatch):
    monkeypatch.delenv("MY_OWN_KEY", raising=False)
    (work / "other.jsonl").write_text('{"text": "a document"}\n')
    done = raytuner("golden", "generate", *arguments)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1 + ("note:" in done.err)
    assert endpoint.calls("chat") == 0


def test_an_unknown_model_is_found_before_anything_is_spent(raytuner, work, endpoints):
    with_models = endpoints(models=("good-1",))
    done = raytuner("golden", "generate", "docs", "--model", "gone", "--base-url", with_models.url)
    assert done.code == 2
    assert "gone" in done.err
    assert with_models.calls("chat") == 0


def test_interrupted_work_goes_on_where_it_was(work, start, endpoint, raytuner):
    endpoint.configure(latency=0.2)
    process = start(*ASK, "--n", "6")
    until = time.monotonic() + 60
    while endpoint.calls("chat") < 3 and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    endpoint.configure(latency=0.0)
    assert raytuner(*ASK, "--n", "4").code == 0
    assert not endpoint.repeated()
    assert len(records()) >= 4


# ---- offline, check


def test_offline_says_what_it_is(raytuner, work):
    done = raytuner("golden", "generate", "docs", "--offline", "--n", "6")
    assert done.code == 0
    assert "flatter lexical" in done.err
    checked = raytuner("golden", "check", "golden.jsonl", "--documents", "docs")
    assert checked.code == 0
    assert "flatter lexical" in checked.out
    assert re.search(r"0  evidence that does not resolve", checked.out)


def test_check_finds_all_that_is_wrong(raytuner, work):
    lines = [
        {
            "id": "a",
            "question": "Who designed the harbour of Arlen?",
            "evidence": [{"quote": "no"}],
        },
        {"id": "b", "question": "Who has designed the Arlen harbour?", "answer": "Mirova"},
        {"id": "c", "question": "What is exported?", "evidence": [{"doc": "gone.md"}]},
        {"id": "d", "question": "And then?", "evidence": [{"quote": "copper bells"}]},
    ]
    (work / "g.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = raytuner("golden", "check", "g.jsonl", "--documents", "docs", "--json")
    assert done.code == 2
    found = json.loads(done.out)
    assert [one.split(":")[0] for one in found["unresolved"]] == [
        "line 1, question 'a', evidence 1",
        "line 3, question 'c', evidence 1",
    ]
    assert found["duplicates"] == [
        ["a: Who designed the harbour of Arlen?", "b: Who has designed the Arlen harbour?"]
    ]
    assert found["counts"]["questions"] == 4
    plain = raytuner("golden", "check", "g.jsonl")
    assert plain.code == 0
    assert "--documents" in plain.out


# ---- review


def three(work):
    lines = [
        {
            "id": f"q{n}",
            "question": f"What is exported by {city[0]}?",
            "answer": city[1],
            "evidence": [{"doc": f"{city[0].lower()}.md", "quote": city[1]}],
            "group": f"{city[0].lower()}.md",
            "tags": ["mine"],
            "meta": {"note": n},
        }
        for n, city in enumerate(CITIES[:3])
    ]
    (work / "g.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return lines


def review(keys, *arguments):
    from click.testing import CliRunner

    from pipelines.golden_commands import golden

    done = CliRunner().invoke(golden, ["review", "g.jsonl", *arguments], input=keys)
    assert done.exit_code == 0, done.output
    return done.output


def test_decisions_are_kept_and_the_next_review_goes_on(work):
    lines = three(work)
    shown = review("xkd\nq", "--documents", "docs")
    assert ">>>copper bells<<<" in shown
    assert "The workshops of Arlen" in shown
    assert "?" in shown
    left = records("g.jsonl")
    assert left == [{**lines[0], "reviewed": "kept"}, lines[2]]
    assert records("g.dropped.jsonl") == [{**lines[1], "reviewed": "dropped"}]
    again = review("eWhat do they make there?\noak barrels, mostly\n")
    assert "Arlen" not in again
    assert "Everything is reviewed" in again
    assert records("g.jsonl")[1] == {
        **lines[2],
        "question": "What do they make there?",
        "answer": "oak barrels, mostly",
        "reviewed": "edited",
    }
    corpus, _ = load_corpus("docs", work)
    assert len(load_golden("g.jsonl", corpus, work)[1].questions) == 2


def test_undo_takes_back_every_decision(work):
    lines = three(work)
    before = (work / "g.jsonl").read_text()
    review("kdsuuuq")
    assert records("g.jsonl") == lines
    assert (work / "g.jsonl").read_text() == before
    assert records("g.dropped.jsonl") == []


def test_what_was_dropped_is_not_written_again(raytuner, work):
    raytuner("golden", "generate", "docs", "--offline", "--n", "1", "-o", "g.jsonl")
    (dropped,) = records("g.jsonl")
    review("d")
    raytuner("golden", "generate", "docs", "--offline", "--n", "50", "-o", "g.jsonl")
    assert dropped["id"] not in {record["id"] for record in records("g.jsonl")}


def test_a_review_at_a_real_terminal(work, monkeypatch):
    three(work)
    editor = work / "editor.py"
    editor.write_text(
        "import sys, pathlib\npath = pathlib.Path(sys.argv[1])\n"
        "path.write_text(path.read_text().replace('exported', 'shipped'))\n"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(EDITOR=f"{sys.executable} {editor}", TERM="xterm", COLUMNS="100")
        os.environ.pop("VISUAL", None)
        command = ["-m", "raytuner", "golden", "review", "g.jsonl", "--documents", "docs"]
        os.execv(sys.executable, [sys.executable, *command])
    seen = ""
    for key, wait in (("k", "Arlen?"), ("e", "Brindle?"), ("d", "Corvale?"), ("q", "last one.")):
        seen += _until(terminal, wait)
        while termios.tcgetattr(terminal)[3] & termios.ICANON:  # keys before that are thrown away
            time.sleep(0.01)
        os.write(terminal, key.encode())
    seen += _until(terminal, "reviewed:")
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "\x1b[" in seen
    kept = records("g.jsonl")
    assert [record["reviewed"] for record in kept] == ["kept", "edited"]
    assert kept[1]["question"] == "What is shipped by Brindle?"
    assert [record["id"] for record in records("g.dropped.jsonl")] == ["q2"]


def _until(terminal, text):
    seen = ""
    while text not in seen:
        ready, _, _ = select.select([terminal], [], [], 60)
        assert ready, f"no {text!r} in {seen!r}"
        try:
            seen += os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            raise AssertionError(f"no {text!r} in {seen!r}") from None
    return seen
