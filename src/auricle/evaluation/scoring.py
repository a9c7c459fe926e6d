"""Scores against the truth: every figure with its count and its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from auricle.core.errors import ConfigError, DataError, unknown_name
from auricle.core.types import Label
from auricle.evaluation.result import Figure, FoldFigures, Result
from auricle.evaluation.scores import ScoreTable, Targets
from auricle.metrics import (
    Interval,
    Statistic,
    accuracy,
    average_precision,
    balanced_accuracy,
    bootstrap_intervals,
    confusion_matrix,
    count_classes,
    count_labels,
    d_prime,
    macro_f1,
    mean_average_precision,
    mean_roc_auc,
    roc_auc,
    top_k_accuracy,
)
from auricle.metrics.weighting import mean_of_defined
from auricle.runtime.predictor import checked_abstention

_MANY_CLASSES = 10  # above it, the top-5 accuracy says something
_DEFAULT_THRESHOLD = 0.5


def evaluate_scores(
    *,
    labels: Sequence[Label],
    targets: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    paths: Sequence[str],
    groups: Sequence[str | None] | None = None,
    folds: Sequence[str] | None = None,
    multi_label: bool = False,
    thresholds: Mapping[Label, float] | None = None,
    abstain_below: float | None = None,
    seed: int = 0,
    config: Mapping[str, Any],
    command: str,
    resamples: int = 2000,
) -> Result:
    """Judge `probabilities` `(clips, labels)` against `targets`.

    `targets` are class indices `(clips,)`, or 0 and 1 `(clips, labels)` for `multi_label`;
    `align_labels` makes both. The prediction is the class with the highest probability (the
    first of equal ones), or every label that reaches its threshold (0.5 where `thresholds` has
    none). With `abstain_below` two figures are added, of single-label clips only: `coverage`, the
    share of clips whose best probability is at least that, and `accuracy_when_answering`, the
    accuracy among them. Intervals are bootstraps over `groups` where given (a clip whose group is
    None or "" stands for itself), otherwise over clips; `resamples=0` leaves them out. Where
    `folds` names more than one, the figures of each and their mean are added. Figures are of
    float32 scores, the precision of `scores.csv`, so that the file gives them again. Raises
    `DataError`, `ConfigError`.
    """
    truth: Targets = np.asarray(targets, np.bool_) if multi_label else np.asarray(targets, np.int64)
    table = ScoreTable(
        tuple(labels),
        tuple(paths),
        ("",) * len(paths) if folds is None else tuple(folds),
        truth,
        np.asarray(probabilities, np.float32),
    )
    _check(table, multi_label)
    limits = _threshold_row(table.labels, thresholds or {})
    statistics = _statistics(table.targets, table.probabilities, limits)
    if abstain_below is not None:
        limit = abstention_limit(abstain_below, multi_label=multi_label)
        statistics |= _abstaining(table, limit)
    intervals = bootstrap_intervals(
        statistics,
        len(table.paths),
        groups=None if groups is None else _own_group_where_missing(groups),
        seed=seed,
        resamples=resamples,
    )
    fold_figures = _figures_by_fold(table, limits) if len(set(table.folds)) > 1 else None
    return Result(
        metrics={name: Figure(**asdict(item)) for name, item in _with_d_prime(intervals).items()},
        per_class=_figures_by_class(table, limits),
        confusion=None if multi_label else _confusion(table),
        labels=table.labels,
        config=dict(config),
        command=command,
        seed=seed,
        folds=fold_figures,
        mean_over_folds=None if fold_figures is None else _mean_over_folds(fold_figures),
        scores=table,
    )


def _check(table: ScoreTable, multi_label: bool) -> None:
    clips, classes = len(table.paths), len(table.labels)
    if not clips:
        raise DataError("there must be at least one clip to evaluate, got none")
    shape = table.probabilities.shape
    if shape != (clips, classes):
        raise DataError(
            f"probabilities must have the shape ({clips} clips, {classes} labels), got {shape}"
        )
    if table.targets.shape != (shape if multi_label else shape[:1]):
        raise DataError(
            f"targets of {clips} clips must be class indices ({clips},) or, for a multi-label "
            f"classifier, 0 and 1 ({clips}, {classes}), got the shape {table.targets.shape}"
        )
    if len(table.folds) != clips:
        raise DataError(f"there must be one fold for each of {clips} clips, got {len(table.folds)}")
    bad = np.flatnonzero(~np.isfinite(table.probabilities).all(axis=1))
    if len(bad):
        raise DataError(
            f"scores must be finite numbers; those of {len(bad)} clips are not, the first is "
            f"{table.paths[int(bad[0])]}. Look for NaN in that sound, or in the training's loss"
        )


def _threshold_row(
    labels: Sequence[Label], thresholds: Mapping[Label, float]
) -> npt.NDArray[np.float32]:
    for label in thresholds:
        if label not in labels:
            raise unknown_name("label with a threshold", label, labels)
    return np.array([thresholds.get(label, _DEFAULT_THRESHOLD) for label in labels], np.float32)


def _own_group_where_missing(groups: Sequence[str | None]) -> list[tuple[str, int]]:
    return [(group, 0) if group else ("", clip) for clip, group in enumerate(groups)]


def _statistics(
    targets: npt.NDArray[Any], scores: npt.NDArray[np.float32], limits: npt.NDArray[np.float32]
) -> dict[str, Statistic]:
    if targets.ndim == 2:
        decisions = scores >= limits
        return {
            "mean_average_precision": lambda w: mean_average_precision(targets, scores, weights=w),
            "roc_auc": lambda w: mean_roc_auc(targets, scores, weights=w),
            "macro_f1": lambda w: count_labels(targets, decisions, weights=w).macro_f1,
            "micro_f1": lambda w: count_labels(targets, decisions, weights=w).micro_f1,
        }
    predicted = scores.argmax(axis=1)
    statistics: dict[str, Statistic] = {
        "accuracy": lambda w: accuracy(targets, predicted, weights=w),
        "balanced_accuracy": lambda w: balanced_accuracy(targets, predicted, weights=w),
        "macro_f1": lambda w: macro_f1(targets, predicted, weights=w),
    }
    if scores.shape[1] > _MANY_CLASSES:
        statistics["top_5_accuracy"] = lambda w: top_k_accuracy(targets, scores, 5, weights=w)
    return statistics


def abstention_limit(abstain_below: float, *, multi_label: bool) -> np.float32:
    """Return the probability below which no answer counts. Raises `ConfigError`."""
    if multi_label:
        raise ConfigError(
            "abstain_below judges clips of one label each; where a clip may have several, or "
            "none, the thresholds of the labels say which are present"
        )
    return checked_abstention(abstain_below)


def _abstaining(table: ScoreTable, least: np.float32) -> dict[str, Statistic]:
    predicted = table.probabilities.argmax(axis=1)
    answered = table.probabilities.max(axis=1) >= least
    every = np.ones_like(answered)
    return {
        "coverage": lambda w: accuracy(every, answered, weights=w),
        "accuracy_when_answering": lambda w: accuracy(
            table.targets, predicted, weights=w * answered
        ),
    }


def _with_d_prime(intervals: Mapping[str, Interval]) -> dict[str, Interval]:
    """Add d', which rises with ROC AUC and so carries its interval over."""
    figures = dict(intervals)
    if "roc_auc" in figures:
        area = figures["roc_auc"]
        figures["d_prime"] = Interval(
            d_prime(area.value), d_prime(area.low), d_prime(area.high), area.count, area.groups
        )
    return figures


