"""Programs as objectives: what they get, what they may print, and every way they go wrong."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import raytuner
from raytuner.budget import BudgetExhaustedError, Purse
from raytuner.component import ConfigError
from raytuner.meter import WorkMeter
from raytuner.objective import Cost, ObjectiveFailure, Tally
from raytuner.scores import checked, failure_of
from raytuner.study import Study
from tests.raytuner.own.command_probes import ANSWERS, alive, children, made, program, scores
from tests.raytuner.probes import wait_for

ITEMS = [{"id": f"q{n}", "n": n} for n in range(5)]


def failed(objective, **given):
    """Give the failure of its units, which may have cost something, or of all of it."""
    try:
        (failure,) = {score.failure for score in scores(objective, **given).values()}
    except ObjectiveFailure as error:
        failure = error.failure
    assert failure is not None
    return failure


# ---- what goes in and out


def test_the_configuration_is_on_standard_input(tmp_path):
    body = "given = config(); say(json.dumps({'score': given['a']['b'], 'tools': given['tools']}))"
    objective = made(tmp_path, body, config={"a": {"b": 1}, "tools": ["x", "y"]})
    score = scores(objective, {"a.b": 3})["result"]
    assert (score.scores, score.notes) == ({"score": 3.0}, {"tools": ["x", "y"]})
    assert objective.defaults(["a.b", "tools"]) == {"a.b": 1, "tools": ("x", "y")}
    assert objective.export({"a.b": 3}) == {"a": {"b": 3}, "tools": ["x", "y"]}


def test_the_configuration_is_in_a_file(tmp_path):
    body = """
    path = sys.argv[1].removeprefix("--config=")
    given = json.load(open(path))
    say(json.dumps({"score": given["x"], "path": path, "rest": sys.stdin.read()}))
    """
    (tmp_path / "sub").mkdir()
    command = [*program(tmp_path / "sub", body), "--config={config}"]
    objective = made(tmp_path, "", command=command, cwd="sub", env={"SIZE": 3})
    score = scores(objective)["result"]
    assert score.scores == {"score": 2.0}
    assert score.notes["rest"] == ""
    assert not Path(score.notes["path"]).exists()


def test_a_program_in_another_language(tmp_path):
    (tmp_path / "run.sh").write_text(
        "#!/bin/sh\nread config\nx=$(echo \"$config\" | sed 's/[^0-9]//g')\n"
        "echo working >&2\nwhile read item; do\n"
        'unit=$(echo "$item" | sed \'s/.*"unit": "\\([^"]*\\)".*/\\1/\')\n'
        'echo "{\\"unit\\": \\"$unit\\", \\"score\\": $x}"\ndone\n'
    )
    (tmp_path / "run.sh").chmod(0o755)
    objective = made(tmp_path, "", command=["./run.sh"], items=ITEMS)
    assert {unit: s.scores["score"] for unit, s in scores(objective).items()} == {
        f"q{n}": 2.0 for n in range(5)
    }


@pytest.mark.parametrize("batch", [None, 1, 2])
def test_items_are_answered_and_scored_as_they_come(tmp_path, batch):
    body = "open('runs', 'a').write('x')" + ANSWERS
    objective = made(tmp_path, body, items=ITEMS, batch=batch)
    found = scores(objective)
    assert {unit: score.scores for unit, score in found.items()} == {
        f"q{n}": {"score": 2.0 * n} for n in range(5)
    }
    assert found["q1"].notes == {"said": "xxx"}
    assert len((tmp_path / "runs").read_text()) == {None: 1, 1: 5, 2: 3}[batch]


def test_a_line_is_a_score_before_the_next_one_is_printed(tmp_path):
    body = """
    given = config()
    for line in sys.stdin:
        say(json.dumps({"unit": json.loads(line)["unit"], "score": 1}))
        while not os.path.exists("go"):
            time.sleep(0.005)
        os.remove("go")
    """
    objective = made(tmp_path, body, items=ITEMS)
    batches = objective.evaluate({"x": 1}, objective.units(), Tally())
    for unit in objective.units():
        assert [score.unit for score in next(batches)] == [unit]
        (tmp_path / "go").touch()
    assert list(batches) == []


def test_much_goes_in_and_out_at_the_same_time(tmp_path):
    items = [{"id": str(n), "n": n, "text": "x" * 5000} for n in range(100)]
    body = ANSWERS.replace('"x" * 3', 'row["item"]["text"]')
    found = scores(made(tmp_path, body, items=items))
    assert {score.scores["score"] / 2 for score in found.values()} == set(range(100))
    assert all(len(score.notes["said"]) == 5000 for score in found.values())


def test_a_program_may_say_that_an_item_failed(tmp_path):
    body = ANSWERS.replace(
        "say(",
        "if row['unit'] == 'q2': say(json.dumps({'unit': 'q2', 'error': 'busy\\n\\x1b[1m', "
        "'kind': 'rate_limit', 'retryable': True})); continue\n    say(",
    )
    found = scores(made(tmp_path, body, items=ITEMS))
    failure = found.pop("q2").failure
    assert (failure.kind, failure.message, failure.retryable) == (
        "rate_limit",
        r"busy\n\x1b[1m",
        True,
    )
    assert all(score.failure is None for score in found.values())


def test_money_is_accounted_for_and_may_run_out(tmp_path):
    body = ANSWERS.replace('"said"', '"cost_usd": 0.01, "said"')
    meter = WorkMeter(Purse(0.025))
    units = ["q0", "q1", "q2"]
    batches = made(tmp_path, body, items=ITEMS).evaluate({"x": 1}, units, meter)
    found = [*next(batches), *next(batches)]
    with pytest.raises(BudgetExhaustedError):
        next(batches)
    assert [score.cost for score in found] == [Cost(0.01)] * 2
    assert meter.cost.usd == pytest.approx(0.02)


def test_money_spent_on_what_failed_is_accounted_for(tmp_path):
    body = ANSWERS.replace(
        '"said"', '"cost_usd": 0.25, **({"score": "no"} if row["unit"] == "q1" else {}), "said"'
    ).replace("say(", "if row['unit'] == 'q2': say(json.dumps({'unit': 'q2', 'error': 'busy', "
              "'cost_usd': 0.25})); continue\n    say(")  # fmt: skip
    meter = Tally()
    found = scores(made(tmp_path, body, items=ITEMS, metrics=["score"]), meter=meter)
    assert {unit for unit, score in found.items() if score.failure} == {"q1", "q2"}
    assert {score.cost for score in found.values()} == {Cost(0.25)}
    assert meter.cost.usd == pytest.approx(1.25)


def test_money_is_accounted_for_whatever_the_end_of_the_program(tmp_path):
    body = 'config(); say(\'{"score": 1, "cost_usd": 0.25}\'); sys.exit(3)'
    meter = Tally()
    (score,) = scores(made(tmp_path, body), meter=meter).values()
    assert (score.cost, meter.cost.usd) == (Cost(0.25), 0.25)
    assert "exit code 3" in score.failure.message


# ---- what goes wrong with one result


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("pass", "objective", "the program ended without a result"),
        ("say('')", "objective", "the program ended without a result"),
        ("say('{}')", "objective", None),
        ("say('{\"score\": 1}'); say('{\"score\": 1}')", "objective", "second result on line 2"),
        ("say('loading...\\x1b[31m')", "objective",
         r"is no JSON object: 'loading...\\x1b[31m'; print results alone"),
        ("say('{\"score\": 1')", "objective", "line 1 that the program printed is no JSON object"),
        ("say('[1, 2]')", "objective", "is no JSON object: '[1, 2]'"),
        ("say(b'\\xff\\xfe\\x00\\n')", "objective", r"is no JSON object: '\\xff\\xfe\\x00'"),
        ("say('[' * 100_000)", "objective", "is no JSON object: '[[[["),
        ("say('1' * 5000)", "objective", "is no JSON object: '1111"),
        ("say('{\"a\": ' + '9' * 5000 + '}')", "objective", "is no JSON object"),
        ("say('x' * 70_000)", "objective", "is no JSON object: 'xxxx"),
        ("sys.exit(3)", "objective", "the program ended with exit code 3"),
        ("print('a\\nreason: \\x07', file=sys.stderr); sys.exit(1)", "objective",
         r"ended with exit code 1; its last words: a / reason: \\x07"),
        ("say('{\"score\": 1}'); sys.exit(3)", "objective", "ended with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "objective", "was ended by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "out_of_memory", "was killed (SIGKILL), perhaps"),
        ("sys.exit(75)", "provider", "asked to be tried again (exit code 75)"),
    ],
)  # fmt: skip
def test_one_clear_sentence_for_everything_that_is_wrong(tmp_path, body, kind, message):
    objective = made(tmp_path, body)
    if message is None:
        failure = scores(objective)["result"].failure
        message = "line 1: the objective gave no metric"
    else:
        failure = failed(objective)
    assert failure.kind == kind
    assert message.replace("\\\\", "\\") in failure.message
    assert "\n" not in failure.message
    assert len(failure.message) < 400
    assert failure.retryable == (kind == "provider")
    assert children() == []


def test_numbers_that_json_does_not_have_are_no_scores(tmp_path):
    body = ANSWERS.replace("score =", "score = float('nan') if row['unit'] == 'q1' else")
    found = {u: checked(s) for u, s in scores(made(tmp_path, body, items=ITEMS)).items()}
    assert "score = nan; a score is a finite number" in found.pop("q1").failure.message
    assert all(score.failure is None for score in found.values())


def test_secrets_in_last_words_are_struck_out(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "open-sesame-123")
    objective = made(tmp_path, "sys.exit('key ' + os.environ['SOME_API_KEY'] + ' is refused')")
    with pytest.raises(ObjectiveFailure) as caught:
        scores(objective)
    assert failure_of(caught.value).message.endswith("its last words: key *** is refused")


# ---- what goes wrong with items


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"unit": row["unit"], ', "", "line 1 that the program printed has no `unit`"),
        ('row["unit"], ', 'row["unit"] + "x", ', "is for 'q[0-9]x', which it was not asked. Did"),
        ('row["unit"], ', 'row["unit"].strip("3") and "q4", ', "is a second result for 'q4'"),
        ("say(", "print('hm', flush=True); say(", "line 1 that the program printed is no JSON"),
        ("score =", "if row['unit'] == 'q2': break\n    score =", r"a result for \d of 5"),
        ("score =", "if row['unit'] == 'q2': sys.exit(4)\n    score =", "ended with exit code 4"),
    ],
)  # fmt: skip
def test_what_was_answered_before_stands(tmp_path, old, new, message):
    assert old in ANSWERS
    objective = made(tmp_path, ANSWERS.replace(old, new, 1), items=ITEMS)
    found = scores(objective)
    assert set(found) == set(objective.units())
    failures = {score.failure for score in found.values() if score.failure}
    assert len(failures) == 1
    assert re.search(message, failures.pop().message)
    order, first = list(found), [s.failure is not None for s in found.values()]
    assert first == sorted(first), order
    assert children() == []


def test_a_crash_costs_its_own_batch_only(tmp_path):
    body = ANSWERS.replace("score =", "if row['unit'] == 'q2': sys.exit(4)\n    score =")
    found = scores(made(tmp_path, body, items=ITEMS, batch=1))
    assert [unit for unit, score in found.items() if score.failure] == ["q2"]


def test_a_program_that_ends_badly_after_its_last_answer_has_answered(tmp_path, caplog):
    found = scores(made(tmp_path, ANSWERS + "\nsys.exit(9)", items=ITEMS))
    assert all(score.failure is None for score in found.values())
    assert "all items are answered, but the program ended with exit code 9" in caplog.text


PRICED = """
given = config()
for line in sys.stdin:
    row = json.loads(line)
    said = {"unit": row["unit"], "hit": row["item"]["n"] * given["x"], "cost_usd": given["x"] / 250}
    say(json.dumps(said))
