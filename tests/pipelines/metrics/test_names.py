"""Names of metrics: canonical, unambiguous, readable back."""

from __future__ import annotations

import pytest

from pipelines.metrics import (
    AveragePrecision,
    ContextRecall,
    ExactMatch,
    HitRate,
    Iou,
    Mrr,
    Ndcg,
    Precision,
    PrecisionOmega,
    Recall,
    RougeL,
    TokenF1,
    parse_metric,
)
from pipelines.roles import Metric
from raytuner.component import ConfigError, digest

NAMES = {
    "recall": Recall(),
    "recall@5": Recall(k=5),
    "precision@5": Precision(k=5),
    "iou@5": Iou(k=5),
    "precision-omega": PrecisionOmega(),
    "recall@1000tok": ContextRecall(),
    "recall@640tok": ContextRecall(tokens=640),
    "recall(tokenizer=words)@1000tok": ContextRecall(tokenizer="words"),
    "hit-rate@5": HitRate(k=5),
    "mrr@10": Mrr(k=10),
    "mrr": Mrr(),
    "ndcg@10": Ndcg(k=10),
    "ndcg(coverage=0.8)@10": Ndcg(k=10, coverage=0.8),
    "ndcg(coverage=1.0)": Ndcg(coverage=1.0),
    "map@10": AveragePrecision(k=10),
    "exact-match": ExactMatch(),
    "token-f1": TokenF1(),
    "rouge-l": RougeL(),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_and_its_metric_stand_for_each_other(name):
    assert NAMES[name].name == name
    assert parse_metric(name) == NAMES[name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nDCG@10", "ndcg@10"),
        (" MRR ", "mrr"),
        ("context-recall", "recall@1000tok"),
        ("context-recall@640tok", "recall@640tok"),
        ("recall@05", "recall@5"),
        ("ndcg( coverage = 0.5 )@3", "ndcg@3"),
        ("ndcg(coverage=0.8,k=4)", "ndcg(coverage=0.8)@4"),
    ],
)
def test_other_spellings_have_one_canonical_name(text, name):
    assert parse_metric(text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recal@5", r"no Metric of kind 'recal'.*Did you mean 'recall'\?"),
        ("token_f1", r"is not written like.*Did you mean 'token-f1'\?"),
        ("recall@1000tokens", r"Did you mean 'recall@1000tok'\?"),
        ("", "is not written like"),
        ("precision@1000tok", "only recall is defined within a number of tokens"),
        ("exact-match@5", "exact-match takes no cut-off; leave @5 away"),
        ("context-recall@5", "context-recall takes no cut-off"),
        ("recall@0", "metric 'recall@0': k: .*greater than or equal to 1"),
        ("recall(tokenizer=word)@9tok", r"no tokenizer 'word'.*Did you mean 'words'\?"),
        ("recall@0tok", "tokens: .*greater than or equal to 1"),
        ("ndcg(coverage=2)", "coverage: .*less than or equal to 1"),
        ("ndcg(coverage)", "'coverage' is not written like coverage=0.8"),
        ("ndcg(covrage=0.8)", r"no field 'covrage'.*Did you mean 'coverage'\?"),
    ],
)
def test_what_cannot_be_read_is_explained(text, message):
    with pytest.raises(ConfigError, match=message) as error:
        parse_metric(text)
    assert "\n" not in str(error.value)


def test_every_kind_of_the_package_is_registered():
    kinds = {"recall", "precision", "iou", "precision-omega", "context-recall", "hit-rate", "mrr"}
    kinds |= {"ndcg", "map", "contains", "exact-match", "token-f1", "rouge-l"}
    kinds |= {"semantic-similarity"}
    assert kinds <= set(Metric.kinds())


def test_every_field_changes_the_key():
    keys = {digest(metric) for metric in NAMES.values()}
    assert len(keys) == len(NAMES)
    assert all(not metric.unkeyed for metric in NAMES.values())


def test_a_study_may_spell_metrics_as_kinds_with_fields():
    assert Metric.model_validate({"kind": "ndcg", "k": 10}) == Ndcg(k=10)
    assert Metric.model_validate("recall") == Recall()
    assert all(
        "description" in f for f in Ndcg.model_json_schema()["properties"].values() if f.get("type")
    )