def _figures_by_class(
    table: ScoreTable, limits: npt.NDArray[np.float32]
) -> dict[Label, dict[str, int | float]]:
    more: dict[str, npt.NDArray[np.float64]] = {}
    if table.multi_label:
        counts = count_labels(table.targets, table.probabilities >= limits)
        more["average_precision"] = average_precision(table.targets, table.probabilities)
        more["roc_auc"] = roc_auc(table.targets, table.probabilities)
    else:
        predicted = table.probabilities.argmax(axis=1)
        counts = count_classes(table.targets, predicted, len(table.labels))
    columns = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1, **more}
    return {
        label: {name: float(column[i]) for name, column in columns.items()}
        | {"support": int(counts.true[i])}
        for i, label in enumerate(table.labels)
    }


def _confusion(table: ScoreTable) -> list[list[int]]:
    predicted = table.probabilities.argmax(axis=1)
    return confusion_matrix(table.targets, predicted, len(table.labels)).tolist()


def _figures_by_fold(table: ScoreTable, limits: npt.NDArray[np.float32]) -> list[FoldFigures]:
    names = np.array(table.folds)
    figures = []
    for fold in dict.fromkeys(table.folds):
        clips = np.flatnonzero(names == fold)
        once = np.ones((1, len(clips)))
        statistics = _statistics(table.targets[clips], table.probabilities[clips], limits)
        metrics = {
            name: float(np.asarray(statistic(once))[0]) for name, statistic in statistics.items()
        }
        if "roc_auc" in metrics:
            metrics["d_prime"] = d_prime(metrics["roc_auc"])
        figures.append(FoldFigures(fold=fold, count=len(clips), metrics=metrics))
    return figures


def _mean_over_folds(folds: Sequence[FoldFigures]) -> dict[str, float]:
    return {
        name: float(mean_of_defined(np.array([fold.metrics[name] for fold in folds])))
        for name in folds[0].metrics
    }
