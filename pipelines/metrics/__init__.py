"""Metrics: how good a response is, by evidence found, by rank, by its answer, or by a judge.

Importing this package registers every metric kind.
"""

from pipelines.metrics.answers import (
    AnswerMetric,
    Contains,
    ExactMatch,
    RougeL,
    SemanticSimilarity,
    TokenF1,
)
from pipelines.metrics.evidence import EvidenceMetric
from pipelines.metrics.judged import AnswerRelevancy, ContextRelevance, Correctness, Faithfulness
from pipelines.metrics.llamaindex import LlamaIndexEvaluator
from pipelines.metrics.names import parse_metric
from pipelines.metrics.ranks import AveragePrecision, HitRate, Mrr, Ndcg
from pipelines.metrics.spans import ContextRecall, Iou, Precision, PrecisionOmega, Recall

__all__ = [
    "AnswerMetric",
    "AnswerRelevancy",
    "AveragePrecision",
    "Contains",
    "ContextRecall",
    "ContextRelevance",
    "Correctness",
    "EvidenceMetric",
    "ExactMatch",
    "Faithfulness",
    "HitRate",
    "Iou",
    "LlamaIndexEvaluator",
    "Mrr",
    "Ndcg",
    "Precision",
    "PrecisionOmega",
    "Recall",
    "RougeL",
    "SemanticSimilarity",
    "TokenF1",
    "parse_metric",
]
