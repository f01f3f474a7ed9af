"""What `kind: adapter` means: division, training, checkpoints, schedules, judgement, bad input."""

import json
import pickle

import numpy as np
import pytest

from pipelines.embedders.projection import read_adapter
from pipelines.objective import RagObjective
from pipelines.rebuild import load_pipeline
from raytuner.answering import Query
from raytuner.component import ConfigError
from raytuner.objective import ObjectiveFailure, Tally
from raytuner.proof.split import split
from raytuner.schedule import forked, read_schedule

FAST = {"learning_rate": 3e-3}
PLAIN = {"kind": "lsa", "dimensions": 24}
PIPELINE = {"chunker": {"kind": "sentence", "size": 24, "overlap": 0}}


def weights(objective, params, path):
    objective.write(params, path, Tally())
    return read_adapter(path).projection.weights


def same(one, other):
    return set(one) == set(other) and all(np.array_equal(one[name], other[name]) for name in one)


def checkpoints(root):
    return sorted((root / "cache").glob("**/*.ckpt"))


# ---- questions


def test_every_question_is_in_one_part_in_proportion(make):
    parts = make().parts
    every = [*parts.train, *parts.validate, *parts.held_out]
    assert len(every) == len(set(every)) == 36
    assert [len(part) for part in parts[:3]] == [pytest.approx(n, abs=2) for n in (14, 7, 14)]
    assert parts.mixed  # three documents are too few to divide by


def test_documents_stay_in_one_part_where_there_are_enough(make, handbook):
    for number in range(30):
        text = f"Room {number} holds the archive of year {1900 + number}."
        (handbook.root / "docs" / f"room{number}.md").write_text(text)
        with (handbook.root / "golden.jsonl").open("a") as file:
            for part in ("a", "b"):
                evidence = [{"doc": f"room{number}.md", "quote": text}]
                line = {"id": f"r{number}{part}", "question": f"{part}? {number}"}
                file.write(json.dumps({**line, "evidence": evidence}) + "\n")
    objective = make()
    owners = objective.groups()
    homes = [{owners[unit] for unit in part} for part in objective.parts[:3]]
    assert sum(map(len, homes)) == len(set().union(*homes))
    assert not objective.parts.mixed
    assert make(split={"by": "question"}).parts.mixed


def test_neither_seed_nor_order_of_questions_decides_who_is_held_out(make, handbook):
    before = make().parts
    golden = handbook.root / "golden.jsonl"
    golden.write_text("".join(reversed(golden.read_text().splitlines(keepends=True))))
    after = make(seed=9).parts
    assert [set(part) for part in before[:3]] == [set(part) for part in after[:3]]


def test_training_and_its_scores_do_not_depend_on_held_out_questions(
    make, handbook, scored, tmp_path
):
    objective = make()
    held = set(objective.tests())
    before, _ = scored(objective, FAST)
    trained = weights(objective, FAST, tmp_path / "one.npz")
    golden = handbook.root / "golden.jsonl"
    lines = [json.loads(line) for line in golden.read_text().splitlines()]
    for line in lines:
        if line["id"] in held:
            line["question"] = f"Quite another question {line['id']}"
            line["evidence"] = [{"doc": line["evidence"][0]["doc"], "start": 0, "end": 9}]
    golden.write_text("".join(json.dumps(line) + "\n" for line in lines))
    changed = make(cache="other")
    assert set(changed.tests()) == held
    assert changed.scope() != objective.scope()
    after, counts = scored(changed, FAST)
    assert counts["epochs trained"] == 7
    assert [one.scores for one in after.values()] == [one.scores for one in before.values()]
    assert same(weights(changed, FAST, tmp_path / "two.npz"), trained)


# ---- training


def test_training_learns_and_reports_every_epoch(make, scored):
    objective = make()
    found, counts = scored(objective, FAST)
    assert list(found) == [f"epoch {number}" for number in range(1, 8)]
    assert counts["epochs trained"] == 7
    losses = [one.notes["loss"] for one in found.values()]
    assert losses[-1] < losses[0]
    assert all(set(one.scores) == {"ndcg@10", "mrr"} for one in found.values())


