"""The command line on its good days; bad input has tests of its own in tests/bad_input."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy import stats


def trials(outcome):
    return json.loads(outcome.out)["trials"]


def test_check_says_what_a_run_would_do_and_does_nothing(tiny, raytuner):
    before = tiny.files()

    shown = raytuner("check")
    facts = json.loads(raytuner("check", "--json").out)

    assert shown.code == 0
    assert shown.out.splitlines()[-1] == "the study is sound; nothing was run"
    assert facts["trials"] == 5  # four points and the configuration as it stands
    assert facts["questions"] == 6
    assert facts["ingestions"] == 3
    assert facts["texts to embed"] == 0
    assert "usd" not in facts  # no figure is better than a wrong 0
    assert "only 6 questions" in facts["warnings"][0]
    for name in ("trials", "questions", "ingestions", "texts to embed"):
        assert f"{name}: {facts[name]}\n" in shown.out
    assert tiny.files() == before


def test_a_dry_run_counts_texts_to_embed_and_does_nothing(tiny, raytuner):
    tiny.write(space={"retriever.kind": {"choice": ["bm25", "dense"]}})

    facts = json.loads(raytuner("run", "--dry-run", "--json").out)

    assert facts["trials"] == 2
    assert facts["texts to embed"] == 3 + 6  # one chunk a document, and the questions
    assert not (tiny.folder / "runs").exists()


def test_a_run_shows_trials_progress_and_what_to_do_next(tiny, raytuner):
    outcome = raytuner("run")

    assert outcome.code == 0
    lines = outcome.out.splitlines()
    assert lines[0] == "tiny: 5 trials, best first"
    assert lines[1].split() == [
        "#", "chunker.size", "retriever.top_k", "recall", "precision", "95", "%", "interval",
        "status",
    ]  # fmt: skip
    assert "5/5 trials, 30 questions, best recall 0." in outcome.err
    assert "Trial table: runs/tiny/trials.parquet" in lines
    assert (
        lines[-3]
        == "Next: raytuner results study.yaml --all; raytuner export study.yaml -o best.yaml"
    )
    assert lines[-2].startswith("NO VERDICT: 6 questions are too few to hold any out")
    assert lines[-1] == "Report: runs/tiny/report.html"
    assert (tiny.run_folder / "trials.parquet").is_file()
    assert "too few to hold any out" in (tiny.run_folder / "report.html").read_text()


def test_a_report_is_left_out_on_demand(tiny, raytuner):
    assert "Report:" not in raytuner("run", "--no-report").out
    assert not (tiny.run_folder / "report.html").exists()
    assert (tiny.run_folder / "scores.parquet").is_file()


def test_the_same_command_again_does_nothing_twice(tiny, raytuner):
    raytuner("run")
    table = trials(raytuner("results", "--json"))

    again = raytuner("run")

    assert again.code == 0
    assert "Work done: none, everything was on record." in again.out
    assert "5 known before" in again.err
    assert trials(raytuner("results", "--json")) == table


def test_a_wider_space_pays_for_what_is_new(tiny, raytuner):
    raytuner("run")
    tiny.write(
        space={"chunker.size": {"choice": [8, 12, 16]}, "retriever.top_k": {"choice": [1, 2]}}
    )

    wider = raytuner("run")

    assert wider.code == 0
    assert "7/7 trials, 5 known before" in wider.err


@pytest.mark.parametrize("backend", ["threads", "async"])
def test_other_backends_find_the_same(tiny, raytuner, backend):
    raytuner("run")
    one = trials(raytuner("results", "--json"))
    (tiny.run_folder / "journal.jsonl").unlink()

    outcome = raytuner("run", "--backend", backend, "--workers", "2", "--json")

    assert outcome.code == 0
    known = {row["key"]: row["recall"] for row in one}
    assert {row["key"]: row["recall"] for row in trials(outcome)} == known


def test_every_number_of_the_table_follows_from_the_scores(tiny, raytuner):
    raytuner("run")
    table = trials(raytuner("results", "--json"))
    scores = pd.DataFrame(json.loads(raytuner("results", "--scores", "--json").out))
    plain = raytuner("results", "--all").out

    assert len(scores) == 5 * 6 * 2
    for row in table:
        mine = scores[scores.trial == row["trial"]]
        recall = mine[mine.metric == "recall"].score.to_numpy()
        precision = mine[mine.metric == "precision"].score.to_numpy()
        assert row["recall"] == pytest.approx(recall.mean(), rel=1e-12)
        assert row["precision"] == pytest.approx(precision.mean(), rel=1e-12)
        error = max(recall.std(ddof=1) / math.sqrt(6), 1 / 24)
        half = stats.t.ppf(0.975, 5) * error
        assert row["low"] == pytest.approx(recall.mean() - half, rel=1e-9)
        assert row["high"] == pytest.approx(recall.mean() + half, rel=1e-9)
        assert row["answered"] == 6
        assert f"{row['recall']:.4f}" in plain
        low, high = max(row["low"], 0), min(row["high"], 1)  # a share is shown as one
        assert f"{low:.3f} to {high:.3f}" in plain


def test_json_gives_scores_to_the_last_digit(tiny, raytuner):
    raytuner("run")
    stored = pd.read_parquet(tiny.run_folder / "scores.parquet")

    told = pd.DataFrame(json.loads(raytuner("results", "--scores", "--json").out))

    assert np.array_equal(told.score.to_numpy(), stored.score.to_numpy())


def test_parameters_keep_their_type_where_others_have_none(tiny, raytuner):
    tiny.write(
        space={
            "retriever.kind": {"choice": ["bm25", "dense"]},
            "embedder": {"choice": ["tfidf"], "when": {"retriever.kind": "dense"}},
            "chunker.size": {"choice": [16], "when": {"retriever.kind": "bm25"}},
        }
    )

    told = trials(raytuner("run", "--json"))

    sizes = {json.dumps(row["chunker.size"]) for row in told}
    assert "16" in sizes
    assert "16.0" not in sizes


def test_tables_as_files(tiny, raytuner):
    raytuner("run")

    csv = raytuner("results", "--csv", "trials.csv")
    both = raytuner("results", "--scores", "--csv", "s.csv", "--parquet", "s.parquet")

    assert csv.out == "wrote 5 rows to trials.csv\n"
    told = trials(raytuner("results", "--json"))
    written = pd.read_csv("trials.csv")
    assert written.trial.tolist() == [row["trial"] for row in told]
    assert written.recall.tolist() == pytest.approx([row["recall"] for row in told], rel=1e-12)
    assert both.out == "wrote 60 rows to s.csv\nwrote 60 rows to s.parquet\n"
    assert pd.read_parquet("s.parquet").score.sum() == pd.read_csv("s.csv").score.sum()


def test_a_table_in_a_folder_that_is_not_there(tiny, raytuner):
    raytuner("run")

    outcome = raytuner("results", "--csv", "nowhere/trials.csv")

    assert outcome.code == 2
    assert outcome.err.startswith("error: nowhere/trials.csv cannot be written: ")
    assert "None" not in outcome.err


def test_long_tables_are_cut_unless_all_is_asked_for(tiny, raytuner):
    tiny.write(space={"chunker.size": {"int": [8, 27]}})
    outcome = raytuner("run")

    every = raytuner("results", "--all")

    assert "  (6 more; --all shows them)" in outcome.out
    assert sum(" complete" in line for line in outcome.out.splitlines()) == 15
    assert sum(" complete" in line for line in every.out.splitlines()) == 21


def test_status_after_a_run(tiny, raytuner):
    raytuner("run")

    shown = raytuner("status").out
    facts = json.loads(raytuner("status", "--json").out)

    assert facts["state"] == "finished"
    assert facts["trials"] == facts["planned"] == facts["complete"] == 5
    assert facts["questions answered"] == 30
    assert "state: finished" in shown
    assert "best: chunker.size = " in shown


def test_results_of_a_run_folder_are_those_of_its_study(tiny, raytuner):
    raytuner("run")

    assert trials(raytuner("results", "runs/tiny", "--json")) == trials(
        raytuner("results", "--json")
    )


def test_the_exported_configuration_is_a_pipeline(tiny, raytuner):
    from pipelines.config import RagConfig

    raytuner("run")
    best = json.loads(raytuner("results", "--json").out)

    printed = raytuner("export").out
    written = raytuner("export", "--trial", "0", "-o", "zero.yaml")

    config = RagConfig.parse(YAML(typ="safe").load(printed))
    assert config.value("chunker.size") == best["best"]["chunker.size"]
    assert config.value("retriever.top_k") == best["best"]["retriever.top_k"]
    assert printed.startswith(f"# trial {best['trials'][0]['trial']} of study tiny")
    assert written.out == "wrote zero.yaml\n"
    zero = YAML(typ="safe").load((tiny.folder / "zero.yaml").read_text())
    tiny.write(objective__pipeline=zero, name="again")
    assert raytuner("check").code == 0


def test_an_export_overwrites_nothing(tiny, raytuner):
    raytuner("run")
    tiny.file("best.yaml", "mine")

    outcome = raytuner("export", "-o", "best.yaml")

    assert outcome.code == 2
    assert "error: best.yaml exists already; name another file" in outcome.err
    assert (tiny.folder / "best.yaml").read_text() == "mine"


def test_an_export_names_the_trials_there_are(tiny, raytuner):
    raytuner("run")

    outcome = raytuner("export", "--trial", "9")

    assert outcome.code == 2
    assert "error: --trial 9: there is no such trial; they are numbered 0 to 4" in outcome.err