"""


def test_what_is_paid_can_be_limited_without_declaring_it(tmp_path):
    (tmp_path / "items.jsonl").write_text("".join(f'{{"n": {n}}}\n' for n in range(1, 13)))
    objective = {
        "kind": "command", "command": program(tmp_path, PRICED), "items": "items.jsonl",
        "metrics": ["hit"], "config": {"x": 1},
    }  # fmt: skip
    study = {"objective": objective, "space": {"x": [1, 2, 3]}, "scheduler": "none"}
    limits = ["usd_per_question <= 0.01"]
    results = raytuner.run(Study.parse({**study, "limits": limits}), tmp_path)
    assert results.metric == "hit"
    assert results.best.params == {"x": 2}
    dear = next(trial for trial in results.record.current if trial.params["x"] == 3)
    assert dear.reason == "usd_per_question 0.012, above the limit of 0.01"


def test_metrics_that_are_declared_must_be_there(tmp_path):
    body = ANSWERS.replace('"score"', '("score" if row["unit"] != "q3" else "sore")')
    found = scores(made(tmp_path, body, items=ITEMS, metrics=["score"]))
    assert "did not give score; it gave: sore. Did you mean" in found.pop("q3").failure.message
    assert all(score.failure is None for score in found.values())


# ---- what never ends, prints without end, eats memory, and leaves others behind


def test_a_program_that_never_ends(tmp_path):
    objective = made(
        tmp_path, "print('soon', file=sys.stderr, flush=True)\ntime.sleep(60)", timeout=2
    )
    failure = failed(objective)
    assert (failure.kind, failure.retryable) == ("timeout", True)
    assert failure.message == (
        "the program took more than its timeout of 2 seconds; its last words: soon"
    )
    assert children() == []


def test_a_program_that_closes_its_output_and_goes_on(tmp_path):
    objective = made(tmp_path, "os.close(1); os.close(2); time.sleep(60)", timeout=0.4)
    assert failed(objective).kind == "timeout"


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("text", [b"x", b"x\\n"])
def test_a_program_that_prints_without_end(tmp_path, stream, text):
    body = (
        f"while True: os.write({stream}, {text!r} * 10_000)"
        if stream == 2 or text == b"x"
        else ("while True: os.write(1, b'\\n' * 10_000)")
    )
    failure = failed(made(tmp_path, body, max_output=300_000))
    where = "standard output" if stream == 1 else "standard error"
    assert failure.message == (
        f"the program printed more than max_output = 300,000 bytes on {where}, and was ended"
    )
    assert children() == []


def test_a_line_of_100_megabytes(tmp_path):
    failure = failed(made(tmp_path, "say('{\"score\": 1, \"x\": \"' + 'x' * 100_000_000 + '\"}')"))
    assert "max_output = 10,000,000 bytes on standard output" in failure.message


@pytest.mark.parametrize(
    "body", ["x = bytearray(400_000_000)", "x = []\nwhile True: x.append(bytes(1_000_000))"]
)
def test_a_program_that_eats_memory(tmp_path, body):
    failure = failed(made(tmp_path, body, memory_mb=200))
    assert failure.kind == "out_of_memory"
    assert failure.message.startswith(
        "the program needed more than memory_mb = 200; its last words"
    )


LEAVES = """
if os.fork() == 0:
    {way}
    open("pid", "w").write(str(os.getpid()))
    {deaf}
    time.sleep(60)