def test_the_configuration_as_it_stands_is_the_embedder_itself(make, scored):
    objective = make()
    standing = objective.defaults(["learning_rate", "adapter.hidden"])
    assert standing == {"learning_rate": 3e-4, "adapter.kind": "none"}
    before, counts = scored(objective, standing)
    assert "epochs trained" not in counts
    idle, _ = scored(objective, {"learning_rate": 0.0, "adapter.kind": "two-layer"})
    assert [one.scores for one in before.values()] == [one.scores for one in idle.values()]
    assert len({objective.key({**standing, "learning_rate": rate}) for rate in (0.1, 0.2)}) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"adapter.bias": True, "adapter.applies_to": "both"},
        {"adapter.kind": "two-layer", "adapter.hidden": 8},
        {"loss.kind": "triplet", "loss.margin": 0.2},
        {"decay.kind": "step", "decay.rate": 0.1, "decay.every": 2},
        {"negatives": 0, "batch_size": 5},
        {"seed": 4},
    ],
    ids=str,
)
def test_knobs_change_what_is_trained_and_it_is_the_same_every_time(make, params, tmp_path):
    plain = weights(make(), FAST, tmp_path / "plain.npz")
    found = [
        weights(make(cache=name), {**FAST, **params}, tmp_path / f"{name}.npz")
        for name in ("one", "two")
    ]
    assert same(*found)
    assert not same(found[0], plain)


def test_a_rate_that_is_too_high_is_a_failure_in_one_sentence(make, scored):
    objective = make()
    params = {"learning_rate": 1e200, "regularisation": 10.0}
    with pytest.raises(ObjectiveFailure) as raised:
        scored(objective, params)
    assert raised.value.failure.kind == "objective"
    assert str(raised.value) == "epoch 1: learning_rate 1e+200 is too high, the weights overflow"
    with pytest.raises(ObjectiveFailure, match="the weights overflow"):
        scored(objective, params, objective.tests()[:2])


def test_objectives_travel_without_their_data(make, scored):
    objective = make()
    before, _ = scored(objective, FAST, ["epoch 2"])
    raw = pickle.dumps(objective)
    assert len(raw) < 8_000
    assert scored(pickle.loads(raw), FAST, ["epoch 2"])[0]["epoch 2"].scores == (
        before["epoch 2"].scores
    )


# ---- checkpoints and schedules


def test_a_trial_goes_on_from_its_checkpoint(make, scored):
    whole, _ = scored(make(cache="other"), FAST)
    first, counts = scored(make(), FAST, ["epoch 1", "epoch 2", "epoch 3"])
    assert counts["epochs trained"] == 3
    rest, counts = scored(make(), FAST, [f"epoch {number}" for number in range(4, 8)])
    assert counts["epochs trained"] == 4
    both = {**first, **rest}
    assert {u: one.scores for u, one in both.items()} == {u: o.scores for u, o in whole.items()}
    assert {u: one.notes for u, one in both.items()} == {u: o.notes for u, o in whole.items()}


