"""Layer 1: clip metrics with confidence intervals."""

from auricle.metrics.bootstrap import (
    Interval,
    Statistic,
    bootstrap_interval,
    bootstrap_intervals,
    paired_difference_interval,
)
from auricle.metrics.decisions import (
    ClassCounts,
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    count_classes,
    count_labels,
    macro_f1,
    top_k_accuracy,
)
from auricle.metrics.ranking import (
    average_precision,
    d_prime,
    mean_average_precision,
    mean_roc_auc,
    roc_auc,
)

__all__ = [
    "ClassCounts",
    "Interval",
    "Statistic",
    "accuracy",
    "average_precision",
    "balanced_accuracy",
    "bootstrap_interval",
    "bootstrap_intervals",
    "confusion_matrix",
    "count_classes",
    "count_labels",
    "d_prime",
    "macro_f1",
    "mean_average_precision",
    "mean_roc_auc",
    "paired_difference_interval",
    "roc_auc",
    "top_k_accuracy",
]