while not os.path.exists("pid") or not open("pid").read(): time.sleep(0.005)
{end}
"""


@pytest.mark.parametrize("way", ["pass", "os.setsid()", "os.setsid(); os.fork() and os._exit(0)"])
@pytest.mark.parametrize("deaf", ["pass", "signal.signal(signal.SIGTERM, signal.SIG_IGN)"])
@pytest.mark.parametrize("end", ["say('{\"score\": 1}')", "time.sleep(60)"])
def test_nothing_is_left_running(tmp_path, way, deaf, end):
    objective = made(tmp_path, LEAVES.format(way=way, deaf=deaf, end=end), timeout=60)
    pid = tmp_path / "pid"

    class Meter:
        cancelled = property(lambda self: "sleep" in end and pid.exists() and pid.read_text())
        reserve = settle = count = lambda *_: None

    assert len(scores(objective, meter=Meter())) == ("sleep" not in end)
    assert not alive(int((tmp_path / "pid").read_text()))
    assert children() == []


def test_the_end_of_the_sweep_ends_the_program(tmp_path):
    cancel = threading.Event()
    objective = made(tmp_path, "open('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)")
    found = []
    arguments = (objective, {"x": 1}, None, WorkMeter(cancel=cancel))
    thread = threading.Thread(target=lambda: found.append(scores(*arguments)))
    thread.start()
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    cancel.set()
    thread.join(10)
    assert found == [{}]
    assert not alive(int((tmp_path / "pid").read_text()))


def test_a_driver_that_is_killed_leaves_no_program(tmp_path):
    objective = "pid = open('pid', 'w').write(str(os.getpid()))\ntime.sleep(60)"
    made(tmp_path, objective)
    code = (
        "import sys, pathlib; from raytuner.own.command import CommandObjective as C\n"
        "from raytuner.objective import Tally\n"
        "command = {'command': ['{python}', 'program.py']}\n"
        f"o = C.build(command, root=pathlib.Path({str(tmp_path)!r}), seed=0)\n"
        "list(o.evaluate({'x': 1}, o.units(), Tally()))"
    )
    driver = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    pid = int((tmp_path / "pid").read_text())
    wait_for(lambda: not alive(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2)")
def test_a_program_that_kills_its_parent_is_not_left_running(tmp_path):
    body = (
        "open('pid', 'w').write(str(os.getpid())); config()\n"
        "os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)"
    )
    assert failed(made(tmp_path, body)).kind == "out_of_memory"
    wait_for(lambda: not alive(int((tmp_path / "pid").read_text())))


# ---- identity


def test_what_decides_results_decides_the_key(tmp_path):
    (tmp_path / "more.py").write_text("x = 1")
    plain = {"files": ["more.py"], "items": ITEMS, "env": {"A": "1"}}
    base = made(tmp_path, ANSWERS, **plain).key({})
    assert made(tmp_path, ANSWERS, **plain, timeout=5, memory_mb=500, batch=2).key({}) == base
    others = [
        made(tmp_path, ANSWERS, **plain).key({"x": 1}),
        made(tmp_path, ANSWERS, **{**plain, "env": {"A": "2"}}).key({}),
        made(tmp_path, ANSWERS, **{**plain, "items": ITEMS[1:]}).key({}),
        made(tmp_path, ANSWERS, **plain, version="2").key({}),
        made(tmp_path, ANSWERS + "\n# changed", **plain).key({}),
    ]
    (tmp_path / "more.py").write_text("x = 2")
    others.append(made(tmp_path, ANSWERS, **plain).key({}))
    assert len({base, *others}) == len(others) + 1


# ---- bad settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"command": "python x.py"}, "command: give a list of words such as .*'python x.py'"),
        ({"command": []}, "command: give a list of words"),
        ({"command": ["no-such-program"]}, "command: there is no program 'no-such-program'"),
        ({"command": ["./none.sh"]}, "command: there is no program './none.sh'"),
        ({"command": ["./program.py"]}, r"'./program.py' cannot be executed; run: chmod \+x"),
        ({"command": ["{python}", "{confg}"]}, r"there is no \{confg\}; there are"),
        ({"command": [None]}, "a word of it is a text, got None"),
        ({"comand": []}, r"comand: no such setting .* Did you mean 'command'\?"),
        ({"cwd": "none"}, "cwd: 'none' is no folder"),
        ({"cwd": "../.."}, "cwd: '../..' leads out of the folder of the study"),
        ({"files": ["none.py"]}, "files: there is no file 'none.py'"),
        ({"env": {"API_TOKEN": "x"}}, "API_TOKEN looks like a secret"),
        ({"env": {"A=B": "x"}}, "'A=B' cannot name an environment variable"),
        ({"env": {"A": [1]}}, r"A is a text or a number, got \[1\]"),
        ({"retry_codes": [0]}, "retry_codes: an exit code is a whole number from 1 to 255, got 0"),
        ({"timeout": -1}, "timeout: .*greater than 0, got -1"),
        ({"memory_mb": 0}, "memory_mb: .*got 0"), ({"max_output": 0}, "max_output: .*got 0"),
        ({"steps": 3, "items": ITEMS}, "items: a training has steps and no items"),
        ({"batch": 3}, "batch: there are no items"),
        ({"items": [{"a": float("inf")}]}, "items: '1' cannot be given to a program as JSON"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message) as caught:
        made(tmp_path, ANSWERS, **settings)
    assert caught.value.field


def test_names_that_cannot_be_nested_are_refused_before_the_run(tmp_path):
    with pytest.raises(ConfigError, match="a is a value already"):
        made(tmp_path, ANSWERS).key({"a": 1, "a.b": 2})