@pytest.mark.parametrize("damage", ["cut", "changed", "lost"])
def test_a_damaged_checkpoint_only_costs_time(make, scored, handbook, damage):
    objective = make()
    before, _ = scored(objective, FAST, [*objective.units(), *objective.tests()])
    kept = checkpoints(handbook.root)
    assert len(kept) == 2  # after the fifth epoch, and the last
    for path in kept:
        raw = bytearray(path.read_bytes())
        if damage == "lost":
            path.unlink()
        else:
            raw[len(raw) // 2] ^= 1
            path.write_bytes(raw[:-9] if damage == "cut" else raw)
    again = make()
    after, counts = scored(again, FAST, [*again.units(), *again.tests()])
    assert counts["epochs trained"] == 7
    assert {u: one.scores for u, one in after.items()} == {u: o.scores for u, o in before.items()}


def test_a_copy_goes_on_from_its_parent(make, scored):
    objective = make()
    scored(objective, FAST, ["epoch 3"])
    child = forked(FAST, {"learning_rate": 1e-4}, 3)
    found, counts = scored(objective, child)
    assert counts["epochs trained"] == 4
    parent, _ = scored(objective, FAST)
    assert all(found[f"epoch {n}"].notes == parent[f"epoch {n}"].notes for n in (1, 2, 3))
    assert found["epoch 7"].notes != parent["epoch 7"].notes
    fresh, counts = scored(make(cache="other"), child)
    assert counts["epochs trained"] == 7
    assert {u: one.scores for u, one in fresh.items()} == {u: o.scores for u, o in found.items()}


def test_an_exported_schedule_trains_the_same_again(make, handbook, tmp_path):
    objective = make()
    copy = forked(forked(FAST, {"learning_rate": 1e-3}, 2), {"learning_rate": 1e-4}, 5)
    plain = json.loads(json.dumps(objective.export(copy)["schedule"]))
    assert [one["until"] for one in plain] == [2, 5, 7]
    again = read_schedule(plain, objective.steps())
    other = make(cache="other", seed=3)  # the seed of the training is in the schedule
    assert same(
        weights(objective, copy, tmp_path / "one.npz"), weights(other, again, tmp_path / "two.npz")
    )


def test_fewer_epochs_share_what_more_of_them_have_trained(make, scored):
    objective = make()
    whole, _ = scored(objective, FAST)
    few, counts = scored(objective, {**FAST, "epochs": 5})
    assert "epochs trained" not in counts
    assert few["epoch 7"].scores == few["epoch 5"].scores == whole["epoch 5"].scores
    assert objective.key({**FAST, "epochs": 7}) == objective.key(FAST)
    assert objective.key({**FAST, "epochs": 5}) != objective.key(FAST)


def test_more_epochs_go_on_where_fewer_have_ended(make, scored):
    scored(make(), FAST)
    _, counts = scored(make(epochs=9), FAST)
    assert counts["epochs trained"] == 2


# ---- judgement


def test_held_out_questions_are_scored_one_by_one(make, scored):
    objective = make()
    found, _ = scored(objective, FAST, objective.tests())
    assert list(found) == list(objective.tests())
    assert all(0 <= score <= 1 for one in found.values() for score in one.scores.values())
    assert objective.curve


# ---- bad input


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"epochs": 0}, "epochs", "greater than or equal to 1, got 0"),
        ({"training": {"loss": "hinge"}}, "loss", "known: contrastive, triplet"),
        ({"training": {"learning_rte": 1}}, "learning_rte", "Did you mean 'learning_rate'?"),
        ({"training": [1]}, "training", "give fields such as"),
        ({"pipeline": {"embedder": "minilmm"}}, "embedder", "Did you mean 'minilm'?"),
        ({"pipeline": {"retriever": "bm25"}}, "retriever", "compares no vectors"),
        ({"pipeline": {"generator": "extractive"}}, "pipeline", "only retrieves"),
        ({"metrics": ["token-f1"]}, "metrics", "only retrieves"),
        ({"split": {"train": 0.9}}, "split", "shares of 1, got 1.5"),
        ({"split": {"train": 0.5, "validate": 0.5, "held_out": 0.0, "to": 1}}, "to", "no such"),
        ({"step": 3}, "step", "no such field"),
    ],
)
def test_bad_sections_are_refused_in_one_sentence(make, changes, field, said):
    with pytest.raises(ConfigError, match=field) as raised:
        make(**changes)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"adapter.kind": "three-layer"}, "known: linear, none, two-layer"),
        ({"adapter.hidden": 4}, "'linear' has no 'hidden'"),
        ({"learning_rate": -1.0}, "learning_rate: "),
        ({"momentum": 0.9}, "a training has no parameter of that name"),
        ({"epochs": 0}, "epochs: "),
        ({"batch_size": 1}, "batch_size: "),
        ({"loss.kind": "hinge"}, "known: contrastive, triplet"),
    ],
)
def test_bad_parameters_are_refused_in_one_sentence(make, params, said):
    with pytest.raises(ConfigError) as raised:
        make().key(params)
    assert said in str(raised.value)
    assert raised.value.field == (next(iter(params)),)


