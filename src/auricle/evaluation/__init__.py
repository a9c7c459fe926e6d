"""Layer 3: predictions against references, to result files."""

from auricle.evaluation.result import (
    Confusion,
    Figure,
    FoldFigures,
    Result,
    figure_sentence,
    interval,
    read_result,
    worst_confusion,
    write_result,
)
from auricle.evaluation.scores import (
    ScoreTable,
    align_labels,
    merge_scores,
    read_scores,
    write_scores,
)
from auricle.evaluation.scoring import evaluate_scores

__all__ = [
    "Confusion",
    "Figure",
    "FoldFigures",
    "Result",
    "ScoreTable",
    "align_labels",
    "evaluate_scores",
    "figure_sentence",
    "interval",
    "merge_scores",
    "read_result",
    "read_scores",
    "worst_confusion",
    "write_result",
    "write_scores",
]