def test_a_part_without_questions_is_refused(make, handbook):
    golden = handbook.root / "golden.jsonl"
    golden.write_text("".join(golden.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(ConfigError, match=r"split: \w+ has none of the 2 questions"):
        make().tests()


def test_vectors_that_are_too_long_are_refused(make, scored, handbook):
    text = " ".join(f"word{number}" for number in range(5_000))
    (handbook.root / "docs" / "words.md").write_text(text)
    with pytest.raises(ConfigError, match=r"tfidf gives vectors of 5\d\d\d numbers"):
        scored(make(pipeline={**PIPELINE, "embedder": "tfidf"}), FAST, ["epoch 1"])


def test_nothing_is_written_of_the_embedder_as_it_stands(make, tmp_path):
    with pytest.raises(ConfigError, match="no adapter to write"):
        make().write({"adapter.kind": "none"}, tmp_path / "a.npz", Tally())
    assert not (tmp_path / "a.npz").exists()


# ---- in a RAG study


def test_a_rag_study_counts_the_questions_that_its_adapter_was_trained_on(
    make, handbook, tmp_path, scored
):
    objective = make()
    objective.write(FAST, handbook.root / "a.npz", Tally())
    section = {**handbook.section, "metrics": ["ndcg@10"]}
    pipeline = {**objective.config.plain(), "chunker": PIPELINE["chunker"]}
    rag = RagObjective.build({**section, "pipeline": pipeline}, root=handbook.root, seed=0)
    adapted = {
        "embedder.kind": "adapted-fitted", "embedder.base": "lsa",
        "embedder.base.dimensions": 24, "embedder.adapter": "a.npz",
    }  # fmt: skip
    told = "questions an adapter was trained on"
    assert told not in rag.plan([{}])
    seen = len(objective.parts.train) + len(objective.parts.validate)
    assert rag.plan([{}, adapted])[told] == seen
    there, _ = scored(objective, FAST, objective.tests())
    here, _ = scored(rag, adapted, objective.tests())
    assert {u: o.scores["ndcg@10"] for u, o in there.items()} == {
        u: o.scores["ndcg@10"] for u, o in here.items()
    }


def test_with_the_default_share_of_studies_the_same_questions_are_held_out(make, handbook):
    objective = make(split={"train": 0.3, "validate": 0.1, "held_out": 0.6})
    rag = RagObjective.build(handbook.section, root=handbook.root, seed=5)
    divided = split(rag.units(), rag.groups(), rag.strata())
    assert set(divided.held_out) == set(objective.tests())


def test_an_adapted_pipeline_answers_questions_from_anywhere(make, handbook):
    objective = make()
    objective.write(FAST, handbook.root / "a.npz", Tally())
    embedder = {"kind": "adapted-fitted", "base": PLAIN, "adapter": "a.npz"}
    stages = {"chunker": PIPELINE["chunker"], "retriever": {"kind": "dense", "top_k": 10}}

    def found(embedder, questions):
        pipeline = load_pipeline(
            {**stages, "embedder": embedder}, "docs", cache="cache", root=handbook.root
        )
        return [[(hit.start, hit.score) for hit in pipeline.retrieve(q)] for q in questions]

    texts = [objective.workspace.question(unit).text for unit in objective.tests()[:4]]
    adapted, plain = found(embedder, texts), found(PLAIN, texts)
    assert adapted != plain
    rag = RagObjective.build(
        {**handbook.section, "pipeline": {**stages, "embedder": embedder}}, root=handbook.root,
        seed=0,
    )  # fmt: skip
    shown = rag.explain({}, objective.tests()[:4])
    assert [[p["start"] for p in one["retrieved"]] for one in shown] == [
        [start for start, _ in hits] for hits in adapted
    ]
    answerer = rag.answerer({})
    answerer.prepare()
    served = [answerer.answer(Query(text)) for text in texts]
    assert [[p["start"] for p in one.passages] for one in served] == [
        [start for start, _ in hits] for hits in adapted
    ]
